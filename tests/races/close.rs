//! Closing while others are at work.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use sessiondb::{Database, Error, Session, SessionId};

use crate::support::{
    Flag, Ground, rounds, seed, small, together, until, verify_and_close, watched,
};

const WRITERS: usize = 4;

/// What a writer was told.
struct Told {
    id: SessionId,
    /// The last write that was acknowledged, and then the one that was not.
    acknowledged: u32,
    refused: u32,
}

/// Writes until the database closes.
fn write_until_closed(session: &Session, progress: &AtomicU32) -> Told {
    let mut acknowledged = 0;
    for number in 1.. {
        match session.set(&format!("key {number}"), &number) {
            Ok(()) => acknowledged = number,
            Err(Error::Closed) => {
                let refused = number;
                let id = session.id();
                return Told {
                    id,
                    acknowledged,
                    refused,
                };
            }
            Err(error) => panic!("write {number} failed: {error}"),
        }
        progress.fetch_add(1, Ordering::Relaxed);
    }
    unreachable!("the loop has no end of its own")
}

fn assert_complete(database: &Database, told: &Told, context: &str) {
    if told.acknowledged == 0 {
        return;
    }
    let session = database.open_session(&told.id).unwrap();
    let session = session.unwrap_or_else(|| panic!("an acknowledged session is gone, {context}"));
    for number in 1..=told.acknowledged {
        let found = session.get::<u32>(&format!("key {number}")).unwrap();
        assert_eq!(found, Some(number), "an acknowledged write, {context}");
    }
    let refused = session
        .get::<u32>(&format!("key {}", told.refused))
        .unwrap();
    assert_eq!(refused, None, "a refused write was applied, {context}");
}

#[test]
fn what_was_acknowledged_before_a_close_is_there_after_it() {
    watched(|| {
        let seed = seed();
        let mut random = fastrand::Rng::with_seed(seed);
        for ground in Ground::both(seed) {
            for round in 0..rounds(5) {
                let context = format!("seed {seed} round {round}");
                let database = ground.open();
                let progress = AtomicU32::new(0);
                let enough = random.u32(0..60);
                let told = together(WRITERS + 1, |thread| {
                    if thread == WRITERS {
                        until("the writers get on", || {
                            progress.load(Ordering::Relaxed) >= enough
                        });
                        database.close().unwrap();
                        None
                    } else {
                        let session = database.create_session();
                        Some(write_until_closed(&session, &progress))
                    }
                });
                let again = ground.open();
                for told in told.into_iter().flatten() {
                    assert_complete(&again, &told, &context);
                }
                again.close().unwrap();
            }
            verify_and_close(&ground.open());
        }
    });
}

#[test]
fn whoever_returns_from_close_can_open_again() {
    watched(|| {
        let seed = seed();
        for ground in Ground::both(seed) {
            for round in 0..rounds(3) {
                let database = ground.open();
                let session = database.create_session();
                session.set_bytes("weight", &vec![1; 20_000]).unwrap();
                // The second to call it must not be told that the directory is
                // free before it is.
                let opened = Mutex::new(0);
                together(3, |_| {
                    database.close().unwrap();
                    let mut opened = opened.lock().unwrap();
                    ground.open().close().unwrap();
                    *opened += 1;
                });
                assert_eq!(*opened.lock().unwrap(), 3, "seed {seed} round {round}");
            }
        }
    });
}

#[test]
fn everybody_else_gets_closed_and_nobody_hangs() {
    watched(|| {
        let seed = seed();
        for round in 0..rounds(5) {
            let ground = Ground::simulated(seed);
            let database = ground.open_with(small().memtable_bytes(64 << 10));
            let shared = database.create_session();
            shared.set("n", &0_u64).unwrap();
            let busy = AtomicU32::new(0);
            let context = format!("seed {seed} round {round}");
            together(8, |thread| {
                let refusal = loop {
                    busy.fetch_add(1, Ordering::Relaxed);
                    let outcome = match thread {
                        0 => shared
                            .update("n", |n: Option<u64>| n.map(|n| n + 1))
                            .map(drop),
                        1 => shared.get::<u64>("n").map(drop),
                        2 => shared.len().map(drop),
                        // Large enough to wait for the memtable.
                        3 => database.create_session().set_bytes("a", &[1; 9000]),
                        4 => database.checkpoint(),
                        5 => database.open_session(&shared.id()).map(drop),
                        6 => flushed(&database),
                        _ => {
                            until("all are busy", || busy.load(Ordering::Relaxed) > 100);
                            database.close().unwrap();
                            database.commit()
                        }
                    };
                    if let Err(error) = outcome {
                        break error;
                    }
                };
                assert!(matches!(refusal, Error::Closed), "{refusal}, {context}");
            });
            let again = ground.open();
            assert!(again.open_session(&shared.id()).unwrap().is_some());
            verify_and_close(&again);
        }
    });
}

fn flushed(database: &Database) -> Result<(), Error> {
    let mut session = database.create_session();
    session.set("a", &1)?;
    session.flush().map(drop)
}

#[test]
fn the_last_handle_that_is_dropped_closes_the_database() {
    watched(|| {
        let seed = seed();
        for ground in Ground::both(seed) {
            for round in 0..rounds(3) {
                let database = ground.open();
                let ids = Mutex::new(Vec::new());
                let held = Mutex::new(vec![database]);
                // Sessions and clones go in any order; none is left after the
                // scope, so that the directory is free.
                together(4, |_| {
                    let database = held.lock().unwrap().first().cloned();
                    let Some(database) = database else { return };
                    let session = database.create_session();
                    drop(database);
                    session.set("kept", &round).unwrap();
                    ids.lock().unwrap().push(session.id());
                    held.lock().unwrap().clear();
                });
                let again = ground.open();
                for id in ids.into_inner().unwrap() {
                    let session = again.open_session(&id).unwrap().expect("acknowledged");
                    let kept = session.get::<usize>("kept").unwrap();
                    assert_eq!(kept, Some(round), "seed {seed}");
                }
            }
        }
    });
}

#[test]
fn an_iteration_that_meets_a_close_ends_with_one_error() {
    watched(|| {
        let ground = Ground::simulated(seed());
        let database = ground.open();
        let session = database.create_session();
        session
            .transaction(|tx| (0..2000).try_for_each(|n| tx.set(&format!("{n:05}"), &n)))
            .unwrap();
        let walking = Flag::new();
        together(2, |thread| {
            if thread == 0 {
                until("the walk begins", || walking.is_raised());
                database.close().unwrap();
                return;
            }
            let mut walk = session.iter().unwrap();
            let mut failures = Vec::new();
            for (seen, entry) in walk.by_ref().enumerate() {
                match entry {
                    Ok(entry) => assert_eq!(entry.key(), format!("{seen:05}")),
                    Err(error) => failures.push(error),
                }
                walking.raise();
            }
            assert!(failures.len() <= 1, "{failures:?}");
            assert!(failures.iter().all(|error| matches!(error, Error::Closed)));
            assert!(walk.next().is_none());
        });
    });
}
