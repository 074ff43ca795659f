//! Committing a transaction: one frame in the journal, then the memtable.
//!
//! Append and apply happen under one shared guard, and a freeze takes it
//! exclusively: a frame lies on the same side of the freeze in both (5).

use std::sync::Arc;

use parking_lot::MutexGuard;

use super::Engine;
use super::cell::{Cell, Life, State};
use super::draft::Draft;
use super::memtable::CELL_BYTES;
use super::owners::Groups;
use super::registry::Resident;
use super::removal::{InOrder, Locked};
use crate::error::{Error, Result};
use crate::format::effect::{Effect, Payload};
use crate::format::identity::{Generation, Sequence, Timestamp};
use crate::format::journal_frame::frame_bytes;
use crate::format::record::SessionRecord;
use crate::journal::Reservation;
use crate::session_id::SessionDigest;

/// What becomes of a session's ID with a commit.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Turn<'b> {
    /// Nothing.
    Stays,
    /// The session moves to this one.
    Cycles(SessionDigest),
    /// The session is a new one, and takes the place of this one.
    Replaces(&'b Bound),
}

/// What a draft makes of its session.
#[derive(Debug)]
struct After {
    /// Whether this is the session's first write.
    is_born: bool,
    digest: SessionDigest,
    record: SessionRecord,
    /// Whether the journal has to say what the record is.
    names_record: bool,
    /// Whether the session is over with it.
    is_over: bool,
    /// Whether the owner has one session more.
    adds_member: bool,
    /// Whether the owner has this session under another ID.
    moves_member: bool,
    /// Whether it says anything at all.
    says_nothing: bool,
    /// Whose keys the session had before.
    buries: Generation,
}

impl Engine {
    /// Writes a draft to the journal and applies it. The caller holds the
    /// session's writer lock, or that of the session whose place it takes, and
    /// waits for the sequence after letting it go.
    pub(crate) fn commit(
        &self,
        draft: Draft<'_>,
        turn: Turn<'_>,
        reservation: &mut Reservation,
    ) -> Result<Option<Sequence>> {
        draft.check_size()?;
        let after = self.after(&draft, turn);
        if after.is_born && (draft.keeps_keys() || after.is_over) {
            return self.keep_in_handle(&draft, after, turn, reservation);
        }
        if after.says_nothing {
            return Ok(None);
        }
        let evicts = after.adds_member && self.options.sessions_per_owner.is_some();
        if evicts || matches!(turn, Turn::Replaces(_)) {
            return self.commit_jointly(draft, after, turn, reservation);
        }
        let payload = self.encode(&draft, &after, &[])?;
        reservation.cover(frame_bytes(payload.len()) as u64)?;
        let epoch = self.freeze.read();
        let mut state = draft.cell.state.write();
        self.check_session(&state, draft.digest, self.now())?;
        let joins = after.adds_member || after.moves_member;
        let groups = joins.then(|| self.owners.lock());
        let sequence = self.journal.append(reservation, &payload)?;
        self.apply(draft, after, &mut state, (*epoch, sequence), groups);
        Ok(Some(sequence))
    }

    /// What a draft makes of its session.
    fn after(&self, draft: &Draft<'_>, turn: Turn<'_>) -> After {
        let state = draft.cell.state.read();
        let is_born = state.life == Life::Unborn;
        let mut record = state.record.clone();
        if let Some(owner) = &draft.owner {
            record.owner.clone_from(owner);
        }
        record.expiry = draft.expiry.unwrap_or(record.expiry);
        let is_other = record.owner != state.record.owner || record.expiry != state.record.expiry;
        if is_born {
            record.created = draft.now;
        }
        record.last_seen = record.last_seen.max(draft.now);
        if draft.cleared || is_born && !draft.keeps_keys() {
            record.generation = self.new_generation();
        }
        let digest = match turn {
            Turn::Cycles(to) => to,
            Turn::Stays | Turn::Replaces(_) => draft.digest,
        };
        let moves = digest != draft.digest;
        let is_over = self.options.timeouts.is_expired(&record, draft.now);
        let owns = record.owner.is_some() && !is_over;
        let is_member = state.owner() == record.owner.as_deref();
        After {
            is_born,
            digest,
            names_record: is_born || draft.cleared || is_other || moves,
            is_over,
            adds_member: owns && !is_member,
            moves_member: owns && is_member && moves,
            says_nothing: draft.keeps_keys() && !draft.touched && !is_other && !moves,
            buries: state.record.generation,
            record,
        }
    }

