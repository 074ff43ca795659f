//! Of many callers exactly one gets a value, and it never comes back.

use std::collections::BTreeMap;

use sessiondb::{Crash, Database, Error, Session, SessionId};

use crate::support::{
    Flag, Ground, assert_checkpointed, crash, rounds, seed, small, together, verify_and_close,
    watched,
};

const THREADS: usize = 6;
const KEYS: usize = 120;

fn key(number: usize) -> String {
    format!("key {number:04}")
}

fn filled(database: &Database) -> SessionId {
    let session = database.create_session();
    session
        .transaction(|tx| (0..KEYS).try_for_each(|n| tx.set(&key(n), &format!("value {n}"))))
        .unwrap();
    session.id()
}

/// Keeps the background busy with the session until the flag is raised, so
/// that what is popped is now in memory, now on its way, now on disk.
fn churn(session: &Session, enough: &Flag) {
    let mut round = 0_u64;
    while !enough.is_raised() {
        let other = format!("other {:02}", round % 40);
        session.set_bytes(&other, &vec![7; 3000]).unwrap();
        round += 1;
    }
}

/// All threads pop all keys, each key at the same time. Who won what.
fn pop_all(handles: &[Session], context: &str) {
    let start = std::sync::Barrier::new(THREADS);
    let wins = together(THREADS, |thread| {
        let session = &handles[thread % handles.len()];
        let mut wins = Vec::new();
        for number in 0..KEYS {
            start.wait();
            if let Some(value) = session.pop::<String>(&key(number)).unwrap() {
                assert_eq!(value, format!("value {number}"), "{context}");
                wins.push(number);
            }
        }
        wins
    });
    let mut winners = BTreeMap::new();
    for number in wins.into_iter().flatten() {
        *winners.entry(number).or_insert(0) += 1;
    }
    for number in 0..KEYS {
        assert_eq!(winners.get(&number), Some(&1), "key {number}, {context}");
    }
}

fn assert_none_left(database: &Database, id: &SessionId, context: &str) {
    let session = database.open_session(id).unwrap().expect("it was written");
    for number in 0..KEYS {
        let found = session.pop::<String>(&key(number)).unwrap();
        assert_eq!(found, None, "key {number} came back, {context}");
    }
}

fn race(handles_per_round: usize) {
    let seed = seed();
    for ground in Ground::both(seed) {
        let database = ground.open();
        let before = database.stats().batches;
        let mut ids = Vec::new();
        for round in 0..rounds(2) {
            let context = format!("seed {seed} round {round}");
            let id = filled(&database);
            ids.push(id);
            let open = || database.open_session(&id).unwrap().unwrap();
            let handles: Vec<_> = (0..handles_per_round).map(|_| open()).collect();
            let enough = Flag::new();
            std::thread::scope(|scope| {
                let session = open();
                scope.spawn(|| {
                    let session = session;
                    churn(&session, &enough);
                });
                let _end = enough.at_end();
                pop_all(&handles, &context);
            });
        }
        assert_checkpointed(&database, before);
        ground.afterwards(&database, |again| {
            for id in &ids {
                assert_none_left(again, id, &format!("seed {seed}"));
            }
        });
    }
}

#[test]
fn one_of_many_threads_gets_a_popped_value_through_one_handle() {
    watched(|| race(1));
}

#[test]
fn one_of_many_threads_gets_a_popped_value_through_handles_of_their_own() {
    watched(|| race(THREADS));
}

#[test]
fn one_of_many_threads_is_told_that_the_expected_value_was_popped() {
    watched(|| {
        let seed = seed();
        for ground in Ground::both(seed) {
            let database = ground.open();
            let session = database.create_session();
            for round in 0..rounds(60) {
                session.set("code", &round).unwrap();
                let told = together(THREADS, |thread| {
                    // Half of them guess wrong.
                    let guess = if thread % 2 == 0 { round } else { round + 1 };
                    (thread, session.pop_if("code", &guess).unwrap())
                });
                let winners: Vec<_> = told.iter().filter(|(_, won)| *won).collect();
                assert_eq!(winners.len(), 1, "seed {seed} round {round}: {winners:?}");
                assert!(winners.iter().all(|(thread, _)| thread % 2 == 0));
            }
            let id = session.id();
            ground.afterwards(&database, |again| {
                let session = again.open_session(&id).unwrap().unwrap();
                assert!(session.is_empty().unwrap(), "seed {seed}");
            });
        }
    });
}

#[test]
fn one_of_many_threads_deletes_a_key_and_the_others_hear_that_it_is_missing() {
    watched(|| {
        let seed = seed();
        for ground in Ground::both(seed) {
            let database = ground.open();
            let session = database.create_session();
            for round in 0..rounds(60) {
                session.set("key", &round).unwrap();
                let told = together(THREADS, |_| session.delete("key"));
                let deleted = told.iter().filter(|told| told.is_ok()).count();
                assert_eq!(deleted, 1, "seed {seed} round {round}: {told:?}");
                for error in told.into_iter().filter_map(Result::err) {
                    assert!(matches!(error, Error::KeyNotFound { key } if key == "key"));
                }
            }
            let id = session.id();
            ground.afterwards(&database, |again| {
                let session = again.open_session(&id).unwrap().unwrap();
                assert!(!session.contains_key("key").unwrap(), "seed {seed}");
            });
        }
    });
}

#[test]
fn what_was_popped_before_a_power_cut_is_never_popped_again() {
    watched(|| {
        for round in 0..rounds(6) {
            let seed = seed();
            let mut random = fastrand::Rng::with_seed(seed);
            let context = format!("seed {seed} round {round}");
            let ground = Ground::simulated(seed);
            let Ground::Simulated(disk) = &ground else {
                unreachable!("it is simulated");
            };
            let database = ground.open_with(small());
            let id = filled(&database);
            let handles: Vec<_> = (0..THREADS)
                .map(|_| database.open_session(&id).unwrap().unwrap())
                .collect();
            disk.power_off_after(random.u64(1..200));
            let wins = together(THREADS, |thread| {
                let mut random = fastrand::Rng::with_seed(seed ^ thread as u64);
                let mut wins = Vec::new();
                for _ in 0..4 * KEYS {
                    let number = random.usize(0..KEYS);
                    match handles[thread].pop::<String>(&key(number)) {
                        Ok(Some(_)) => wins.push(number),
                        Ok(None) => {}
                        Err(_) => break,
                    }
                }
                wins
            });
            let mut won: Vec<_> = wins.into_iter().flatten().collect();
            won.sort_unstable();
            let count = won.len();
            won.dedup();
            assert_eq!(won.len(), count, "a value was popped twice, {context}");
            let how = match random.u8(0..4) {
                0 => Crash::KeepNothing,
                1 => Crash::KeepAll,
                2 => Crash::Prefix(random.u64(..)),
                _ => Crash::Random(random.u64(..)),
            };
            let again = crash(disk, how);
            let session = again.open_session(&id).unwrap().expect("acknowledged");
            for number in &won {
                let found = session.pop::<String>(&key(*number)).unwrap();
                assert_eq!(found, None, "key {number} came back, {how:?}, {context}");
            }
            verify_and_close(&again);
        }
    });
}
