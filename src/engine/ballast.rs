//! The ballast: a file that takes space while there is some, to give it back
//! when there is none.
//!
//! sled must not meet a full disk, and a checkpoint that has found one is to
//! come to its end. INVARIANT: the file holds nothing and nothing depends on
//! it; where it is missing there is only less to give back.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::disk::Disk;

const BALLAST: &str = "BALLAST";

/// What sled may write for what it was given already, and some: after an
/// error of a full disk it is of no use any more, not even for reading.
pub(super) const INDEX_ROOM: u64 = 16 << 20;

/// Room for sled, and as much for the frames of a checkpoint of removals and
/// the first step of a new journal file.
const FULL_BYTES: u64 = 2 * INDEX_ROOM;

/// A small disk is not to be filled by it: a quarter of what is free.
const SHARE: u64 = 4;

/// The file, and whether it is there.
#[derive(Debug)]
pub(super) struct Ballast {
    disk: Arc<dyn Disk>,
    is_held: Mutex<bool>,
}

impl Ballast {
    /// The one that is there, if any.
    pub(super) fn find(disk: Arc<dyn Disk>) -> Self {
        let is_held = disk.open(Path::new(BALLAST)).is_ok();
        Self {
            disk,
            is_held: Mutex::new(is_held),
        }
    }

    /// Whether sled can be written to, without any ballast.
    pub(super) fn has_room(&self) -> bool {
        self.disk.free_bytes() >= INDEX_ROOM
    }

    /// The same, with what the ballast gives.
    pub(super) fn make_room(&self) -> bool {
        self.has_room() || self.release() && self.has_room()
    }

    /// Gives its space back; whether there was any to give.
    pub(super) fn release(&self) -> bool {
        let mut is_held = self.is_held.lock();
        if !std::mem::take(&mut *is_held) {
            return false;
        }
        tracing::warn!("the disk is full: the ballast is released");
        let removed = self.disk.remove(Path::new(BALLAST));
        // Some file systems give space back only then.
        let outcome = removed.and_then(|()| self.disk.sync_directory(Path::new("")));
        outcome
            .inspect_err(|error| tracing::warn!(%error, "the ballast could not be removed"))
            .is_ok()
    }

    /// Takes it, where that leaves `needed` bytes free.
    pub(super) fn take(&self, needed: u64) {
        let mut is_held = self.is_held.lock();
        let free = self.disk.free_bytes();
        let bytes = FULL_BYTES.min(free / SHARE);
        if *is_held || free.saturating_sub(bytes) < needed.saturating_add(INDEX_ROOM) {
            return;
        }
        match self.allocate(bytes) {
            Ok(()) => *is_held = true,
            Err(error) => {
                let _ = self.disk.remove(Path::new(BALLAST));
                tracing::debug!(%error, "no ballast is taken");
            }
        }
    }

    fn allocate(&self, bytes: u64) -> std::io::Result<()> {
        let path = Path::new(BALLAST);
        let file = match self.disk.create(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.disk.open(path),
            created => created,
        }?;
        file.allocate(bytes)
    }
}
