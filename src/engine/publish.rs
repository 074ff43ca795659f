//! Publishing a committed batch: the index learns where things are now.
//!
//! Session by session, under the session's lock, a large one in slices; the
//! frozen layer shadows it meanwhile. Every state in between is right for a
//! lookup: of a split page the higher pieces are put before the lower one,
//! and a page that joined its neighbour goes after the neighbour has grown (3).

use super::Engine;
use super::cell::{Base, Cell, Frozen, Life, State};
use super::first_page::Place;
use super::lookup::Setback;
use super::memtable::CELL_BYTES;
use super::merge::{Merged, NewRow, Step};
use crate::format::identity::{Batch, Generation};
use crate::format::record::SessionRow;
use crate::index::Index;
use crate::session_id::SessionDigest;

/// Steps under one hold of a session's lock.
const SLICE: usize = 64;

impl Engine {
    /// Publishes one session.
    pub(super) fn publish(&self, merged: &Merged, batch: Batch) -> Result<(), Setback> {
        let _step = tracing::trace_span!("publish_session").entered();
        let index = self.index.get()?;
        #[cfg(test)]
        super::stops::stop();
        self.disturb_owner(merged);
        #[cfg(test)]
        super::stops::stop();
        let slices = merged.steps.chunks(SLICE);
        let last = slices.len().saturating_sub(1);
        for (count, slice) in slices.enumerate() {
            if count > 0 {
                self.check_room()?;
            }
            let mut state = merged.cell.state.write();
            let old = place_of(&state);
            if slice.iter().any(|step| matches!(step, Step::Damaged(..))) {
                self.keep_owner_of(&state);
            }
            for step in slice {
                publish_step(&index, &mut state, merged, step, batch)?;
            }
            if let Some(place) = old.filter(|_| old != place_of(&state)) {
                self.cache.forget(place);
            }
            if let Some(step) = slice.iter().find(|step| step.row().is_some()) {
                self.settle_owner(&state, &merged.frozen, step);
            }
            if count == last {
                state.frozen = None;
            }
        }
        if merged.steps.is_empty() {
            merged.cell.state.write().frozen = None;
        }
        #[cfg(test)]
        super::stops::stop();
        self.forget_ids(merged);
        let bytes = merged.frozen.delta.bytes().saturating_add(CELL_BYTES);
        self.memtable.release(bytes);
        Ok(())
    }

    /// Whoever is looking for an owner's sessions has to look anew: this one's
    /// row goes from its old ID to its new one, and a walk over the rows may
    /// meet neither. Before the first step, so that who begins after it finds
    /// the new ID, in the table of owners or as a row (6).
    fn disturb_owner(&self, merged: &Merged) {
        if merged.frozen.hidden.is_empty() {
            return;
        }
        if let Some(owner) = merged.cell.state.read().owner() {
            self.owners.lock().disturb(owner);
        }
    }

    /// The row of a damaged session does not say whose it is; one that lives
    /// on has to be found all the time.
    pub(super) fn keep_owner_of(&self, state: &State) {
        if let Some(owner) = state.owner() {
            let mut groups = self.owners.lock();
            groups.join(owner, state.digest);
            // It leaves the rows for the table, against the order of a look.
            groups.disturb(owner);
        }
    }

    /// The index knows whose the session was; where it does not any more, the
    /// table of owners has to.
    fn settle_owner(&self, state: &State, frozen: &Frozen, step: &Step) {
        let mut groups = self.owners.lock();
        if let Some(owner) = frozen.record.owner.as_deref() {
            groups.leave(owner, frozen.digest);
        }
        if let (Step::Damaged(..), Some(owner)) = (step, state.owner()) {
            groups.join(owner, state.digest);
        }
    }

    /// Refuses what would let sled meet a full disk, also without the ballast.
    pub(super) fn check_room(&self) -> crate::Result<()> {
        if self.ballast.make_room() {
            return Ok(());
        }
        Err(no_room())
    }

