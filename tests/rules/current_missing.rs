//! Rule 1: without a valid `CURRENT`, any file that holds a frame makes open
//! refuse. A database is never begun anew over the data of another.

use sessiondb::{Crash, Error, IndexFate, SimulatedDisk};

use crate::support::{open, refusal, session, simulated};

/// A closed database with frames in its journal and its segments.
fn closed() -> SimulatedDisk {
    let disk = simulated(1);
    let db = open(&disk).unwrap();
    let visitor = db.create_session();
    visitor.set("user", "ada").unwrap();
    db.checkpoint().unwrap();
    visitor.set("user", "grace").unwrap();
    disk.power_off();
    drop(db);
    disk.crash(Crash::KeepAll, IndexFate::Kept).unwrap()
}

fn refuses(disk: &SimulatedDisk, what: &str) {
    let before: Vec<_> = disk
        .files()
        .iter()
        .map(|path| disk.read_file(path))
        .collect();
    let error = refusal(open(disk), what);
    assert!(matches!(error, Error::Corrupted { .. }), "{what}: {error}");
    let mut files = disk.files();
    files.retain(|path| path != "LOCK");
    let after: Vec<_> = files.iter().map(|path| disk.read_file(path)).collect();
    assert_eq!(before, after, "{what}: nothing is written");
}

#[test]
fn without_current_every_single_file_with_a_frame_makes_open_refuse() {
    let disk = closed();
    let mut seen = 0;
    for path in disk.files() {
        if !path.starts_with("journal/") && !path.starts_with("segments/") {
            continue;
        }
        let bytes = disk.read_file(&path).unwrap();
        if bytes.iter().all(|byte| *byte == 0) {
            // Allocated ahead: it holds nothing.
            continue;
        }
        seen += 1;
        let alone = simulated(2);
        alone.write_file(&path, &bytes).unwrap();
        refuses(&alone, &path);
    }
    assert!(seen >= 2, "a journal and a segment were looked at");
}

#[test]
fn a_damaged_current_makes_open_refuse_wherever_it_is_damaged() {
    let disk = closed();
    let whole = disk.read_file("CURRENT").unwrap();
    for offset in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[offset] ^= 1;
        disk.write_file("CURRENT", &damaged).unwrap();
        let error = refusal(open(&disk), "CURRENT is damaged");
        assert!(
            matches!(error, Error::Corrupted { .. } | Error::Version { .. }),
            "byte {offset}: {error}"
        );
    }
    for length in 0..whole.len() {
        disk.write_file("CURRENT", &whole[..length]).unwrap();
        let error = refusal(open(&disk), "CURRENT is cut off");
        assert!(
            matches!(error, Error::Corrupted { .. } | Error::Version { .. }),
            "{length} bytes: {error}"
        );
    }
    disk.write_file("CURRENT", &whole).unwrap();
    open(&disk).unwrap().verify().unwrap();
}

#[test]
fn a_creation_that_the_power_cut_ended_is_begun_again() {
    let mut cuts = 0;
    for operations in 0.. {
        let disk = simulated(operations);
        disk.power_off_after(operations);
        let opened = open(&disk);
        if opened.is_ok() && !disk.is_off() {
            break;
        }
        drop(opened);
        cuts += 1;
        for how in [
            Crash::KeepNothing,
            Crash::KeepAll,
            Crash::Random(operations),
        ] {
            let survivor = disk.crash(how, IndexFate::Kept).unwrap();
            let db = open(&survivor).unwrap_or_else(|error| {
                panic!("after {operations} operations and {how:?}: {error}")
            });
            let visitor = db.create_session();
            visitor.set("user", "ada").unwrap();
            let id = visitor.id();
            drop(visitor);
            db.close().unwrap();
            let db = open(&survivor).unwrap();
            assert_eq!(
                session(&db, &id).get("user").unwrap(),
                Some("ada".to_owned())
            );
        }
    }
    assert!(cuts > 5, "the power was cut within the creation");
}
