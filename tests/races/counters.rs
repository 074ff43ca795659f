//! Read-modify-write: nobody comes in between.

use std::sync::atomic::{AtomicU32, Ordering};

use sessiondb::Session;

use crate::support::{Flag, Ground, assert_checkpointed, rounds, seed, together, watched};

const THREADS: usize = 6;

/// Lets threads work on one session, each through its own handle, while
/// another one keeps the checkpoints coming; then looks, also after a reopen
/// or a crash.
fn contend(work: impl Fn(&Session, usize) + Sync, look: impl Fn(&Session)) {
    for ground in Ground::both(seed()) {
        let database = ground.open();
        let before = database.stats().batches;
        let session = database.create_session();
        session.set("born", &true).unwrap();
        let id = session.id();
        let enough = Flag::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !enough.is_raised() {
                    database.checkpoint().unwrap();
                    std::thread::yield_now();
                }
            });
            let _end = enough.at_end();
            together(THREADS, |thread| {
                let session = database.open_session(&id).unwrap().unwrap();
                work(&session, thread);
            });
        });
        assert_checkpointed(&database, before);
        look(&session);
        ground.afterwards(&database, |again| {
            look(&again.open_session(&id).unwrap().unwrap());
        });
    }
}

#[test]
fn no_update_is_lost() {
    watched(|| {
        let each = rounds(60);
        contend(
            |session, _| {
                for _ in 0..each {
                    let after = session.update("n", |n: Option<usize>| Some(n.unwrap_or(0) + 1));
                    assert!(after.unwrap() > Some(0));
                }
            },
            |session| assert_eq!(session.get("n").unwrap(), Some(THREADS * each)),
        );
    });
}

#[test]
fn of_those_who_expect_one_value_one_may_replace_it() {
    watched(|| {
        let total = rounds(200);
        let wins = AtomicU32::new(0);
        contend(
            |session, _| loop {
                let found: Option<usize> = session.get("n").unwrap();
                let next = found.map_or(0, |found| found + 1);
                if next >= total {
                    break;
                }
                if session
                    .compare_and_set("n", found.as_ref(), Some(&next))
                    .unwrap()
                {
                    wins.fetch_add(1, Ordering::Relaxed);
                }
            },
            |session| {
                let last = total.checked_sub(1);
                assert_eq!(session.get::<usize>("n").unwrap(), last);
            },
        );
        // On each of the two grounds each value was set by one of them.
        assert_eq!(wins.into_inner() as usize, 2 * total);
    });
}

#[test]
fn of_those_who_insert_a_default_one_does_and_all_get_it() {
    watched(|| {
        let each = rounds(60);
        let ran = AtomicU32::new(0);
        contend(
            |session, thread| {
                for round in 0..each {
                    let key = format!("default {round}");
                    let own = || {
                        ran.fetch_add(1, Ordering::Relaxed);
                        (round, thread)
                    };
                    let got = session.get_or_insert_with(&key, own).unwrap();
                    let found: Option<(usize, usize)> = session.get(&key).unwrap();
                    assert_eq!(found, Some(got));
                }
            },
            |session| assert_eq!(session.len().unwrap(), 1 + each),
        );
        assert_eq!(ran.into_inner() as usize, 2 * each);
    });
}

#[test]
fn writers_of_different_keys_all_keep_their_writes() {
    watched(|| {
        let each = rounds(50);
        contend(
            |session, thread| {
                for round in 0..each {
                    session
                        .set(&format!("{thread} {round:04}"), &round)
                        .unwrap();
                }
            },
            |session| {
                for thread in 0..THREADS {
                    for round in 0..each {
                        let key = format!("{thread} {round:04}");
                        assert_eq!(session.get(&key).unwrap(), Some(round), "{key}");
                    }
                }
            },
        );
    });
}

#[test]
fn of_two_keys_that_are_set_together_nobody_sees_one_without_the_other() {
    watched(|| {
        let each = rounds(60);
        contend(
            |session, thread| {
                for round in 0..each {
                    let stamp = (thread, round);
                    if thread % 2 == 0 {
                        session
                            .transaction(|tx| {
                                tx.set("left", &stamp)?;
                                // Far away, on another page.
                                tx.set_bytes(&format!("middle {thread} {round}"), &[7; 600])?;
                                tx.set("right", &stamp)
                            })
                            .unwrap();
                    } else {
                        let (left, right) = session
                            .transaction(|tx| {
                                let left: Option<(usize, usize)> = tx.get("left")?;
                                Ok((left, tx.get("right")?))
                            })
                            .unwrap();
                        assert_eq!(left, right, "torn");
                    }
                }
            },
            |session| {
                let left: Option<(usize, usize)> = session.get("left").unwrap();
                assert_eq!(left, session.get("right").unwrap());
            },
        );
    });
}
