//! Sessions of which it is known what is in them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use fastrand::Rng;

use crate::Outcome;
use crate::engine::{Engine, Entry, Id};

/// Bytes of a value, as its user gives it.
pub(crate) const VALUE: usize = 100;
/// And of its key.
const KEY: usize = 10;
/// Of both.
pub(crate) const PAIR: u64 = (KEY + VALUE) as u64;

/// Who fills an engine.
const THREADS: usize = 4;
/// What one commit has at most, where sessions are made by the thousand.
const BATCH_KEYS: usize = 10_000;

/// A key by its number.
pub(crate) fn key(number: usize) -> String {
    format!("key-{number:06}")
}

/// A value that no other is like.
pub(crate) fn value(random: &mut Rng) -> Vec<u8> {
    let mut bytes = vec![0; VALUE];
    random.fill(&mut bytes);
    bytes
}

/// Some keys of a session.
pub(crate) fn entries(keys: std::ops::Range<usize>, random: &mut Rng) -> Vec<Entry> {
    keys.map(|number| (key(number), value(random))).collect()
}

/// Makes so many sessions, each with so many keys, and has them on disk.
pub(crate) fn fill(engine: &dyn Engine, sessions: usize, keys: usize) -> Outcome<Vec<Id>> {
    let per_batch = (BATCH_KEYS / keys).max(1);
    let batches = sessions.div_ceil(per_batch);
    let next = AtomicUsize::new(0);
    let make = || -> Outcome<Vec<Id>> {
        let mut random = Rng::new();
        let mut made = Vec::new();
        loop {
            let batch = next.fetch_add(1, Ordering::Relaxed);
            if batch >= batches {
                return Ok(made);
            }
            let count = per_batch.min(sessions - batch * per_batch);
            let batch: Vec<_> = (0..count).map(|_| entries(0..keys, &mut random)).collect();
            made.extend(engine.create(&batch)?);
        }
    };
    let ids = thread::scope(|scope| -> Outcome<Vec<Id>> {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(make)).collect();
        let mut ids = Vec::with_capacity(sessions);
        for thread in threads {
            ids.extend(thread.join().map_err(|_| "a thread panicked")??);
        }
        Ok(ids)
    })?;
    engine.sync()?;
    Ok(ids)
}
