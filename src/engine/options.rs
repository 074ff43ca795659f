//! What the engine is told when it is opened.

use std::sync::Arc;
use std::time::Duration;

use super::expiry::Timeouts;
use super::upkeep::Upkeep;
use crate::clock::Clock;

/// When an acknowledged write is on disk.
///
/// ```
/// use std::time::Duration;
/// use sessiondb::{Database, Durability};
///
/// let db = Database::temporary()?; // Immediate
/// let quick = db.with_durability(Durability::Deferred {
///     sync_within: Duration::from_millis(100),
/// });
/// let session = quick.create_session();
/// session.set("page", "/")?;  // returns at once
/// session.commit()?;          // now it is on disk
/// # Ok::<(), sessiondb::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Durability {
    /// Before the call returns. The default: what was acknowledged, and what
    /// was read, survives a power cut.
    #[default]
    Immediate,
    /// Within a time, or when `commit` returns. A crash before it may lose
    /// the write, and may bring a flushed session back: commit before the
    /// cookie is sent.
    Deferred {
        /// The longest time until it is on disk without a `commit`.
        sync_within: Duration,
    },
}

/// The knobs.
#[derive(Clone)]
pub(crate) struct Options {
    /// Page cache and the index's own cache.
    pub(crate) cache_bytes: u64,
    /// Both memtables.
    pub(crate) memtable_bytes: usize,
    /// Bytes of a usual journal file.
    pub(crate) journal_segment_bytes: u64,
    /// Bytes of the longest one.
    pub(crate) longest_journal_segment_bytes: u64,
    /// Bytes of the longest segment file, about.
    pub(crate) segment_bytes: u32,
    /// Bytes of the shortest one that is left for another.
    pub(crate) shortest_segment_bytes: u32,
    /// An index that is smaller is never out of proportion; 0: it always is.
    pub(crate) index_renewal_bytes: u64,
    /// When sessions expire that say nothing else.
    pub(crate) timeouts: Timeouts,
    /// How many sessions an owner may have.
    pub(crate) sessions_per_owner: Option<usize>,
    /// How large the directory may become by what is put.
    pub(crate) max_disk_bytes: Option<u64>,
    /// How large a session may become.
    pub(crate) max_session_bytes: Option<u64>,
    /// How long what was removed may lie in files.
    pub(crate) erase_within: Option<Duration>,
    /// How long a dead ID is remembered; `None`: as long as a session may
    /// live without being seen.
    pub(crate) retire_for: Option<Duration>,
    /// Silence after which a changed database checkpoints by itself.
    pub(crate) idle_checkpoint_after: Duration,
    /// Whether threads do the background's work; tests do it by hand.
    pub(crate) background: bool,
    /// What the background does.
    pub(crate) upkeep: Upkeep,
    /// Where the time comes from.
    pub(crate) clock: Arc<dyn Clock>,
}

/// Memory of a session that is resident and unchanged.
pub(super) const RESIDENT_BYTES: u64 = 600;

impl Options {
    /// How long a dead ID is remembered.
    pub(super) fn retire_period(&self) -> Duration {
        self.retire_for.unwrap_or_else(|| self.timeouts.longest())
    }

    /// The share of the caches for pages.
    pub(super) fn page_cache_bytes(&self) -> u64 {
        self.sixteenths(6)
    }

    /// The share for places of images: each takes little, and does without a
    /// row.
    pub(super) fn places_bytes(&self) -> u64 {
        self.sixteenths(4)
    }

    /// What the index is told of its share of the caches: sled takes three
    /// bytes for each, about.
    pub(crate) fn index_cache_bytes(&self) -> u64 {
        self.sixteenths(3) / 3
    }

    /// How many unchanged sessions stay in memory.
    pub(super) fn resident_cells(&self) -> usize {
        usize::try_from(self.sixteenths(3) / RESIDENT_BYTES).unwrap_or(usize::MAX)
    }

    fn sixteenths(&self, count: u64) -> u64 {
        (self.cache_bytes / 16).saturating_mul(count)
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Options")
            .field("cache_bytes", &self.cache_bytes)
            .field("memtable_bytes", &self.memtable_bytes)
            .finish_non_exhaustive()
    }
}
