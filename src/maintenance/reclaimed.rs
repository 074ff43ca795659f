//! The result of giving space back.

use crate::engine;

/// What [`Database::compact`](crate::Database::compact) did. All sizes in bytes.
///
/// ```
/// # let db = sessiondb::Database::temporary()?;
/// db.create_session().set("user", "ada")?;
/// let reclaimed = db.compact()?;
/// assert!(!reclaimed.stopped);
/// # Ok::<(), sessiondb::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Reclaimed {
    /// Live data that had to be copied.
    pub copied_bytes: u64,
    /// Segment files that were removed.
    pub freed_bytes: u64,
    /// Whether the callback stopped it before the end.
    pub stopped: bool,
}

impl From<engine::Reclaimed> for Reclaimed {
    fn from(reclaimed: engine::Reclaimed) -> Self {
        Self {
            copied_bytes: reclaimed.copied,
            freed_bytes: reclaimed.freed,
            stopped: reclaimed.stopped,
        }
    }
}
