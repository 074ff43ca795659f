//! The end of sessions: one, or many in one frame.
//!
//! Each is a few dozen bytes of that frame, whatever the session holds; what
//! it lets go of is freed by the checkpoint that comes next anyway.
//!
//! Locks of many sessions are taken in one order (6), after the freeze guard
//! as everywhere. A transaction under way in one of them is not waited for:
//! its next step, or its commit, finds the session gone.

use std::sync::Arc;

use super::Engine;
use super::cell::{Cell, Life, State};
use super::commit::{Bound, encode_payload};
use super::options::Durability;
use super::registry::Resident;
use crate::error::Result;
use crate::format::effect::{Effect, Payload};
use crate::format::identity::{Sequence, Timestamp};
use crate::journal::{Purpose, Reservation};
use crate::session_id::SessionDigest;
use crate::sync::RwLockWriteGuard;

/// Bytes of a session's end in a frame, at most: two effects of a digest and
/// a number each.
const REMOVAL_BYTES: u64 = 2 * (1 + 16 + 9);
/// The same of the frame itself, with its padding.
const FRAME_BYTES: u64 = 64;

/// Different sessions, in the order in which they are locked.
#[derive(Debug)]
pub(super) struct InOrder(Vec<Arc<Cell>>);

impl InOrder {
    /// Puts them in order. It is that of their addresses, which stay when a
    /// session changes its ID.
    pub(super) fn of(mut cells: Vec<Arc<Cell>>) -> Self {
        cells.sort_unstable_by_key(|cell| Arc::as_ptr(cell).addr());
        cells.dedup_by(|one, other| Arc::ptr_eq(one, other));
        Self(cells)
    }

    /// All of them.
    pub(super) fn cells(&self) -> &[Arc<Cell>] {
        &self.0
    }

    /// Journal bytes for the end of all of them, at most.
    pub(super) fn removal_bytes(&self) -> u64 {
        let ends = (self.0.len() as u64).saturating_mul(REMOVAL_BYTES);
        FRAME_BYTES.saturating_add(ends)
    }

    /// Locks them all.
    pub(super) fn lock(&self) -> Vec<Locked<'_>> {
        let cells = self.0.iter();
        cells
            .map(|cell| Locked {
                cell,
                state: cell.state.write(),
            })
            .collect()
    }
}

/// A session and its lock.
#[derive(Debug)]
pub(super) struct Locked<'c> {
    pub(super) cell: &'c Arc<Cell>,
    pub(super) state: RwLockWriteGuard<'c, State>,
}

/// What a removal did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Removed {
    pub(super) sessions: u64,
    pub(super) sequence: Sequence,
}

impl State {
    /// What the journal says of the session's end.
    pub(super) fn end(&self, until: Timestamp) -> [Effect<'static>; 2] {
        let digest = self.digest;
        let generation = self.record.generation;
        [
            Effect::RemoveSession { digest, generation },
            Effect::Retire { digest, until },
        ]
    }
}

impl Engine {
    /// Removes a session with all it holds, after the transaction that is
    /// under way in it. Does nothing when it is gone already, or was never
    /// written; one that is expired and not purged is removed.
    pub(crate) fn remove_session(&self, bound: &Bound) -> Result<Option<Sequence>> {
        self.remove_at(bound, None)
    }

    fn remove_at(&self, bound: &Bound, now: Option<Timestamp>) -> Result<Option<Sequence>> {
        self.check()?;
        let is_here = |state: &State| state.exists() && state.digest == bound.digest;
        if !is_here(&bound.cell.state.read()) {
            return Ok(None);
        }
        let (_writer, mut reservation) = self.admit_removal(&bound.cell)?;
        let cells = vec![Arc::clone(&bound.cell)];
        let now = now.unwrap_or_else(|| self.now());
        let removed = self.remove_all(cells, &mut reservation, now, is_here)?;
        Ok(removed.map(|removed| removed.sequence))
    }

    /// Removes those of the sessions that are condemned, in one frame.
    pub(super) fn remove_all(
        &self,
        cells: Vec<Arc<Cell>>,
        reservation: &mut Reservation,
        now: Timestamp,
        condemned: impl Fn(&State) -> bool,
    ) -> Result<Option<Removed>> {
        let cells = InOrder::of(cells);
        reservation.cover(cells.removal_bytes())?;
        let epoch = self.freeze.read();
        let mut doomed = cells.lock();
        doomed.retain(|one| condemned(&one.state));
        if doomed.is_empty() {
            return Ok(None);
        }
        let until = self.retire_until(now);
        let payload = encode_ends(&doomed, until)?;
        let sequence = self.journal.append(reservation, &payload)?;
        for one in &mut doomed {
            self.bury(one.cell, &mut one.state, (*epoch, sequence), until);
        }
        Ok(Some(Removed {
            sessions: doomed.len() as u64,
            sequence,
        }))
    }

