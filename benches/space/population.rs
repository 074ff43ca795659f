//! Sessions of which it is known what their users gave them.

use std::thread;
use std::time::Duration;

use fastrand::Rng;
use sessiondb::{Database, Durability, Session, SessionId};

use crate::Outcome;

/// Bytes of a value, as its user gives it.
pub(crate) const VALUE: usize = 100;
/// And of its key.
const KEY: usize = 10;
/// Of both.
pub(crate) const PAIR: u64 = (KEY + VALUE) as u64;

/// A key by its number.
pub(crate) fn key(number: usize) -> String {
    format!("key-{number:06}")
}

/// A value that no other is like.
pub(crate) fn value(random: &mut Rng) -> [u8; VALUE] {
    let mut bytes = [0; VALUE];
    random.fill(&mut bytes);
    bytes
}

/// The same database, where nobody waits for the disk.
pub(crate) fn deferred(database: &Database) -> Database {
    database.with_durability(Durability::Deferred {
        sync_within: Duration::from_millis(100),
    })
}

/// Writes some keys of a session at once.
pub(crate) fn fill(
    session: &Session,
    keys: std::ops::Range<usize>,
    random: &mut Rng,
) -> sessiondb::Result<()> {
    session.transaction(|tx| {
        let mut keys = keys;
        keys.try_for_each(|number| tx.set_bytes(&key(number), &value(random)))
    })
}

/// Sessions of the same number of keys each.
pub(crate) struct Population {
    pub(crate) ids: Vec<SessionId>,
    keys: usize,
}

/// Who works on a population.
const THREADS: usize = 4;

impl Population {
    /// Makes them.
    pub(crate) fn load(database: &Database, sessions: usize, keys: usize) -> Outcome<Self> {
        let database = deferred(database);
        let mut ids = vec![SessionId::from_bytes([0; 16]); sessions];
        on_each(&mut ids, |id, random| {
            *id = create(&database, keys, random)?;
            Ok(())
        })?;
        database.commit()?;
        Ok(Self { ids, keys })
    }

    /// Keys and values.
    pub(crate) fn raw_bytes(&self) -> u64 {
        (self.ids.len() * self.keys) as u64 * PAIR
    }

    /// Writes so many times as much as all of them hold: half of it into
    /// sessions that are there, and half into new ones that take the place of
    /// others.
    pub(crate) fn churn(&mut self, database: &Database, times: usize) -> Outcome<()> {
        let database = deferred(database);
        let keys = self.keys;
        let per_thread = self.ids.len().div_ceil(THREADS).max(1);
        thread::scope(|scope| -> Outcome<()> {
            let parts = self.ids.chunks_mut(per_thread).enumerate();
            let threads: Vec<_> = parts
                .map(|(seed, part)| {
                    let database = &database;
                    scope.spawn(move || -> Outcome<()> {
                        let mut random = Rng::with_seed(seed as u64);
                        for turn in 0..part.len() * times {
                            let place = random.usize(..part.len());
                            let id = part.get_mut(place).ok_or("there is no session")?;
                            let session = database.open_session(id)?;
                            let mut session = session.ok_or("a session is missing")?;
                            if turn % 2 == 0 {
                                fill(&session, 0..keys, &mut random)?;
                            } else {
                                session.flush()?;
                                *id = create(database, keys, &mut random)?;
                            }
                        }
                        Ok(())
                    })
                })
                .collect();
            for thread in threads {
                thread.join().map_err(|_| "a thread panicked")??;
            }
            Ok(())
        })?;
        database.commit()?;
        Ok(())
    }

    /// Logs all of them out.
    pub(crate) fn flush(&mut self, database: &Database) -> Outcome<()> {
        let database = deferred(database);
        on_each(&mut self.ids, |id, _| {
            let session = database.open_session(id)?;
            session.ok_or("a session is missing")?.flush()?;
            Ok(())
        })?;
        self.ids.clear();
        database.commit()?;
        Ok(())
    }
}

fn create(database: &Database, keys: usize, random: &mut Rng) -> Outcome<SessionId> {
    let session = database.create_session();
    fill(&session, 0..keys, random)?;
    Ok(session.id())
}

/// Several threads do something for each session.
fn on_each(
    ids: &mut [SessionId],
    something: impl Fn(&mut SessionId, &mut Rng) -> Outcome<()> + Sync,
) -> Outcome<()> {
    let per_thread = ids.len().div_ceil(THREADS).max(1);
    thread::scope(|scope| {
        let parts = ids.chunks_mut(per_thread).enumerate();
        let threads: Vec<_> = parts
            .map(|(seed, part)| {
                let something = &something;
                scope.spawn(move || {
                    let mut random = Rng::with_seed(seed as u64);
                    let mut part = part.iter_mut();
                    part.try_for_each(|id| something(id, &mut random))
                })
            })
            .collect();
        let mut outcomes = threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a thread panicked")?);
        outcomes.try_for_each(|outcome| outcome)
    })
}
