//! A full disk is foreseen: what does not fit is refused and leaves nothing
//! behind, and writes work again once there is space.

use std::sync::Arc;

use sessiondb::{Database, Error, Session, SimulatedDisk};

use crate::support::{builder, disk, open, without_hanging};

fn journal_files(disk: &SimulatedDisk) -> Vec<String> {
    let mut files = disk.files();
    files.retain(|path| path.starts_with("journal/"));
    files
}

/// Lets no file grow any more.
fn fill_up(disk: &SimulatedDisk) {
    disk.set_capacity(Some(disk.file_bytes()));
}

/// Writes until there is no space; the number of the last key that fit.
fn write_until_full(session: &Session) -> u32 {
    for number in 0..10_000 {
        match session.set(&format!("key {number}"), &"v".repeat(3000)) {
            Ok(()) => {}
            Err(Error::StorageFull { .. }) => return number,
            Err(error) => panic!("not a full disk: {error}"),
        }
    }
    panic!("the disk does not fill up");
}

fn assert_holds(session: &Session, keys: u32) {
    assert_eq!(session.len().unwrap(), keys as usize);
    for number in 0..keys {
        let found: Option<String> = session.get(&format!("key {number}")).unwrap();
        assert_eq!(found.map(|value| value.len()), Some(3000), "key {number}");
    }
}

fn full_journal(seed: u64) -> (SimulatedDisk, Database, Session, u32) {
    let disk = disk(seed);
    let database = open(&disk).unwrap();
    let session = database.create_session();
    session.set("key 0", &"v".repeat(3000)).unwrap();
    crate::support::wait_for("the second journal file", || {
        journal_files(&disk).len() == 2
    });
    disk.set_capacity(Some((128 << 10) + 1000));
    let keys = write_until_full(&session);
    assert!(keys > 10, "{keys} keys");
    (disk, database, session, keys)
}

#[test]
fn a_journal_file_that_cannot_be_allocated_leaves_no_trace() {
    without_hanging(|| {
        let (disk, database, session, keys) = full_journal(1);
        let (files, bytes) = (journal_files(&disk), disk.file_bytes());
        for _ in 0..10 {
            let refused = session.set("one more", &"v".repeat(3000));
            assert!(
                matches!(&refused, Err(Error::StorageFull { .. })),
                "{refused:?}"
            );
        }
        assert!(journal_files(&disk).len() <= files.len().max(3));
        assert_eq!(disk.file_bytes(), bytes);
        assert_holds(&session, keys);
        drop(database);
    });
}

#[test]
fn writes_work_again_once_there_is_space() {
    without_hanging(|| {
        let (disk, database, session, keys) = full_journal(2);
        disk.set_capacity(None);
        session
            .set(&format!("key {keys}"), &"v".repeat(3000))
            .unwrap();
        assert_holds(&session, keys + 1);
        database.checkpoint().unwrap();
        assert_holds(&session, keys + 1);
        let id = session.id();
        database.close().unwrap();
        let again = open(&disk).unwrap();
        assert_holds(&again.open_session(&id).unwrap().unwrap(), keys + 1);
    });
}

#[test]
fn what_was_written_before_the_disk_was_full_survives() {
    without_hanging(|| {
        let (disk, database, session, keys) = full_journal(3);
        let survivor = disk
            .crash(sessiondb::Crash::KeepNothing, sessiondb::IndexFate::Kept)
            .unwrap();
        drop(database);
        survivor.set_capacity(None);
        let again = open(&survivor).unwrap();
        assert_holds(&again.open_session(&session.id()).unwrap().unwrap(), keys);
    });
}

#[test]
fn a_checkpoint_without_space_leaves_everything_readable_and_is_repeated() {
    without_hanging(|| {
        let disk = disk(4);
        let database = builder()
            .segment_bytes(8 << 10)
            .open_on(Arc::new(disk.clone()))
            .unwrap();
        let session = database.create_session();
        for number in 0..12 {
            session
                .set(&format!("key {number}"), &"v".repeat(3000))
                .unwrap();
        }
        crate::support::wait_for("the second journal file", || {
            journal_files(&disk).len() == 2 && disk.file_bytes() > 128 << 10
        });
        // It would let the checkpoint come to its end.
        disk.remove_file("BALLAST").unwrap();
        for spare in [0, 10_000, 20_000] {
            disk.set_capacity(Some(disk.file_bytes() + spare));
            let refused = database.checkpoint();
            assert!(
                matches!(&refused, Err(Error::StorageFull { .. })),
                "{spare}: {refused:?}"
            );
            assert_holds(&session, 12);
        }
        // Nothing of the attempts is left.
        let segments = |path: &String| path.starts_with("segments/");
        assert_eq!(disk.files().iter().filter(|path| segments(path)).count(), 0);
        // What is written meanwhile is not lost, and not mistaken for older.
        session.set("key 0", &"w".repeat(3000)).unwrap();
        session.set("meanwhile", &1).unwrap();
        session.discard("key 11").unwrap();
        disk.set_capacity(None);
        database.checkpoint().unwrap();
        assert_eq!(database.stats().memtable_bytes, 0, "all is checkpointed");
        let check = |session: &Session| {
            assert_eq!(session.len().unwrap(), 12);
            let first: Option<String> = session.get("key 0").unwrap();
            assert_eq!(first, Some("w".repeat(3000)));
            assert_eq!(session.get::<i32>("meanwhile").unwrap(), Some(1));
        };
        check(&session);
        database.verify().unwrap();
        let id = session.id();
        database.close().unwrap();
        check(&open(&disk).unwrap().open_session(&id).unwrap().unwrap());
    });
}

#[test]
fn a_full_disk_does_not_stop_the_background_for_ever() {
    without_hanging(|| {
        let disk = disk(5);
        let database = builder()
            .background(true)
            .idle_checkpoint_after(std::time::Duration::from_millis(10))
            .open_on(Arc::new(disk.clone()))
            .unwrap();
        let session = database.create_session();
        session.set("key 0", &"v".repeat(3000)).unwrap();
        session.set("key 1", &1).unwrap();
        crate::support::wait_for("a checkpoint", || database.stats().memtable_bytes == 0);
        disk.remove_file("BALLAST").unwrap();
        fill_up(&disk);
        let batches = database.stats().batches;
        session.delete("key 1").unwrap();
        assert_holds(&session, 1);
        disk.set_capacity(None);
        crate::support::wait_for("a checkpoint", || database.stats().batches > batches);
        assert_holds(&session, 1);
        database.close().unwrap();
    });
}
