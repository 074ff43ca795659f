//! The bytes of one file: what reads see, what is on the platter, and the
//! changes between the two.
//!
//! Owns: the log of unsynced changes of a file.
//! Promises: replaying the whole log over the platter gives what reads see,
//! except for bytes that a failed sync has lost.
//! Refuses: files too long for memory.

use std::collections::BTreeSet;
use std::hash::{Hash as _, Hasher};
use std::io;
use std::path::PathBuf;

use parking_lot::Mutex;

/// A file no test needs; a longer one is a bug of the caller, and would
/// otherwise end the process for want of memory.
const MAXIMUM_LENGTH: u64 = 1 << 34;

/// What a system keeps of a file in memory, and loses or brings to the platter
/// as a whole.
const PAGE: usize = 4096;

/// One unsynced write or change of length.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// Its place in the order of all operations of the disk.
    pub(super) sequence: u64,
    pub(super) offset: usize,
    /// Empty for a change of length, and for bytes that a failed sync lost.
    pub(super) bytes: Vec<u8>,
    /// The length of the file after this change.
    pub(super) length: usize,
}

/// `Vec::resize` for zeros, without its loop over every byte in a debug build.
fn set_length(content: &mut Vec<u8>, length: usize) {
    content.truncate(length);
    let missing = length.saturating_sub(content.len());
    content.append(&mut vec![0; missing]);
}

impl Change {
    /// Makes the change, all of it.
    pub(super) fn apply(&self, content: &mut Vec<u8>) {
        set_length(content, self.length);
        self.write(content, self.bytes.len());
    }

    /// Makes the change with only the first `kept` bytes written.
    pub(super) fn apply_torn(&self, content: &mut Vec<u8>, kept: usize) {
        set_length(content, content.len().max(self.offset + kept));
        self.write(content, kept);
    }

    /// The pages that it writes to.
    fn pages(&self) -> impl Iterator<Item = usize> {
        let end = self.offset + self.bytes.len();
        let pages = self.offset / PAGE..end.div_ceil(PAGE);
        pages.filter(|_| !self.bytes.is_empty())
    }

    /// The same change without what it writes to these pages; nothing is left
    /// of it but its length where it writes to no others.
    fn without(&self, lost: &BTreeSet<usize>) -> Vec<Self> {
        let piece = |offset, bytes: &[u8]| Self {
            sequence: self.sequence,
            offset,
            bytes: bytes.to_vec(),
            length: self.length,
        };
        let end = self.offset + self.bytes.len();
        let kept = self.pages().filter(|page| !lost.contains(page));
        let kept = kept.filter_map(|page| {
            let start = self.offset.max(page * PAGE);
            let end = end.min((page + 1) * PAGE);
            let bytes = self.bytes.get(start - self.offset..end - self.offset)?;
            Some(piece(start, bytes))
        });
        let mut pieces: Vec<Self> = kept.collect();
        if pieces.is_empty() {
            pieces.push(piece(self.offset, &[]));
        }
        pieces
    }

    fn write(&self, content: &mut [u8], kept: usize) {
        let target = content.get_mut(self.offset..self.offset + kept);
        if let (Some(target), Some(bytes)) = (target, self.bytes.get(..kept)) {
            target.copy_from_slice(bytes);
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Contents {
    /// The name of the file now, for faults that are told by name.
    pub(super) path: PathBuf,
    pub(super) synced: Vec<u8>,
    pub(super) current: Vec<u8>,
    pub(super) log: Vec<Change>,
    /// How much space was allocated, and how much of it is on the platter.
    /// What lies behind the bytes reads as zeros, and takes no memory.
    claimed: usize,
    claimed_synced: usize,
    /// The place of the newest change of that in the order of all operations.
    claimed_in: u64,
}

impl Contents {
    pub(super) fn durable(path: PathBuf, bytes: Vec<u8>) -> Self {
        Self {
            path,
            synced: bytes.clone(),
            current: bytes,
            log: Vec::new(),
            claimed: 0,
            claimed_synced: 0,
            claimed_in: 0,
        }
    }

    /// The same file after a crash, with these bytes, and with the space that
    /// was allocated since the last sync or without it.
    pub(super) fn survivor(&self, path: PathBuf, bytes: Vec<u8>, keeps_space: bool) -> Self {
        let claimed = if keeps_space {
            self.claimed
        } else {
            self.claimed_synced
        };
        Self {
            claimed,
            claimed_synced: claimed,
            ..Self::durable(path, bytes)
        }
    }

    /// The place of an allocation, or of its end, that awaits a sync.
    pub(super) fn unsynced_claim(&self) -> Option<u64> {
        (self.claimed != self.claimed_synced).then_some(self.claimed_in)
    }

    /// The length of the file, which is the space that it takes.
    pub(super) fn length(&self) -> usize {
        self.current.len().max(self.claimed)
    }

    /// What a reader of the whole file sees.
    pub(super) fn seen(&self) -> Vec<u8> {
        let mut bytes = self.current.clone();
        set_length(&mut bytes, self.length());
        bytes
    }

    /// Takes in what a reader sees, without the zeros at its end.
    pub(super) fn hash(&self, hasher: &mut impl Hasher) {
        self.length().hash(hasher);
        let zeros = self.current.iter().rev().take_while(|byte| **byte == 0);
        let held = self.current.len() - zeros.count();
        self.current.get(..held).hash(hasher);
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(buffer.len());
        if end > self.length() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file ends before the bytes that were asked for",
            ));
        }
        let written = self.current.len();
        let bytes = self.current.get(start.min(written)..end.min(written));
        let bytes = bytes.unwrap_or_default();
        let (head, rest) = buffer.split_at_mut(bytes.len());
        head.copy_from_slice(bytes);
        rest.fill(0);
        Ok(())
    }