    /// Without a first key there is nothing to write yet: what the draft says
    /// of a session that was never written waits in its handle.
    fn keep_in_handle(
        &self,
        draft: &Draft<'_>,
        after: After,
        turn: Turn<'_>,
        reservation: &mut Reservation,
    ) -> Result<Option<Sequence>> {
        let mut state = draft.cell.state.write();
        if after.is_over {
            state.life = Life::Gone;
            // What waited has become too old; what the draft says itself is
            // what its caller wants.
            if draft.expiry.is_none() {
                return Err(Error::SessionGone);
            }
        } else {
            state.digest = after.digest;
            state.record.owner = after.record.owner;
            state.record.expiry = after.record.expiry;
        }
        drop(state);
        let Turn::Replaces(old) = turn else {
            return Ok(None);
        };
        let is_old = |state: &State| state.exists() && state.digest == old.digest;
        let removed = self.remove_all(vec![Arc::clone(&old.cell)], reservation, is_old)?;
        Ok(Some(
            removed.map_or(old.cell.last(), |removed| removed.sequence),
        ))
    }

    /// Commits a draft together with the end of other sessions: of the one
    /// whose place it takes, and of those of its owner that are too many.
    fn commit_jointly(
        &self,
        draft: Draft<'_>,
        after: After,
        turn: Turn<'_>,
        reservation: &mut Reservation,
    ) -> Result<Option<Sequence>> {
        let cap = self
            .options
            .sessions_per_owner
            .filter(|_| after.adds_member);
        let owner = after.record.owner.clone().filter(|_| cap.is_some());
        loop {
            let watch = owner.as_deref().map(|owner| self.owners.watch(owner));
            let mut cells = vec![Arc::clone(draft.cell)];
            if let Some(owner) = owner.as_deref() {
                cells.extend(self.members(owner)?);
            }
            if let Turn::Replaces(old) = turn {
                cells.push(Arc::clone(&old.cell));
            }
            let cells = InOrder::of(cells);
            let size = draft.size.saturating_add(cells.removal_bytes());
            reservation.cover(frame_bytes(usize::try_from(size).unwrap_or(usize::MAX)) as u64)?;

            let epoch = self.freeze.read();
            let mut others = cells.lock();
            let own = others
                .iter()
                .position(|one| Arc::ptr_eq(one.cell, draft.cell));
            let Some(mut own) = own.map(|place| others.swap_remove(place)) else {
                return Err(Error::SessionGone);
            };
            let now = self.now();
            self.check_session(&own.state, draft.digest, now)?;
            let mut doomed = self.doomed(others, turn, owner.as_deref().zip(cap), now);
            let until = self.retire_until(now);
            let ends: Vec<_> = doomed.iter().map(|one| one.state.end(until)).collect();
            let payload = self.encode(&draft, &after, &ends)?;
            let groups = self.owners.lock();
            let is_sure = watch.as_ref().is_none_or(|watch| watch.saw_all(&groups));
            if !is_sure {
                continue;
            }
            let sequence = self.journal.append(reservation, &payload)?;
            let at = (*epoch, sequence);
            self.apply(draft, after, &mut own.state, at, Some(groups));
            for one in &mut doomed {
                self.bury(one.cell, &mut one.state, at, until);
            }
            return Ok(Some(sequence));
        }
    }

