//! Sessions whose ID somebody else has chosen.
//!
//! Two callers may choose the same one at the same time: the registry has one
//! cell for each digest, and who makes it live holds its lock from the look
//! into the index to the append.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Engine;
use super::cell::{Cell, Life, State};
use super::commit::encode_payload;
use super::lookup::Setback;
use super::options::Durability;
use super::registry::Resident;
use crate::error::{Error, Result};
use crate::format::effect::{Effect, Payload};
use crate::format::identity::{Sequence, Timestamp};
use crate::format::record::{ExpiryOverride, SessionRecord};
use crate::journal::Reservation;
use crate::session_id::SessionDigest;

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
    ) -> Result<Arc<Cell>> {
        self.check()?;
        self.ids_are_chosen.store(true, Ordering::Release);
        let now = self.now();
        let record = SessionRecord {
            generation: self.new_generation(),
            created: now,
            last_seen: now,
            expiry,
            ..SessionRecord::default()
        };
        loop {
            let cell = match self.registry.obtain(digest) {
                Resident::Hidden(sequence) => {
                    self.observe(sequence, durability)?;
                    return Err(Error::SessionGone);
                }
                Resident::Cell(cell) => cell,
            };
            let (writer, mut reservation) = self.admit(&cell, 0)?;
            let attempt =
                self.with_index(|| self.attempt(&cell, digest, &record, &mut reservation))?;
            drop(writer);
            match attempt {
                Attempt::Created(sequence) => {
                    self.settle(sequence, durability)?;
                    return Ok(cell);
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
        if !self.registry.claim(digest, cell) {
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

    /// Whether a session with a drawn ID, about to be written first, finds the
    /// ID taken: nobody draws one twice, but one that was drawn may have been
    /// chosen for another session since.
    pub(super) fn check_drawn(&self, digest: SessionDigest) -> Result<()> {
        if !self.ids_are_chosen.load(Ordering::Acquire) {
            return Ok(());
        }
        self.with_index(|| {
            let row = self.index.get()?.session(&digest)?;
            Ok(row.map_or(Ok(()), |_| Err(Error::SessionGone)))
        })?
    }

    /// The same by the registry alone, under the session's lock.
    pub(super) fn is_taken(&self, digest: SessionDigest, own: &Arc<Cell>) -> bool {
        if !self.ids_are_chosen.load(Ordering::Acquire) {
            return false;
        }
        match self.registry.look(digest) {
            None => false,
            Some(Resident::Hidden(_)) => true,
            // Nobody who waits for this session has the lock of that one.
            Some(Resident::Cell(other)) => {
                let is_somebody = || {
                    let life = other.state.read().life;
                    !matches!(life, Life::Unloaded | Life::Absent)
                };
                !Arc::ptr_eq(&other, own) && is_somebody()
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