    /// Writes; `room` is by how much the file may grow.
    pub(super) fn write(
        &mut self,
        bytes: &[u8],
        offset: u64,
        room: u64,
        sequence: u64,
    ) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let end = offset.saturating_add(bytes.len() as u64);
        let length = self.grown(end.max(self.current.len() as u64), room)?;
        self.change(Change {
            sequence,
            offset: memory_length(offset)?,
            bytes: bytes.to_vec(),
            length,
        });
        Ok(())
    }

    /// Cuts or extends; `room` is by how much the file may grow.
    pub(super) fn set_length(&mut self, length: u64, room: u64, sequence: u64) -> io::Result<()> {
        let length = self.grown(length, room)?;
        if self.claimed > length {
            self.claimed = length;
            self.claimed_in = sequence;
        }
        self.change(Change {
            sequence,
            offset: 0,
            bytes: Vec::new(),
            length,
        });
        Ok(())
    }

    /// Takes space without bytes; `room` is by how much the file may grow.
    pub(super) fn allocate(&mut self, length: u64, room: u64, sequence: u64) -> io::Result<()> {
        self.claimed = self.claimed.max(self.grown(length, room)?);
        self.claimed_in = sequence;
        Ok(())
    }

    fn grown(&self, length: u64, room: u64) -> io::Result<usize> {
        let memory = memory_length(length)?;
        if length.saturating_sub(self.length() as u64) > room {
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                "the simulated disk is full",
            ));
        }
        Ok(memory)
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.current);
        self.log.push(change);
    }

    /// Brings all changes to the platter.
    pub(super) fn sync(&mut self) {
        self.sync_through(u64::MAX);
    }

    /// Brings the changes up to this place in the order of operations to the
    /// platter, and all space that was allocated.
    pub(super) fn sync_through(&mut self, sequence: u64) {
        let covered = (self.log).partition_point(|change| change.sequence <= sequence);
        for change in self.log.drain(..covered) {
            change.apply(&mut self.synced);
        }
        self.claimed_synced = self.claimed;
    }

    /// A sync that fails and marks dirty pages clean, those that `is_lost`
    /// picks: reads still see the bytes, and no later sync will bring them to
    /// the platter. The length is metadata and stays to be synced.
    pub(super) fn lose(&mut self, mut is_lost: impl FnMut() -> bool) {
        let dirty: BTreeSet<usize> = self.log.iter().flat_map(Change::pages).collect();
        let lost = dirty.into_iter().filter(|_| is_lost()).collect();
        let changes = self.log.iter().flat_map(|change| change.without(&lost));
        self.log = changes.collect();
    }

    /// How many bytes await a sync, each counted once.
    pub(super) fn unsynced_bytes(&self) -> u64 {
        let mut ranges: Vec<(usize, usize)> = self
            .log
            .iter()
            .map(|change| (change.offset, change.offset + change.bytes.len()))
            .collect();
        ranges.sort_unstable();
        let mut counted = 0;
        let mut total = 0;
        for (start, end) in ranges {
            total += end.saturating_sub(start.max(counted));
            counted = counted.max(end);
        }
        total as u64
    }
}

fn memory_length(length: u64) -> io::Result<usize> {
    usize::try_from(length)
        .ok()
        .filter(|_| length <= MAXIMUM_LENGTH)
        .ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the simulated disk keeps its files in memory",
            )
        })
}

/// A file without its names, which lives as long as a name or a handle does.
#[derive(Debug, Default)]
pub(super) struct Inode {
    /// Taken after the lock of the disk's state, where both are taken.
    pub(super) contents: Mutex<Contents>,
}

impl Inode {
    pub(super) fn new(contents: Contents) -> Self {
        Self {
            contents: Mutex::new(contents),
        }
    }
}