    /// Which of the other sessions end with a draft.
    fn doomed<'c>(
        &self,
        others: Vec<Locked<'c>>,
        turn: Turn<'_>,
        capped: Option<(&str, usize)>,
        now: Timestamp,
    ) -> Vec<Locked<'c>> {
        let is_replaced = |one: &Locked<'_>| {
            let Turn::Replaces(old) = turn else {
                return false;
            };
            Arc::ptr_eq(one.cell, &old.cell) && one.state.exists() && one.state.digest == old.digest
        };
        let (mut doomed, mut rest): (Vec<_>, Vec<_>) = others.into_iter().partition(is_replaced);
        if let Some((owner, cap)) = capped {
            rest.retain(|one| {
                one.state.owner() == Some(owner) && !self.is_expired(&one.state, now)
            });
            rest.sort_by_key(|one| one.state.record.last_seen);
            let keeps = cap.saturating_sub(1);
            rest.truncate(rest.len().saturating_sub(keeps));
            doomed.extend(rest);
        }
        doomed
    }

    /// Applies a draft that is in the journal. Holds the owners only until
    /// they know.
    fn apply(
        &self,
        draft: Draft<'_>,
        after: After,
        state: &mut State,
        at: (u64, Sequence),
        groups: Option<MutexGuard<'_, Groups>>,
    ) {
        if after.is_over {
            drop(groups);
            self.bury(draft.cell, state, at, self.retire_until(draft.now));
            return;
        }
        let (epoch, sequence) = at;
        self.note_change(state, draft.cell, epoch, sequence);
        self.change_owner(state, &after, groups);
        if after.is_born {
            state.life = Life::Live;
            state.digest = after.digest;
            let resident = Resident::Cell(Arc::clone(draft.cell));
            self.registry.insert(after.digest, resident);
        } else if after.digest != state.digest {
            let from = state.digest;
            self.move_cell(state, draft.cell, after.digest, sequence);
            let until = self.retire_until(draft.now);
            self.dirty.lock().retired.push((from, until));
        }
        if draft.cleared {
            self.discard_active(state);
        }
        state.record = after.record;
        let before = state.active.bytes();
        state.active.absorb(draft.overlay);
        self.memtable.change(before, state.active.bytes());
    }

    /// The session leaves its owner and joins the one it has after.
    fn change_owner(&self, state: &State, after: &After, groups: Option<MutexGuard<'_, Groups>>) {
        let stays = state.owner() == after.record.owner.as_deref() && state.digest == after.digest;
        if stays {
            return;
        }
        let before = state.owner();
        if before.is_none() && after.record.owner.is_none() {
            return;
        }
        let mut groups = groups.unwrap_or_else(|| self.owners.lock());
        if let Some(owner) = before {
            groups.leave(owner, state.digest);
        }
        if let Some(owner) = &after.record.owner {
            groups.join(owner, after.digest);
        }
    }

    /// A draft's frame, with the ends of other sessions.
    fn encode(
        &self,
        draft: &Draft<'_>,
        after: &After,
        ends: &[[Effect<'_>; 2]],
    ) -> Result<Vec<u8>> {
        let mut effects: Vec<Effect<'_>> = ends.iter().flatten().cloned().collect();
        if after.is_over {
            let until = self.retire_until(draft.now);
            let (digest, generation) = (draft.digest, after.buries);
            effects.push(Effect::RemoveSession { digest, generation });
            effects.push(Effect::Retire { digest, until });
            return encode_payload(&Payload::Transaction(effects), 128);
        }
        let moves = !after.is_born && after.digest != draft.digest;
        if after.names_record {
            effects.push(Effect::PutSession {
                digest: after.digest,
                record: after.record.clone(),
                moved_from: moves.then_some(draft.digest),
            });
        }
        if moves {
            effects.push(Effect::Retire {
                digest: draft.digest,
                until: self.retire_until(draft.now),
            });
        }
        if !draft.overlay.is_empty() || !after.names_record {
            effects.push(Effect::Change {
                digest: after.digest,
                generation: after.record.generation,
                at: draft.now,
                changes: draft.overlay.changes(),
            });
        }
        let size = usize::try_from(draft.size).unwrap_or(0);
        encode_payload(&Payload::Transaction(effects), size)
    }

    /// Lists the cell as changed in this epoch and remembers the frame.
    pub(super) fn note_change(
        &self,
        state: &mut State,
        cell: &Arc<Cell>,
        epoch: u64,
        sequence: Sequence,
    ) {
        cell.set_last(sequence);
        if state.enter_epoch(epoch) {
            self.memtable.grow(CELL_BYTES);
            self.dirty.lock().cells.push(Arc::clone(cell));
        }
    }

    /// Lets go of the active layer. It stays in memory, and counted, until the
    /// next checkpoint frees it: the caller would pay for a million entries,
    /// also by handing them to a thread whose frees hold up its own.
    pub(super) fn discard_active(&self, state: &mut State) {
        let active = state.detach();
        if !active.is_empty() {
            self.dirty.lock().garbage.push(active);
        }
    }

    /// A generation that was never used.
    pub(super) fn new_generation(&self) -> Generation {
        use std::sync::atomic::Ordering;
        Generation(self.next_generation.fetch_add(1, Ordering::Relaxed))
    }
}

/// The bytes of a payload.
pub(super) fn encode_payload(payload: &Payload<'_>, size: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(size);
    payload
        .encode_into(&mut bytes)
        .map_err(|_| Error::TooLarge {
            what: "a transaction",
            size: size as u64,
            limit: crate::limits::MAX_TRANSACTION_BYTES as u64,
        })?;
    Ok(bytes)
}

/// A session's digest and its cell, as a handle holds them.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    /// The ID the handle was opened with.
    pub(crate) digest: SessionDigest,
    /// The session.
    pub(crate) cell: Arc<Cell>,
}