    /// The same for what can wait: the ballast stays where it is.
    pub(super) fn check_spare_room(&self) -> crate::Result<()> {
        if self.ballast.has_room() {
            return Ok(());
        }
        Err(no_room())
    }

    /// The index shows the session under its new ID only, or not at all.
    fn forget_ids(&self, merged: &Merged) {
        for digest in &merged.frozen.hidden {
            self.registry.unhide(*digest);
        }
        let state = merged.cell.state.read();
        if state.life == Life::Gone && state.base.is_none() && state.changed_in == 0 {
            let digest = state.digest;
            drop(state);
            self.registry.remove(digest, &merged.cell);
        }
    }
}

/// Where a session's image is.
fn place_of(state: &State) -> Option<Place> {
    state.base.as_ref().map(Base::place)
}

/// What waits for space gets this.
pub(super) fn no_room() -> crate::Error {
    crate::Error::StorageFull {
        doing: "write to the index",
        source: None,
    }
}

pub(super) fn publish_step(
    index: &Index,
    state: &mut State,
    merged: &Merged,
    step: &Step,
    batch: Batch,
) -> Result<(), Setback> {
    let generation = merged.frozen.record.generation;
    match step {
        Step::Put(lower, row) => {
            index.put_page(generation, lower, row)?;
        }
        Step::Remove(lower, number) => {
            index.remove_page(generation, lower, *number, batch)?;
        }
        Step::Image(row) => replace_base(index, state, merged, row, batch)?,
        Step::Damaged(row) => {
            replace_base(index, state, merged, row, batch)?;
            if state.life == Life::Live && state.record.generation == generation {
                drop(state.detach());
                state.damage(generation);
            }
        }
        Step::Gone => {
            remove_old(index, state.base.as_ref(), None, batch)?;
            set_base(&merged.cell, state, None);
        }
    }
    Ok(())
}

/// From here on a row is the base. Until then the base is what the session was
/// merged with: it changes under the checkpointer's lock alone. Where this was
/// done before, it is the row itself, which is kept.
fn replace_base(
    index: &Index,
    state: &mut State,
    merged: &Merged,
    new: &NewRow,
    batch: Batch,
) -> Result<(), Setback> {
    let digest = merged.frozen.digest;
    let old = state.base.as_ref();
    put_row(index, &digest, old, &new.row)?;
    let kept = Some((digest, merged.frozen.record.generation));
    remove_old(index, old, kept, batch)?;
    let base = Base::with_hash(digest, &new.row, new.hash);
    set_base(&merged.cell, state, Some(base));
    Ok(())
}

/// A session does not keep the image of a base that it had.
fn set_base(cell: &Cell, state: &mut State, base: Option<Base>) {
    let place = base.as_ref().map(Base::place);
    if let Some(old) = place_of(state).filter(|old| place != Some(*old)) {
        cell.first_page.forget(old);
    }
    state.base = base;
}

/// Puts the session's row. Most are of new sessions and find none; a rebuild,
/// or an earlier attempt, may have put this one.
fn put_row(
    index: &Index,
    digest: &SessionDigest,
    old: Option<&Base>,
    row: &SessionRow,
) -> Result<(), Setback> {
    if old.is_some() || !index.put_first(digest, row)? {
        index.put_announced(digest, row)?;
    }
    Ok(())
}

/// Takes the old row away, unless it was replaced, and buries the old
/// generation, unless it lives on.
fn remove_old(
    index: &Index,
    old: Option<&Base>,
    kept: Option<(SessionDigest, Generation)>,
    batch: Batch,
) -> Result<(), Setback> {
    let Some(old) = old else { return Ok(()) };
    if kept.is_none_or(|(digest, _)| digest != old.digest) {
        index.remove_session(&old.digest, batch)?;
    }
    if kept.is_none_or(|(_, generation)| generation != old.generation) && old.has_pages() {
        index.bury(old.generation)?;
    }
    Ok(())
}
