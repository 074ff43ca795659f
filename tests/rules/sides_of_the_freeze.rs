//! Rule 5: append and apply happen under one guard that a freeze takes
//! exclusively, so a frame lies on the same side of the freeze in the journal
//! and in the memtable. After a crash nothing is lost between the two, and
//! nothing is done twice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sessiondb::{Crash, Database, IndexFate, SessionId};

use crate::support::{DEFERRED, GatedDisk, Point, cut, open, session, simulated};

const STEPS: u64 = 120;

/// What a writer leaves behind: its last session, and what that holds.
struct Left {
    id: SessionId,
    count: u64,
    gone: Vec<SessionId>,
}

/// One writer: puts, removals, cycles, clears and flushes, each of which
/// depends on the one before.
fn write(db: &Database, seed: u64) -> Left {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut visitor = db.create_session();
    let mut gone = Vec::new();
    let mut count = 0;
    for step in 0..STEPS {
        count += 1;
        visitor
            .transaction(|tx| {
                tx.set("count", &count)?;
                tx.set(&format!("step-{count}"), &step)?;
                tx.discard(&format!("step-{}", count - 1)).map(drop)
            })
            .unwrap();
        let old = visitor.id();
        match random.u8(..16) {
            0 => {
                visitor.flush().unwrap();
                count = 0;
                gone.push(old);
            }
            1 | 2 => {
                visitor.cycle_id().unwrap();
                gone.push(old);
            }
            3 => {
                visitor.clear().unwrap();
                count = 0;
            }
            _ => {}
        }
    }
    count += 1;
    visitor.set("count", &count).unwrap();
    visitor.set(&format!("step-{count}"), &STEPS).unwrap();
    visitor.discard(&format!("step-{}", count - 1)).unwrap();
    Left {
        id: visitor.id(),
        count,
        gone,
    }
}

#[test]
fn a_crash_after_a_checkpoint_that_raced_with_writers_loses_nothing_and_doubles_nothing() {
    for seed in 0..6 {
        let disk = simulated(seed);
        let db = open(&disk).unwrap().with_durability(DEFERRED);
        let stop = AtomicBool::new(false);
        let left: Vec<Left> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..3)
                .map(|writer| {
                    let db = &db;
                    scope.spawn(move || write(db, seed * 10 + writer))
                })
                .collect();
            let checkpoints = scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    db.checkpoint().unwrap();
                }
            });
            let left = writers.into_iter().map(|writer| writer.join().unwrap());
            let left = left.collect();
            stop.store(true, Ordering::Relaxed);
            checkpoints.join().unwrap();
            left
        });
        db.commit().unwrap();
        let index = if seed % 2 == 0 {
            IndexFate::Kept
        } else {
            IndexFate::Lost
        };
        let disk = cut(db, &disk, Crash::KeepNothing, index);
        let db = open(&disk).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        for left in &left {
            let handle = session(&db, &left.id);
            let count = handle.get("count").unwrap();
            assert_eq!(count, Some(left.count), "seed {seed}");
            let keys: Vec<String> = handle.keys().unwrap().map(|key| key.unwrap()).collect();
            let last = format!("step-{}", left.count);
            assert_eq!(keys, ["count".to_owned(), last], "seed {seed}");
            for id in &left.gone {
                assert!(db.open_session(id).unwrap().is_none(), "seed {seed}");
            }
        }
        db.verify().unwrap();
    }
}

/// Long enough for a thread to get to where it has to wait. Were it not, the
/// test would see less, and not fail.
fn let_it_get_there() {
    std::thread::sleep(Duration::from_millis(50));
}

#[test]
fn a_frame_behind_the_freeze_is_not_in_the_batch_though_its_writer_began_before() {
    let disk = GatedDisk::new(7);
    let db = disk.open();
    let (visitor, other) = (db.create_session(), db.create_session());
    visitor.set("settled", &1).unwrap();
    other.set("settled", &1).unwrap();
    let (id, other_id) = (visitor.id(), other.id());
    drop((visitor, other));
    // Opened again, a read has to go to the disk.
    db.close().unwrap();
    let db = disk.open().with_durability(DEFERRED);
    let (visitor, other) = (session(&db, &id), session(&db, &other_id));
    visitor.set("before", &2).unwrap();
    let other_was_first = AtomicBool::new(false);
    let survivor = std::thread::scope(|scope| {
        // A stalled read holds up a writer of its session between the freeze
        // guard and the journal; a checkpoint wants to freeze meanwhile.
        let reads = disk.close(Point::Read, "segments/");
        let reader = session(&db, &id);
        let reader = scope.spawn(move || reader.get::<u32>("settled").unwrap());
        reads.wait_for_somebody();
        let writer = scope.spawn(|| visitor.set("late", &3).unwrap());
        let_it_get_there();
        let checkpoint = scope.spawn(|| db.checkpoint());
        let_it_get_there();
        let second = scope.spawn(|| {
            other.set("later", &4).unwrap();
            other_was_first.store(true, Ordering::SeqCst);
        });
        let_it_get_there();
        let first = other_was_first.load(Ordering::SeqCst);
        let syncs = disk.close(Point::Sync, "journal/");
        drop(reads);
        assert_eq!(reader.join().unwrap(), Some(1));
        writer.join().unwrap();
        second.join().unwrap();
        other_was_first.store(first, Ordering::SeqCst);
        // The power goes before anything more of the journal is on disk.
        syncs.wait_for_somebody();
        let crash = Crash::KeepNothing;
        let survivor = disk.disk.crash(crash, IndexFate::Lost).unwrap();
        drop(syncs);
        checkpoint.join().unwrap().unwrap_err();
        survivor
    });
    drop((visitor, other));
    drop(db);
    let db = open(&survivor).unwrap();
    let late = session(&db, &id).contains_key("late").unwrap();
    let later = session(&db, &other_id).contains_key("later").unwrap();
    // Of two writes that nobody waited for, the second one must not be there
    // without the first.
    let in_order = later || !late || !other_was_first.into_inner();
    assert!(in_order, "a write was lost and the one after it was kept");
    db.verify().unwrap();
}
