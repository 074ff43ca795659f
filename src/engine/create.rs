//! Sessions whose ID somebody else has chosen.
//!
//! Two callers may choose the same one at the same time, or choose one that was
//! drawn: the registry has one cell for each digest, and only who holds that
//! cell's writer lock makes it live. While the cell stays the digest's, what
//! the index says of the digest cannot change.

use std::sync::Arc;

use super::Engine;
use super::cell::{Cell, Life, State};
use super::commit::{Bound, encode_payload};
use super::lookup::Setback;
use super::options::Durability;
use super::registry::Resident;
use crate::error::{Error, Result};
use crate::format::effect::{Effect, Payload};
use crate::format::identity::{Sequence, Timestamp};
use crate::format::record::{ExpiryOverride, SessionRecord};
use crate::journal::Reservation;
use crate::session_id::SessionDigest;
use crate::sync::atomic::Ordering;

/// What became of an attempt.
#[derive(Debug)]
enum Attempt {
    Created(Sequence),
    /// The session, or the memory of its end, is in the way.
    Refused(Error),
    /// The cell is not the digest's any more.
    Outdated,
}

impl Engine {
    /// Makes a session with this digest, on disk at once.
    pub(crate) fn create_session(
        &self,
        digest: SessionDigest,
        expiry: ExpiryOverride,
        durability: Durability,
    ) -> Result<Bound> {
        self.check()?;
        self.ids_are_chosen.store(true, Ordering::SeqCst);
        let mut record = None;
        loop {
            let cell = match self.registry.obtain(digest) {
                Resident::Hidden(sequence, _) => {
                    self.observe(sequence, durability)?;
                    return Err(Error::SessionGone);
                }
                Resident::Cell(cell) => cell,
            };
            let (writer, mut reservation) = self.admit_put(&cell, 0)?;
            // Who was waited for took time.
            let record = record.get_or_insert_with(|| {
                let now = self.now();
                SessionRecord {
                    generation: self.new_generation(),
                    created: now,
                    last_seen: now,
                    expiry,
                    ..SessionRecord::default()
                }
            });
            let attempt =
                self.with_index(|| self.attempt(&cell, digest, record, &mut reservation))?;
            drop(writer);
            match attempt {
                Attempt::Created(sequence) => {
                    self.settle(sequence, durability)?;
                    return Ok(Bound { digest, cell });
                }
                Attempt::Refused(error) => {
                    self.observe(cell.last(), durability)?;
                    return Err(error);
                }
                Attempt::Outdated => {}
            }
        }
    }

    /// Nothing is waited for under the freeze guard: what the index has to say
    /// is asked before, and cannot change while the cell stays the digest's.
    fn attempt(
        &self,
        cell: &Arc<Cell>,
        digest: SessionDigest,
        record: &SessionRecord,
        reservation: &mut Reservation,
    ) -> Result<Attempt, Setback> {
        if let Some(hindrance) = self.hindrance(cell, digest, record)? {
            return Ok(hindrance);
        }
        let effect = Effect::PutSession {
            digest,
            record: record.clone(),
            moved_from: None,
        };
        let payload = encode_payload(&Payload::Transaction(vec![effect]), 128)?;
        let epoch = self.freeze.read();
        let mut state = cell.state.write();
        if !self.registry.knows(digest, cell) {
            return Ok(Attempt::Outdated);
        }
        let sequence = self.journal.append(reservation, &payload)?;
        self.note_change(&mut state, cell, *epoch, sequence);
        state.life = Life::Live;
        state.record = record.clone();
        self.note_owed(&mut state);
        Ok(Attempt::Created(sequence))
    }

    /// What is in the way of a new session. The cell is the digest's after it,
    /// until a lookup that finds nothing forgets it.
    fn hindrance(
        &self,
        cell: &Arc<Cell>,
        digest: SessionDigest,
        record: &SessionRecord,
    ) -> Result<Option<Attempt>, Setback> {
        let mut state = cell.state.write();
        // The first write of a session that drew this ID has failed.
        if state.life == Life::Unborn || !self.registry.claim(digest, cell) {
            return Ok(Some(Attempt::Outdated));
        }
        let now = record.created;
        if matches!(state.life, Life::Unloaded | Life::Absent) {
            // Also when it was absent before: it may have come and gone since.
            let index = self.index.get()?;
            state.load(index.session(&digest)?)?;
            let is_refused =
                self.options.timeouts.is_expired(record, now) || index.is_retired(digest, now)?;
            if state.life == Life::Absent && is_refused {
                self.registry.remove(digest, cell);
                return Ok(Some(Attempt::Refused(Error::SessionGone)));
            }
        }
        Ok(self.refusal(&state, digest, now).map(Attempt::Refused))
    }

    /// Makes the cell of a session that is about to be written first the one
    /// of its digest. Nobody draws an ID twice, but one that was drawn may
    /// have been chosen for another session since: then it is taken.
    ///
    /// Who chooses says so before it asks the registry, and finds this cell
    /// then; its writer lock, which the caller holds, lets it see the outcome.
    pub(super) fn register(
        &self,
        digest: SessionDigest,
        own: &Arc<Cell>,
        now: Timestamp,
    ) -> Result<()> {
        let are_chosen = &self.ids_are_chosen;
        if self.registry.insert_unless(are_chosen, digest, own) {
            return Ok(());
        }
        while !self.registry.claim(digest, own) {
            match self.registry.look(digest) {
                None => {}
                Some(Resident::Hidden(..)) => return Err(Error::SessionGone),
                Some(Resident::Cell(other)) => {
                    self.with_index(|| self.load(&other, digest))?;
                    let state = other.state.read();
                    if state.life != Life::Absent {
                        return Err(Error::SessionGone);
                    }
                    self.registry.remove(digest, &other);
                }
            }
        }
        let is_taken = self.with_index(|| {
            let index = self.index.get()?;
            Ok(index.session(&digest)?.is_some() || index.is_retired(digest, now)?)
        });
        match is_taken {
            Ok(false) => Ok(()),
            Ok(true) => {
                self.registry.remove(digest, own);
                Err(Error::SessionGone)
            }
            Err(error) => {
                self.registry.remove(digest, own);
                Err(error)
            }
        }
    }

    /// Why a session cannot be made where this one is.
    fn refusal(&self, state: &State, digest: SessionDigest, now: Timestamp) -> Option<Error> {
        match state.life {
            Life::Absent | Life::Unloaded => None,
            Life::Live if state.digest == digest && !self.is_expired(state, now) => {
                Some(Error::SessionExists)
            }
            Life::Damaged if state.digest == digest => Some(Error::SessionExists),
            _ => Some(Error::SessionGone),
        }
    }
}

#[cfg(test)]
mod tests;
