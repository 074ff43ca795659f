//! Two at a time who give a session a new ID, or end it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use sessiondb::{Database, Error, Session, SessionId};

use crate::support::{
    Ground, assert_checkpointed, rounds, seed, together, together_with, until, verify_and_close,
    watched,
};

fn born(database: &Database, checkpointed: bool) -> SessionId {
    let session = database.create_session();
    session
        .transaction(|tx| {
            (0..20).try_for_each(|n| tx.set_bytes(&format!("page {n:02}"), &[7; 400]))
        })
        .unwrap();
    if checkpointed {
        database.checkpoint().unwrap();
    }
    session.id()
}

/// What came of a session that two threads did something to.
struct Outcome {
    old: SessionId,
    /// The IDs that its data should be found under.
    alive: Option<SessionId>,
}

/// Lets two handles of one session do something at once, again and again.
fn race(act: impl Fn(&mut Session, usize) -> Result<SessionId, Error> + Sync, judge: Judge) {
    let seed = seed();
    for ground in Ground::both(seed) {
        let database = ground.open();
        let mut outcomes = Vec::new();
        for round in 0..rounds(30) {
            let old = born(&database, round % 2 == 0);
            let handles: Vec<_> = (0..2)
                .map(|_| database.open_session(&old).unwrap().unwrap())
                .collect();
            let told = together_with(handles, |thread, mut handle| act(&mut handle, thread));
            let context = format!("seed {seed} round {round}");
            let alive = judge(told, &context);
            assert!(database.open_session(&old).unwrap().is_none(), "{context}");
            outcomes.push(Outcome { old, alive });
        }
        let look = |database: &Database| {
            let mut living = 0;
            for outcome in &outcomes {
                assert!(database.open_session(&outcome.old).unwrap().is_none());
                if let Some(alive) = &outcome.alive {
                    let session = database.open_session(alive).unwrap();
                    let session = session.expect("it lives on under its new ID");
                    assert_eq!(session.len().unwrap(), 20, "seed {seed}");
                    living += 1;
                }
            }
            let counted = database.verify().unwrap().sessions;
            assert_eq!(counted, living, "as many as have an ID, seed {seed}");
        };
        look(&database);
        ground.afterwards(&database, look);
    }
}

/// From what two threads were told: the ID that is alive now.
type Judge = fn(Vec<Result<SessionId, Error>>, &str) -> Option<SessionId>;

#[test]
fn of_two_who_cycle_one_has_the_session_and_the_other_has_nothing() {
    watched(|| {
        race(
            |session, _| session.cycle_id(),
            |told, context| {
                let (won, lost): (Vec<_>, Vec<_>) = told.into_iter().partition(Result::is_ok);
                assert_eq!((won.len(), lost.len()), (1, 1), "{context}");
                assert!(
                    matches!(lost[0], Err(Error::SessionGone)),
                    "{lost:?} {context}"
                );
                won.into_iter().find_map(Result::ok)
            },
        );
    });
}

#[test]
fn two_who_flush_both_succeed_and_nothing_is_left() {
    watched(|| {
        race(
            |session, _| session.flush(),
            |told, context| {
                let ids: Vec<_> = told.into_iter().map(Result::unwrap).collect();
                assert_ne!(ids[0], ids[1], "{context}");
                None
            },
        );
    });
}

#[test]
fn of_a_cycle_and_a_flush_either_may_come_first_and_the_data_follows_the_first() {
    watched(|| {
        race(
            |session, thread| {
                if thread == 0 {
                    session.cycle_id()
                } else {
                    session.flush()
                }
            },
            |mut told, context| {
                told.pop().expect("two").unwrap_or_else(|error| {
                    panic!("a flush always succeeds, not {error}, {context}");
                });
                match told.pop().expect("two") {
                    Ok(new) => Some(new),
                    Err(Error::SessionGone) => None,
                    Err(error) => panic!("{error}, {context}"),
                }
            },
        );
    });
}

#[test]
fn every_write_that_was_acknowledged_before_a_cycle_is_under_the_new_id() {
    watched(|| {
        let seed = seed();
        let mut random = fastrand::Rng::with_seed(seed);
        for ground in Ground::both(seed) {
            let database = ground.open();
            let before = database.stats().batches;
            let mut sessions = Vec::new();
            for round in 0..rounds(6) {
                let old = born(&database, round % 2 == 0);
                let progress = AtomicUsize::new(0);
                let enough = random.usize(0..60);
                let handles = (0..4).map(|_| database.open_session(&old).unwrap().unwrap());
                let told = together_with(handles.collect(), |thread, mut session: Session| {
                    if thread == 3 {
                        until("the writers get on", || {
                            progress.load(Ordering::Relaxed) >= enough
                        });
                        let new = session.cycle_id().unwrap();
                        // What comes after the cycle is under the new ID, too.
                        session.set("after", &true).unwrap();
                        return (Some(new), 0);
                    }
                    for number in 0.. {
                        let key = format!("{thread} {number:06}");
                        match session.set_bytes(&key, &[7; 500]) {
                            Ok(()) => progress.fetch_add(1, Ordering::Relaxed),
                            Err(Error::SessionGone) => return (None, number),
                            Err(error) => panic!("{error}"),
                        };
                    }
                    unreachable!("the loop has no end of its own")
                });
                let new = told.iter().find_map(|(new, _)| *new).expect("one cycled");
                let counts: Vec<_> = told.iter().map(|(_, count)| *count).collect();
                sessions.push((old, new, counts));
            }
            assert_checkpointed(&database, before);
            let look = |database: &Database| {
                for (old, new, counts) in &sessions {
                    assert!(database.open_session(old).unwrap().is_none());
                    let session = database.open_session(new).unwrap().expect("alive");
                    for (thread, count) in counts.iter().enumerate() {
                        for number in 0..*count {
                            let key = format!("{thread} {number:06}");
                            assert!(session.contains_key(&key).unwrap(), "{key} seed {seed}");
                        }
                    }
                    // And nothing that was refused.
                    let all: usize = counts.iter().sum();
                    assert_eq!(session.len().unwrap(), 20 + 1 + all, "seed {seed}");
                }
            };
            look(&database);
            ground.afterwards(&database, look);
        }
    });
}

#[test]
fn a_session_that_is_cycled_all_the_time_is_always_found_under_one_id() {
    watched(|| {
        let seed = seed();
        let ground = Ground::simulated(seed);
        let database = ground.open();
        let ids = Mutex::new(vec![born(&database, true)]);
        let done = AtomicUsize::new(0);
        let cycles = rounds(120);
        together(3, |thread| {
            if thread == 0 {
                let first = ids.lock().unwrap()[0];
                let mut session = database.open_session(&first).unwrap().unwrap();
                for _ in 0..cycles {
                    let mut ids = ids.lock().unwrap();
                    ids.push(session.cycle_id().unwrap());
                }
                done.fetch_add(1, Ordering::Release);
                return;
            }
            while done.load(Ordering::Acquire) == 0 {
                // Held, so that no cycle comes in between.
                let ids = ids.lock().unwrap();
                let (newest, older) = ids.split_last().expect("at least one");
                let session = database.open_session(newest).unwrap().expect("alive");
                assert_eq!(session.len().unwrap(), 20, "seed {seed}");
                for old in older.iter().rev().take(5) {
                    assert!(database.open_session(old).unwrap().is_none(), "seed {seed}");
                }
            }
        });
        verify_and_close(&database);
    });
}
