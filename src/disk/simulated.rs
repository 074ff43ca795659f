//! A disk in memory that crashes, tears and refuses.
//!
//! Owns: files in sectors of 512 bytes, of which it knows what has been synced
//! and what has not, and a real temporary directory for the index.
//! Promises: what the syncs of [`Disk`] promise, and nothing more: a crash may
//! take, keep or tear whatever was not synced. The same seeds and the same
//! operations give the same crash.
//! Refuses: every operation once its power is off.

use std::fmt;
use std::hash::{Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use siphasher::sip::SipHasher13;

use self::state::{Shared, SimulatedFile, SimulatedLock, State};
use super::real::{relative, taken_under};
use super::{Disk, DiskFile, DiskLock};

mod contents;
mod crash;
mod faults;
mod index_files;
mod names;
mod state;
#[cfg(test)]
mod tests;

pub use crash::{Crash, IndexFate};
pub use faults::{Fault, FaultEffect, Operation};

/// A disk in memory that crashes, tears and refuses. Clones are handles of the
/// same disk.
///
/// Creations, renames and removals are durable once their directory has been
/// synced (of a rename, the directory of the new name), bytes and lengths once
/// their file has been.
#[derive(Clone)]
pub struct SimulatedDisk {
    shared: Arc<Shared>,
}

impl fmt::Debug for SimulatedDisk {
    // The derived form would print every byte of every file.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state();
        formatter
            .debug_struct("SimulatedDisk")
            .field("seed", &self.shared.seed)
            .field("operations", &state.operations)
            .field("is_off", &state.is_off())
            .finish_non_exhaustive()
    }
}

impl SimulatedDisk {
    /// An empty disk. The seed takes part in every choice of a crash.
    ///
    /// # Errors
    ///
    /// Where no temporary directory can be made for the index.
    pub fn new(seed: u64) -> io::Result<Self> {
        let index = index_files::fresh()?;
        Ok(Self {
            shared: Arc::new(Shared::new(seed, index, State::default())),
        })
    }

    /// Gives a copy of this disk as it is, with all that awaits a sync: it can
    /// crash in many ways from this moment on while this one goes on. It has
    /// the capacity of this one, no locks and no faults, and its power is on.
    ///
    /// ```
    /// # use std::path::Path;
    /// # use sessiondb::{Crash, Disk, IndexFate, SimulatedDisk};
    /// let disk = SimulatedDisk::new(1)?;
    /// let file = disk.create(Path::new("a"))?;
    /// let before = disk.twin(IndexFate::Lost)?;
    /// disk.sync_directory(Path::new(""))?;
    /// let survivor = |disk: &SimulatedDisk| disk.crash(Crash::KeepNothing, IndexFate::Lost);
    /// assert!(survivor(&before)?.files().is_empty());
    /// assert_eq!(survivor(&disk)?.files(), ["a"]);
    /// # drop(file);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`crash`](Self::crash).
    pub fn twin(&self, index: IndexFate) -> io::Result<Self> {
        let twin = {
            let state = self.shared.state();
            State {
                names: state.names.twin(),
                capacity: state.capacity,
                operations: state.operations,
                ..State::default()
            }
        };
        self.beside(twin, index)
    }

    /// A disk in another state.
    fn beside(&self, state: State, index: IndexFate) -> io::Result<Self> {
        let index = match index {
            IndexFate::Kept => index_files::copied(self.shared.index.path())?,
            IndexFate::Lost => index_files::fresh()?,
        };
        Ok(Self {
            shared: Arc::new(Shared::new(self.shared.seed, index, state)),
        })
    }

    /// Gives a new disk with what would survive a crash of this one, which goes
    /// on.
    ///
    /// # Errors
    ///
    /// As [`crash`](Self::crash).
    pub fn copy(&self, how: Crash, index: IndexFate) -> io::Result<Self> {
        let survivor = {
            let state = self.shared.state();
            State {
                names: crash::surviving(&state.names, how, self.shared.seed),
                capacity: state.capacity,
                ..State::default()
            }
        };
        self.beside(survivor, index)
    }

    /// Turns this disk off and gives a new one with what survives. The new
    /// disk has the capacity of this one, no locks and no faults; it counts
    /// operations from zero. A disk that is off can crash again, into another
    /// future.
    ///
    /// # Errors
    ///
    /// Where the index directory of the new disk cannot be made or copied.
    pub fn crash(&self, how: Crash, index: IndexFate) -> io::Result<Self> {
        self.power_off();
        self.copy(how, index)
    }

    /// From now on every operation fails.
    pub fn power_off(&self) {
        self.power_off_after(0);
    }

    /// After so many further mutating operations every operation fails.
    pub fn power_off_after(&self, operations: u64) {
        self.shared.state().operations_left = Some(operations);
    }

