//! Rule 13: a merge of a settled session that misses its base in the index has
//! the index rebuilt, and never takes nothing for the base. An index that is
//! older than the segments, or of another history, is caught up with or made
//! anew before anything is believed.

use std::fs;
use std::path::{Path, PathBuf};

use sessiondb::{Crash, IndexFate, SessionId, SimulatedDisk};

use crate::directory::copy;
use crate::support::{cut, index_names, open, session, simulated};

fn index_of(disk: &SimulatedDisk) -> PathBuf {
    let names = index_names(disk);
    disk.index_root().join(names.last().unwrap())
}

/// Gives a disk the index directory of another, under its own index's name.
fn replace_index(disk: &SimulatedDisk, from: &Path) {
    let target = index_of(disk);
    fs::remove_dir_all(&target).unwrap();
    copy(from, &target);
}

/// A database with one settled session of several pages.
fn settled() -> (SimulatedDisk, SessionId) {
    let disk = simulated(20);
    let db = open(&disk).unwrap();
    let visitor = db.create_session();
    for number in 0..60 {
        visitor
            .set(&format!("key-{number:02}"), &"x".repeat(300))
            .unwrap();
    }
    let id = visitor.id();
    drop(visitor);
    db.close().unwrap();
    drop(db);
    (disk.crash(Crash::KeepAll, IndexFate::Kept).unwrap(), id)
}

#[test]
fn an_older_copy_of_the_index_is_caught_up_with_before_a_session_is_merged() {
    let (old, first) = settled();
    let disk = old.crash(Crash::KeepAll, IndexFate::Kept).unwrap();
    // Two batches later, and changes in the journal of what the old index
    // knows, of what it does not know, and of what it knows otherwise.
    let db = open(&disk).unwrap();
    let second = db.create_session();
    for number in 0..60 {
        second
            .set(&format!("key-{number:02}"), &"y".repeat(300))
            .unwrap();
    }
    db.checkpoint().unwrap();
    let visitor = session(&db, &first);
    for number in 0..60 {
        visitor
            .set(&format!("more-{number:02}"), &"z".repeat(300))
            .unwrap();
    }
    db.checkpoint().unwrap();
    visitor.delete("key-00").unwrap();
    visitor.set("key-01", "new").unwrap();
    second.delete("key-59").unwrap();
    let (id, expected) = (second.id(), second.to_map::<String>().unwrap());
    let grown = visitor.to_map::<String>().unwrap();
    drop((visitor, second));
    let disk = cut(db, &disk, Crash::KeepNothing, IndexFate::Kept);
    replace_index(&disk, &index_of(&old));
    let db = open(&disk).unwrap();
    for merged in [false, true] {
        if merged {
            db.verify().unwrap();
        }
        assert_eq!(session(&db, &id).to_map::<String>().unwrap(), expected);
        assert_eq!(session(&db, &first).to_map::<String>().unwrap(), grown);
    }
    let disk = cut(db, &disk, Crash::KeepNothing, IndexFate::Lost);
    let db = open(&disk).unwrap();
    assert_eq!(session(&db, &id).to_map::<String>().unwrap(), expected);
    assert_eq!(session(&db, &first).to_map::<String>().unwrap(), grown);
}

/// Two histories that part after the same batch, both with one more batch: the
/// mark and the index of a clean stop of one, and a crash of the other.
fn parted() -> (SimulatedDisk, SimulatedDisk, SessionId) {
    let (root, _) = settled();
    let other = root.crash(Crash::KeepAll, IndexFate::Kept).unwrap();
    let db = open(&other).unwrap();
    let visitor = db.create_session();
    visitor.set("history", "the other one").unwrap();
    drop(visitor);
    db.close().unwrap();
    let disk = root.crash(Crash::KeepAll, IndexFate::Kept).unwrap();
    let db = open(&disk).unwrap();
    let visitor = db.create_session();
    for number in 0..60 {
        visitor
            .set(&format!("key-{number:02}"), &"x".repeat(300))
            .unwrap();
    }
    db.checkpoint().unwrap();
    visitor.set("key-30", "changed").unwrap();
    let id = visitor.id();
    drop(visitor);
    (
        cut(db, &disk, Crash::KeepNothing, IndexFate::Kept),
        other,
        id,
    )
}

#[test]
fn an_index_that_does_not_know_a_session_the_journal_changes_is_rebuilt() {
    // With the mark of the other history the index looks untouched.
    for with_mark in [false, true] {
        let (disk, other, id) = parted();
        replace_index(&disk, &index_of(&other));
        if with_mark {
            let mark = other.read_file("CLEAN").unwrap();
            disk.write_file("CLEAN", &mark).unwrap();
        }
        let db = open(&disk).unwrap();
        let handle = session(&db, &id);
        assert_eq!(handle.len().unwrap(), 60);
        assert_eq!(handle.get("key-30").unwrap(), Some("changed".to_owned()));
        assert_eq!(handle.get("key-31").unwrap(), Some("x".repeat(300)));
        db.verify().unwrap();
        assert_eq!(handle.len().unwrap(), 60);
        assert_ne!(index_names(&disk), ["index-0001"], "it was rebuilt");
    }
}
