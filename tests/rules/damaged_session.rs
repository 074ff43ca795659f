//! Rule 15, going on: a session whose image or page is damaged, and which is
//! written to nevertheless, stops nobody else. It is `Corrupted` from its next
//! checkpoint on, whatever is asked of it, except that it can be removed.

use sessiondb::{Crash, Database, Error, IndexFate, Session, SessionId, SimulatedDisk};

use crate::support::{cut, flip, open, places, session, simulated};

const MARK: &str = "a value that is going to be damaged";

/// A database with a settled session, of one page or of several, and another.
fn settled(with_pages: bool) -> (SimulatedDisk, SessionId, SessionId) {
    let disk = simulated(25);
    let db = open(&disk).unwrap();
    let other = db.create_session();
    other.set("value", &1).unwrap();
    let damaged = db.create_session();
    if with_pages {
        for number in 0..60 {
            damaged
                .set(&format!("key-{number:02}"), &"x".repeat(300))
                .unwrap();
        }
    }
    // Sorts last: with pages it is not in the image.
    damaged.set("value", MARK).unwrap();
    db.checkpoint().unwrap();
    let ids = (damaged.id(), other.id());
    drop((damaged, other));
    let disk = cut(db, &disk, Crash::KeepNothing, IndexFate::Kept);
    let found = places(&disk, MARK.as_bytes());
    assert_eq!(found.len(), 1);
    for (path, offset) in found {
        flip(&disk, &path, offset);
    }
    (disk, ids.0, ids.1)
}

fn is_corrupted<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Corrupted { .. }))
}

fn assert_corrupted(handle: &Session, what: &str) {
    assert!(is_corrupted(&handle.get::<String>("value")), "{what}: get");
    assert!(
        is_corrupted(&handle.get::<i32>("new")),
        "{what}: get of a new key"
    );
    assert!(is_corrupted(&handle.set("new", &2)), "{what}: set");
    assert!(is_corrupted(&handle.pop::<i32>("new")), "{what}: pop");
    assert!(is_corrupted(&handle.delete("new")), "{what}: delete");
    assert!(is_corrupted(&handle.clear()), "{what}: clear");
    assert!(is_corrupted(&handle.len()), "{what}: len");
}

fn others_go_on(db: &Database, other: &SessionId, round: i32) {
    let handle = session(db, other);
    handle.set("value", &round).unwrap();
    let new = db.create_session();
    new.set("round", &round).unwrap();
    db.checkpoint().unwrap();
    assert_eq!(handle.get("value").unwrap(), Some(round));
    assert_eq!(session(db, &new.id()).get("round").unwrap(), Some(round));
}

#[test]
fn a_damaged_session_that_is_written_to_does_not_stop_the_others() {
    for with_pages in [false, true] {
        let (disk, damaged, other) = settled(with_pages);
        let db = open(&disk).unwrap();
        let handle = session(&db, &damaged);
        // Where the damage is not needed nobody can know of it yet.
        let what = format!("pages: {with_pages}");
        handle.set("value", "another value").unwrap();
        handle.set("vanishing", &1).unwrap();
        others_go_on(&db, &other, 1);
        assert_corrupted(&handle, &what);
        others_go_on(&db, &other, 2);
        drop(handle);
        // It stays so, over a crash and a rebuild, and the others go on.
        let mut disk = cut(db, &disk, Crash::KeepNothing, IndexFate::Kept);
        for index in [IndexFate::Kept, IndexFate::Lost, IndexFate::Kept] {
            disk = disk.crash(Crash::KeepAll, index).unwrap();
            let db = open(&disk).unwrap();
            assert_corrupted(&session(&db, &damaged), &format!("{what}, {index:?}"));
            others_go_on(&db, &other, 3);
            disk = cut(db, &disk, Crash::KeepNothing, IndexFate::Kept);
        }
    }
}

/// When nothing is left but its name.
#[test]
fn a_session_that_is_damaged_as_a_whole_is_not_unknown_and_hides_no_other() {
    let (disk, id, other) = settled(false);
    let disk = disk.crash(Crash::KeepAll, IndexFate::Lost).unwrap();
    let db = open(&disk).unwrap();
    let third = db.create_session();
    third.set("value", &3).unwrap();
    let damaged = id.digest();
    for _ in ["by its row", "in memory"] {
        assert!(is_corrupted(&db.inspect(&damaged)));
        let (told, broken): (Vec<_>, Vec<_>) = db.sessions().partition(Result::is_ok);
        let mut told: Vec<_> = told.into_iter().map(|info| info.unwrap().digest).collect();
        let mut others = [other.digest(), third.id().digest()];
        told.sort_unstable();
        others.sort_unstable();
        assert_eq!(told, others);
        assert!(broken.len() == 1 && broken.iter().all(is_corrupted));
        let handle = session(&db, &id);
        assert!(is_corrupted(&handle.get::<String>("value")));
    }
    assert!(db.revoke(damaged).unwrap());
    assert!(db.inspect(&damaged).unwrap().is_none());
    assert!(db.sessions().all(|info| info.is_ok()));
}

#[test]
fn a_damaged_session_can_be_flushed_and_destroyed() {
    for with_pages in [false, true] {
        for index in [IndexFate::Kept, IndexFate::Lost] {
            for destroy in [false, true] {
                let (disk, damaged, other) = settled(with_pages);
                let disk = disk.crash(Crash::KeepAll, index).unwrap();
                let db = open(&disk).unwrap();
                let mut handle = session(&db, &damaged);
                let _ = handle.set("new", &1);
                let _ = handle.set("value", "again");
                db.checkpoint().unwrap();
                if destroy {
                    handle.destroy().unwrap();
                } else {
                    let id = handle.flush().unwrap();
                    handle.set("value", "a new beginning").unwrap();
                    assert!(db.open_session(&id).unwrap().is_some());
                }
                assert!(db.open_session(&damaged).unwrap().is_none());
                others_go_on(&db, &other, 1);
                assert!(db.open_session(&damaged).unwrap().is_none());
                drop(handle);
                let disk = cut(db, &disk, Crash::KeepNothing, IndexFate::Lost);
                let db = open(&disk).unwrap();
                assert!(db.open_session(&damaged).unwrap().is_none());
                assert_eq!(session(&db, &other).get("value").unwrap(), Some(1));
            }
        }
    }
}

#[test]
fn a_crash_between_the_write_and_the_checkpoint_changes_nothing_about_it() {
    for with_pages in [false, true] {
        for index in [IndexFate::Kept, IndexFate::Lost] {
            let (disk, damaged, other) = settled(with_pages);
            let db = open(&disk).unwrap();
            session(&db, &damaged)
                .set("value", "another value")
                .unwrap();
            session(&db, &other).set("value", &7).unwrap();
            let disk = cut(db, &disk, Crash::KeepNothing, index);
            let db = open(&disk).unwrap();
            assert_eq!(session(&db, &other).get("value").unwrap(), Some(7));
            db.checkpoint().unwrap();
            assert_corrupted(&session(&db, &damaged), "after the replay");
            others_go_on(&db, &other, 8);
            let mut handle = session(&db, &damaged);
            handle.destroy().unwrap();
            db.checkpoint().unwrap();
            assert!(db.open_session(&damaged).unwrap().is_none());
        }
    }
}
