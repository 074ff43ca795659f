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
use super::registry::Resident;
use crate::error::{Error, Result};
use crate::format::effect::{Effect, Payload};
use crate::format::identity::{Generation, Sequence, Timestamp};
use crate::format::journal_frame::frame_bytes;
use crate::format::record::SessionRecord;
use crate::journal::Reservation;
use crate::session_id::SessionDigest;

/// Journal space reserved for a change before its size is known.
pub(crate) const SMALL_FRAME: u64 = 1024;
/// The same for a closure. One that writes more may wait for an allocation
/// while it holds its session's writer lock, which no reader needs.
const CLOSURE_FRAME: u64 = 64 << 10;

impl Engine {
    /// Lets a writer in: memtable and journal space, before any lock (4).
    pub(crate) fn admit<'c>(
        &self,
        cell: &'c Cell,
        bytes: u64,
    ) -> Result<(MutexGuard<'c, ()>, Reservation)> {
        self.check()?;
        self.wake_when_wanted();
        // Without a background nobody would come and make room.
        if self.options.background {
            self.memtable.admit(|| {
                self.check()?;
                self.journal.check()
            })?;
        }
        self.enter(cell, bytes.saturating_add(SMALL_FRAME))
    }

    /// Locks a session for a writer, with journal space for `bytes`.
    ///
    /// Space is waited for without the lock (4), and the lock is waited for
    /// without the space: who has the lock may need all that those behind it
    /// would keep.
    pub(super) fn enter<'c>(
        &self,
        cell: &'c Cell,
        bytes: u64,
    ) -> Result<(MutexGuard<'c, ()>, Reservation)> {
        loop {
            let reservation = self.journal.reserve(bytes)?;
            if let Some(writer) = cell.writer.try_lock() {
                return Ok((writer, reservation));
            }
            drop(reservation);
            let writer = cell.writer.lock();
            if let Some(reservation) = self.journal.try_reserve(bytes) {
                return Ok((writer, reservation));
            }
        }
    }

    /// Wakes the background when there is enough to checkpoint.
    pub(super) fn wake_when_wanted(&self) {
        if self.wants_checkpoint() {
            self.background.wake();
        }
    }

    /// What to ask admission for when a closure of the caller's is to run: a
    /// share of what a journal file holds, so that writers get along.
    pub(crate) fn closure_bytes(&self) -> usize {
        let bytes = CLOSURE_FRAME.min(self.journal.max_payload() / 64);
        usize::try_from(bytes).unwrap_or(0)
    }

    /// Writes a draft to the journal and applies it. The caller holds the
    /// session's writer lock and waits for the sequence after letting it go.
    pub(crate) fn commit(
        &self,
        draft: Draft<'_>,
        reservation: &mut Reservation,
    ) -> Result<Option<Sequence>> {
        draft.check_size()?;
        if draft.is_empty() {
            return Ok(None);
        }
        let now = self.now();
        let (record, put_session) = self.record_after(&draft, now);
        let payload = encode(&draft, &record, put_session, now)?;
        let needed = frame_bytes(payload.len()) as u64;
        reservation.cover(needed)?;

        let epoch = self.freeze.read();
        let mut state = draft.cell.state.write();
        self.check_session(&state, draft.digest)?;
        let sequence = self.journal.append(reservation, &payload)?;
        self.note_change(&mut state, draft.cell, *epoch, sequence);
        if state.life == Life::Unborn {
            state.life = Life::Live;
            let resident = Resident::Cell(Arc::clone(draft.cell));
            self.registry.insert(draft.digest, resident);
        }
        if draft.cleared {
            self.discard_active(&mut state);
        }
        state.record = record;
        let before = state.active.bytes();
        state.active.absorb(draft.overlay);
        self.memtable.change(before, state.active.bytes());
        Ok(Some(sequence))
    }

    /// The record that the session has once the draft is applied, and
    /// whether the journal has to say so.
    fn record_after(&self, draft: &Draft<'_>, now: Timestamp) -> (SessionRecord, bool) {
        let state = draft.cell.state.read();
        let mut record = state.record.clone();
        record.last_seen = record.last_seen.max(now);
        let born = state.life == Life::Unborn;
        if born {
            record.created = now;
        }
        if born || draft.cleared {
            record.generation = self.new_generation();
        }
        (record, born || draft.cleared)
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

fn encode(
    draft: &Draft<'_>,
    record: &SessionRecord,
    put_session: bool,
    at: Timestamp,
) -> Result<Vec<u8>> {
    let mut effects = Vec::with_capacity(2);
    if put_session {
        effects.push(Effect::PutSession {
            digest: draft.digest,
            record: record.clone(),
            moved_from: None,
        });
    }
    if !draft.overlay.is_empty() {
        effects.push(Effect::Change {
            digest: draft.digest,
            generation: record.generation,
            at,
            changes: draft.overlay.changes(),
        });
    }
    let size = usize::try_from(draft.size).unwrap_or(0);
    encode_payload(&Payload::Transaction(effects), size)
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
