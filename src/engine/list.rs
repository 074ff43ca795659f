//! Telling of sessions without loading what they hold.
//!
//! What is in memory is newer than its row; what is not is in the index. The
//! registry is asked first: whoever leaves it does so for a row.

use std::collections::VecDeque;

use super::Engine;
use super::cell::{Cell, Life, State};
use super::lookup::Setback;
use super::options::Durability;
use super::registry::{Resident, SHARDS, last_of, shard_of};
use super::removal::InOrder;
use crate::error::{Error, Result};
use crate::format::identity::Timestamp;
use crate::format::record::{RowContent, SessionRecord, SessionRow};
use crate::session_id::SessionDigest;

/// Rows of the index that are read together.
const ROWS: usize = 256;

/// A session that is there.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) digest: SessionDigest,
    pub(crate) record: SessionRecord,
    pub(crate) expires_at: Option<Timestamp>,
}

/// How far a walk over all sessions has come: shard by shard of the registry,
/// whose order is that of the digests.
#[derive(Debug, Default)]
pub(crate) struct SessionWalk {
    shard: usize,
    /// Sessions of the shard that the index does not know yet, in order.
    unpublished: Option<VecDeque<SessionDigest>>,
    /// The last row that was read.
    after: Option<SessionDigest>,
}

impl Engine {
    /// Whether what a row tells of is over.
    pub(super) fn is_row_expired(&self, row: &SessionRow, now: Timestamp) -> bool {
        match &row.content {
            RowContent::Whole { record, .. } => self.options.timeouts.is_expired(record, now),
            RowContent::Damaged { .. } => false,
        }
    }

    /// What is known of a session that is there.
    pub(crate) fn inspect(
        &self,
        digest: SessionDigest,
        durability: Durability,
    ) -> Result<Option<Known>> {
        self.check()?;
        let now = self.now();
        let known = self.with_index(|| self.know(digest, now))?;
        self.observe_all(durability)?;
        Ok(known)
    }

    /// An answer about many sessions depends on every frame so far.
    fn observe_all(&self, durability: Durability) -> Result<()> {
        self.observe(self.journal.position().sequence, durability)
    }

    /// The sessions of an owner, the one seen last first.
    pub(crate) fn sessions_of(&self, owner: &str, durability: Durability) -> Result<Vec<Known>> {
        self.check()?;
        let now = self.now();
        let mut sessions = loop {
            let watch = self.owners.watch(owner);
            let sessions = self.know_owned(owner, now)?;
            // One whose row went to another ID meanwhile was in neither place.
            // A checkpoint does that, once for each: there comes an end.
            if watch.saw_who_stayed() {
                break sessions;
            }
        };
        self.observe_all(durability)?;
        sessions.sort_by_key(|known| std::cmp::Reverse(known.record.last_seen));
        Ok(sessions)
    }

    fn know_owned(&self, owner: &str, now: Timestamp) -> Result<Vec<Known>> {
        let mut digests = self.digests_of(owner)?;
        digests.sort_unstable();
        digests.dedup();
        // One may get another ID at any time, and be found under both: what is
        // in memory is told apart by its cell.
        let (mut sessions, mut cells) = (Vec::new(), Vec::new());
        for digest in digests {
            match self.registry.look(digest) {
                Some(Resident::Hidden(_, cell) | Resident::Cell(cell)) if is_known(&cell) => {
                    cells.push(cell);
                }
                _ => {
                    #[cfg(test)]
                    super::stops::stop();
                    // Not the registry again: it may hide the ID since.
                    sessions.extend(self.with_index(|| self.know_row(digest, now))?);
                }
            }
        }
        for cell in InOrder::of(cells).cells() {
            let state = cell.state.read();
            sessions.extend(self.know_resident(&state, state.digest, now));
        }
        sessions.retain(|known| known.record.owner.as_deref() == Some(owner));
        Ok(sessions)
    }

