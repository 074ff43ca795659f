//! A full disk is foreseen, in each step: all stays as it was, and compaction
//! goes on when space returns.

use sessiondb::{Error, SimulatedDisk};

use crate::support::{begun, prepared, used};

/// So much is left for the index, which does not recover from a full disk.
const INDEX_ROOM: u64 = 4 << 20;

/// All but so much is taken, the ballast included.
fn set_room(disk: &SimulatedDisk, room: u64) {
    let ballast = disk
        .read_file("BALLAST")
        .map_or(0, |file| file.len() as u64);
    disk.set_capacity(Some(used(disk) - ballast + room));
}

fn segments(disk: &SimulatedDisk) -> Vec<(String, Option<Vec<u8>>)> {
    let mut files = disk.files();
    files.retain(|file| file.starts_with("segments/"));
    let read = |file: String| (file.clone(), disk.read_file(&file));
    files.into_iter().map(read).collect()
}

#[test]
fn without_room_nothing_is_begun() {
    let (prepared, model) = prepared(3);
    let (disk, db) = begun(&prepared);
    set_room(&disk, INDEX_ROOM - 1);
    let before = segments(&disk);
    let outcome = db.compact();
    assert!(
        matches!(outcome, Err(Error::StorageFull { .. })),
        "{outcome:?}"
    );
    assert_eq!(segments(&disk), before);
    model.check(&db, "full");
    disk.set_capacity(None);
    assert!(db.compact().unwrap().freed_bytes > 0);
    model.check(&db, "with room again");
}

/// The room runs out with any of the writes.
#[test]
fn room_that_runs_out_in_between_is_waited_for() {
    let (prepared, mut model) = prepared(4);
    let mut failures = 0;
    for write in 0.. {
        let (disk, db) = begun(&prepared);
        disk.inject(sessiondb::Fault {
            operation: sessiondb::Operation::Write,
            path_contains: "segments".into(),
            after: write,
            times: 1,
            kind: std::io::ErrorKind::StorageFull,
            effect: sessiondb::FaultEffect::Refuse,
        });
        let outcome = db.compact();
        disk.clear_faults();
        let what = format!("write {write}");
        match outcome {
            Ok(_) => break,
            Err(Error::StorageFull { .. }) => {}
            Err(error) => panic!("{what}: {error}"),
        }
        model.check(&db, &what);
        let id = model.ids()[0];
        let mut model = model.clone();
        model.fill(&crate::support::session(&db, &id), 3);
        assert!(db.compact().unwrap().freed_bytes > 0, "{what}");
        model.check(&db, &what);
        failures += 1;
    }
    model.dead.clear();
    assert!(failures > 5, "{failures}");
}
