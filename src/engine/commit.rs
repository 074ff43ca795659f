//! Committing a transaction: one frame in the journal, then the memtable.
//!
//! Append and apply happen under one shared guard, and a freeze takes it
//! exclusively: a frame lies on the same side of the freeze in both (5).

use std::sync::Arc;

use super::Engine;
use super::admission::CLOSURE_FRAME;
use super::cell::{Cell, Life, State};
use super::draft::Draft;
use super::memtable::CELL_BYTES;
use super::outcome::{Membership, Outcome, Says, Turn};
use super::owners::{Groups, MEMBER_BYTES};
use super::removal::{InOrder, Locked};
use crate::error::{Error, Result};
use crate::format::effect::Payload;
use crate::format::identity::{Generation, Sequence, Timestamp};
use crate::format::journal_frame::frame_bytes;
use crate::journal::Reservation;
use crate::limits::MAX_OWNER_BYTES;
use crate::session_id::SessionDigest;
use crate::sync::MutexGuard;

/// Bytes of a session's record in the journal, at most.
const RECORD_BYTES: u64 = MAX_OWNER_BYTES as u64 + 256;

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
        let after = self.outcome(&draft, turn);
        if after.is_born && (draft.keeps_keys() || after.is_over) {
            return self.keep_in_handle(&draft, after, turn, reservation);
        }
        if after.says == Says::Nothing {
            return Ok(None);
        }
        if !after.only_removes(&draft) {
            reservation.check_put()?;
            if draft.size > CLOSURE_FRAME {
                self.admit_space(draft.size)?;
            }
            self.check_session_bytes(&draft)?;
        }
        if !after.is_born {
            return self.write(draft, after, turn, reservation).map(Some);
        }
        let (digest, cell) = (after.digest, Arc::clone(draft.cell));
        self.register(digest, &cell, draft.now)?;
        let written = self.write(draft, after, turn, reservation);
        if written.is_err() {
            self.registry.remove(digest, &cell);
        }
        written.map(Some)
    }

    fn write(
        &self,
        draft: Draft<'_>,
        after: Outcome,
        turn: Turn<'_>,
        reservation: &mut Reservation,
    ) -> Result<Sequence> {
        let joins = after.membership == Membership::Joins;
        let evicts = joins && self.options.sessions_per_owner.is_some();
        if evicts || matches!(turn, Turn::Replaces(_)) {
            return self.commit_jointly(draft, after, turn, reservation);
        }
        let payload = self.encode(&draft, &after, &[])?;
        reservation.cover(frame_bytes(payload.len()) as u64)?;
        let epoch = self.freeze.read();
        let mut state = draft.cell.state.write();
        self.check_session(&state, draft.digest, self.seen())?;
        let is_other_member = after.membership != Membership::Same;
        let groups = is_other_member.then(|| self.owners.lock());
        let sequence = self.journal.append(reservation, &payload)?;
        self.apply(draft, after, &mut state, (*epoch, sequence), groups);
        Ok(sequence)
    }

    /// Without a first key there is nothing to write yet: what the draft says
    /// of a session that was never written waits in its handle.
    fn keep_in_handle(
        &self,
        draft: &Draft<'_>,
        after: Outcome,
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
        let cells = vec![Arc::clone(&old.cell)];
        let removed = self.remove_all(cells, reservation, draft.now, is_old)?;
        Ok(Some(
            removed.map_or(old.cell.last(), |removed| removed.sequence),
        ))
    }

    /// Commits a draft together with the end of other sessions: of the one
    /// whose place it takes, and of those of its owner that are too many.
    fn commit_jointly(
        &self,
        draft: Draft<'_>,
        after: Outcome,
        turn: Turn<'_>,
        reservation: &mut Reservation,
    ) -> Result<Sequence> {
        let joins = after.membership == Membership::Joins;
        let cap = self.options.sessions_per_owner.filter(|_| joins);
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
            let needed = draft.size.saturating_add(RECORD_BYTES);
            reservation.cover(needed.saturating_add(cells.removal_bytes()))?;

            let epoch = self.freeze.read();
            let mut others = cells.lock();
            let own = others
                .iter()
                .position(|one| Arc::ptr_eq(one.cell, draft.cell));
            let Some(mut own) = own.map(|place| others.swap_remove(place)) else {
                return Err(Error::SessionGone);
            };
            let now = self.seen();
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
            return Ok(sequence);
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
            rest.sort_by_key(|one| {
                let record = &one.state.record;
                (record.last_seen, record.created, one.state.digest)
            });
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
        after: Outcome,
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
        if state.may_lose() {
            self.erasure.note_removed(draft.now);
        }
        if let Some(first) = draft.first_deadline {
            self.erasure.note_deadline(first);
        }
        self.note_change(state, draft.cell, epoch, sequence);
        // The record is replaced below.
        let owner = state.record.owner.take();
        let owner = owner.filter(|_| state.life == Life::Live);
        let from = state.digest;
        if after.is_born {
            state.life = Life::Live;
            state.digest = after.digest;
        } else if after.digest != from {
            self.move_cell(state, draft.cell, after.digest, sequence);
            let until = self.retire_until(draft.now);
            self.dirty.lock().retired.push((from, until));
        }
        // Only now: who finds the session by its owner looks it up.
        let before = owner.as_deref().map(|owner| (owner, from));
        self.change_owner(before, &after, groups);
        if draft.cleared {
            self.discard_active(state);
        }
        state.record = after.record;
        let before = state.active.bytes();
        state.active.absorb(draft.overlay);
        self.memtable.change(before, state.active.bytes());
        self.note_owed(state);
    }

    /// The session leaves the owner that it had, under its ID then, and joins
    /// the one that it has.
    fn change_owner(
        &self,
        before: Option<(&str, SessionDigest)>,
        after: &Outcome,
        groups: Option<MutexGuard<'_, Groups>>,
    ) {
        let owner = after.record.owner.as_deref();
        let now = owner.map(|owner| (owner, after.digest));
        if now == before {
            return;
        }
        let mut groups = groups.unwrap_or_else(|| self.owners.lock());
        match (before, now) {
            (Some((owner, from)), Some((same, to))) if owner == same => {
                groups.move_member(owner, from, to);
            }
            (before, now) => {
                if let Some((owner, digest)) = before {
                    groups.leave(owner, digest);
                }
                if let Some((owner, digest)) = now {
                    groups.join(owner, digest);
                }
            }
        }
        if let Some((owner, _)) = now {
            self.memtable.grow(MEMBER_BYTES.saturating_add(owner.len()));
        }
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
        self.list_change(state, cell, epoch);
    }

    /// Lists the cell as changed in this epoch.
    pub(super) fn list_change(&self, state: &mut State, cell: &Arc<Cell>, epoch: u64) {
        if state.enter_epoch(epoch) {
            self.memtable.grow(CELL_BYTES);
            let changed = (state.digest, Arc::clone(cell));
            self.dirty.lock().cells.push(changed);
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
        use crate::sync::atomic::Ordering;
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
