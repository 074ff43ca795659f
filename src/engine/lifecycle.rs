//! Flush, destroy and cycle: what happens to a session as a whole.
//!
//! Each is one small frame, whatever the session holds; what it lets go of is
//! freed by the checkpoint that comes next anyway.

use std::sync::Arc;

use super::Engine;
use super::cell::{Cell, Life};
use super::commit::{Bound, SMALL_FRAME, encode_payload};
use super::options::Durability;
use super::registry::Resident;
use crate::error::{Error, Result};
use crate::format::effect::{Effect, Payload};
use crate::format::identity::{Generation, Sequence, Timestamp};
use crate::session_id::SessionDigest;

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

    /// Removes a session with all it holds. Does nothing when it is gone
    /// already, or was never written.
    pub(crate) fn remove_session(&self, bound: &Bound) -> Result<Option<Sequence>> {
        self.check()?;
        if existing_generation(bound).is_none() {
            return Ok(None);
        }
        self.wake_when_wanted();
        let (_writer, mut reservation) = self.enter(&bound.cell, SMALL_FRAME)?;
        let Some(generation) = existing_generation(bound) else {
            return Ok(None);
        };
        let until = self.retire_until();
        let digest = bound.digest;
        let effects = vec![
            Effect::RemoveSession { digest, generation },
            Effect::Retire { digest, until },
        ];
        let payload = encode_payload(&Payload::Transaction(effects), 128)?;
        let epoch = self.freeze.read();
        let mut state = bound.cell.state.write();
        let sequence = self.journal.append(&mut reservation, &payload)?;
        self.note_change(&mut state, &bound.cell, *epoch, sequence);
        state.life = Life::Gone;
        self.discard_active(&mut state);
        self.dirty.lock().retired.push((digest, until));
        Ok(Some(sequence))
    }

    /// Gives a session a new ID. Its data, creation time and everything else
    /// stay.
    pub(crate) fn cycle(&self, bound: &Bound, to: SessionDigest) -> Result<Option<Sequence>> {
        self.check()?;
        self.wake_when_wanted();
        let (_writer, mut reservation) = self.enter(&bound.cell, SMALL_FRAME)?;
        let record = {
            let state = bound.cell.state.read();
            self.check_session(&state, bound.digest)?;
            (state.life == Life::Live).then(|| state.record.clone())
        };
        let Some(record) = record else {
            bound.cell.state.write().digest = to;
            return Ok(None);
        };
        let until = self.retire_until();
        let effects = vec![
            Effect::PutSession {
                digest: to,
                record,
                moved_from: Some(bound.digest),
            },
            Effect::Retire {
                digest: bound.digest,
                until,
            },
        ];
        let payload = encode_payload(&Payload::Transaction(effects), 256)?;
        reservation.cover(crate::format::journal_frame::frame_bytes(payload.len()) as u64)?;
        let epoch = self.freeze.read();
        let mut state = bound.cell.state.write();
        let sequence = self.journal.append(&mut reservation, &payload)?;
        self.note_change(&mut state, &bound.cell, *epoch, sequence);
        self.move_cell(&mut state, &bound.cell, to, sequence);
        self.dirty.lock().retired.push((bound.digest, until));
        Ok(Some(sequence))
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
        self.registry.insert(from, Resident::Hidden(sequence));
    }

    fn retire_until(&self) -> Timestamp {
        let period = u64::try_from(self.options.retire_for.as_nanos()).unwrap_or(u64::MAX);
        Timestamp(self.now().0.saturating_add(period))
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

    /// Whether a handle's session is still there.
    pub(crate) fn check_alive(&self, bound: &Bound) -> Result<()> {
        self.check_session(&bound.cell.state.read(), bound.digest)
    }

    /// Whether anything can be done at all.
    pub(crate) fn check(&self) -> Result<()> {
        if super::reentrance::is_inside(self) {
            return Err(Error::Reentrant);
        }
        if self.closed.load(std::sync::atomic::Ordering::Acquire) {
            return Err(Error::Closed);
        }
        Ok(())
    }
}

/// The generation to bury with a session that is still there.
fn existing_generation(bound: &Bound) -> Option<Generation> {
    let state = bound.cell.state.read();
    let here = state.exists() && state.digest == bound.digest;
    here.then_some(state.record.generation)
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
