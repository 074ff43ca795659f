//! The result of a verify.

use crate::engine::Counts;

/// What [`Database::verify`](crate::Database::verify) looked at and found right.
///
/// ```
/// # let db = sessiondb::Database::temporary()?;
/// db.create_session().set("user", "ada")?;
/// let verified = db.verify()?;
/// assert_eq!((verified.sessions, verified.keys, verified.pages), (1, 1, 0));
/// # Ok::<(), sessiondb::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Verified {
    /// Sessions.
    pub sessions: u64,
    /// Keys of all sessions.
    pub keys: u64,
    /// Pages, besides the first one of each session.
    pub pages: u64,
    /// Committed batches.
    pub batches: u64,
    /// Frames in them, dead ones included.
    pub frames: u64,
    /// Frames of the journal that are not checkpointed; an open would replay
    /// them. Those written meanwhile are not among them.
    pub journal_frames: u64,
    /// Pages of sessions that are gone, whose rows wait to be removed from the
    /// index.
    pub dead_pages: u64,
    /// Segment files that no batch needs any more, or that a batch left which
    /// was never committed. They go with the next compaction or open.
    pub orphan_files: u64,
}

impl From<Counts> for Verified {
    fn from(counts: Counts) -> Self {
        Self {
            sessions: counts.sessions,
            keys: counts.keys,
            pages: counts.pages,
            batches: counts.batches,
            frames: counts.frames,
            journal_frames: counts.journal_frames,
            dead_pages: counts.dead_pages,
            orphan_files: counts.orphan_files,
        }
    }
}
