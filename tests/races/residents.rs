//! Sessions that leave memory while others use them: one session has one
//! state, however it was opened.

use std::collections::HashMap;
use std::sync::Mutex;

use sessiondb::{Builder, Database, SessionId};

use crate::support::{
    Flag, Ground, assert_checkpointed, rounds, seed, small, together, verify_and_close, watched,
};

const SESSIONS: usize = 400;

/// So little cache that most sessions are not in memory.
fn tiny() -> Builder {
    small().cache_bytes(64 << 10)
}

fn population(database: &Database) -> Vec<SessionId> {
    // In parallel, because each birth is durable.
    let born = together(10, |_| {
        let ids = (0..SESSIONS / 10).map(|_| {
            let session = database.create_session();
            session.set("n", &0_u64).unwrap();
            session.id()
        });
        ids.collect::<Vec<_>>()
    });
    born.concat()
}

#[test]
fn handles_opened_at_different_times_see_each_others_writes() {
    watched(|| {
        let seed = seed();
        for ground in Ground::both(seed) {
            let database = ground.open_with(tiny());
            let before = database.stats().batches;
            let ids = population(&database);
            let counts = together(4, |thread| {
                let mut random = fastrand::Rng::with_seed(seed ^ thread as u64);
                let mut counts = HashMap::new();
                // Held from early on, while the sessions beside it come and go.
                let mine = ids[thread];
                let early = database.open_session(&mine).unwrap().expect("alive");
                for round in 1..=rounds(40) as u64 {
                    early.set("own", &round).unwrap();
                    for _ in 0..30 {
                        let other = ids[random.usize(0..ids.len())];
                        assert!(database.open_session(&other).unwrap().is_some());
                    }
                    let other = ids[random.usize(0..ids.len())];
                    let session = database.open_session(&other).unwrap().expect("alive");
                    session
                        .update("n", |n: Option<u64>| n.map(|n| n + 1))
                        .unwrap();
                    *counts.entry(other).or_insert(0_u64) += 1;
                    let late = database.open_session(&mine).unwrap().expect("alive");
                    assert_eq!(late.get("own").unwrap(), Some(round), "seed {seed}");
                    late.set("echo", &round).unwrap();
                    assert_eq!(early.get("echo").unwrap(), Some(round), "seed {seed}");
                }
                counts
            });
            assert_checkpointed(&database, before);
            let resident = database.stats().resident_sessions;
            assert!(resident < SESSIONS as u64, "{resident} were never evicted");
            let mut expected: HashMap<SessionId, u64> = HashMap::new();
            for (id, count) in counts.into_iter().flatten() {
                *expected.entry(id).or_insert(0) += count;
            }
            let look = |database: &Database| {
                for id in &ids {
                    let session = database.open_session(id).unwrap().expect("alive");
                    let expected = expected.get(id).copied().unwrap_or(0);
                    assert_eq!(session.get("n").unwrap(), Some(expected), "seed {seed}");
                }
            };
            look(&database);
            ground.afterwards(&database, look);
        }
    });
}

#[test]
fn sessions_that_are_opened_while_others_are_born_and_flushed_are_alive_or_dead_and_nothing_else() {
    watched(|| {
        let seed = seed();
        for ground in Ground::both(seed) {
            let database = ground.open_with(tiny());
            let settled = population(&database);
            let living = Mutex::new(Vec::<SessionId>::new());
            let dead = Mutex::new(Vec::<SessionId>::new());
            let enough = Flag::new();
            std::thread::scope(|scope| {
                for thread in 0..2_u64 {
                    let (database, enough) = (&database, &enough);
                    let (settled, dead) = (&settled, &dead);
                    scope.spawn(move || {
                        let mut random = fastrand::Rng::with_seed(seed ^ thread);
                        while !enough.is_raised() {
                            let id = settled[random.usize(0..settled.len())];
                            let session = database.open_session(&id).unwrap();
                            let session = session.expect("nobody touches it");
                            assert_eq!(session.get("n").unwrap(), Some(0_u64));
                            let buried = {
                                let dead = dead.lock().unwrap();
                                dead.get(random.usize(0..dead.len().max(1))).copied()
                            };
                            if let Some(buried) = buried {
                                let found = database.open_session(&buried).unwrap();
                                assert!(found.is_none(), "it came back, seed {seed}");
                            }
                        }
                    });
                }
                let _end = enough.at_end();
                together(3, |_| {
                    for round in 0..rounds(50) {
                        let mut session = database.create_session();
                        session.set("n", &round).unwrap();
                        let id = session.id();
                        if round % 3 == 0 {
                            living.lock().unwrap().push(id);
                        } else {
                            session.flush().unwrap();
                            dead.lock().unwrap().push(id);
                        }
                    }
                });
            });
            let look = |database: &Database| {
                for id in living.lock().unwrap().iter() {
                    assert!(database.open_session(id).unwrap().is_some(), "seed {seed}");
                }
                for id in dead.lock().unwrap().iter() {
                    assert!(database.open_session(id).unwrap().is_none(), "seed {seed}");
                }
                let living = living.lock().unwrap().len() + settled.len();
                assert_eq!(database.verify().unwrap().sessions, living as u64);
            };
            look(&database);
            ground.afterwards(&database, look);
        }
    });
}

#[test]
fn who_asks_for_an_id_before_its_first_write_does_not_hide_the_session() {
    watched(|| {
        let seed = seed();
        let database = Ground::simulated(seed).open_with(tiny());
        for round in 0..rounds(30) {
            let session = database.create_session();
            let id = session.id();
            let written = Flag::new();
            together(3, |thread| {
                if thread == 0 {
                    session.set("n", &round).unwrap();
                    written.raise();
                    return;
                }
                // Guesses it, as nobody outside this test could.
                while !written.is_raised() {
                    if let Some(found) = database.open_session(&id).unwrap() {
                        assert_eq!(found.get("n").unwrap(), Some(round), "seed {seed}");
                    }
                }
                let found = database.open_session(&id).unwrap().expect("it was written");
                found.set("m", &thread).unwrap();
                assert!(session.contains_key("m").unwrap());
            });
        }
        verify_and_close(&database);
    });
}
