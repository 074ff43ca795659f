//! A database out of the files of a damaged one.

use std::path::PathBuf;

use super::Database;
use crate::error::Result;
use crate::maintenance::Repaired;

impl Database {
    /// Saves what can be proved right of the directory `from`, which may be
    /// damaged in any way, in `to`, which must be empty or not exist; the rest
    /// is listed. `from` is only read, and must not be open meanwhile. Works
    /// without `CURRENT` and without the index.
    ///
    /// A session is saved exactly as it was at the end, with its owner, its
    /// expiry and the TTLs of its keys, or it is listed. One that was flushed
    /// does not come back. So, where damage may have been the end of any
    /// session, because nothing tells any more what was written there, all are
    /// listed that are not known to have been alive behind it: a lost segment
    /// file takes what is older along, and damage in the part of the journal
    /// that was not checkpointed takes all but what was written behind it.
    /// After a clean [`close`](Self::close) the journal is not needed.
    ///
    /// What is cut off from the end of the journal without a trace cannot be
    /// missed. Nor can a further fault in two places: a frame whose kind became
    /// that of a footer and that is damaged elsewhere, in a batch whose footer is
    /// damaged too, and the last segment file after a damaged footer, if the
    /// journal does not need them. What was flushed there, or changed, may be
    /// saved as it was before.
    ///
    /// Where a directory, a pipe or anything else has the name of a file, that
    /// file is damaged, all of it. A link that leads to a file is followed.
    ///
    /// Try [`open`](Self::open) first: what a power cut tore is no damage to it,
    /// and could have been a logout for all that a repair can know.
    ///
    /// The new directory is that of another database, which none of the old
    /// files belongs to. One that a repair left when it failed cannot be
    /// opened; remove it and begin anew. [`Builder::repair`] repairs with other
    /// settings, [`Builder::repair_with`] tells how far it is.
    ///
    /// Costs several reads of the old directory and a write of what is saved.
    /// It holds what is in the largest segment file, in the journal and in the
    /// caches, and the list of what is lost: some 250 bytes for each session in
    /// it. What else grows with the sessions is what the index remembers of where
    /// it lies: some 60 bytes for each, no more than an open and a
    /// [`verify`](Self::verify) of what is saved take.
    ///
    /// [`Builder::repair`]: crate::Builder::repair
    /// [`Builder::repair_with`]: crate::Builder::repair_with
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let (old, new) = (directory.path().join("old"), directory.path().join("new"));
    /// use sessiondb::Database;
    ///
    /// let db = Database::open(&old)?;
    /// let session = db.create_session();
    /// session.set("user", "ada")?;
    /// db.close()?;
    /// std::fs::remove_file(old.join("CURRENT"))?;
    /// assert!(Database::open(&old).is_err());
    ///
    /// let repaired = Database::repair(&old, &new)?;
    /// assert!(repaired.losses.is_empty());
    /// let db = Database::open(&new)?;
    /// let again = db.open_session(&session.id())?.expect("it was saved");
    /// assert_eq!(again.get::<String>("user")?.as_deref(), Some("ada"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Locked` while `from` is open; `Io` when `to` is not empty, lies in
    /// `from`, or when a file cannot be read or written; `Corrupted` when no
    /// file of `from` says that it is of a database; `NotADirectory`,
    /// `NotWritable`, `StorageFull`, `Version`.
    pub fn repair(from: impl Into<PathBuf>, to: impl Into<PathBuf>) -> Result<Repaired> {
        Self::builder().repair(from, to)
    }
}
