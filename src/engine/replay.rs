//! Replaying the journal into the memtable, at open.
//!
//! The frames come in the order in which they were applied under the locks,
//! and the base of every session is as of the last committed batch, so each
//! effect meets the state that it was made for. When it does not, the index
//! has lost a session: it is rebuilt and the replay begins anew.

use std::sync::Arc;

use super::cell::{Cell, Life, State};
use super::checkpoint::Dirty;
use super::lookup::Setback;
use super::memtable::CELL_BYTES;
use super::owners::Owners;
use super::registry::{Registry, Resident};
use crate::error::Error;
use crate::format::effect::{Effect, Payload};
use crate::format::identity::{Generation, Sequence, Timestamp};
use crate::format::record::SessionRecord;
use crate::index::{Index, Trouble};
use crate::session_id::SessionDigest;

/// The epoch of everything that is replayed.
pub(super) const FIRST_EPOCH: u64 = 1;

/// A replay under way.
pub(super) struct Replay<'r> {
    index: &'r Index,
    replayed: Replayed,
    /// What stopped it, when that was not an error of the journal.
    trouble: Option<Trouble>,
}

/// The memtable that a replay leads to.
pub(super) struct Replayed {
    pub(super) registry: Registry,
    pub(super) owners: Owners,
    pub(super) dirty: Dirty,
    /// Memory of what changed.
    pub(super) bytes: usize,
    /// No frame has a generation from this one on.
    pub(super) next_generation: Generation,
    /// When the first of the sessions was made that were put.
    pub(super) since: Option<Timestamp>,
}

impl Replayed {
    /// What the checkpoint of all that has to write; noted in the sessions.
    pub(super) fn owed(&self) -> u64 {
        let sessions = self.dirty.cells.iter().map(|(_, cell)| {
            let mut state = cell.state.write();
            state.owed = state.owed_bytes();
            state.owed
        });
        sessions.sum()
    }
}

impl<'r> Replay<'r> {
    pub(super) fn new(index: &'r Index, cells: usize, next_generation: Generation) -> Self {
        Self {
            index,
            replayed: Replayed {
                registry: Registry::new(cells),
                owners: Owners::default(),
                dirty: Dirty::default(),
                bytes: 0,
                next_generation,
                since: None,
            },
            trouble: None,
        }
    }

    /// What the replay led to, or why the index has to be rebuilt first.
    pub(super) fn finish(self) -> Result<Replayed, Trouble> {
        self.trouble.map_or(Ok(self.replayed), Err)
    }

    /// Applies one frame.
    pub(super) fn apply(&mut self, sequence: Sequence, payload: Payload<'_>) -> crate::Result<()> {
        let Payload::Transaction(effects) = payload else {
            return Ok(());
        };
        for effect in effects {
            match self.effect(sequence, effect) {
                Ok(()) => {}
                Err(Setback::Error(error)) => return Err(error),
                Err(Setback::Index(trouble)) => {
                    let cause = trouble.to_string();
                    self.trouble = Some(trouble);
                    return Err(Error::Poisoned { cause });
                }
            }
        }
        Ok(())
    }

    fn effect(&mut self, sequence: Sequence, effect: Effect<'_>) -> Result<(), Setback> {
        match effect {
            Effect::PutSession {
                digest,
                record,
                moved_from,
            } => self.put_session(sequence, digest, record, moved_from),
            Effect::RemoveSession { digest, generation } => {
                self.saw(generation);
                let cell = self.existing(digest, generation)?;
                let mut state = cell.state.write();
                self.change(&mut state, &cell, sequence);
                self.leave_owner(&state);
                state.life = Life::Gone;
                self.discard(&mut state);
                Ok(())
            }
            Effect::Retire { digest, until } => {
                self.replayed.dirty.retired.push((digest, until));
                Ok(())
            }
            Effect::Change {
                digest,
                generation,
                at,
                changes,
            } => {
                let cell = self.existing(digest, generation)?;
                let mut state = cell.state.write();
                if state.life == Life::Damaged {
                    // Nothing that is known of it can be told from what is
                    // not; it stays damaged as a whole.
                    return Ok(());
                }
                self.change(&mut state, &cell, sequence);
                state.record.last_seen = state.record.last_seen.max(at);
                let before = state.active.bytes();
                for change in &changes {
                    state.active.apply(change);
                }
                let bytes = self.replayed.bytes.saturating_add(state.active.bytes());
                self.replayed.bytes = bytes.saturating_sub(before);
                Ok(())
            }
        }
    }

    fn put_session(
        &mut self,
        sequence: Sequence,
        digest: SessionDigest,
        record: SessionRecord,
        moved_from: Option<SessionDigest>,
    ) -> Result<(), Setback> {
        self.saw(record.generation);
        let since = self.replayed.since.into_iter();
        self.replayed.since = since.chain([record.created]).min();
        let cell = self.cell(moved_from.unwrap_or(digest))?;
        let mut state = cell.state.write();
        if moved_from.is_some() && !state.exists() {
            return Err(lost());
        }
        self.change(&mut state, &cell, sequence);
        self.leave_owner(&state);
        if let Some(from) = moved_from {
            state.digest = digest;
            state.hidden.push(from);
            let moved = Resident::Cell(Arc::clone(&cell));
            self.replayed.registry.insert(digest, moved);
            let hidden = Resident::Hidden(sequence, Arc::clone(&cell));
            self.replayed.registry.insert(from, hidden);
        }
        if state.record.generation != record.generation {
            self.discard(&mut state);
            state.life = Life::Live;
        }
        state.record = record;
        if let Some(owner) = state.owner() {
            self.replayed.owners.lock().join(owner, state.digest);
        }
        Ok(())
    }

    fn leave_owner(&self, state: &State) {
        if let Some(owner) = state.owner() {
            self.replayed.owners.lock().leave(owner, state.digest);
        }
    }

    fn discard(&mut self, state: &mut State) {
        self.replayed.bytes = self.replayed.bytes.saturating_sub(state.active.bytes());
        drop(state.detach());
    }

    fn saw(&mut self, generation: Generation) {
        let next = self.replayed.next_generation.max(generation.next());
        self.replayed.next_generation = next;
    }

    fn change(&mut self, state: &mut State, cell: &Arc<Cell>, sequence: Sequence) {
        cell.set_last(sequence);
        if state.enter_epoch(FIRST_EPOCH) {
            self.replayed.bytes = self.replayed.bytes.saturating_add(CELL_BYTES);
            let changed = (state.digest, Arc::clone(cell));
            self.replayed.dirty.cells.push(changed);
        }
    }

    /// A session that has to exist with this generation.
    fn existing(
        &self,
        digest: SessionDigest,
        generation: Generation,
    ) -> Result<Arc<Cell>, Setback> {
        let cell = self.cell(digest)?;
        let state = cell.state.read();
        let as_expected = state.exists() && state.record.generation == generation;
        drop(state);
        as_expected.then_some(cell).ok_or_else(lost)
    }

    fn cell(&self, digest: SessionDigest) -> Result<Arc<Cell>, Setback> {
        let Resident::Cell(cell) = self.replayed.registry.obtain(digest) else {
            return Err(lost());
        };
        let mut state = cell.state.write();
        if state.life == Life::Unloaded {
            state.load(self.index.session(&digest)?)?;
        }
        drop(state);
        Ok(cell)
    }
}

fn lost() -> Setback {
    Trouble::new("the index has lost a session that the journal changes").into()
}
