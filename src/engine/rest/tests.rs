//! The journal is small while nobody writes, and loses nothing by it.

use std::sync::Arc;

use super::JOURNAL_BYTES;
use crate::{Crash, Database, Fault, FaultEffect, IndexFate, Operation, SimulatedDisk};

fn open(disk: &SimulatedDisk) -> Database {
    let builder = Database::builder().background(false);
    builder.open_on(Arc::new(disk.clone())).unwrap()
}

/// Writes so many megabytes into a session.
fn write(session: &crate::Session, megabytes: usize) {
    for number in 0..megabytes {
        let value = vec![7; 1_000_000];
        session.set_bytes(&format!("key/{number}"), &value).unwrap();
    }
}

fn journal_bytes(db: &Database) -> u64 {
    db.engine().journal.disk_bytes()
}

#[test]
fn files_that_are_checkpointed_go() {
    let mut disk = SimulatedDisk::new(1).unwrap();
    let session = open(&disk).create_session();
    session.set("round", &0).unwrap();
    let id = session.id();
    drop(session);
    for round in 1..4_u8 {
        let db = open(&disk);
        let session = db.open_session(&id).unwrap().unwrap();
        write(&session, 12);
        session.set("round", &round).unwrap();
        assert!(!db.engine().shrink_journal().unwrap(), "they are needed");
        db.checkpoint().unwrap();
        assert!(journal_bytes(&db) > JOURNAL_BYTES);
        assert!(db.engine().shrink_journal().unwrap());
        assert!(journal_bytes(&db) <= JOURNAL_BYTES);
        assert!(!db.engine().shrink_journal().unwrap(), "once is enough");
        disk = disk.crash(Crash::KeepNothing, IndexFate::Kept).unwrap();
        let again = open(&disk);
        let session = again.open_session(&id).unwrap().unwrap();
        assert_eq!(session.get("round").unwrap(), Some(round));
        assert_eq!(session.len().unwrap(), 13);
        again.verify().unwrap();
    }
}

#[test]
fn a_small_journal_is_left_alone() {
    let disk = SimulatedDisk::new(2).unwrap();
    let db = open(&disk);
    write(&db.create_session(), 1);
    db.checkpoint().unwrap();
    let before = db.stats().batches;
    assert!(!db.engine().shrink_journal().unwrap());
    assert_eq!(db.stats().batches, before);
}

#[test]
fn where_there_is_no_space_for_a_new_file_the_old_ones_stay_in_use() {
    let disk = SimulatedDisk::new(3).unwrap();
    let db = open(&disk);
    let session = db.create_session();
    write(&session, 12);
    db.checkpoint().unwrap();
    // Also once the files are gone that wait to be used again.
    disk.set_capacity(Some(disk.file_bytes() - journal_bytes(&db)));
    assert!(!db.engine().shrink_journal().unwrap());
    disk.set_capacity(None);
    session.set("after", &1).unwrap();
    write(&session, 12);
    db.checkpoint().unwrap();
    assert!(db.engine().shrink_journal().unwrap());
    assert!(journal_bytes(&db) <= JOURNAL_BYTES);
    assert_eq!(session.get("after").unwrap(), Some(1));
}

#[test]
fn a_file_that_cannot_be_removed_keeps_none_from_being_used_again() {
    let disk = SimulatedDisk::new(4).unwrap();
    let db = open(&disk);
    let session = db.create_session();
    let files = || {
        let files = disk.files().into_iter();
        files.filter(|path| path.starts_with("journal/")).count()
    };
    // Until there is a file that waits.
    for _ in 0..8 {
        write(&session, 12);
        db.checkpoint().unwrap();
    }
    let before = files();
    disk.inject(Fault {
        operation: Operation::Remove,
        path_contains: "journal".into(),
        after: 0,
        times: 1,
        kind: std::io::ErrorKind::PermissionDenied,
        effect: FaultEffect::Refuse,
    });
    assert!(db.engine().shrink_journal().is_err());
    for _ in 0..8 {
        write(&session, 12);
        db.checkpoint().unwrap();
    }
    assert_eq!(files(), before);
    assert!(db.engine().shrink_journal().unwrap());
    assert!(journal_bytes(&db) <= JOURNAL_BYTES);
}
