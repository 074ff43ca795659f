//! Repairing a directory with the builder's knobs.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::Builder;
use crate::disk::{Disk, ReadOnlyDisk, RealDisk};
use crate::engine;
use crate::error::{Error, Result};
use crate::maintenance::Repaired;

impl Builder {
    /// Saves what can be proved right of a damaged directory in a new one; see
    /// [`Database::repair`](crate::Database::repair). The timeouts should be
    /// those that the database is opened with.
    ///
    /// Costs as [`Database::repair`](crate::Database::repair).
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let (old, new) = (directory.path().join("old"), directory.path().join("new"));
    /// # sessiondb::Database::open(&old)?.close()?;
    /// use std::time::Duration;
    /// use sessiondb::Database;
    ///
    /// let half_hour = Duration::from_secs(1800);
    /// let builder = Database::builder().idle_timeout(Some(half_hour));
    /// let repaired = builder.clone().repair(&old, &new)?;
    /// let db = builder.open(&new)?;
    /// # assert_eq!(db.verify()?.sessions, repaired.saved.sessions);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Database::repair`](crate::Database::repair).
    pub fn repair(self, from: impl Into<PathBuf>, to: impl Into<PathBuf>) -> Result<Repaired> {
        self.repair_with(from, to, |_, _| {})
    }

    /// The same, telling how much is done and how much there is, in bytes of
    /// the old directory that are looked at, some of them several times.
    ///
    /// Costs as [`repair`](Self::repair).
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let (old, new) = (directory.path().join("old"), directory.path().join("new"));
    /// # sessiondb::Database::open(&old)?.close()?;
    /// sessiondb::Database::builder().repair_with(&old, &new, |done, of| {
    ///     println!("{done} of {of} bytes");
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`repair`](Self::repair).
    pub fn repair_with(
        self,
        from: impl Into<PathBuf>,
        to: impl Into<PathBuf>,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Repaired> {
        let (from, to) = (from.into(), to.into());
        let old = ReadOnlyDisk::open(&from).map_err(|error| opening(&from, error))?;
        check_target(&from, &to)?;
        let new = RealDisk::open(&to).map_err(|error| opening(&to, error))?;
        let (old, new): (Arc<dyn Disk>, Arc<dyn Disk>) = (Arc::new(old), Arc::new(new));
        engine::repair(&old, &new, self.options, &mut progress).map(Repaired::from)
    }
}

fn opening(directory: &Path, error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotADirectory => Error::NotADirectory {
            path: directory.to_path_buf(),
        },
        _ => Error::io("open", directory, error),
    }
}

/// The new directory is empty, or not there yet, and not in the old one, which
/// it would change.
fn check_target(from: &Path, to: &Path) -> Result<()> {
    let refused =
        |kind, reason: &str| Err(Error::io("repair into", to, io::Error::new(kind, reason)));
    let is_empty = match fs::read_dir(to) {
        Ok(mut names) => names.next().is_none(),
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(error) => return Err(opening(to, error)),
    };
    if !is_empty {
        return refused(ErrorKind::DirectoryNotEmpty, "it is not empty");
    }
    let known = std::path::absolute(to).map_err(|error| opening(to, error))?;
    let existing = known.ancestors().find(|path| path.exists());
    let existing = existing.unwrap_or(&known);
    let mut missing = known.strip_prefix(existing).unwrap_or(&known).components();
    if missing.any(|part| part == Component::ParentDir) {
        return refused(
            ErrorKind::InvalidInput,
            "what is before a `..` is not there",
        );
    }
    let existing = existing.canonicalize();
    let existing = existing.map_err(|error| opening(to, error))?;
    let from = from.canonicalize().map_err(|error| opening(from, error))?;
    if existing.starts_with(&from) {
        return refused(ErrorKind::InvalidInput, "it lies in the old directory");
    }
    Ok(())
}