    /// Whether the power is off.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.shared.state().is_off()
    }

    /// How many mutating operations (writes, changes of length, syncs,
    /// creations, renames, removals) were tried while the power was on.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.shared.state().operations
    }

    /// Plants a fault. Of several that match, the one planted first strikes.
    pub fn inject(&self, fault: Fault) {
        self.shared.state().faults.plant(fault);
    }

    /// Takes all planted faults away.
    pub fn clear_faults(&self) {
        self.shared.state().faults.clear();
    }

    /// How many planted faults have not yet struck as often as they are to.
    ///
    /// ```
    /// # use std::path::Path;
    /// # use sessiondb::{Disk, Fault, FaultEffect, Operation, SimulatedDisk};
    /// let disk = SimulatedDisk::new(1)?;
    /// disk.inject(Fault {
    ///     operation: Operation::Create,
    ///     path_contains: "a".to_owned(),
    ///     after: 0,
    ///     times: 1,
    ///     kind: std::io::ErrorKind::Other,
    ///     effect: FaultEffect::Refuse,
    /// });
    /// assert_eq!(disk.faults(), 1);
    /// assert!(disk.create(Path::new("a")).is_err());
    /// assert_eq!(disk.faults(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn faults(&self) -> usize {
        self.shared.state().faults.count()
    }

    /// How many bytes all files may have together; without one, any number.
    /// A write that would grow beyond it fails with the kind `StorageFull` and
    /// writes nothing.
    pub fn set_capacity(&self, capacity: Option<u64>) {
        let mut state = self.shared.state();
        state.capacity = capacity;
        state.full_after = None;
    }

    /// After so many further mutating operations the disk is full: it gets the
    /// capacity that its files have then.
    pub fn fill_up_after(&self, operations: u64) {
        self.shared.state().full_after = Some(operations);
    }

    /// How many of these operations are left; none once it is full.
    #[must_use]
    pub fn operations_until_full(&self) -> Option<u64> {
        self.shared.state().full_after
    }

    /// How many bytes all files have together, without the index.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.shared.state().used()
    }

    /// What a reader sees in a file, whether synced or not; also while the
    /// power is off.
    #[must_use]
    pub fn read_file(&self, path: &str) -> Option<Vec<u8>> {
        let path = relative(Path::new(path)).ok()?;
        let inode = self.shared.state().names.file(&path).ok()?;
        let contents = inode.contents.lock();
        Some(contents.seen())
    }

    /// Puts a file in place as already durable, with the directories above it;
    /// also while the power is off. Open handles see the new bytes.
    ///
    /// # Errors
    ///
    /// Where the path leaves the root or names a directory.
    pub fn write_file(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let path = relative(Path::new(path))?;
        self.shared.state().names.put(&path, bytes)
    }

    /// The paths of all files, sorted.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let state = self.shared.state();
        let paths = state.names.files().map(|(path, _)| path);
        let mut paths: Vec<String> = paths
            .map(|path| path.to_string_lossy().into_owned())
            .collect();
        paths.sort_unstable();
        paths
    }

    /// The paths of all files, sorted, as they are at one moment, each with what
    /// a reader sees in it: files of the journal get other names at any time.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sessiondb::{Database, SimulatedDisk};
    /// let disk = SimulatedDisk::new(1)?;
    /// let db = Database::builder().open_on(Arc::new(disk.clone()))?;
    /// db.create_session().set("user", "ada")?;
    /// let holds_it = |(_, bytes): &(String, Vec<u8>)| bytes.windows(3).any(|some| some == b"ada");
    /// assert!(disk.snapshot().iter().any(holds_it));
    /// # db.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> Vec<(String, Vec<u8>)> {
        let state = self.shared.state();
        let files: Vec<_> = (state.names.files())
            .map(|(path, inode)| (path.to_string_lossy().into_owned(), Arc::clone(inode)))
            .collect();
        drop(state);
        let mut files: Vec<(String, Vec<u8>)> = (files.into_iter())
            .map(|(path, inode)| (path, inode.contents.lock().seen()))
            .collect();
        files.sort_unstable();
        files
    }

    /// Tells images apart: a number made of the names of all files and of what
    /// a reader sees in them. Equal images have equal ones, also where another
    /// run of the same build has made them.
    #[must_use]
    pub fn image_hash(&self) -> u64 {
        let mut hasher = SipHasher13::new();
        let state = self.shared.state();
        for (path, inode) in state.names.files() {
            path.hash(&mut hasher);
            inode.contents.lock().hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Removes a file durably; also while the power is off.
    ///
    /// # Errors
    ///
    /// Where there is no such file.
    pub fn remove_file(&self, path: &str) -> io::Result<()> {
        let path = relative(Path::new(path))?;
        self.shared.state().names.take(&path)
    }

    /// The paths of all directories, sorted, each behind the one it is in.
    #[must_use]
    pub fn directories(&self) -> Vec<String> {
        let state = self.shared.state();
        let paths = state.names.directories();
        paths
            .map(|path| path.to_string_lossy().into_owned())
            .collect()
    }

    /// Removes an empty directory, as [`Disk::remove`] removes a file.
    ///
    /// # Errors
    ///
    /// Where there is no such directory, or something is in it.
    pub fn remove_directory(&self, path: &str) -> io::Result<()> {
        let path = relative(Path::new(path))?;
        let mut state = self.shared.state();
        state.permit(Operation::Remove, &[&path])?;
        let sequence = state.operations;
        state.names.remove_directory(&path, sequence)
    }

    /// What a sync of this file or directory does that began when there had
    /// been so many [`operations`](Self::operations), and ends now: it covers
    /// what was done to it by then.
    ///
    /// ```
    /// # use std::path::Path;
    /// # use sessiondb::{Crash, Disk, IndexFate, SimulatedDisk};
    /// let disk = SimulatedDisk::new(1)?;
    /// let file = disk.create(Path::new("a"))?;
    /// disk.sync_directory(Path::new(""))?;
    /// file.write_all_at(b"before", 0)?;
    /// let begun = disk.operations();
    /// file.write_all_at(b" and meanwhile", 6)?;
    /// disk.sync_through("a", begun)?;
    /// let survivor = disk.copy(Crash::KeepNothing, IndexFate::Lost)?;
    /// assert_eq!(survivor.read_file("a").unwrap(), b"before");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Where nothing has this name, and once the power is off.
    pub fn sync_through(&self, path: &str, operations: u64) -> io::Result<()> {
        let path = relative(Path::new(path))?;
        let mut state = self.shared.state();
        state.check_power()?;
        match state.names.file(&path) {
            Ok(inode) => {
                inode.contents.lock().sync_through(operations);
                Ok(())
            }
            Err(_) => state.names.sync(&path, operations),
        }
    }

    /// How many bytes of all files await a sync, each counted once. Bytes that
    /// a failed sync has lost do not.
    #[must_use]
    pub fn unsynced_bytes(&self) -> u64 {
        let state = self.shared.state();
        let unsynced = state
            .names
            .files()
            .map(|(_, inode)| inode.contents.lock().unsynced_bytes());
        unsynced.sum()
    }

    /// The real directory that holds the index directories. It is removed with
    /// the last handle of this disk.
    #[must_use]
    pub fn index_root(&self) -> PathBuf {
        self.shared.index.path().to_owned()
    }
}

impl Disk for SimulatedDisk {
    fn root(&self) -> &Path {
        Path::new("/simulated")
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let path = relative(path)?;
        let mut state = self.shared.state();
        state.check_power()?;
        if !state.locks.insert(path.clone()) {
            return Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                "somebody else holds the lock",
            ));
        }
        Ok(Box::new(SimulatedLock {
            shared: Arc::clone(&self.shared),
            path,
        }))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        let path = relative(path)?;
        let mut state = self.shared.state();
        state.permit(Operation::Create, &[&path])?;
        let sequence = state.operations;
        state.names.create_directory(&path, sequence)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let path = relative(path)?;
        let mut state = self.shared.state();
        state.permit(Operation::List, &[&path])?;
        state.names.list(&path)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let path = relative(path)?;
        let mut state = self.shared.state();
        state.permit(Operation::Create, &[&path])?;
        let sequence = state.operations;
        let inode = state.names.create(&path, sequence)?;
        Ok(Arc::new(SimulatedFile {
            shared: Arc::clone(&self.shared),
            inode,
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let path = relative(path)?;
        let mut state = self.shared.state();
        state.permit(Operation::Open, &[&path])?;
        Ok(Arc::new(SimulatedFile {
            shared: Arc::clone(&self.shared),
            inode: state.names.file(&path)?,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (relative(from)?, relative(to)?);
        let mut state = self.shared.state();
        state.permit(Operation::Rename, &[&from, &to])?;
        let sequence = state.operations;
        state.names.rename(&from, &to, sequence)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let path = relative(path)?;
        let mut state = self.shared.state();
        state.permit(Operation::Remove, &[&path])?;
        let sequence = state.operations;
        state.names.remove(&path, sequence)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let path = relative(path)?;
        let mut state = self.shared.state();
        state.permit(Operation::SyncDirectory, &[&path])?;
        state.names.sync(&path, u64::MAX)
    }

    fn free_bytes(&self) -> u64 {
        self.shared.state().room()
    }

    fn used_bytes(&self) -> u64 {
        let index = taken_under(self.shared.index.path());
        self.shared.state().used().saturating_add(index)
    }

    fn index_directory(&self, name: &str) -> PathBuf {
        self.shared.index.path().join(name)
    }
}