    /// Applies a session's end that is in the journal.
    pub(super) fn bury(
        &self,
        cell: &Arc<Cell>,
        state: &mut State,
        (epoch, sequence): (u64, Sequence),
        until: Timestamp,
    ) {
        let over = self.options.timeouts.expires_at(&state.record);
        let now = self.seen();
        self.erasure
            .note_removed(over.map_or(now, |over| over.min(now)));
        self.note_change(state, cell, epoch, sequence);
        if let Some(owner) = state.owner() {
            self.owners.lock().leave(owner, state.digest);
        }
        state.life = Life::Gone;
        self.discard_active(state);
        self.note_owed(state);
        self.dirty.lock().retired.push((state.digest, until));
    }

    /// Removes the session of a digest; whether there was one.
    pub(crate) fn revoke(&self, digest: SessionDigest, durability: Durability) -> Result<bool> {
        let now = self.now();
        let Some(cell) = self.find_session_at(digest, durability, now)? else {
            return Ok(false);
        };
        let bound = Bound {
            digest,
            cell: Arc::clone(&cell),
        };
        let removed = self.remove_at(&bound, Some(now))?;
        match removed {
            Some(sequence) => self.settle(sequence, durability)?,
            None => self.observe(cell.last(), durability)?,
        }
        Ok(removed.is_some())
    }

    /// Removes all sessions of an owner but one; returns how many of them were
    /// not expired.
    pub(crate) fn revoke_owner(
        &self,
        owner: &str,
        except: Option<SessionDigest>,
        durability: Durability,
    ) -> Result<u64> {
        self.check()?;
        self.wake_when_wanted();
        self.memtable.admit_removal()?;
        let in_one_frame = self.journal.max_payload().saturating_sub(FRAME_BYTES) / REMOVAL_BYTES;
        let in_one_frame = usize::try_from(in_one_frame).unwrap_or(usize::MAX).max(1);
        let mut revoked = 0_u64;
        let mut last = None;
        loop {
            let watch = self.owners.watch(owner);
            let mut cells = self.members(owner)?;
            cells.retain(|cell| Some(cell.state.read().digest) != except);
            let is_all = cells.len() <= in_one_frame;
            cells.truncate(in_one_frame);
            let cells = InOrder::of(cells);
            let mut reservation = self
                .journal
                .reserve(cells.removal_bytes(), Purpose::Removal)?;

            let epoch = self.freeze.read();
            let mut doomed = cells.lock();
            doomed
                .retain(|one| one.state.owner() == Some(owner) && Some(one.state.digest) != except);
            let now = self.now();
            let until = self.retire_until(now);
            let payload = encode_ends(&doomed, until)?;
            let groups = self.owners.lock();
            if is_all && !watch.saw_all(&groups) {
                continue;
            }
            if doomed.is_empty() && is_all {
                break;
            }
            if doomed.is_empty() {
                continue;
            }
            let sequence = self.journal.append(&mut reservation, &payload)?;
            drop(groups);
            for one in &mut doomed {
                revoked += u64::from(!self.is_expired(&one.state, now));
                self.bury(one.cell, &mut one.state, (*epoch, sequence), until);
            }
            last = Some(sequence);
            if is_all {
                break;
            }
        }
        match last {
            Some(sequence) => self.settle(sequence, durability)?,
            // That there is none depends on whatever ended them.
            None => self.observe(self.journal.position().sequence, durability)?,
        }
        Ok(revoked)
    }

    /// The sessions that may be an owner's: all that are, and some that are
    /// none any more.
    pub(super) fn members(&self, owner: &str) -> Result<Vec<Arc<Cell>>> {
        let digests = self.digests_of(owner)?;
        let mut cells = Vec::with_capacity(digests.len());
        for digest in digests {
            let cell = match self.registry.obtain(digest) {
                Resident::Cell(cell) => cell,
                Resident::Hidden(_, moved) => {
                    if moved.state.read().owner() == Some(owner) {
                        cells.push(moved);
                    }
                    continue;
                }
            };
            #[cfg(test)]
            super::stops::stop();
            self.with_index(|| self.load(&cell, digest))?;
            let state = cell.state.read();
            match state.life {
                // Under the lock: somebody may be about to make it live.
                Life::Absent => self.registry.remove(digest, &cell),
                _ if state.owner() == Some(owner) => {
                    drop(state);
                    cells.push(cell);
                }
                _ => {}
            }
        }
        Ok(cells)
    }

    /// The IDs under which an owner's sessions may be found; who needs all of
    /// them watches the owner meanwhile.
    pub(super) fn digests_of(&self, owner: &str) -> Result<Vec<SessionDigest>> {
        #[cfg(test)]
        super::stops::stop();
        // In this order: whoever leaves this list does so for a row.
        let mut digests = self.owners.members(owner);
        #[cfg(test)]
        super::stops::stop();
        digests.extend(self.with_index(|| Ok(self.index.get()?.owned_by(owner)?))?);
        #[cfg(test)]
        super::stops::stop();
        Ok(digests)
    }
}

fn encode_ends(doomed: &[Locked<'_>], until: Timestamp) -> Result<Vec<u8>> {
    let ends = doomed.iter().flat_map(|one| one.state.end(until));
    let size = doomed.len().saturating_mul(64).saturating_add(16);
    encode_payload(&Payload::Transaction(ends.collect()), size)
}

#[cfg(test)]
mod tests;
