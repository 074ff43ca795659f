//! The database in numbers.

use crate::engine::Engine;

/// What [`Database::stats`](crate::Database::stats) tells. All sizes in bytes.
///
/// ```
/// # let db = sessiondb::Database::temporary()?;
/// let session = db.create_session();
/// session.set("user", "ada")?;
/// let stats = db.stats();
/// assert_eq!(stats.resident_sessions, 1);
/// assert!(stats.memtable_bytes > 0);
/// # Ok::<(), sessiondb::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Sessions in memory, changed or not.
    pub resident_sessions: u64,
    /// Changes in memory that no checkpoint has written yet.
    pub memtable_bytes: u64,
    /// Pages in memory.
    pub cached_bytes: u64,
    /// Frames of the journal that an open would replay.
    pub journal_live_bytes: u64,
    /// Segment files.
    pub segment_bytes: u64,
    /// The index.
    pub index_bytes: u64,
    /// Committed batches so far.
    pub batches: u64,
}

impl Engine {
    /// The engine in numbers.
    pub(crate) fn stats(&self) -> Stats {
        Stats {
            resident_sessions: self.resident_sessions(),
            memtable_bytes: self.memtable_bytes(),
            cached_bytes: self.cached_bytes(),
            journal_live_bytes: self.journal.live_bytes(),
            segment_bytes: self.segments.disk_bytes(),
            index_bytes: self.index_bytes(),
            batches: self.batches(),
        }
    }
}
