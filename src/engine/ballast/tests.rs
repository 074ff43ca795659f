use std::path::Path;
use std::sync::Arc;

use super::{BALLAST, Ballast, FULL_BYTES, INDEX_ROOM};
use crate::disk::Disk as _;
use crate::{Crash, Database, IndexFate, SimulatedDisk};

const MIB: u64 = 1 << 20;

fn disk(capacity: Option<u64>) -> SimulatedDisk {
    let disk = SimulatedDisk::new(1).unwrap();
    disk.set_capacity(capacity);
    disk
}

fn ballast(disk: &SimulatedDisk) -> Ballast {
    Ballast::find(Arc::new(disk.clone()))
}

/// How large the file is.
fn taken(disk: &SimulatedDisk) -> u64 {
    let file = disk.open(Path::new(BALLAST));
    file.map_or(0, |file| file.length().unwrap())
}

#[test]
fn a_large_disk_has_a_full_one_and_a_small_one_a_quarter_of_what_is_free() {
    for (capacity, wanted) in [
        (None, FULL_BYTES),
        (Some(1 << 30), FULL_BYTES),
        (Some(24 * MIB), 6 * MIB),
        (Some(6 * MIB), 3 * MIB / 2),
        (Some(5 * MIB), 0),
        (Some(0), 0),
    ] {
        let disk = disk(capacity);
        ballast(&disk).take(0);
        assert_eq!(taken(&disk), wanted, "{capacity:?}");
    }
}

#[test]
fn it_leaves_what_is_needed() {
    let disk = disk(Some(24 * MIB));
    ballast(&disk).take(15 * MIB);
    assert_eq!(taken(&disk), 0);
    ballast(&disk).take(14 * MIB);
    assert_eq!(taken(&disk), 6 * MIB);
}

#[test]
fn room_is_made_once_there_is_too_little() {
    let disk = disk(Some(1 << 30));
    let ballast = ballast(&disk);
    ballast.take(0);
    assert!(ballast.make_room());
    assert_eq!(taken(&disk), FULL_BYTES, "it was not needed");
    disk.set_capacity(Some(disk.file_bytes() + INDEX_ROOM - 1));
    assert!(!ballast.has_room());
    assert!(ballast.make_room());
    assert_eq!(taken(&disk), 0);
    assert_eq!(ballast.free_for_puts(), 0, "it has to come back first");
    assert!(!ballast.release());
}

#[test]
fn what_is_left_of_it_is_taken_again_at_once_and_all_of_it_in_time() {
    let disk = disk(Some(1 << 30));
    let ballast = ballast(&disk);
    ballast.take(0);
    disk.set_capacity(Some(disk.file_bytes()));
    assert!(ballast.make_room());
    let used = disk.create(Path::new("index")).unwrap();
    used.allocate(2 * MIB).unwrap();
    ballast.take(0);
    assert!((5 * MIB..=6 * MIB).contains(&taken(&disk)));
    assert_eq!(ballast.free_for_puts(), 0);
    // Another open finds it, and does not know more than that.
    assert_eq!(super::tests::ballast(&disk).free_for_puts(), 0);
    disk.set_capacity(Some(1 << 30));
    ballast.take(0);
    assert_eq!(taken(&disk), FULL_BYTES);
    assert!(ballast.free_for_puts() > 900 * MIB);
}

#[test]
fn a_database_does_without_it_and_does_not_read_it() {
    let disk = disk(None);
    let open = |disk: &SimulatedDisk| {
        let builder = Database::builder().background(false);
        builder.open_on(Arc::new(disk.clone())).unwrap()
    };
    let database = open(&disk);
    assert_eq!(taken(&disk), FULL_BYTES);
    let session = database.create_session();
    session.set("key", &1).unwrap();
    let killed = disk.crash(Crash::KeepNothing, IndexFate::Kept).unwrap();
    for bytes in [None, Some(&b""[..]), Some(b"not ours")] {
        match bytes {
            None => drop(killed.remove_file(BALLAST)),
            Some(bytes) => killed.write_file(BALLAST, bytes).unwrap(),
        }
        let again = open(&killed);
        let found = again.open_session(&session.id()).unwrap().unwrap();
        assert_eq!(found.get("key").unwrap(), Some(1));
        again.close().unwrap();
    }
    // It is no file that could hold a frame, nor is the reserve (1).
    for name in ["CURRENT", "CLEAN"] {
        drop(killed.remove_file(name));
    }
    for path in killed.files() {
        if path.starts_with("journal/") || path.starts_with("segments/") {
            killed.remove_file(&path).unwrap();
        }
    }
    assert!(killed.files().iter().any(|path| path == BALLAST));
    assert!(killed.files().iter().any(|path| path == "RESERVE"));
    assert_eq!(open(&killed).sessions().count(), 0);
}
