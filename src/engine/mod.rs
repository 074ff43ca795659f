//! The engine: memtable, transactions, checkpoint, recovery.
//!
//! Owns: the order of steps in which a change becomes durable and moves from
//! the journal through the memtable into segments and index.
//! Promises: an acknowledged change survives as its durability says; a
//! session that is gone stays gone; one of many callers wins a removal.
//! Refuses: to go on writing after a failed write or sync.

mod admission;
mod background;
mod ballast;
mod breaks;
mod cache;
mod cell;
mod checkpoint;
mod commit;
mod compaction;
mod create;
mod current;
mod delta;
mod draft;
mod erasure;
mod examine;
mod expiry;
mod first_page;
mod index_slot;
mod index_source;
mod iterate;
mod lifecycle;
mod list;
mod lookup;
mod memtable;
mod merge;
mod meter;
mod open;
mod options;
mod outcome;
mod owners;
mod progress;
mod publish;
mod purge;
mod rebuild;
mod reclaim;
mod reentrance;
mod registry;
mod removal;
mod renewal;
mod repair;
mod replay;
mod rest;
mod retirement;
mod space;
mod stored;
mod sweep;
mod upkeep;
mod verify;

#[cfg(test)]
mod stops;
#[cfg(test)]
mod testing;

use std::sync::Arc;

use crate::disk::{Disk, DiskLock};
use crate::format::identity::{DatabaseId, Generation, Timestamp};
use crate::journal::Journal;
use crate::segments::Segments;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Mutex, RwLock};

pub(crate) use admission::Admitted;
#[cfg(test)]
pub(crate) use cell::Cell;
pub(crate) use commit::Bound;
pub(crate) use draft::Draft;
pub(crate) use erasure::Erasing;
pub(crate) use expiry::Timeouts;
pub(crate) use iterate::Chunk;
pub(crate) use lifecycle::Sighted;
pub(crate) use list::{Known, SessionWalk};
pub use options::Durability;
pub(crate) use options::Options;
pub(crate) use outcome::Turn;
pub use reclaim::Phase;
pub(crate) use reclaim::Reclaimed;
pub(crate) use reentrance::Inside;
pub use repair::{Loss, LossKind};
pub(crate) use repair::{Repair, repair};
pub(crate) use stored::{Held, Pair, Stored};
pub use upkeep::Upkeep;
pub(crate) use verify::Counts;

/// An open database.
pub(crate) struct Engine {
    pub(crate) options: Options,
    disk: Arc<dyn Disk>,
    database: DatabaseId,
    pub(crate) journal: Arc<Journal>,
    pub(crate) segments: Arc<Segments>,
    index: index_slot::IndexSlot,
    registry: registry::Registry,
    owners: owners::Owners,
    cache: cache::PageCache,
    memtable: memtable::Memtable,
    ballast: ballast::Ballast,
    allowance: space::Allowance,
    /// Shared by append and apply, exclusive to the freeze; holds the epoch.
    freeze: RwLock<u64>,
    dirty: Mutex<checkpoint::Dirty>,
    checkpointer: Mutex<checkpoint::Checkpointer>,
    background: background::Background,
    breaks: breaks::Breaks,
    erasure: erasure::Erasure,
    pub(crate) progress: progress::Progress,
    next_generation: AtomicU64,
    /// The latest time that was seen: the engine's time never goes back.
    latest: AtomicU64,
    /// Whether any session was made with an ID of the caller's choice.
    ids_are_chosen: AtomicBool,
    closed: AtomicBool,
    lock: Mutex<Option<Box<dyn DiskLock>>>,
}

