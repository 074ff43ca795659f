//! A crash at any step loses nothing and leaves nothing behind.

use sessiondb::{Crash, IndexFate, SimulatedDisk};

use crate::support::{Model, begun, open, prepared};

/// What lives with what names it, a page of each session twice, and a file.
const BYTES: u64 = 7 * 6 * 1024 * 3 / 2 + (16 << 10);

fn crashes(step: u64) -> [(Crash, IndexFate); 4] {
    let (kept, lost) = match step % 2 {
        0 => (IndexFate::Kept, IndexFate::Lost),
        _ => (IndexFate::Lost, IndexFate::Kept),
    };
    [
        (Crash::KeepNothing, kept),
        (Crash::KeepAll, lost),
        (Crash::Random(step), kept),
        (Crash::Prefix(step), lost),
    ]
}

fn check_after(disk: &SimulatedDisk, model: &Model, what: &str) {
    let db = open(disk);
    model.check(&db, what);
    let indexes = std::fs::read_dir(disk.index_root()).unwrap();
    assert_eq!(indexes.count(), 1, "{what}");
    db.compact().unwrap();
    let bytes = db.stats().segment_bytes;
    assert!(bytes < BYTES, "{what}: {bytes} bytes");
    model.check(&db, what);
}

#[test]
fn a_crash_with_any_operation_loses_nothing_and_leaves_nothing_behind() {
    let (prepared, model) = prepared(1);
    let mut steps = 0;
    for step in 0.. {
        let (disk, db) = begun(&prepared);
        disk.power_off_after(step);
        let outcome = db.compact();
        if !disk.is_off() {
            outcome.unwrap();
            break;
        }
        drop(db);
        for (crash, index) in crashes(step) {
            let what = format!("step {step}, {crash:?}, {index:?}");
            check_after(&disk.crash(crash, index).unwrap(), &model, &what);
        }
        steps += 1;
    }
    assert!(steps > 20, "{steps}");
}

#[test]
fn two_crashes_in_a_row_lose_nothing_either() {
    let (prepared, model) = prepared(2);
    let mut random = fastrand::Rng::with_seed(2);
    for round in 0..40_u64 {
        let (mut disk, mut db) = begun(&prepared);
        let mut what = format!("round {round}");
        for _ in 0..2 {
            let step = random.u64(..40);
            let (crash, index) = crashes(random.u64(..100))[random.usize(..4)];
            what = format!("{what}: step {step}, {crash:?}, {index:?}");
            disk.power_off_after(step);
            let _ = db.compact();
            disk.power_off();
            drop(db);
            disk = disk.crash(crash, index).unwrap();
            // The second one may already be within the open.
            disk.power_off_after(random.u64(..40));
            let _ = sessiondb_open(&disk);
            disk = disk.crash(crash, index).unwrap();
            db = open(&disk);
        }
        drop(db);
        disk = disk.crash(Crash::KeepAll, IndexFate::Kept).unwrap();
        check_after(&disk, &model, &what);
    }
}

fn sessiondb_open(disk: &SimulatedDisk) -> sessiondb::Result<()> {
    let db = crate::support::builder().open_on(std::sync::Arc::new(disk.clone()))?;
    db.compact().map(drop)
}
