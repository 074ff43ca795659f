//! Reads never create, write or renew.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sessiondb::{Database, Error, ManualClock, SessionId};

use super::operations::reads;
use super::support::{Footprint, Stage, fresh, quiet};

#[test]
fn a_read_writes_nothing() {
    for mut stage in Stage::each(|session| session.set("a", &1).unwrap()) {
        stage.writes_nothing("reading", |session| {
            for (name, answer) in reads(session, "absent") {
                answer.unwrap_or_else(|error| panic!("{name}: {error}"));
            }
            assert_eq!(session.get::<i64>("a").unwrap(), Some(1));
            assert!(session.contains_key("a").unwrap());
            assert!(session.is_resident());
        });
        stage.holds(&[("a", 1)]);
    }
}

#[test]
fn a_read_that_fails_writes_nothing() {
    for mut stage in Stage::each(|session| session.set("a", &1).unwrap()) {
        stage.writes_nothing("a failed read", |session| {
            assert!(matches!(
                session.get::<String>("a"),
                Err(Error::Decode { .. })
            ));
            assert!(matches!(session.get_bytes("a"), Err(Error::Decode { .. })));
            assert!(matches!(
                session.to_map::<String>(),
                Err(Error::Decode { .. })
            ));
        });
        stage.holds(&[("a", 1)]);
    }
}

#[test]
fn a_transaction_that_only_reads_writes_nothing() {
    for mut stage in Stage::each(|session| session.set("a", &1).unwrap()) {
        let seen = stage.writes_nothing("a reading transaction", |session| {
            session.transaction(|tx| {
                assert_eq!(tx.len()?, 1);
                assert!(!tx.contains_key("absent")?);
                tx.get::<i64>("a")
            })
        });
        assert_eq!(seen.unwrap(), Some(1));
    }
}

#[test]
fn opening_a_session_writes_nothing() {
    for mut stage in Stage::each(|session| session.set("a", &1).unwrap()) {
        let db = stage.db.clone();
        stage.writes_nothing("opening", |session| {
            assert!(db.open_session(&session.id()).unwrap().is_some());
            assert!(db.open_token(&session.id().to_string()).unwrap().is_some());
        });
    }
}

#[test]
fn looking_for_an_unknown_session_does_not_create_it() {
    let (disk, db) = fresh();
    let unknown = SessionId::from_bytes([9; 16]);
    let before = Footprint::of(&disk, &db);
    for _ in 0..3 {
        assert!(db.open_session(&unknown).unwrap().is_none());
        assert!(db.open_token(&unknown.to_string()).unwrap().is_none());
        assert!(db.open_token("no token at all").unwrap().is_none());
    }
    db.checkpoint().unwrap();
    assert_eq!(Footprint::of(&disk, &db), before);
    assert_eq!(db.stats().resident_sessions, 0);
}

#[test]
fn reading_a_session_that_was_never_written_does_not_create_it() {
    let (disk, db) = fresh();
    let session = db.create_session();
    let before = Footprint::of(&disk, &db);
    for (name, answer) in reads(&session, "a") {
        answer.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert!(session.is_resident());
    assert!(db.open_session(&session.id()).unwrap().is_none());
    db.checkpoint().unwrap();
    assert_eq!(Footprint::of(&disk, &db), before);
}

#[test]
fn a_read_at_a_later_time_leaves_nothing_to_checkpoint() {
    let clock = Arc::new(ManualClock::default());
    let disk = sessiondb::SimulatedDisk::new(1).unwrap();
    let db = quiet()
        .clock(clock.clone())
        .open_on(Arc::new(disk.clone()))
        .unwrap();
    let session = db.create_session();
    session.set("a", &1).unwrap();
    db.checkpoint().unwrap();
    let before = Footprint::of(&disk, &db);
    clock.advance(Duration::from_secs(3600));
    for (name, answer) in reads(&session, "b") {
        answer.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    db.checkpoint().unwrap();
    assert_eq!(Footprint::of(&disk, &db), before, "something was renewed");
}

#[test]
fn a_read_changes_no_byte_of_a_real_directory() {
    let directory = tempfile::tempdir().unwrap();
    let db = quiet().open(directory.path()).unwrap();
    let (kept, fresh) = (db.create_session(), db.create_session());
    kept.set("a", &1).unwrap();
    db.checkpoint().unwrap();
    kept.set("b", &2).unwrap();
    let before = files(directory.path());
    for session in [&kept, &fresh] {
        for (name, answer) in reads(session, "c") {
            answer.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
    assert!(db.open_session(&fresh.id()).unwrap().is_none());
    assert!(before == files(directory.path()), "a file changed");
}

/// The bytes of our own files; the index is derived from them.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for directory in ["", "journal", "segments"] {
        for entry in fs::read_dir(root.join(directory)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                let bytes = fs::read(entry.path()).unwrap();
                files.insert(entry.path().display().to_string(), bytes);
            }
        }
    }
    assert!(files.len() > 2, "{:?}", files.keys());
    files
}

#[test]
fn a_read_tells_whether_it_would_touch_the_disk() {
    let (disk, db) = fresh();
    let session = db.create_session();
    assert!(session.is_resident());
    session.set("a", &1).unwrap();
    assert!(session.is_resident());
    let id = session.id();
    db.close().unwrap();
    drop((session, db));
    let db: Database = super::support::open_on(&disk);
    let session = db.open_session(&id).unwrap().unwrap();
    assert!(!session.is_resident(), "nothing was read yet");
    assert_eq!(session.get::<i64>("a").unwrap(), Some(1));
    assert!(session.is_resident(), "its page was just read");
}
