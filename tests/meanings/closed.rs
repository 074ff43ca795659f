//! `close` commits, closes every clone (then `Closed`), and lets the
//! directory go; the last drop does the same.

use std::sync::Arc;

use sessiondb::{Crash, Database, Error, IndexFate, Session, SimulatedDisk};

use super::operations::{reads, writes};
use super::support::{NEVER_BY_ITSELF, contents, fresh, named, open_on, promptly};

fn is_closed<T>(answer: &Result<T, Error>) -> bool {
    matches!(answer, Err(Error::Closed))
}

#[test]
fn every_operation_of_every_clone_is_closed_after_a_close() {
    let (_disk, db) = fresh();
    let (clone, view) = (db.clone(), db.with_durability(NEVER_BY_ITSELF));
    let mut session = clone.create_session();
    session.set("a", &1).unwrap();
    let mut unwritten = db.create_session();
    db.close().unwrap();
    for db in [&db, &clone, &view] {
        assert!(is_closed(&db.open_session(&session.id())));
        assert!(is_closed(&db.open_token("malformed")));
        assert!(is_closed(&db.commit()));
        assert!(is_closed(&db.checkpoint()));
        assert!(is_closed(&db.verify()));
        assert!(is_closed(&db.create_session().set("b", &1)));
    }
    for handle in [&session, &unwritten] {
        let answers = reads(handle, "a").into_iter().chain(writes(handle, "a"));
        for (operation, answer) in answers {
            assert!(is_closed(&answer), "{operation}: {answer:?}");
        }
        assert!(is_closed(&handle.commit()));
    }
    for handle in [&mut session, &mut unwritten] {
        let id = handle.id();
        assert!(is_closed(&handle.flush()));
        assert!(is_closed(&handle.cycle_id()));
        assert!(is_closed(&handle.destroy()));
        assert_eq!(handle.id(), id);
    }
    // Answers that cannot fail do not hang or panic either.
    let _ = (db.stats(), session.is_resident(), session.id());
}

#[test]
fn closing_twice_is_fine() {
    let (_disk, db) = fresh();
    db.close().unwrap();
    db.close().unwrap();
    db.clone().close().unwrap();
}

#[test]
fn close_commits_what_was_deferred() {
    let (disk, db) = fresh();
    let session = db.with_durability(NEVER_BY_ITSELF).create_session();
    session.set("a", &1).unwrap();
    db.close().unwrap();
    let disk = disk.crash(Crash::KeepNothing, IndexFate::Lost).unwrap();
    let again = open_on(&disk).open_session(&session.id()).unwrap().unwrap();
    assert_eq!(contents(&again), named(&[("a", 1)]));
}

#[test]
fn the_last_drop_commits_and_lets_the_directory_go() {
    let (disk, db) = fresh();
    let quick = db.with_durability(NEVER_BY_ITSELF);
    let session = quick.create_session();
    session.set("a", &1).unwrap();
    let id = session.id();
    drop((db, quick));
    let blocked = super::support::quiet().open_on(Arc::new(disk.clone()));
    assert!(
        matches!(blocked, Err(Error::Locked { .. })),
        "a session keeps its database open"
    );
    drop(session);
    let disk = disk.crash(Crash::KeepNothing, IndexFate::Lost).unwrap();
    let again = open_on(&disk).open_session(&id).unwrap().unwrap();
    assert_eq!(contents(&again), named(&[("a", 1)]));
}

/// What `CURRENT` says; it changes when the index had to be rebuilt.
fn current(disk: &SimulatedDisk) -> Vec<u8> {
    disk.read_file("CURRENT").unwrap()
}

#[test]
fn a_closed_database_opens_again_as_it_was_while_old_handles_live() {
    let (disk, db) = fresh();
    let old: Session = db.create_session();
    old.set("a", &1).unwrap();
    db.close().unwrap();
    let before = current(&disk);
    let again: Database = open_on(&disk);
    let session = again.open_session(&old.id()).unwrap().unwrap();
    assert_eq!(contents(&session), named(&[("a", 1)]));
    assert!(is_closed(&old.get::<i64>("a")));
    assert_eq!(current(&disk), before, "the index was taken for broken");
}

#[test]
fn a_writer_that_a_close_overtakes_is_told_so() {
    let (disk, db) = fresh();
    let session = db.create_session();
    session.set("a", &1).unwrap();
    let id = session.id();
    let closer = db.clone();
    let outcome = session.transaction(|tx| {
        tx.set("a", &2)?;
        // Closing waits for no closure: from elsewhere it is done at once.
        promptly(move || closer.close()).unwrap();
        Ok(())
    });
    assert!(is_closed(&outcome), "{outcome:?}");
    drop((session, db));
    let again = open_on(&disk).open_session(&id).unwrap().unwrap();
    assert_eq!(contents(&again), named(&[("a", 1)]));
}
