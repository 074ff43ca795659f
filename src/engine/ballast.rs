//! The ballast: a file that takes space while there is some, to give it back
//! when there is none.
//!
//! sled must not meet a full disk, and a checkpoint that has found one is to
//! come to its end, as is an open. So the file goes before sled is written to,
//! and what is left of its space is taken again right after, before others
//! do. It moves under the checkpointer's lock only, or where nobody else is
//! yet. INVARIANT: the file holds nothing and nothing depends on it; where it
//! is missing there is only less to give back.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use crate::disk::Disk;
use crate::sync::Mutex;

const BALLAST: &str = "BALLAST";

/// What sled may write for what it was given already, and some, eight of its
/// segments: after an error of a full disk it is of no use any more, not even
/// for reading.
pub(super) const INDEX_ROOM: u64 = 4 << 20;

/// Room for sled, and as much for the frames of a checkpoint of removals and
/// the first step of a new journal file.
const FULL_BYTES: u64 = 2 * INDEX_ROOM;

/// A small disk is not to be filled by it: a quarter of what is free.
const SHARE: u64 = 4;

/// Less than this is not worth a file.
const LEAST_BYTES: u64 = 1 << 20;

#[derive(Debug)]
struct Size {
    /// What it takes.
    held: u64,
    /// What it took at most.
    wanted: u64,
}

impl Size {
    /// What has to be taken where so much is free.
    fn missing(&self, free: u64) -> u64 {
        let wanted = FULL_BYTES.min(free / SHARE).max(self.wanted);
        // What is there is not put right by small steps as space comes and goes.
        if self.held == 0 || self.wanted > self.held {
            wanted.saturating_sub(self.held)
        } else {
            0
        }
    }
}

/// The file.
#[derive(Debug)]
pub(super) struct Ballast {
    disk: Arc<dyn Disk>,
    size: Mutex<Size>,
}

impl Ballast {
    /// The one that is there, if any.
    pub(super) fn find(disk: Arc<dyn Disk>) -> Self {
        let file = disk.open(Path::new(BALLAST));
        let held = file.and_then(|file| file.length()).unwrap_or(0);
        Self {
            disk,
            size: Mutex::new(Size { held, wanted: held }),
        }
    }

    /// What it takes.
    pub(super) fn bytes(&self) -> u64 {
        self.size.lock().held
    }

    /// Whether sled can be written to, without any ballast.
    pub(super) fn has_room(&self) -> bool {
        self.disk.free_bytes() >= INDEX_ROOM
    }

    /// The same, with what the ballast gives.
    pub(super) fn make_room(&self) -> bool {
        self.has_room() || self.release() && self.has_room()
    }

    /// Bytes that are free for what is put: not those for sled, and not those
    /// that the ballast has to have again first.
    pub(super) fn free_for_puts(&self) -> u64 {
        let size = self.size.lock();
        let free = self.disk.free_bytes();
        let kept = INDEX_ROOM.saturating_add(size.missing(free));
        free.saturating_sub(kept)
    }

    /// Gives its space back; whether there was any to give.
    pub(super) fn release(&self) -> bool {
        let mut size = self.size.lock();
        if size.held == 0 {
            return false;
        }
        size.held = 0;
        tracing::info!("the disk is full: the ballast is released");
        let removed = self.disk.remove(Path::new(BALLAST));
        // Some file systems give space back only then.
        let outcome = removed.and_then(|()| self.disk.sync_directory(Path::new("")));
        outcome
            .inspect_err(|error| tracing::warn!(%error, "the ballast could not be removed"))
            .is_ok()
    }

    /// Takes it, where that leaves `needed` bytes free; what was released, as
    /// far as it is still there.
    pub(super) fn take(&self, needed: u64) {
        let mut size = self.size.lock();
        let free = self.disk.free_bytes();
        let missing = size.missing(free);
        let is_plenty = free.saturating_sub(missing) >= needed.saturating_add(INDEX_ROOM);
        let mut bytes = if is_plenty {
            missing
        } else {
            // A file system needs some of what it says is free.
            let left = size.wanted.saturating_sub(size.held);
            left.min(free - free / 16)
        };
        while bytes >= LEAST_BYTES {
            let held = size.held.saturating_add(bytes);
            match self.allocate(held) {
                Ok(()) => {
                    size.held = held;
                    size.wanted = size.wanted.max(held);
                    return;
                }
                Err(error) => {
                    tracing::debug!(%error, bytes, "no ballast is taken");
                    self.cut(size.held);
                    bytes /= 2;
                }
            }
        }
    }

    /// Undoes what a failed attempt may have taken.
    fn cut(&self, bytes: u64) {
        let path = Path::new(BALLAST);
        let outcome = match bytes {
            0 => self.disk.remove(path),
            _ => self.disk.open(path).and_then(|file| file.set_length(bytes)),
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "the ballast keeps more than it should");
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

#[cfg(test)]
mod tests;
