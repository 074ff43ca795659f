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
}

impl From<Counts> for Verified {
    fn from(counts: Counts) -> Self {
        Self {
            sessions: counts.sessions,
            keys: counts.keys,
            pages: counts.pages,
            batches: counts.batches,
            frames: counts.frames,
        }
    }
}
