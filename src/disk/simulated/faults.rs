//! Faults that a test plants, and when they go off.
//!
//! Owns: the planted faults and their counters.
//! Promises: a fault goes off as often as it says, and one operation meets at
//! most one.
//! Refuses: nothing; an effect that does not fit its operation is a refusal.

use std::io;
use std::path::Path;

/// What a fault can strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Writing to a file.
    Write,
    /// `sync_data` of a file.
    SyncData,
    /// `sync_all` of a file.
    SyncAll,
    /// Syncing a directory.
    SyncDirectory,
    /// Creating a file or a directory.
    Create,
    /// Opening a file.
    Open,
    /// Reading from a file.
    Read,
    /// Listing a directory.
    List,
    /// Renaming; a fault may name the old or the new path.
    Rename,
    /// Removing a file.
    Remove,
    /// Changing the length of a file.
    SetLength,
}

impl Operation {
    pub(super) fn mutates(self) -> bool {
        !matches!(self, Self::Open | Self::Read | Self::List)
    }
}

/// What happens besides the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultEffect {
    /// Nothing.
    Refuse,
    /// Of a write, the first half of the bytes are written.
    ShortWrite,
    /// Of a file's sync, the dirty pages are marked clean: reads still see the
    /// bytes, and they never reach the platter, whatever is synced later.
    LosePages,
    /// The same of some pages of 4 KiB, chosen by this seed; the others await
    /// another sync.
    LoseSomePages(u64),
}

/// An error at a chosen place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which operations it strikes.
    pub operation: Operation,
    /// A part of the path, relative to the root; empty strikes every path.
    pub path_contains: String,
    /// How many matching operations pass before the first is struck.
    pub after: u64,
    /// How many are struck.
    pub times: u64,
    /// The kind of the error.
    pub kind: io::ErrorKind,
    /// What happens besides the error.
    pub effect: FaultEffect,
}

impl Fault {
    fn matches(&self, operation: Operation, paths: &[&Path]) -> bool {
        self.operation == operation
            && paths
                .iter()
                .any(|path| path.to_string_lossy().contains(&self.path_contains))
    }

    /// Counts a matching operation; whether it is struck.
    fn strikes(&mut self) -> bool {
        if self.after > 0 {
            self.after -= 1;
            return false;
        }
        let struck = self.times > 0;
        self.times = self.times.saturating_sub(1);
        struck
    }
}

/// A fault that has gone off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strike {
    kind: io::ErrorKind,
    pub(super) effect: FaultEffect,
}

impl Strike {
    pub(super) fn error(self) -> io::Error {
        io::Error::new(self.kind, "an injected fault")
    }
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    planted: Vec<Fault>,
}

impl Faults {
    pub(super) fn plant(&mut self, fault: Fault) {
        self.planted.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.planted.clear();
    }

    pub(super) fn count(&self) -> usize {
        self.planted.len()
    }

    /// The first planted fault that strikes this operation.
    pub(super) fn meet(&mut self, operation: Operation, paths: &[&Path]) -> Option<Strike> {
        let struck = self
            .planted
            .iter_mut()
            .find_map(|fault| (fault.matches(operation, paths) && fault.strikes()).then_some(fault))
            .map(|fault| Strike {
                kind: fault.kind,
                effect: fault.effect,
            });
        if struck.is_some() {
            self.planted.retain(|fault| fault.times > 0);
        }
        struck
    }
}
