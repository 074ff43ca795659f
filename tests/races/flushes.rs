//! A flush, a destroy and a clear against writers, readers and iterations:
//! nothing comes back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use sessiondb::{Database, Error, Session, SessionId};

use crate::support::{
    Ground, assert_checkpointed, rounds, seed, together, together_with, until, verify_and_close,
    watched,
};

const WRITERS: usize = 3;

fn handle(database: &Database, id: &SessionId) -> Session {
    database.open_session(id).unwrap().expect("it is alive")
}

/// Uses a session until it is gone.
fn use_until_gone(session: &Session, thread: usize, progress: &AtomicUsize) {
    for round in 0.. {
        let outcome = match thread {
            0 => session.get::<usize>("n").map(drop),
            1 => walk(session),
            _ => session.set_bytes(&format!("{thread} {}", round % 50), &[7; 700]),
        };
        match outcome {
            Ok(()) => progress.fetch_add(1, Ordering::Relaxed),
            Err(Error::SessionGone) => break,
            Err(error) => panic!("thread {thread}: {error}"),
        };
    }
    // Gone is gone, for everything.
    assert!(matches!(session.get::<usize>("n"), Err(Error::SessionGone)));
    assert!(matches!(session.set("n", &1), Err(Error::SessionGone)));
    assert!(matches!(session.clear(), Err(Error::SessionGone)));
    assert!(matches!(session.pop::<usize>("n"), Err(Error::SessionGone)));
}

/// An iteration that meets a flush ends with one error.
fn walk(session: &Session) -> Result<(), Error> {
    let mut walk = session.iter()?;
    let failure = walk.find_map(Result::err);
    if failure.is_some() {
        assert!(walk.next().is_none(), "it goes on behind the error");
    }
    failure.map_or(Ok(()), Err)
}

fn race(end: impl Fn(&mut Session) + Sync) {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    for ground in Ground::both(seed) {
        let database = ground.open();
        let before = database.stats().batches;
        let mut dead = Vec::new();
        for _ in 0..rounds(6) {
            let session = database.create_session();
            session.set("n", &1_usize).unwrap();
            let id = session.id();
            dead.push(id);
            let progress = AtomicUsize::new(0);
            let enough = random.usize(0..150);
            let handles = (0..WRITERS + 3).map(|_| handle(&database, &id));
            together_with(handles.collect(), |thread, mut session: Session| {
                if thread < WRITERS + 2 {
                    return use_until_gone(&session, thread, &progress);
                }
                until("the others get on", || {
                    progress.load(Ordering::Relaxed) >= enough
                });
                end(&mut session);
                assert!(database.open_session(&id).unwrap().is_none());
            });
            drop(session);
            assert!(database.open_session(&id).unwrap().is_none());
        }
        assert_checkpointed(&database, before);
        ground.afterwards(&database, |again| {
            for id in &dead {
                let found = again.open_session(id).unwrap();
                assert!(found.is_none(), "it came back, seed {seed}");
            }
            assert_eq!(again.verify().unwrap().sessions, 0, "seed {seed}");
        });
    }
}

#[test]
fn nothing_of_a_session_comes_back_after_a_flush_that_raced_its_writers() {
    watched(|| {
        race(|session| {
            let old = session.id();
            let new = session.flush().unwrap();
            assert!(old != new && session.id() == new);
            assert!(session.is_empty().unwrap());
        });
    });
}

#[test]
fn nothing_of_a_session_comes_back_after_a_destroy_that_raced_its_writers() {
    watched(|| {
        race(|session| {
            session.destroy().unwrap();
            assert!(matches!(session.len(), Err(Error::SessionGone)));
        });
    });
}

#[test]
fn of_what_raced_a_clear_the_earlier_writes_are_gone_and_the_later_ones_stay() {
    watched(|| {
        let seed = seed();
        for ground in Ground::both(seed) {
            let database = ground.open();
            let before = database.stats().batches;
            let session = database.create_session();
            session.set("born", &true).unwrap();
            let id = session.id();
            let working = AtomicUsize::new(WRITERS);
            let clears = AtomicUsize::new(0);
            let each = rounds(120);
            together(WRITERS + 1, |thread| {
                let session = handle(&database, &id);
                if thread == WRITERS {
                    loop {
                        session.clear().unwrap();
                        clears.fetch_add(1, Ordering::Relaxed);
                        if working.load(Ordering::Acquire) == 0 {
                            return;
                        }
                    }
                }
                let pad = vec![7; 300];
                for number in 0..each {
                    let key = format!("{thread} {number:06}");
                    session.set_bytes(&key, &pad).unwrap();
                }
                // A last one that no clear can follow is not to be had here:
                // the clears go on until all writers are done.
                working.fetch_sub(1, Ordering::AcqRel);
            });
            assert!(clears.into_inner() > 0);
            for thread in 0..WRITERS {
                session.set(&format!("{thread} {each:06}"), &true).unwrap();
            }
            assert_checkpointed(&database, before);
            assert_suffixes(&session, each, seed);
            ground.afterwards(&database, |again| {
                assert_suffixes(&handle(again, &id), each, seed);
            });
        }
    });
}

/// A clear is one point in time: of each writer's keys those behind it are
/// there, without a gap.
fn assert_suffixes(session: &Session, last: usize, seed: u64) {
    let mut numbers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for key in session.keys().unwrap() {
        let key = key.unwrap();
        let (thread, number) = key.split_once(' ').expect("only what came after a clear");
        let of_thread = numbers.entry(thread.parse().unwrap()).or_default();
        of_thread.push(number.parse().unwrap());
    }
    for thread in 0..WRITERS {
        let found = &numbers[&thread];
        let first = last + 1 - found.len();
        let expected: Vec<_> = (first..=last).collect();
        assert_eq!(found, &expected, "thread {thread} seed {seed}");
    }
}

#[test]
fn a_clear_beside_readers_is_seen_wholly_or_not_at_all() {
    watched(|| {
        let ground = Ground::simulated(seed());
        let database = ground.open();
        let session = database.create_session();
        let keys = 300;
        let fill = |session: &Session| {
            session.transaction(|tx| {
                (0..keys).try_for_each(|n| tx.set_bytes(&format!("{n:05}"), &[7; 100]))
            })
        };
        fill(&session).unwrap();
        let id = session.id();
        let rounds = rounds(25);
        together(3, |thread| {
            let session = handle(&database, &id);
            for _ in 0..rounds {
                if thread == 0 {
                    session.clear().unwrap();
                    fill(&session).unwrap();
                } else {
                    let seen = session.transaction(|tx| tx.len()).unwrap();
                    assert!(seen == 0 || seen == keys, "{seen} of {keys}");
                }
            }
        });
        verify_and_close(&database);
    });
}
