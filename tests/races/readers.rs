//! Readers against checkpoints, splits and joins: no key that was never
//! removed is ever missed.

use std::sync::atomic::{AtomicUsize, Ordering};

use sessiondb::{Database, Session, SessionId};

use crate::support::{Flag, Ground, rounds, seed, small, verify_and_close, watched};

/// Every so many keys one stays.
const STRIDE: usize = 60;
const KEYS: usize = 12_000;

fn key(number: usize) -> String {
    format!("key {number:06}")
}

/// A value that says itself whether it is whole.
fn value(number: usize, round: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 24);
    bytes.extend((number as u64).to_be_bytes());
    bytes.extend(round.to_be_bytes());
    bytes.resize(length + 16, (round % 251) as u8);
    let sum = checksum(&bytes);
    bytes.extend(sum.to_be_bytes());
    bytes
}

fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// The value is whole and its key's own; the round in which it was written.
fn round_of(number: usize, bytes: &[u8], context: &str) -> u64 {
    let (body, sum) = bytes.split_at(bytes.len() - 8);
    assert_eq!(checksum(body).to_be_bytes(), sum, "torn, {context}");
    assert_eq!(
        body[..8],
        (number as u64).to_be_bytes(),
        "the value of another key, {context}"
    );
    u64::from_be_bytes(body[8..16].try_into().expect("eight bytes"))
}

/// What is done to the keys that do not stay.
struct Writer {
    random: fastrand::Rng,
    round: u64,
}

impl Writer {
    /// Puts a run of keys, the fixed ones among them.
    fn grow(&mut self, session: &Session) {
        let first = self.random.usize(0..KEYS);
        let length = self.random.usize(20..200);
        let count = self.random.usize(50..400);
        self.fill(session, first, count, length);
    }

    fn fill(&mut self, session: &Session, first: usize, count: usize, length: usize) {
        self.round += 1;
        session
            .transaction(|tx| {
                (first..KEYS.min(first + count)).try_for_each(|number| {
                    tx.set_bytes(&key(number), &value(number, self.round, length))
                })
            })
            .unwrap();
    }

    /// Removes a run of keys, but not the fixed ones.
    fn shrink(&mut self, session: &Session) {
        let first = self.random.usize(0..KEYS);
        let count = self.random.usize(200..3000);
        session
            .transaction(|tx| {
                (first..KEYS.min(first + count))
                    .filter(|number| number % STRIDE != 0)
                    .try_for_each(|number| tx.discard(&key(number)).map(drop))
            })
            .unwrap();
    }

    /// Removes ten neighbours by their prefix, and puts the fixed one among
    /// them back, in one transaction.
    fn prune(&mut self, session: &Session) {
        let ten = self.random.usize(0..KEYS / 10);
        self.round += 1;
        session
            .transaction(|tx| {
                tx.remove_prefix(&key(ten * 10)[..9])?;
                (ten * 10..ten * 10 + 10)
                    .filter(|number| number % STRIDE == 0)
                    .try_for_each(|number| {
                        tx.set_bytes(&key(number), &value(number, self.round, 60))
                    })
            })
            .unwrap();
    }

    /// Writes a key here and a key there, the fixed ones, so that a
    /// checkpoint has all pages to publish.
    fn sprinkle(&mut self, session: &Session) {
        self.round += 1;
        session
            .transaction(|tx| {
                (0..KEYS)
                    .step_by(STRIDE)
                    .try_for_each(|n| tx.set_bytes(&key(n), &value(n, self.round, 60)))
            })
            .unwrap();
    }

    fn step(&mut self, session: &Session) {
        match self.random.u8(0..10) {
            0..3 => self.sprinkle(session),
            3..6 => self.grow(session),
            6..8 => self.shrink(session),
            _ => self.prune(session),
        }
    }
}

/// What a reader saw of the fixed keys: their rounds never go back.
struct Memory {
    rounds: Vec<u64>,
    random: fastrand::Rng,
    context: String,
}

impl Memory {
    fn new(seed: u64) -> Self {
        Self {
            rounds: vec![0; KEYS / STRIDE],
            random: fastrand::Rng::with_seed(seed),
            context: format!("reader's seed {seed}"),
        }
    }

    fn saw(&mut self, number: usize, bytes: &[u8]) {
        let round = round_of(number, bytes, &self.context);
        if number.is_multiple_of(STRIDE) {
            let before = &mut self.rounds[number / STRIDE];
            assert!(
                round >= *before,
                "key {number}: round {round} after {before}, {}",
                self.context
            );
            *before = round;
        }
    }
}

