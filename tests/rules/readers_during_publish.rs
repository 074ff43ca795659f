//! Rule 3: publishing never ends a slice inside the replacement of one page.
//! A reader during a checkpoint misses no key, sees no older value, and the
//! index need not be rebuilt for it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sessiondb::{Database, Session};

use crate::support::{DEFERRED, builder, index_names, session, simulated};

/// About 20 keys a page: several slices of 64 pages.
const KEYS: u64 = 2_400;
const ROUNDS: u64 = 6;

fn stable(number: u64) -> String {
    format!("stable-{number:06}")
}

fn value(round: u64) -> (u64, String) {
    (round, "x".repeat(160))
}

/// Writes every stable key anew, and between them keys that come and go, so
/// that all pages split in one round and join in the next.
fn write_round(visitor: &Session, round: u64) {
    for part in 0..KEYS / 200 {
        let written = visitor.transaction(|tx| {
            for number in part * 200..(part + 1) * 200 {
                if round % 3 != 2 || number.is_multiple_of(2) {
                    tx.set(&stable(number), &value(round))?;
                }
                for between in 0..3 {
                    let key = format!("{}-{between}", stable(number));
                    if round.is_multiple_of(2) {
                        tx.set(&key, &value(round))?;
                    } else {
                        tx.discard(&key)?;
                    }
                }
            }
            Ok(())
        });
        written.unwrap();
    }
}

fn read(handle: &Session, number: u64) -> u64 {
    let key = stable(number);
    let found: Option<(u64, String)> = handle.get(&key).unwrap();
    found.unwrap_or_else(|| panic!("{key} was missed")).0
}

fn follow(db: &Database, visitor: &Session, seed: u64, stop: &AtomicBool, written: &AtomicU64) {
    let handle = session(db, &visitor.id());
    let mut random = fastrand::Rng::with_seed(seed);
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..50 {
            let number = random.u64(..KEYS / 2) * 2;
            let least = written.load(Ordering::Acquire);
            let round = read(&handle, number);
            assert!(round >= least, "{number}: round {round} after {least}");
            let odd = random.u64(..KEYS / 2) * 2 + 1;
            read(&handle, odd);
        }
        if random.u8(..8) == 0 {
            let keys = handle.keys().unwrap().map(|key| key.unwrap());
            let keys: Vec<_> = keys.filter(|key| key.len() == stable(0).len()).collect();
            assert_eq!(keys.len() as u64, KEYS, "an iteration missed a key");
        }
    }
}

#[test]
fn a_reader_during_a_checkpoint_never_misses_a_key_and_never_goes_back() {
    let disk = simulated(6);
    let small = builder()
        .journal_segment_bytes(4 << 20)
        .segment_bytes(1 << 20);
    let db = small.open_on(std::sync::Arc::new(disk.clone())).unwrap();
    let db = db.with_durability(DEFERRED);
    let visitor = db.create_session();
    write_round(&visitor, 0);
    db.checkpoint().unwrap();
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let (db, visitor, stop, written) = (&db, &visitor, &stop, &written);
        for seed in 0..2 {
            scope.spawn(move || {
                let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    follow(db, visitor, seed, stop, written);
                }));
                stop.store(true, Ordering::Relaxed);
                if let Err(panic) = outcome {
                    std::panic::resume_unwind(panic);
                }
            });
        }
        for round in 1..ROUNDS {
            write_round(visitor, round);
            written.store(round, Ordering::Release);
            db.checkpoint().unwrap();
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    // A lookup that finds no page has the index rebuilt, and so finds it: the
    // rebuild is how a breach of the rule would show.
    assert_eq!(index_names(&disk), ["index-0001"], "the index was rebuilt");
    db.verify().unwrap();
}
