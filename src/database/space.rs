//! The space that is taken, given back.

use std::ops::ControlFlow;

use super::Database;
use crate::engine::Phase;
use crate::error::Result;
use crate::maintenance::Reclaimed;

impl Database {
    /// Gives space back now: writes what changed, removes what is left of
    /// flushed sessions, and copies what lives out of files that hold garbage.
    /// All of it happens by itself, too, if less thoroughly.
    ///
    /// Costs a copy of the live data of those files; readers and writers go on
    /// meanwhile. What is copied needs space until the old file can go, a
    /// mebibyte more than a file at most.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let mut session = db.create_session();
    /// session.set_bytes("upload", &[7; 100_000])?;
    /// db.checkpoint()?;
    /// session.flush()?;
    /// assert!(db.compact()?.freed_bytes >= 100_000);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `StorageFull`, which leaves all as it was; the others of
    /// [`checkpoint`](Self::checkpoint).
    pub fn compact(&self) -> Result<Reclaimed> {
        self.compact_with(|_, _, _| ControlFlow::Continue(()))
    }

    /// The same, telling how much of each phase is done and how much there
    /// is, and stopping when it is told to: what was given back until then
    /// stays given back.
    ///
    /// Costs as [`compact`](Self::compact).
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// # let db = sessiondb::Database::temporary()?;
    /// let reclaimed = db.compact_with(|phase, done, of| {
    ///     println!("{phase:?}: {done} of {of}");
    ///     ControlFlow::Break(())
    /// })?;
    /// assert!(reclaimed.stopped);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`compact`](Self::compact).
    pub fn compact_with(
        &self,
        mut progress: impl FnMut(Phase, u64, u64) -> ControlFlow<()>,
    ) -> Result<Reclaimed> {
        self.engine().check()?;
        self.engine().reclaim(&mut progress).map(Reclaimed::from)
    }
}
