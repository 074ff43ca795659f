//! The database in numbers.

use std::time::Duration;

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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Sessions in memory, changed or not.
    pub resident_sessions: u64,
    /// What they take in memory, besides their changes; about.
    pub resident_bytes: u64,
    /// Changes in memory that no checkpoint has written yet.
    pub memtable_bytes: u64,
    /// Pages in memory.
    pub cached_bytes: u64,
    /// What sled, the index, is told that its cache may take: it takes three
    /// bytes for each, about.
    pub index_cache_bytes: u64,
    /// Frames of the journal that an open would replay.
    pub journal_live_bytes: u64,
    /// Journal files, those that wait to be used included.
    pub journal_bytes: u64,
    /// What is kept for a full disk beside these.
    pub reserve_bytes: u64,
    /// Segment files.
    pub segment_bytes: u64,
    /// The index.
    pub index_bytes: u64,
    /// What sessions hold in the segments, flushed ones until the sweep; the
    /// rest of `segment_bytes` is garbage, and what has to be remembered of
    /// what is gone.
    pub live_bytes: u64,
    /// The same for each segment file, oldest first.
    pub segments: Vec<SegmentStats>,
    /// Flushed sessions of which the index still holds something, for the
    /// sweep.
    pub dead_generations: u64,
    /// How much of the segment file that is being compacted is left, and how
    /// much there was, in frames; `None` between two files.
    pub compaction: Option<(u64, u64)>,
    /// Rows copied of an index that is being renewed; `None` when none is.
    pub index_renewal: Option<u64>,
    /// Rows written of an index that is rebuilt because the old one was
    /// damaged or lost, and how many there will be; `None` when none is.
    pub index_rebuild: Option<(u64, u64)>,
    /// Committed batches so far.
    pub batches: u64,
    /// How long ago the last checkpoint ended, or the database was opened.
    pub checkpoint_age: Duration,
    /// How long ago the first thing was removed that may still lie in a file;
    /// `None` when nothing can.
    ///
    /// It is at most so long: a write to a session that was written before
    /// counts as one that overwrites something, and after a crash all that may
    /// have been removed since the last erasure does.
    pub erasure_age: Option<Duration>,
}

/// A segment file in numbers.
///
/// ```
/// # let db = sessiondb::Database::temporary()?;
/// db.create_session().set("user", "ada")?;
/// db.checkpoint()?;
/// let stats = db.stats();
/// assert_eq!(stats.segments.len(), 1);
/// assert!(stats.segments[0].live_bytes < stats.segments[0].bytes);
/// # Ok::<(), sessiondb::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SegmentStats {
    /// All of it.
    pub bytes: u64,
    /// What sessions hold in it.
    pub live_bytes: u64,
}

impl Engine {
    /// The engine in numbers.
    pub(crate) fn stats(&self) -> Stats {
        Stats {
            resident_sessions: self.resident_sessions(),
            resident_bytes: self.resident_bytes(),
            memtable_bytes: self.memtable_bytes(),
            cached_bytes: self.cached_bytes(),
            index_cache_bytes: self.options.index_cache_bytes(),
            journal_live_bytes: self.journal.live_bytes(),
            journal_bytes: self.journal.disk_bytes(),
            reserve_bytes: self.reserve_bytes(),
            segment_bytes: self.segments.disk_bytes(),
            index_bytes: self.index_bytes(),
            live_bytes: self.live_bytes(),
            segments: self.segment_stats(),
            dead_generations: self.graves().unwrap_or(0),
            compaction: self.progress.compaction(),
            index_renewal: self.progress.renewal(),
            index_rebuild: self.progress.rebuild(),
            batches: self.batches(),
            checkpoint_age: self.progress.checkpoint_age(self.now()),
            erasure_age: self.erasure_age(),
        }
    }

    fn segment_stats(&self) -> Vec<SegmentStats> {
        let files = self.segment_usage().into_iter();
        files
            .map(|(bytes, live_bytes)| SegmentStats { bytes, live_bytes })
            .collect()
    }
}