    /// A session, by its row where memory knows nothing of it. In this order: a
    /// row that was read before may be of a session that is gone since.
    fn know(&self, digest: SessionDigest, now: Timestamp) -> Result<Option<Known>, Setback> {
        match self.registry.look(digest) {
            Some(Resident::Hidden(..)) => return Ok(None),
            Some(Resident::Cell(cell)) => {
                let state = cell.state.read();
                if state.life == Life::Damaged && state.digest == digest {
                    return Err(self.damaged_session(&state).into());
                }
                if !matches!(state.life, Life::Unloaded | Life::Absent) {
                    return Ok(self.know_resident(&state, digest, now));
                }
            }
            None => {}
        }
        self.know_row(digest, now)
    }

    /// A session that memory knew nothing of, by its row.
    fn know_row(&self, digest: SessionDigest, now: Timestamp) -> Result<Option<Known>, Setback> {
        let Some(row) = self.index.get()?.session(&digest)? else {
            return Ok(None);
        };
        match row.content {
            RowContent::Whole { record, .. } => Ok(self.there(digest, record, now)),
            // It is there, and that is all that is known of it.
            RowContent::Damaged { .. } => Err(self.damage_at(row.location).into()),
        }
    }

    fn know_resident(&self, state: &State, digest: SessionDigest, now: Timestamp) -> Option<Known> {
        if state.life != Life::Live || state.digest != digest {
            return None;
        }
        let mut record = state.record.clone();
        let base = state.live_base();
        (record.keys, record.bytes) = base.map_or((0, 0), |base| (base.keys, base.bytes));
        self.there(digest, record, now)
    }

    fn there(&self, digest: SessionDigest, record: SessionRecord, now: Timestamp) -> Option<Known> {
        let expires_at = self.options.timeouts.expires_at(&record);
        let is_over = expires_at.is_some_and(|at| now >= at);
        (!is_over).then_some(Known {
            digest,
            record,
            expires_at,
        })
    }

    /// The next sessions of a walk, perhaps none; `None` at its end. Of one that
    /// is damaged there is nothing but the error.
    pub(crate) fn next_sessions(
        &self,
        walk: &mut SessionWalk,
        durability: Durability,
    ) -> Result<Option<Vec<Result<Known>>>> {
        self.check()?;
        if walk.shard >= SHARDS {
            return Ok(None);
        }
        let now = self.now();
        let mut unpublished = match walk.unpublished.take() {
            Some(unpublished) => unpublished,
            None => self.unpublished(walk.shard),
        };
        let published =
            self.with_index(|| Ok(self.index.get()?.digests_after(walk.after, ROWS)?))?;
        let is_of_shard = |digest: &SessionDigest| shard_of(*digest) == walk.shard;
        let published: Vec<_> = published.into_iter().take_while(is_of_shard).collect();
        let is_shard_over = published.len() < ROWS;
        let mut known = Vec::with_capacity(published.len());
        let mut take = |digest| {
            match self.with_index(|| self.know(digest, now)) {
                Err(error @ Error::Corrupted { .. }) => known.push(Err(error)),
                found => known.extend(found?.map(Ok)),
            }
            Ok::<(), Error>(())
        };
        for digest in published {
            while unpublished.front().is_some_and(|other| *other <= digest) {
                // One that was published meanwhile comes in its place.
                if let Some(other) = unpublished.pop_front().filter(|other| *other != digest) {
                    take(other)?;
                }
            }
            take(digest)?;
            walk.after = Some(digest);
        }
        if is_shard_over {
            for other in unpublished.drain(..) {
                take(other)?;
            }
            walk.after = Some(last_of(walk.shard));
            walk.shard += 1;
        } else {
            walk.unpublished = Some(unpublished);
        }
        self.observe_all(durability)?;
        Ok(Some(known))
    }

    /// The sessions of a shard whose digest the index does not know.
    fn unpublished(&self, shard: usize) -> VecDeque<SessionDigest> {
        let mut digests = Vec::new();
        for (digest, cell) in self.registry.cells(shard) {
            let state = cell.state.read();
            let is_published = state
                .base
                .as_ref()
                .is_some_and(|base| base.digest == digest);
            if state.life == Life::Live && !is_published {
                digests.push(digest);
            }
        }
        digests.sort_unstable();
        digests.into()
    }
}

/// Whether memory knows of a session, rather than the index.
fn is_known(cell: &Cell) -> bool {
    !matches!(cell.state.read().life, Life::Unloaded | Life::Absent)
}

#[cfg(test)]
mod tests;
