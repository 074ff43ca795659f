//! Many sessions, quickly: several threads, and nobody waits for the disk.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sessiondb::{Database, Durability, Session, SessionId};

use crate::Outcome;

const THREADS: usize = 4;

/// Makes so many sessions, each written by `write`, and has them checkpointed.
/// Returns their IDs.
pub(crate) fn load(
    database: &Database,
    count: usize,
    write: impl Fn(&Session, usize) -> sessiondb::Result<()> + Sync,
) -> Outcome<Vec<SessionId>> {
    let quick = database.with_durability(Durability::Deferred {
        sync_within: Duration::from_millis(100),
    });
    let next = AtomicUsize::new(0);
    let make = || -> Outcome<Vec<SessionId>> {
        let mut made = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(made);
            }
            let session = quick.create_session();
            write(&session, number)?;
            made.push(session.id());
        }
    };
    let mut ids = Vec::with_capacity(count);
    thread::scope(|scope| -> Outcome<()> {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(make)).collect();
        for thread in threads {
            ids.extend(thread.join().map_err(|_| "a thread panicked")??);
        }
        Ok(())
    })?;
    quick.commit()?;
    quick.checkpoint()?;
    Ok(ids)
}

/// How often a database is looked at, and how long it has to be still.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const STILL: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(1200);

/// When the background was seen at work: first and last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Work {
    pub(crate) from: Instant,
    pub(crate) until: Instant,
}

/// Waits until the background has begun something and been still for a while,
/// which is long against the second after which it looks for expired sessions;
/// `None` where it begins nothing. Nobody else may write meanwhile.
pub(crate) fn watch(database: &Database) -> Outcome<Option<Work>> {
    let look = || {
        let stats = database.stats();
        let written = (stats.journal_live_bytes, stats.segment_bytes);
        // This shrinks while a batch is published.
        (written, stats.batches, stats.memtable_bytes)
    };
    let start = Instant::now();
    let mut seen = look();
    let mut work: Option<Work> = None;
    loop {
        let now = Instant::now();
        let last = work.map_or(start, |work| work.until);
        let (_, _, waiting) = seen;
        if now.duration_since(last) >= STILL && waiting == 0 {
            return Ok(work);
        }
        if now.duration_since(start) >= PATIENCE {
            return Err("the background does not come to rest".into());
        }
        thread::sleep(LOOK_EVERY);
        let sight = look();
        if sight != seen {
            seen = sight;
            let until = Instant::now();
            work = Some(Work {
                from: work.map_or(now, |work| work.from),
                until,
            });
        }
    }
}
