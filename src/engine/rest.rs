//! What is given back when nobody writes: the files of the journal.
//!
//! There are several, so that who writes much never waits for one. Whoever
//! begins again finds a small one, which grows ahead of the frames as the first
//! file of a new database does.

use super::Engine;
use crate::error::{Error, Result};
use crate::format::identity::JournalNumber;

/// What the journal may take at rest.
pub(super) const JOURNAL_BYTES: u64 = 4 << 20;

/// Looks at whether the next file is there, some milliseconds each.
const LOOKS: usize = 50;

impl Engine {
    /// Has the journal go on in a new file and removes all others, where they
    /// are large and a checkpoint has all that is in them; whether it did.
    pub(super) fn shrink_journal(&self) -> Result<bool> {
        if self.is_changed() || self.journal.disk_bytes() <= JOURNAL_BYTES {
            return Ok(false);
        }
        let shrunk = self.unless_erasing(|| {
            let from = self.journal.begin_leaving();
            let left = from.and_then(|from| self.leave_journal(from));
            // Whatever came of it.
            self.journal.give_up_leaving();
            left
        });
        match shrunk.unwrap_or(Ok(false)) {
            // What is full has other things to give back.
            Err(Error::StorageFull { .. }) => Ok(false),
            shrunk => shrunk,
        }
    }

    fn leave_journal(&self, from: JournalNumber) -> Result<bool> {
        for _ in 0..LOOKS {
            if self.journal.leave(from)?.is_some() {
                self.checkpoint_anyway()?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests;
