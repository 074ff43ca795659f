//! The end of the journal: where the next frame goes, what waits to be
//! written, and how much space there is.

use std::collections::VecDeque;
use std::sync::Arc;

use super::reserve::{Purpose, Reserve};
use crate::disk::DiskFile;
use crate::error::Error;
use crate::format::header::{Declaration, JOURNAL_HEADER_BYTES};
use crate::format::identity::{JournalNumber, Sequence};

/// A file that frames go to.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) number: JournalNumber,
    pub(super) file: Arc<dyn DiskFile>,
    /// Where the next frame goes.
    pub(super) offset: u64,
    /// Up to here the file is filled with zeros, and that is on disk.
    pub(super) allocated: u64,
    /// Whether only removals may go there.
    pub(super) is_reserve: bool,
    /// Whether old frames may lie behind the new ones.
    pub(super) is_used: bool,
}

impl Slot {
    /// An empty file.
    pub(super) fn new(number: JournalNumber, file: Arc<dyn DiskFile>, allocated: u64) -> Self {
        Self {
            number,
            file,
            offset: JOURNAL_HEADER_BYTES as u64,
            allocated,
            is_reserve: false,
            is_used: false,
        }
    }

    /// Bytes for coming frames.
    pub(super) fn free(&self) -> u64 {
        self.allocated.saturating_sub(self.offset)
    }
}

/// Bytes on their way to one place of a file.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) number: JournalNumber,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
}

/// A point in the journal.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Position {
    /// The last frame.
    pub(crate) sequence: Sequence,
    /// Bytes of all frames so far, since the journal was opened.
    pub(super) bytes: u64,
}

/// Whether files are left for what they held before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Leaving {
    /// They are kept to be used again.
    #[default]
    No,
    /// None is kept.
    Begun,
    /// None is kept, and somebody waits for the next one, however much there
    /// is left of the current one.
    Leaves,
}

/// What appending changes.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) current: Slot,
    pub(super) next: Option<Slot>,
    pub(super) reserved: u64,
    /// How much space somebody waits for.
    pub(super) wanted: u64,
    /// How much of it for a removal.
    pub(super) wanted_by_removals: u64,
    /// Without it nothing is put.
    pub(super) reserve: Reserve,
    pub(super) failure: Option<Error>,
    /// Why there is no reserve again.
    pub(super) reserve_failure: Option<Error>,
    /// Whether the last attempt found the disk full: the next is made when
    /// somebody waits for it.
    pub(super) is_full: bool,
    pub(super) position: Position,
    pub(super) declared_bytes: u64,
    pub(super) declaration: Declaration,
    pub(super) pending: VecDeque<Chunk>,
    pub(super) pending_bytes: usize,
    pub(super) pending_frames: usize,
    /// Full files, with their last sequence.
    pub(super) full: VecDeque<(JournalNumber, Sequence)>,
    /// Files to use again.
    pub(super) spares: Vec<JournalNumber>,
    pub(super) leaving: Leaving,
    pub(super) highest: JournalNumber,
    pub(super) stopped: bool,
}

impl Tail {
    /// Whether `bytes` more can be reserved.
    pub(super) fn fits(&self, bytes: u64, purpose: Purpose) -> bool {
        let next = self.next.as_ref().map_or(0, Slot::free);
        let needed = self.reserved.saturating_add(bytes);
        let is_allowed = self.reserve == Reserve::Ready || purpose == Purpose::Removal;
        is_allowed && (needed <= self.current.free() || needed <= next)
    }

    /// Says what somebody waits for.
    pub(super) fn want(&mut self, bytes: u64, purpose: Purpose) {
        let wanted = self.reserved.saturating_add(bytes);
        if purpose == Purpose::Put && self.reserve != Reserve::Ready {
            // Without one there is no use for more space.
            self.reserve = Reserve::Wanted;
            return;
        }
        self.wanted = self.wanted.max(wanted);
        if purpose == Purpose::Removal {
            self.wanted_by_removals = self.wanted_by_removals.max(wanted);
        }
    }

    /// Why who waits for space gets none.
    pub(super) fn refusal(&mut self, purpose: Purpose) -> Option<Error> {
        let of_puts = match purpose {
            Purpose::Put => self.reserve_failure.take(),
            Purpose::Removal => None,
        };
        of_puts.or_else(|| self.failure.take())
    }

    /// Whether a frame of `bytes` would go where only removals may.
    pub(super) fn meets_reserve(&self, bytes: u64) -> bool {
        let goes_on = self.current.free() < bytes;
        let next = self.next.as_ref().filter(|_| goes_on);
        next.unwrap_or(&self.current).is_reserve
    }

    /// Whether the next frame continues what waits to be written last.
    pub(super) fn continues(&self) -> bool {
        self.pending.back().is_some_and(|chunk| {
            chunk.number == self.current.number
                && chunk.offset.saturating_add(chunk.bytes.len() as u64) == self.current.offset
        })
    }
}
