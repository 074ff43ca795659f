//! The space that is taken, given back.

use std::ops::ControlFlow;

use super::Database;
use crate::engine::{Erasing, Phase};
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

    /// Erases now: when it returns, no file of the directory contains a value,
    /// a key or an owner name that was removed, overwritten or over before the
    /// call. It happens by itself within
    /// [`erase_within`](crate::Builder::erase_within), which also says what is
    /// beyond it.
    ///
    /// Costs a checkpoint, a fresh journal file, a copy of what lives in each
    /// file that holds anything dead, and a copy of the index where a key of a
    /// large session or an owner went; readers and writers go on meanwhile.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set("card", "4111 1111 1111 1111")?;
    /// session.delete("card")?;
    /// db.erase()?;
    /// assert_eq!(db.stats().erasure_age, None);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `StorageFull`; `Corrupted` when something has to stay because its file
    /// is damaged, all else is erased then; the others of
    /// [`checkpoint`](Self::checkpoint). What was not
    /// erased will be within [`erase_within`](crate::Builder::erase_within).
    pub fn erase(&self) -> Result<()> {
        self.erase_with(|_, _, _| ControlFlow::Continue(()))
            .map(drop)
    }

    /// The same, telling how much of each phase is done and how much there is,
    /// and stopping when it is told to; whether it came to the end.
    ///
    /// Costs as [`erase`](Self::erase).
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// # let db = sessiondb::Database::temporary()?;
    /// let is_erased = db.erase_with(|phase, done, of| {
    ///     println!("{phase:?}: {done} of {of}");
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert!(is_erased);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`erase`](Self::erase).
    pub fn erase_with(
        &self,
        mut progress: impl FnMut(Phase, u64, u64) -> ControlFlow<()>,
    ) -> Result<bool> {
        self.engine().check()?;
        let mut files = 0;
        self.engine().erase(|erasing| {
            let told = match erasing {
                Erasing::Preparing => progress(Phase::Checkpoint, 0, 1),
                Erasing::Files(left) => {
                    files = left.max(files);
                    progress(Phase::Compaction, files.saturating_sub(left), files)
                }
                Erasing::Index => progress(Phase::Index, 0, 1),
            };
            told.is_continue()
        })
    }
}