fn get_fixed(session: &Session, memory: &mut Memory) {
    for _ in 0..50 {
        let number = memory.random.usize(0..KEYS / STRIDE) * STRIDE;
        let found = session.get_bytes(&key(number)).unwrap();
        let found = found.unwrap_or_else(|| panic!("{number} was missed, {}", memory.context));
        memory.saw(number, &found);
    }
}

fn walk(session: &Session, memory: &mut Memory) {
    let context = memory.context.clone();
    let mut last = String::new();
    let mut fixed = 0;
    for entry in session.iter().unwrap() {
        let entry = entry.unwrap();
        assert!(*entry.key() > *last, "out of order, {context}");
        entry.key().clone_into(&mut last);
        let number: usize = last[4..].parse().unwrap();
        memory.saw(number, entry.bytes().unwrap());
        if number.is_multiple_of(STRIDE) {
            assert_eq!(number, fixed * STRIDE, "a key was missed, {context}");
            fixed += 1;
        }
    }
    assert_eq!(fixed, KEYS / STRIDE, "the end was missed, {context}");
}

fn fixed_session(database: &Database) -> SessionId {
    let session = database.create_session();
    session
        .transaction(|tx| {
            (0..KEYS)
                .step_by(STRIDE)
                .try_for_each(|number| tx.set_bytes(&key(number), &value(number, 0, 60)))
        })
        .unwrap();
    session.id()
}

#[test]
fn no_key_that_was_never_removed_is_missed_while_pages_split_and_join() {
    watched(|| {
        let seed = seed();
        let context = format!("seed {seed}");
        for ground in Ground::both(seed) {
            // Little cache, so that pages are read from the segments, too.
            let database = ground.open_with(small().cache_bytes(256 << 10));
            let id = fixed_session(&database);
            let before = database.stats().batches;
            let enough = Flag::new();
            let looks = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                let reader = |number: u64| {
                    let session = database.open_session(&id).unwrap().unwrap();
                    let mut memory = Memory::new(seed ^ number);
                    let (enough, looks) = (&enough, &looks);
                    move || {
                        while !enough.is_raised() {
                            get_fixed(&session, &mut memory);
                            if number == 0 {
                                walk(&session, &mut memory);
                            }
                            looks.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                };
                scope.spawn(reader(0));
                scope.spawn(reader(1));
                scope.spawn(|| {
                    while !enough.is_raised() {
                        database.checkpoint().unwrap();
                    }
                });
                let _end = enough.at_end();
                let session = database.open_session(&id).unwrap().unwrap();
                let random = fastrand::Rng::with_seed(seed);
                let mut writer = Writer { random, round: 0 };
                // Many pages from the start.
                for first in (0..KEYS).step_by(1000) {
                    writer.fill(&session, first, 1000, 200);
                }
                for _ in 0..rounds(20) {
                    writer.step(&session);
                }
            });
            assert!(database.stats().batches > before + 10, "{context}");
            assert!(looks.into_inner() > 2, "{context}");
            ground.afterwards(&database, |again| {
                let session = again.open_session(&id).unwrap().unwrap();
                walk(&session, &mut Memory::new(seed));
                assert!(again.verify().unwrap().pages > 10, "{context}");
            });
        }
    });
}

#[test]
fn a_verify_finds_everything_right_while_sessions_come_change_and_go() {
    watched(|| {
        let seed = seed();
        for ground in Ground::both(seed) {
            let database = ground.open();
            let enough = Flag::new();
            std::thread::scope(|scope| {
                for thread in 0..2_u64 {
                    let (database, enough) = (&database, &enough);
                    scope.spawn(move || {
                        let mut random = fastrand::Rng::with_seed(seed ^ thread);
                        while !enough.is_raised() {
                            // Of several pages, so that there is something to sweep.
                            let mut session = database.create_session();
                            for _ in 0..random.usize(1..8) {
                                let key = key(random.usize(0..10));
                                session.set_bytes(&key, &[7; 2500]).unwrap();
                            }
                            match random.u8(0..4) {
                                0 => drop(session.flush().unwrap()),
                                1 => drop(session.cycle_id().unwrap()),
                                2 => session.clear().unwrap(),
                                _ => {}
                            }
                        }
                    });
                }
                let _end = enough.at_end();
                for round in 0..rounds(12) {
                    database
                        .verify()
                        .unwrap_or_else(|error| panic!("{error}, seed {seed} round {round}"));
                }
            });
            verify_and_close(&database);
        }
    });
}
