//! A session never written does not exist on disk.

use sessiondb::{Database, Error, MAX_VALUE_BYTES, Session, SimulatedDisk};

use super::support::{Footprint, contents, fresh, named, open_on};

/// Asserts that `work` leaves no trace of a session that was never written.
#[track_caller]
fn leaves_no_trace(work: impl FnOnce(&mut Session)) {
    let (disk, db) = fresh();
    let mut session = db.create_session();
    let before = Footprint::of(&disk, &db);
    let first = session.id();
    work(&mut session);
    db.checkpoint().unwrap();
    assert_eq!(Footprint::of(&disk, &db), before);
    is_nowhere(&disk, db, &[first, session.id()], session);
}

#[track_caller]
fn is_nowhere(disk: &SimulatedDisk, db: Database, ids: &[sessiondb::SessionId], session: Session) {
    for id in ids {
        assert!(db.open_session(id).unwrap().is_none());
    }
    db.close().unwrap();
    drop((session, db));
    let db = open_on(disk);
    for id in ids {
        assert!(db.open_session(id).unwrap().is_none());
    }
    assert_eq!(db.verify().unwrap().sessions, 0);
}

#[test]
fn creating_a_session_touches_no_disk() {
    leaves_no_trace(|_| {});
}

#[test]
fn flushing_it_touches_no_disk_and_changes_the_id() {
    leaves_no_trace(|session| {
        let old = session.id();
        let new = session.flush().unwrap();
        assert_ne!(new, old);
        assert_eq!(session.id(), new);
        assert_ne!(session.flush().unwrap(), new);
    });
}

#[test]
fn cycling_it_touches_no_disk_and_changes_the_id() {
    leaves_no_trace(|session| {
        let old = session.id();
        let new = session.cycle_id().unwrap();
        assert_ne!(new, old);
        assert_eq!(session.id(), new);
    });
}

#[test]
fn destroying_it_touches_no_disk_and_ends_the_handle() {
    leaves_no_trace(|session| {
        session.destroy().unwrap();
        session.destroy().unwrap();
        assert!(matches!(session.set("a", &1), Err(Error::SessionGone)));
        assert!(matches!(session.get::<i64>("a"), Err(Error::SessionGone)));
    });
}

#[test]
fn removing_from_it_does_not_create_it() {
    leaves_no_trace(|session| {
        assert_eq!(session.pop::<i64>("a").unwrap(), None);
        assert!(!session.discard("a").unwrap());
        assert!(matches!(
            session.delete("a"),
            Err(Error::KeyNotFound { .. })
        ));
        session.remove_prefix("a").unwrap();
        session.clear().unwrap();
        session.commit().unwrap();
    });
}

#[test]
fn a_write_that_is_refused_does_not_create_it() {
    leaves_no_trace(|session| {
        let large = vec![0; MAX_VALUE_BYTES];
        assert!(matches!(
            session.set_bytes("a", &large),
            Err(Error::TooLarge { .. })
        ));
        assert!(matches!(session.set("", &1), Err(Error::InvalidKey { .. })));
        let undone = session.transaction(|tx| {
            tx.set("a", &1)?;
            tx.delete("absent")
        });
        assert!(matches!(undone, Err(Error::KeyNotFound { .. })));
    });
}

#[test]
fn dropping_it_leaves_nothing() {
    let (disk, db) = fresh();
    let before = Footprint::of(&disk, &db);
    for _ in 0..100 {
        drop(db.create_session());
    }
    db.checkpoint().unwrap();
    assert_eq!(Footprint::of(&disk, &db), before);
    assert_eq!(db.stats().resident_sessions, 0);
}

#[test]
fn its_first_value_creates_it_under_the_id_it_has_by_then() {
    type Change = fn(&mut Session);
    let changes: [Change; 3] = [
        |_| {},
        |session| {
            session.flush().unwrap();
        },
        |session| {
            session.cycle_id().unwrap();
        },
    ];
    for change in changes {
        let (disk, db) = fresh();
        let mut session = db.create_session();
        let first = session.id();
        change(&mut session);
        let id = session.id();
        session.set("a", &1).unwrap();
        assert_eq!(id, session.id(), "a write changes no ID");
        assert_eq!(db.open_session(&first).unwrap().is_some(), first == id);
        db.close().unwrap();
        drop((session, db));
        let db = open_on(&disk);
        let session = db.open_session(&id).unwrap().expect("it was written");
        assert_eq!(contents(&session), named(&[("a", 1)]));
        assert_eq!(db.verify().unwrap().sessions, 1);
    }
}

#[test]
fn each_has_an_id_of_its_own() {
    let (_disk, db) = fresh();
    let ids: std::collections::HashSet<_> = (0..1000).map(|_| db.create_session().id()).collect();
    assert_eq!(ids.len(), 1000);
}
