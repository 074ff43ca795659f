//! Letting writers in: memtable, journal space and the session's lock, in an
//! order in which nobody waits for anything under a lock (4).

use super::Engine;
use super::cell::Cell;
use crate::error::{Error, Result};
use crate::journal::{Purpose, Reservation};
use crate::sync::MutexGuard;

/// Journal space reserved for a change before its size is known.
pub(crate) const SMALL_FRAME: u64 = 1024;
/// The same for a closure. One that writes more may wait for an allocation
/// while it holds its session's writer lock, which no reader needs.
pub(crate) const CLOSURE_FRAME: u64 = 64 << 10;

/// A session's writer lock, and space for what is written under it.
pub(crate) type Admitted<'c> = (MutexGuard<'c, ()>, Reservation);

impl Engine {
    /// Lets a writer in: memtable and journal space, before any lock (4).
    ///
    /// Whether it only removes is known when it has run. Where nothing can be
    /// put it is let in to remove: a commit of anything else is `StorageFull`.
    pub(crate) fn admit<'c>(&self, cell: &'c Cell, bytes: u64) -> Result<Admitted<'c>> {
        match self.admit_put(cell, bytes) {
            Err(full @ Error::StorageFull { .. }) => {
                let (writer, mut reservation) = self.admit_removal(cell)?;
                reservation.refuse_puts(full);
                Ok((writer, reservation))
            }
            admitted => admitted,
        }
    }

    /// Lets in what may put something.
    pub(super) fn admit_put<'c>(&self, cell: &'c Cell, bytes: u64) -> Result<Admitted<'c>> {
        self.check()?;
        self.wake_when_wanted();
        // Who only removes is not to wait for memory in vain.
        self.admit_space(bytes)?;
        // Without a background nobody would come and make room.
        if self.options.background {
            self.memtable.admit(|| {
                self.check()?;
                self.journal.check()
            })?;
        }
        let bytes = bytes.saturating_add(SMALL_FRAME);
        self.enter(cell, bytes, Purpose::Put)
    }

    /// Lets in a change of a session's ID, which is small and does not wait for
    /// memory.
    pub(super) fn admit_cycle<'c>(&self, cell: &'c Cell) -> Result<Admitted<'c>> {
        self.check()?;
        self.wake_when_wanted();
        self.admit_space(0)?;
        self.enter(cell, SMALL_FRAME, Purpose::Put)
    }

    /// Lets in what only removes. It does not wait for memory, which is kept
    /// for it.
    pub(super) fn admit_removal<'c>(&self, cell: &'c Cell) -> Result<Admitted<'c>> {
        self.check()?;
        self.wake_when_wanted();
        self.memtable.admit_removal()?;
        self.enter(cell, SMALL_FRAME, Purpose::Removal)
    }

    /// Locks a session for a writer, with journal space for `bytes`.
    ///
    /// Space is waited for without the lock (4), and the lock is waited for
    /// without the space: who has the lock may need all that those behind it
    /// would keep.
    fn enter<'c>(&self, cell: &'c Cell, bytes: u64, purpose: Purpose) -> Result<Admitted<'c>> {
        loop {
            let reservation = self.journal.reserve(bytes, purpose)?;
            if let Some(writer) = cell.writer.try_lock() {
                return Ok((writer, reservation));
            }
            drop(reservation);
            let writer = cell.writer.lock();
            if let Some(reservation) = self.journal.try_reserve(bytes, purpose) {
                return Ok((writer, reservation));
            }
        }
    }

    /// Wakes the background when there is enough to checkpoint. One that found
    /// no space is tried again by itself, and not with every write.
    pub(super) fn wake_when_wanted(&self) {
        if self.wants_checkpoint() && !self.is_stuck() {
            self.background.wake();
        }
    }

    /// What to ask admission for when a closure of the caller's is to run: a
    /// share of what a journal file holds, so that writers get along.
    pub(crate) fn closure_bytes(&self) -> usize {
        let bytes = CLOSURE_FRAME.min(self.journal.max_payload() / 64);
        usize::try_from(bytes).unwrap_or(0)
    }
}