/// Where it is, and nothing of what it holds: handles are shown in logs.
impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Engine")
            .field("directory", &self.disk.root())
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// The time, held from going backwards.
    pub(crate) fn now(&self) -> Timestamp {
        let now = Timestamp::from(self.options.clock.now());
        let before = self.latest.fetch_max(now.0, Ordering::Relaxed);
        Timestamp(before.max(now.0))
    }

    /// The time of an operation that only looks. The next one may be told an
    /// earlier time, unless something was found to be over at this one.
    pub(crate) fn glance(&self) -> Timestamp {
        let now = Timestamp::from(self.options.clock.now());
        now.max(self.seen())
    }

    /// Notes that something was found to be over: for nobody it comes back.
    fn note_over(&self, now: Timestamp) {
        self.latest.fetch_max(now.0, Ordering::Relaxed);
    }

    /// The latest time that any operation was told. Who checks something
    /// again asks for this one: it reads no clock, and nobody can have seen a
    /// session expire at a time behind it.
    fn seen(&self) -> Timestamp {
        Timestamp(self.latest.load(Ordering::Relaxed))
    }

    fn next_unused_generation(&self) -> Generation {
        Generation(self.next_generation.load(Ordering::Relaxed))
    }

    /// The directory, for messages.
    pub(crate) fn root(&self) -> std::path::PathBuf {
        self.disk.root().to_path_buf()
    }

    pub(crate) fn resident_sessions(&self) -> u64 {
        self.registry.len() as u64
    }

    pub(crate) fn resident_bytes(&self) -> u64 {
        self.resident_sessions()
            .saturating_mul(options::RESIDENT_BYTES)
    }

    pub(crate) fn reserve_bytes(&self) -> u64 {
        let ballast = self.ballast.bytes();
        self.journal.kept_bytes().saturating_add(ballast)
    }

    pub(crate) fn memtable_bytes(&self) -> u64 {
        self.memtable.used() as u64
    }

    pub(crate) fn cached_bytes(&self) -> u64 {
        self.cache.bytes()
    }

    pub(crate) fn index_bytes(&self) -> u64 {
        self.index.get().map_or(0, |index| index.disk_bytes())
    }

    pub(crate) fn batches(&self) -> u64 {
        self.segments.last_batch().0
    }

    /// Commits everything, stops the background and lets the directory go.
    /// The first call does it, later ones find it done.
    pub(crate) fn close(&self) -> crate::Result<()> {
        // Held to the end: who comes second returns when the directory is free.
        let mut lock = self.lock.lock();
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.background.stop();
        let outcome = self.finish();
        drop(lock.take());
        outcome
    }

    /// In one hold of the checkpointer: a checkpoint or a rebuild that was
    /// asked for before the close must not write a file after it.
    fn finish(&self) -> crate::Result<()> {
        let _step = tracing::debug_span!("close").entered();
        let mut checkpointer = self.checkpointer.lock();
        if let Ok(index) = self.index.get() {
            self.abandon_renewal(&mut checkpointer, &index);
        }
        let written = self.checkpoint_under(&mut checkpointer);
        let closed = self.journal.close();
        let outcome = written.and(closed);
        // sled writes when it goes, too.
        self.ballast.make_room();
        if outcome.is_ok() {
            self.leave_mark(&checkpointer);
        }
        self.index.close();
        self.ballast.take(0);
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, UNIX_EPOCH};

    use crate::format::identity::Timestamp;
    use crate::{Database, ManualClock};

    #[test]
    fn time_keeps_nanoseconds_and_never_goes_backwards() {
        let start = UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_789);
        let clock = Arc::new(ManualClock::new(start));
        let database = Database::builder()
            .background(false)
            .clock(clock.clone())
            .temporary()
            .unwrap();
        let engine = database.engine();
        assert_eq!(engine.now(), Timestamp(1_700_000_000_123_456_789));
        clock.set(UNIX_EPOCH);
        assert_eq!(engine.now(), Timestamp(1_700_000_000_123_456_789));
        clock.set(start + Duration::from_nanos(1));
        assert_eq!(engine.now(), Timestamp(1_700_000_000_123_456_790));
    }
}
