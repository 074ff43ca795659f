//! The hash of the index, and the directories of old ones.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::super::testing::{check_hash, locations, open, rebuild, spoil};
use crate::format::segment_frame::Kind;
use crate::index::Trouble;
use crate::{Crash, Error, Fault, FaultEffect, IndexFate, Operation, SimulatedDisk};

#[test]
fn a_clean_stop_after_a_rebuild_over_damage_leaves_no_wrong_hash() {
    let disk = SimulatedDisk::new(4).unwrap();
    let db = open(&disk);
    let hurt = db.create_session();
    let id = hurt.id();
    hurt.set("a", &1).unwrap();
    db.checkpoint().unwrap();
    spoil(&disk, locations(&db, Kind::Image)[0]);
    let disk = disk.crash(Crash::KeepAll, IndexFate::Lost).unwrap();
    drop((hurt, db));
    // Rebuilt; nothing is written; a clean stop.
    let db = open(&disk);
    let hurt = db.open_session(&id).unwrap().unwrap();
    assert!(hurt.get::<i32>("a").is_err());
    drop(hurt);
    db.close().unwrap();
    drop(db);
    let db = open(&disk);
    let mut hurt = db.open_session(&id).unwrap().unwrap();
    hurt.destroy().unwrap();
    db.checkpoint().unwrap();
    check_hash(&db);
}

#[test]
fn a_session_in_memory_that_a_rebuild_found_damaged_keeps_the_hash_right() {
    let disk = SimulatedDisk::new(5).unwrap();
    let db = open(&disk);
    let session = db.create_session();
    session.set("a", &1).unwrap();
    db.checkpoint().unwrap();
    assert_eq!(session.get::<i32>("a").unwrap(), Some(1));
    spoil(&disk, locations(&db, Kind::Image)[0]);
    rebuild(db.engine());
    // Its page is cached: it is written anew, whole.
    session.set("b", &2).unwrap();
    db.checkpoint().unwrap();
    assert_eq!(session.get::<i32>("a").unwrap(), Some(1));
    check_hash(&db);
}

fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn an_old_index_that_a_crash_left_over_is_removed() {
    let disk = SimulatedDisk::new(8).unwrap();
    let db = open(&disk);
    db.create_session().set("a", &1).unwrap();
    db.checkpoint().unwrap();
    // A kill between the new CURRENT and the removal of the old index.
    let engine = db.engine();
    let old = engine.disk.index_directory(&engine.index.name());
    let copy = tempfile::tempdir().unwrap();
    copy_files(&old, copy.path());
    rebuild(engine);
    copy_files(copy.path(), &old);
    let disk = disk.crash(Crash::KeepAll, IndexFate::Kept).unwrap();
    drop(db);
    let db = open(&disk);
    db.close().unwrap();
    let left = fs::read_dir(disk.index_root()).unwrap().count();
    assert_eq!(left, 1, "index directories");
}

#[test]
fn a_sync_that_fails_for_want_of_space_is_no_full_disk_to_be_tried_again() {
    let disk = SimulatedDisk::new(9).unwrap();
    let db = open(&disk);
    db.create_session().set("a", &1).unwrap();
    db.checkpoint().unwrap();
    for operation in [Operation::SyncAll, Operation::SyncDirectory] {
        disk.inject(Fault {
            operation,
            path_contains: String::new(),
            after: 0,
            times: 1,
            kind: ErrorKind::StorageFull,
            effect: FaultEffect::Refuse,
        });
        let engine = db.engine();
        let trouble = Trouble::new("a test");
        let outcome = engine.mend_index(engine.index.generation(), &trouble);
        assert!(
            matches!(outcome, Err(Error::Io { doing: "sync", .. })),
            "{outcome:?}"
        );
    }
}
