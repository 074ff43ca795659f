//! The disk, as the engine sees it.
//!
//! Owns: the [`Disk`] trait and its real implementation; with the feature
//! `simulation`, a seeded disk that crashes, tears and refuses.
//! Promises: nothing about durability beyond what each method says; all
//! durability is built above, from `sync_data`, `sync_all` and
//! `sync_directory`.
//! Refuses: to retry. An error of a sync is handed up as it came.

#![cfg_attr(
    not(feature = "simulation"),
    expect(unreachable_pub, reason = "public for who brings a disk of his own")
)]

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod read_only;
mod real;
#[cfg(feature = "simulation")]
mod simulated;

pub(crate) use read_only::ReadOnlyDisk;
pub(crate) use real::RealDisk;
#[cfg(feature = "simulation")]
pub use simulated::{Crash, Fault, FaultEffect, IndexFate, Operation, SimulatedDisk};

/// Directories, names and files under one root. All paths are relative to it.
#[expect(
    clippy::missing_errors_doc,
    reason = "each method hands up what the operating system said"
)]
pub trait Disk: Debug + Send + Sync + 'static {
    /// The root, for messages.
    fn root(&self) -> &Path;

    /// Takes the exclusive lock of the root until the guard is dropped.
    /// An error of kind `WouldBlock` means that somebody else holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>>;

    /// Creates a directory (mode 0700); an existing one is fine.
    fn create_directory(&self, path: &Path) -> io::Result<()>;

    /// The names of the files of a directory, sorted.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;

    /// Creates a file (mode 0600) that must not exist yet, for reading and writing.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens an existing file for reading and writing. An error of kind
    /// `IsADirectory` means that something has its name that is no file.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Renames a file, replacing `to`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes creations, renames and removals in this directory durable.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;

    /// Bytes free for new files; `u64::MAX` where it cannot be told.
    fn free_bytes(&self) -> u64;

    /// Bytes that all files under the root take, the index with them; 0 where
    /// it cannot be told. Costs a walk over their names.
    fn used_bytes(&self) -> u64 {
        0
    }

    /// Where the index, which speaks to the operating system itself, keeps
    /// its directory of this name.
    fn index_directory(&self, name: &str) -> PathBuf;
}

/// Whether an error says that there is no such file or directory, be it that
/// something else has its name.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory
    )
}

/// A held lock; dropping it releases.
pub trait DiskLock: Debug + Send + Sync {}

/// An open file. Reads and writes name their offset, so one handle serves
/// many threads.
#[expect(
    clippy::missing_errors_doc,
    reason = "each method hands up what the operating system said"
)]
pub trait DiskFile: Debug + Send + Sync {
    /// Fills `buffer` from `offset`; an error of kind `UnexpectedEof` when the
    /// file ends before.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`, extending the file where needed.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes written bytes durable, and the length where it is needed to read them.
    fn sync_data(&self) -> io::Result<()>;

    /// Makes written bytes and all metadata durable.
    fn sync_all(&self) -> io::Result<()>;

    /// The length of the file in bytes.
    fn length(&self) -> io::Result<u64>;

    /// Cuts or extends (with zeros) the file.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// Takes space for the first `length` bytes, and extends the file (with
    /// zeros) where it is shorter: writing them later finds no full disk.
    fn allocate(&self, length: u64) -> io::Result<()> {
        self.set_length(self.length()?.max(length))
    }
}
