//! A walk over all sessions while others are created, cycled, flushed, moved
//! and revoked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use sessiondb::{Database, Durability, Error, Session, SessionDigest, SessionInfo};

use crate::racing::{Flag, Ground, rounds, seed, together, watched};
use crate::support::{OTHER, OWNER};

/// Sessions that nobody touches.
const UNTOUCHED: usize = 3000;
/// Sessions that are written to and keep their ID.
const WRITTEN: usize = 60;
const WRITERS: usize = 3;
const WALKERS: usize = 2;

fn quick(database: &Database) -> Database {
    database.with_durability(Durability::Deferred {
        sync_within: Duration::from_millis(20),
    })
}

fn born(database: &Database, owner: Option<&str>) -> Session {
    let session = database.create_session();
    session
        .transaction(|tx| {
            tx.set("user", "ada")?;
            tx.set_owner(owner)
        })
        .unwrap();
    session
}

struct Stage {
    database: Database,
    untouched: BTreeMap<SessionDigest, SessionInfo>,
    written: Vec<Session>,
    /// Sessions that were gone at some time.
    dead: Mutex<BTreeSet<SessionDigest>>,
}

impl Stage {
    fn new(database: Database) -> Self {
        let born_all =
            |count, owner| -> Vec<Session> { (0..count).map(|_| born(&database, owner)).collect() };
        let mut untouched = born_all(UNTOUCHED / 2, Some(OWNER));
        untouched.extend(born_all(UNTOUCHED / 2, None));
        let written = born_all(WRITTEN, Some(OTHER));
        // Counts of keys are those of a checkpoint.
        database.checkpoint().unwrap();
        let untouched = untouched.iter().map(|session| {
            let digest = session.id().digest();
            (digest, database.inspect(&digest).unwrap().unwrap())
        });
        Self {
            untouched: untouched.collect(),
            written,
            dead: Mutex::default(),
            database,
        }
    }

    fn bury(&self, digest: SessionDigest) {
        self.dead.lock().unwrap().insert(digest);
    }

    /// Does things to sessions of its own, and to those that are written to.
    fn write(&self, random: &mut fastrand::Rng, mine: &mut Vec<Session>) -> Result<(), Error> {
        if mine.len() < 20 || random.u8(..4) == 0 {
            mine.push(born(&self.database, Some("user:44")));
            return Ok(());
        }
        let place = random.usize(0..mine.len());
        match random.u8(..8) {
            0 | 1 => {
                let old = mine[place].id().digest();
                mine[place].cycle_id()?;
                self.bury(old);
            }
            2 => {
                let mut session = mine.swap_remove(place);
                let old = session.id().digest();
                session.flush()?;
                self.bury(old);
            }
            3 => {
                let session = mine.swap_remove(place);
                assert!(self.database.revoke(session.id())?);
                self.bury(session.id().digest());
            }
            4 => mine[place].set_owner(Some(OTHER))?,
            5 => mine[place].set_bytes("page", &[7; 700])?,
            _ => {
                let number = random.usize(0..self.written.len());
                let session = &self.written[number];
                match random.u8(..3) {
                    0 => session.set_bytes("page", &vec![7; random.usize(0..900)])?,
                    1 => session.clear()?,
                    _ => session.set_owner(
                        random
                            .choice([Some(OTHER), Some("user:44"), None])
                            .flatten(),
                    )?,
                }
            }
        }
        Ok(())
    }

    /// Walks once.
    fn walk(&self, what: &str) {
        let dead = self.dead.lock().unwrap().clone();
        let seen_before = self.written.iter().map(|session| {
            let digest = session.id().digest();
            let info = self.database.inspect(&digest).unwrap().unwrap();
            (digest, info.last_seen)
        });
        let mut written: BTreeMap<_, _> = seen_before.collect();
        let mut last: Option<SessionDigest> = None;
        let mut untouched = 0;
        for info in self.database.sessions() {
            let info = info.unwrap();
            let digest = info.digest;
            assert!(last < Some(digest), "{what}: out of order, or twice");
            assert!(!dead.contains(&digest), "{what}: it was gone before");
            last = Some(digest);
            if let Some(expected) = self.untouched.get(&digest) {
                untouched += 1;
                assert_eq!(info, *expected, "{what}: nobody touched it");
            } else {
                let before = written.remove(&digest);
                assert!(before <= Some(info.last_seen), "{what}: out of date");
            }
        }
        assert_eq!(untouched, UNTOUCHED, "{what}: of those that nobody touched");
        assert!(written.is_empty(), "{what}: they were there all the time");
    }
}

fn race(ground: &Ground, seed: u64) {
    let stage = Stage::new(quick(&ground.open()));
    let over = Flag::new();
    let walks = rounds(6);
    together(WRITERS + WALKERS, |thread| {
        // Whoever ends, one way or the other, ends it for all.
        let _end = over.at_end();
        if thread >= WRITERS {
            for walk in 0..walks {
                stage.walk(&format!("seed {seed} walk {walk}"));
            }
            return;
        }
        let mut random = fastrand::Rng::with_seed(seed ^ thread as u64);
        let mut mine = Vec::new();
        while !over.is_raised() {
            stage.write(&mut random, &mut mine).unwrap();
        }
    });
    let dead = stage.dead.lock().unwrap().len();
    assert!(dead > 20, "the writers did not get on: {dead}");
    // When it is quiet the walk tells what is there and nothing else.
    stage.walk(&format!("seed {seed}, afterwards"));
    let there = stage.database.sessions().count() as u64;
    assert_eq!(
        stage.database.verify().unwrap().sessions,
        there,
        "seed {seed}"
    );
    stage.database.close().unwrap();
}

#[test]
fn a_walk_beside_writers_meets_what_nobody_touches_exactly_once_and_in_order() {
    watched(|| {
        let seed = seed();
        race(&Ground::simulated(seed), seed);
    });
}

#[test]
fn the_same_on_a_real_disk() {
    watched(|| {
        race(&Ground::real(), seed());
    });
}

#[test]
fn the_sessions_of_an_owner_are_told_once_each_while_others_come_and_go() {
    watched(|| {
        let seed = seed();
        let database = quick(&Ground::simulated(seed).open());
        let mut stay: Vec<_> = (0..200)
            .map(|_| born(&database, Some(OWNER)).id().digest())
            .collect();
        stay.sort_unstable();
        let over = Flag::new();
        let looks = rounds(40);
        together(4, |thread| {
            let _end = over.at_end();
            if thread == 0 {
                for look in 0..looks {
                    let mut told = crate::support::digests(&database, OWNER);
                    told.sort_unstable();
                    let count = told.len();
                    told.dedup();
                    assert_eq!(told.len(), count, "told twice, seed {seed} look {look}");
                    told.retain(|digest| stay.binary_search(digest).is_ok());
                    assert_eq!(told, stay, "one is missing, seed {seed} look {look}");
                }
                return;
            }
            let mut others: Vec<_> = (0..5).map(|_| born(&database, Some(OWNER))).collect();
            let mut random = fastrand::Rng::with_seed(seed ^ thread as u64);
            while !over.is_raised() {
                let other = &mut others[random.usize(0..5)];
                match random.u8(..4) {
                    0 => drop(other.cycle_id().unwrap()),
                    1 => {
                        other.flush().unwrap();
                        *other = born(&database, Some(OWNER));
                    }
                    2 => other.set_owner(Some(OTHER)).unwrap(),
                    _ => other.set_owner(Some(OWNER)).unwrap(),
                }
            }
        });
        database.close().unwrap();
    });
}
