//! Rule 9: before a journal file is recycled, the journal declares durably
//! which batch made it unnecessary, and open refuses when that batch is
//! missing: the acknowledged writes that it held are nowhere else.

use sessiondb::{Crash, Error, IndexFate, SimulatedDisk};

use crate::support::{cut, open, refusal, session, simulated};

fn segments(disk: &SimulatedDisk) -> Vec<(String, Vec<u8>)> {
    let paths = disk.files().into_iter();
    let paths = paths.filter(|path| path.starts_with("segments/"));
    paths
        .map(|path| {
            let bytes = disk.read_file(&path).unwrap();
            (path, bytes)
        })
        .collect()
}

/// Puts older segments in the place of the present ones.
fn restore(disk: &SimulatedDisk, older: &[(String, Vec<u8>)]) {
    for (path, _) in segments(disk) {
        disk.remove_file(&path).unwrap();
    }
    for (path, bytes) in older {
        disk.write_file(path, bytes).unwrap();
    }
}

fn refuses(disk: &SimulatedDisk, what: &str) {
    for index in [IndexFate::Kept, IndexFate::Lost] {
        let copy = disk.crash(Crash::KeepAll, index).unwrap();
        let error = refusal(open(&copy), what);
        assert!(matches!(error, Error::Corrupted { .. }), "{what}: {error}");
    }
}

#[test]
fn a_recycled_journal_without_its_batch_is_refused() {
    let disk = simulated(11);
    let db = open(&disk).unwrap();
    let visitor = db.create_session();
    visitor.set("user", "ada").unwrap();
    db.checkpoint().unwrap();
    let older = segments(&disk);
    // Several journal files, all of them unnecessary after the checkpoint.
    for number in 0..40 {
        visitor
            .set(&format!("key-{number:02}"), &"x".repeat(8 << 10))
            .unwrap();
    }
    db.checkpoint().unwrap();
    // Until the first one is in use again under another name.
    for _ in 0..1000 {
        visitor.set("key-00", &"y".repeat(8 << 10)).unwrap();
        if disk.read_file("journal/000001.log").is_none() {
            break;
        }
    }
    let id = visitor.id();
    drop(visitor);
    let disk = cut(db, &disk, Crash::KeepNothing, IndexFate::Kept);
    assert!(
        disk.read_file("journal/000001.log").is_none(),
        "it was recycled"
    );
    let present = segments(&disk);
    restore(&disk, &older);
    refuses(&disk, "the last batch is missing");
    restore(&disk, &[]);
    refuses(&disk, "all batches are missing");
    restore(&disk, &present);
    let disk = disk.crash(Crash::KeepAll, IndexFate::Kept).unwrap();
    let db = open(&disk).unwrap();
    assert_eq!(session(&db, &id).len().unwrap(), 41);
    db.verify().unwrap();
}

#[test]
fn a_declared_batch_that_is_missing_is_refused_though_its_frames_are_still_there() {
    let disk = simulated(12);
    let db = open(&disk).unwrap();
    let visitor = db.create_session();
    visitor.set("user", "ada").unwrap();
    db.checkpoint().unwrap();
    drop(visitor);
    let disk = cut(db, &disk, Crash::KeepNothing, IndexFate::Kept);
    assert!(disk.read_file("journal/000001.log").is_some());
    restore(&disk, &[]);
    refuses(&disk, "the declared batch is missing");
}
