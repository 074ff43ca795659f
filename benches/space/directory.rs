//! What a database takes on disk.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::{Outcome, mebibytes};

/// `st_blocks` counts in these, whatever the file system's own blocks are.
const BLOCK: u64 = 512;

/// Bytes that the file system has allocated, by part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) journal: u64,
    pub(crate) segments: u64,
    /// The index in use and, while one is made, the one that follows it.
    pub(crate) index: u64,
    /// Files that hold nothing, for a full disk.
    pub(crate) reserve: u64,
    pub(crate) rest: u64,
}

impl Taken {
    /// Of all files and directories of a database. Files come and go
    /// meanwhile: one that is gone takes nothing.
    pub(crate) fn of(database: &Path) -> Outcome<Self> {
        let mut taken = Self::default();
        for entry in fs::read_dir(database)? {
            let entry = entry?;
            let bytes = allocated(&entry.path())?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            match &*name {
                "journal" => taken.journal += bytes,
                "segments" => taken.segments += bytes,
                "RESERVE" | "BALLAST" => taken.reserve += bytes,
                _ if name.starts_with("index-") => taken.index += bytes,
                _ => taken.rest += bytes,
            }
        }
        Ok(taken)
    }

    pub(crate) fn all(self) -> u64 {
        self.bare() + self.preallocated()
    }

    /// The files of the journal and the reserve: they take the same whatever
    /// is in them.
    pub(crate) fn preallocated(self) -> u64 {
        self.journal + self.reserve
    }

    /// All but those.
    pub(crate) fn bare(self) -> u64 {
        self.segments + self.index + self.rest
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "MiB: journal {:.2}, segments {:.2}, index {:.2}, reserve {:.2}, rest {:.2}",
            mebibytes(self.journal),
            mebibytes(self.segments),
            mebibytes(self.index),
            mebibytes(self.reserve),
            mebibytes(self.rest),
        )
    }
}

fn allocated(path: &Path) -> io::Result<u64> {
    let gone = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Ok(0),
        _ => Err(error),
    };
    let own = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => metadata.blocks() * BLOCK,
        Ok(metadata) => return Ok(metadata.blocks() * BLOCK),
        Err(error) => return gone(error),
    };
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => return gone(error),
    };
    let mut bytes = own;
    for entry in entries {
        match entry {
            Ok(entry) => bytes += allocated(&entry.path())?,
            Err(error) => bytes += gone(error)?,
        }
    }
    Ok(bytes)
}
