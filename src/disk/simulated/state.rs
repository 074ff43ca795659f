//! What all handles of one simulated disk share.
//!
//! Owns: the power, the faults, the capacity, the locks and the names, under
//! one mutex, and the open files.
//! Promises: operations happen one after another, in one order for all files.
//! Refuses: every operation once the power is off.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tempfile::TempDir;

use super::contents::Inode;
use super::crash::Random;
use super::faults::{FaultEffect, Faults, Operation, Strike};
use super::names::Names;
use crate::disk::{DiskFile, DiskLock};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) names: Names,
    pub(super) faults: Faults,
    pub(super) capacity: Option<u64>,
    /// After how many mutating operations others take all that is free.
    pub(super) full_after: Option<u64>,
    pub(super) locks: BTreeSet<PathBuf>,
    /// How many mutating operations there were; also the place of the newest
    /// one in their order.
    pub(super) operations: u64,
    /// How many mutating operations are left; the power is off at zero.
    pub(super) operations_left: Option<u64>,
}

impl State {
    pub(super) fn is_off(&self) -> bool {
        self.operations_left == Some(0)
    }

    pub(super) fn check_power(&self) -> io::Result<()> {
        if self.is_off() {
            return Err(io::Error::other("the power is off"));
        }
        Ok(())
    }

    /// Counts an operation and tells the fault it meets.
    pub(super) fn admit(
        &mut self,
        operation: Operation,
        paths: &[&Path],
    ) -> io::Result<Option<Strike>> {
        self.check_power()?;
        if operation.mutates() {
            self.operations += 1;
            self.operations_left = self.operations_left.map(|left| left.saturating_sub(1));
            self.full_after = self.full_after.map(|left| left.saturating_sub(1));
        }
        Ok(self.faults.meet(operation, paths))
    }

    /// Counts an operation that any fault refuses.
    pub(super) fn permit(&mut self, operation: Operation, paths: &[&Path]) -> io::Result<()> {
        match self.admit(operation, paths)? {
            Some(strike) => Err(strike.error()),
            None => Ok(()),
        }
    }

    /// By how many bytes the files may grow. Locks every file in turn.
    pub(super) fn room(&self) -> u64 {
        let Some(capacity) = self.capacity else {
            return u64::MAX;
        };
        capacity.saturating_sub(self.used())
    }

    /// How many bytes the files have. Locks every file in turn.
    pub(super) fn used(&self) -> u64 {
        let files = self.names.files();
        let lengths = files.map(|(_, inode)| inode.contents.lock().length() as u64);
        lengths.sum()
    }
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) seed: u64,
    pub(super) index: TempDir,
    state: Mutex<State>,
}

impl Shared {
    pub(super) fn new(seed: u64, index: TempDir, state: State) -> Self {
        Self {
            seed,
            index,
            state: Mutex::new(state),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock();
        // Here no file is locked.
        if state.full_after == Some(0) {
            state.full_after = None;
            state.capacity = Some(state.used());
        }
        state
    }
}

#[derive(Debug)]
pub(super) struct SimulatedLock {
    pub(super) shared: Arc<Shared>,
    pub(super) path: PathBuf,
}

impl DiskLock for SimulatedLock {}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        self.shared.state().locks.remove(&self.path);
    }
}

#[derive(Debug)]
pub(super) struct SimulatedFile {
    pub(super) shared: Arc<Shared>,
    pub(super) inode: Arc<Inode>,
}

impl SimulatedFile {
    fn sync(&self, operation: Operation) -> io::Result<()> {
        let mut state = self.shared.state();
        let mut contents = self.inode.contents.lock();
        match state.admit(operation, &[&contents.path])? {
            None => {
                contents.sync();
                Ok(())
            }
            Some(strike) => {
                match strike.effect {
                    FaultEffect::LosePages => contents.lose(|| true),
                    FaultEffect::LoseSomePages(seed) => {
                        let mut random = Random::new(self.shared.seed, seed);
                        contents.lose(|| random.coin());
                    }
                    FaultEffect::Refuse | FaultEffect::ShortWrite => {}
                }
                Err(strike.error())
            }
        }
    }
}

impl DiskFile for SimulatedFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut state = self.shared.state();
        let contents = self.inode.contents.lock();
        state.permit(Operation::Read, &[&contents.path])?;
        // The file's own lock is enough for the copy.
        drop(state);
        contents.read(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.shared.state();
        let room = state.room();
        let mut contents = self.inode.contents.lock();
        match state.admit(Operation::Write, &[&contents.path])? {
            None => contents.write(bytes, offset, room, state.operations),
            Some(strike) => {
                let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
                if strike.effect == FaultEffect::ShortWrite {
                    contents.write(half, offset, room, state.operations)?;
                }
                Err(strike.error())
            }
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync(Operation::SyncData)
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync(Operation::SyncAll)
    }

    fn length(&self) -> io::Result<u64> {
        self.shared.state().check_power()?;
        Ok(self.inode.contents.lock().length() as u64)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let mut state = self.shared.state();
        let room = state.room();
        let mut contents = self.inode.contents.lock();
        state.permit(Operation::SetLength, &[&contents.path])?;
        contents.set_length(length, room, state.operations)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let mut state = self.shared.state();
        let room = state.room();
        let mut contents = self.inode.contents.lock();
        state.permit(Operation::SetLength, &[&contents.path])?;
        contents.allocate(length, room, state.operations)
    }
}
