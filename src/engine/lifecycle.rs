//! Sessions that are not there yet or any more, new IDs, and what an answer
//! waits for.

use std::sync::Arc;

use super::Engine;
use super::cell::{Cell, Life};
use super::commit::Bound;
use super::draft::Draft;
use super::options::Durability;
use super::outcome::Turn;
use super::registry::Resident;
use crate::error::{Error, Result};
use crate::format::identity::{Sequence, Timestamp};
use crate::session_id::SessionDigest;

/// A session that was there at some moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sighted {
    /// The last frame about it then.
    last: Sequence,
    /// When its time is over.
    until: Option<Timestamp>,
}

impl Engine {
    /// A session that exists nowhere but in its handle.
    pub(crate) fn unborn(digest: SessionDigest) -> Bound {
        let cell = Arc::new(Cell::new(digest, Life::Unborn));
        Bound { digest, cell }
    }

    /// A session that is not there.
    pub(crate) fn gone(digest: SessionDigest) -> Bound {
        let cell = Arc::new(Cell::new(digest, Life::Gone));
        Bound { digest, cell }
    }

    /// Gives a session a new ID. Its data, creation time and everything else
    /// stay.
    pub(crate) fn cycle(&self, bound: &Bound, to: SessionDigest) -> Result<Option<Sequence>> {
        let (_writer, mut reservation) = self.admit_cycle(&bound.cell)?;
        let draft = Draft::new(self, &bound.cell, bound.digest, self.now())?;
        self.commit(draft, Turn::Cycles(to), &mut reservation)
    }

    /// Moves a cell to its new digest; nothing finds it under the old one.
    pub(super) fn move_cell(
        &self,
        state: &mut super::cell::State,
        cell: &Arc<Cell>,
        to: SessionDigest,
        sequence: Sequence,
    ) {
        let from = std::mem::replace(&mut state.digest, to);
        state.hidden.push(from);
        self.registry.insert(to, Resident::Cell(Arc::clone(cell)));
        self.registry
            .insert(from, Resident::Hidden(sequence, Arc::clone(cell)));
    }

    /// The time, when a touch of a session is worth a frame.
    pub(crate) fn wants_touch(&self, bound: &Bound) -> Result<Option<Timestamp>> {
        let now = self.now();
        let state = bound.cell.state.read();
        let outcome = self.check_session(&state, bound.digest, now);
        let wants =
            state.life == Life::Live && self.options.timeouts.wants_touch(&state.record, now);
        drop(state);
        outcome.map(|()| wants.then_some(now))
    }

    /// Makes sure that what an answer depends on is on disk (7), when the
    /// caller wants that.
    pub(crate) fn observe(&self, sequence: Sequence, durability: Durability) -> Result<()> {
        if sequence <= self.journal.synced() {
            return Ok(());
        }
        match durability {
            Durability::Immediate => self.journal.wait(sequence),
            // After a failure nothing that is not on disk may be seen.
            Durability::Deferred { .. } => self.journal.check(),
        }
    }

    /// Makes sure that a write is on disk, or will be in time.
    pub(crate) fn settle(&self, sequence: Sequence, durability: Durability) -> Result<()> {
        match durability {
            Durability::Immediate => self.journal.wait(sequence),
            Durability::Deferred { sync_within } => {
                self.journal.sync_within(sync_within);
                Ok(())
            }
        }
    }

    /// Whether a handle's session is still there, where it was when it was
    /// sighted: it is while no frame tells of it and its time has not come.
    pub(crate) fn check_alive(&self, bound: &Bound, sighted: &mut Option<Sighted>) -> Result<()> {
        let last = bound.cell.last();
        let is_same = |sighted: &Sighted| {
            sighted.last == last && sighted.until.is_none_or(|until| self.seen() < until)
        };
        if sighted.as_ref().is_some_and(is_same) {
            return Ok(());
        }
        let state = bound.cell.state.read();
        self.check_session(&state, bound.digest, self.seen())?;
        let until = self.options.timeouts.expires_at(&state.record);
        *sighted = Some(Sighted { last, until });
        Ok(())
    }

    /// Whether anything can be done at all.
    pub(crate) fn check(&self) -> Result<()> {
        if super::reentrance::is_inside(self) {
            return Err(Error::Reentrant);
        }
        if self.closed.load(crate::sync::atomic::Ordering::Acquire) {
            return Err(Error::Closed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::Database;

    #[test]
    fn what_a_flushed_session_held_is_counted_until_a_checkpoint_frees_it() {
        let database = Database::builder().background(false).temporary().unwrap();
        let mut session = database.create_session();
        session.set("a", &"x".repeat(100_000)).unwrap();
        let held = database.stats().memtable_bytes;
        session.flush().unwrap();
        assert!(database.stats().memtable_bytes >= held);
        drop(session);
        database.checkpoint().unwrap();
        assert_eq!(database.stats().memtable_bytes, 0);
    }
}
