//! Rule 2: the lock belongs to the session in memory, and a cycle moves it to
//! the new ID. Whoever holds the old lock and whoever comes by the new ID
//! exclude each other.

use std::sync::mpsc::channel;
use std::time::Duration;

use parking_lot::Mutex;
use sessiondb::Error;

use crate::support::{DEFERRED, expect_soon, open, session, simulated};

const THREADS: u64 = 3;
const UPDATES: u64 = 200;

#[test]
fn no_update_is_lost_while_the_session_moves_from_id_to_id() {
    let disk = simulated(3);
    let db = open(&disk).unwrap().with_durability(DEFERRED);
    let mut visitor = db.create_session();
    visitor.set("count", &0_u64).unwrap();
    // Read and updated apart on purpose: a stale ID has to be refused.
    let known = Mutex::new(visitor.id());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut done = 0;
                while done < UPDATES {
                    let id = *known.lock();
                    let Some(handle) = db.open_session(&id).unwrap() else {
                        continue;
                    };
                    match handle.update("count", |count: Option<u64>| Some(count? + 1)) {
                        Ok(_) => done += 1,
                        Err(Error::SessionGone) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
        for round in 0..200 {
            *known.lock() = visitor.cycle_id().unwrap();
            if round % 20 == 0 {
                db.checkpoint().unwrap();
            }
            std::thread::yield_now();
        }
    });
    assert_eq!(visitor.get("count").unwrap(), Some(THREADS * UPDATES));
    let again = session(&db, &visitor.id());
    assert_eq!(again.get("count").unwrap(), Some(THREADS * UPDATES));
}

#[test]
fn after_a_cycle_both_ways_to_the_session_share_one_lock() {
    let disk = simulated(4);
    let db = open(&disk).unwrap();
    let mut visitor = db.create_session();
    visitor.set("step", &0).unwrap();
    visitor.cycle_id().unwrap();
    let other = session(&db, &visitor.id());
    let (entered, inside) = channel();
    let (wrote, written) = channel();
    std::thread::scope(|scope| {
        let visitor = &visitor;
        scope.spawn(move || {
            visitor
                .transaction(|tx| {
                    let step: u32 = tx.get("step")?.unwrap_or(0);
                    entered.send(()).unwrap();
                    // Were the locks two, the other write would come now.
                    let came = written.recv_timeout(Duration::from_millis(30));
                    assert!(came.is_err(), "a write came into a transaction");
                    tx.set("step", &(step + 1))
                })
                .unwrap();
        });
        expect_soon("the transaction begins", &inside);
        other
            .update("step", |step: Option<u32>| Some(step? + 10))
            .unwrap();
        let _ = wrote.send(());
    });
    assert_eq!(other.get::<u32>("step").unwrap(), Some(11));
}

#[test]
fn a_cycle_waits_for_a_transaction_that_began_under_the_old_id() {
    let disk = simulated(5);
    let db = open(&disk).unwrap();
    let mut visitor = db.create_session();
    visitor.set("step", &0).unwrap();
    let other = session(&db, &visitor.id());
    let (entered, inside) = channel();
    let (cycled, done) = channel();
    std::thread::scope(|scope| {
        let other = &other;
        scope.spawn(move || {
            other
                .transaction(|tx| {
                    entered.send(()).unwrap();
                    assert!(done.recv_timeout(Duration::from_millis(30)).is_err());
                    tx.set("step", &1)
                })
                .unwrap();
        });
        expect_soon("the transaction begins", &inside);
        visitor.cycle_id().unwrap();
        let _ = cycled.send(());
    });
    assert_eq!(visitor.get("step").unwrap(), Some(1));
    assert!(matches!(other.get::<u32>("step"), Err(Error::SessionGone)));
}
