//! Replaying the journal into the memtable, at open.
//!
//! The frames come in the order in which they were applied under the locks,
//! and the base of every session is as of the last committed batch, so each
//! effect meets the state that it was made for. When it does not, the index
//! has lost a session: it is rebuilt and the replay begins anew.

use std::sync::Arc;

use super::cell::{Base, Cell, Life, State};
use super::checkpoint::Dirty;
use super::lookup::Setback;
use super::memtable::CELL_BYTES;
use super::registry::{Registry, Resident};
use crate::error::Error;
use crate::format::effect::{Effect, Payload};
use crate::format::identity::{Generation, Sequence};
use crate::index::{Index, Trouble};
use crate::session_id::SessionDigest;

/// The epoch of everything that is replayed.
pub(super) const FIRST_EPOCH: u64 = 1;

/// A replay under way.
pub(super) struct Replay<'r> {
    index: &'r Index,
    pub(super) registry: Registry,
    pub(super) dirty: Dirty,
    pub(super) bytes: usize,
    pub(super) next_generation: Generation,
    /// What stopped it, when that was not an error of the journal.
    pub(super) setback: Option<Trouble>,
}

impl<'r> Replay<'r> {
    pub(super) fn new(index: &'r Index, cells: usize, next_generation: Generation) -> Self {
        Self {
            index,
            registry: Registry::new(cells),
            dirty: Dirty::default(),
            bytes: 0,
            next_generation,
            setback: None,
        }
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
                    self.setback = Some(trouble);
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
            } => {
                self.saw(record.generation);
                let cell = self.cell(moved_from.unwrap_or(digest))?;
                let mut state = cell.state.write();
                if moved_from.is_some() && state.life != Life::Live {
                    return Err(lost());
                }
                self.change(&mut state, &cell, sequence);
                if let Some(from) = moved_from {
                    state.digest = digest;
                    state.hidden.push(from);
                    let moved = Resident::Cell(Arc::clone(&cell));
                    self.registry.insert(digest, moved);
                    self.registry.insert(from, Resident::Hidden(sequence));
                }
                if state.record.generation != record.generation {
                    self.bytes = self.bytes.saturating_sub(state.active.bytes());
                    drop(state.detach());
                }
                state.life = Life::Live;
                state.record = record;
            }
            Effect::RemoveSession { digest, generation } => {
                self.saw(generation);
                let cell = self.live(digest, generation)?;
                let mut state = cell.state.write();
                self.change(&mut state, &cell, sequence);
                state.life = Life::Gone;
                self.bytes = self.bytes.saturating_sub(state.active.bytes());
                drop(state.detach());
            }
            Effect::Retire { digest, until } => self.dirty.retired.push((digest, until)),
            Effect::Change {
                digest,
                generation,
                at,
                changes,
            } => {
                let cell = self.live(digest, generation)?;
                let mut state = cell.state.write();
                self.change(&mut state, &cell, sequence);
                state.record.last_seen = state.record.last_seen.max(at);
                for change in &changes {
                    self.bytes = self.bytes.saturating_add(state.active.apply(change));
                }
            }
        }
        Ok(())
    }

    fn saw(&mut self, generation: Generation) {
        self.next_generation = self.next_generation.max(generation.next());
    }

    fn change(&mut self, state: &mut State, cell: &Arc<Cell>, sequence: Sequence) {
        cell.set_last(sequence);
        if state.enter_epoch(FIRST_EPOCH) {
            self.bytes = self.bytes.saturating_add(CELL_BYTES);
            self.dirty.cells.push(Arc::clone(cell));
        }
    }

    /// A session that has to be alive with this generation.
    fn live(&self, digest: SessionDigest, generation: Generation) -> Result<Arc<Cell>, Setback> {
        let cell = self.cell(digest)?;
        let state = cell.state.read();
        let as_expected = state.life == Life::Live && state.record.generation == generation;
        drop(state);
        as_expected.then_some(cell).ok_or_else(lost)
    }

    fn cell(&self, digest: SessionDigest) -> Result<Arc<Cell>, Setback> {
        let Resident::Cell(cell) = self.registry.obtain(digest) else {
            return Err(lost());
        };
        let mut state = cell.state.write();
        if state.life == Life::Unloaded {
            state.life = Life::Absent;
            if let Some(row) = self.index.session(&digest)? {
                let (base, record) = Base::from_row(digest, &row)
                    .ok_or_else(|| Setback::from(Trouble::new("a changed session is damaged")))?;
                state.base = Some(base);
                state.record = record;
                state.life = Life::Live;
            }
        }
        drop(state);
        Ok(cell)
    }
}

fn lost() -> Setback {
    Trouble::new("the index has lost a session that the journal changes").into()
}
