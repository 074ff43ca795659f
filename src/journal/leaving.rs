//! Leaving every file that holds old frames: erasure, and rest.
//!
//! A file that is used again holds frames of its earlier use behind those of
//! the present one. So the journal goes on in a file that was never used
//! before, and what the next checkpoint makes unnecessary is removed instead
//! of being kept.
//!
//! INVARIANT: between `begin_leaving` and `end_leaving` no file is kept for
//! another use, and none begins that was used before, but for one that the
//! allocator had in hand, which is left at once.

use std::time::Duration;

use super::tail::Leaving;
use super::writer::Journal;
use crate::error::{Error, Result};
use crate::format::identity::JournalNumber;

/// How long to wait for the allocator at a time.
const PATIENCE: Duration = Duration::from_millis(20);

impl Journal {
    /// Removes the files that wait to be used again, and keeps none from now
    /// on. Returns the file that has to be left.
    pub(crate) fn begin_leaving(&self) -> Result<JournalNumber> {
        let shared = &self.shared;
        let from = {
            let mut tail = shared.tail.lock();
            tail.leaving = Leaving::Begun;
            tail.current.number
        };
        let mut has_removed = false;
        loop {
            let Some(spare) = shared.tail.lock().spares.pop() else {
                break;
            };
            if let Err(error) = shared.options.remove(spare) {
                // It is still there, and must not be forgotten.
                shared.tail.lock().spares.push(spare);
                return Err(error);
            }
            has_removed = true;
        }
        if has_removed {
            shared.options.sync_directory()?;
        }
        Ok(from)
    }

    /// Goes on behind `from` in a file that was never used before. Returns
    /// that file, or `None` while the allocator has none ready.
    pub(crate) fn leave(&self, from: JournalNumber) -> Result<Option<JournalNumber>> {
        let shared = &self.shared;
        let mut tail = shared.tail.lock();
        loop {
            if tail.stopped {
                return Err(Error::Closed);
            }
            shared.poison.check()?;
            if tail.current.number > from && !tail.current.is_used {
                tail.leaving = Leaving::Begun;
                return Ok(Some(tail.current.number));
            }
            // Whoever has space reserved has it in the next file, too.
            let reserved = tail.reserved.max(1);
            if tail.next.as_ref().is_none_or(|next| next.free() < reserved) {
                break;
            }
            shared.rotate(&mut tail)?;
        }
        tail.leaving = Leaving::Leaves;
        tail.wanted = tail.wanted.max(1);
        tail.failure = None;
        shared.allocate.notify_one();
        shared.allocated.wait_for(&mut tail, PATIENCE);
        if let Some(error) = tail.failure.take() {
            tail.leaving = Leaving::Begun;
            return Err(error);
        }
        Ok(None)
    }

    /// Files are kept again, whatever is in them.
    pub(crate) fn give_up_leaving(&self) {
        self.shared.tail.lock().leaving = Leaving::No;
    }

    /// Whether a checkpoint has made all files before `fresh` unnecessary. If
    /// so they are gone, and files are kept again.
    pub(crate) fn end_leaving(&self, fresh: JournalNumber) -> bool {
        let mut tail = self.shared.tail.lock();
        let is_old = |number: &JournalNumber| *number < fresh;
        let has_old =
            tail.full.iter().any(|(number, _)| is_old(number)) || tail.spares.iter().any(is_old);
        if !has_old {
            tail.leaving = Leaving::No;
        }
        !has_old
    }
}
