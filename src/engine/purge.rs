//! The purge: sessions whose time is over go.
//!
//! Rows of the tree `expiry` are groups of hints: "look at these sessions at
//! that time". INVARIANT: a session that expires and is in the index has a
//! hint, at the whole second after its expiry or earlier. Extending touches no
//! hint; when it comes due the session decides, under its lock: it is removed,
//! or gets a new hint. What shortens a session's life is written by a
//! checkpoint, which gives it an earlier one. Members of a group whose rows
//! have other hints by then are left out when it comes due.
//! Timeouts that have changed since are made good by a look at all sessions.
//!
//! A step looks at whole groups and goes on behind them. INVARIANT: a hint
//! moves only when its time has come, and to a time that has not; only groups
//! whose time has come shrink. So no step takes out of a group what it has put
//! there, and no round has to look at anything twice.

use std::sync::Arc;

use super::Engine;
use super::admission::SMALL_FRAME;
use super::cell::{Cell, Life};
use super::expiry::hint_time;
use super::lookup::Setback;
use super::publish::no_room;
use super::registry::Resident;
use crate::error::Result;
use crate::format::identity::Timestamp;
use crate::format::record::{RowContent, SessionRow};
use crate::index::{Hint, HintGroup, HintMove, Index};
use crate::journal::Purpose;
use crate::session_id::SessionDigest;

/// Hints looked at under one hold of the checkpointer, and sessions removed
/// in one frame; more if a single group has more.
const SLICE: usize = 128;
/// Rows looked at under one hold of the checkpointer.
const ROWS: usize = 512;

/// How far the purge has come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PurgeCursor {
    /// The last group that was looked at in this round.
    group: Option<Hint>,
    /// Of which index: another one has other groups.
    index: u64,
    /// Whether to look at groups whose second is not over yet.
    is_early: bool,
    /// Where the look at all sessions is.
    rows: Rows,
}

#[derive(Debug, Clone, Copy, Default)]
enum Rows {
    /// It is not known whether one is needed.
    #[default]
    Unasked,
    /// Those behind this one are still to be looked at.
    After(Option<SessionDigest>),
    /// All hints are right.
    Done,
}

impl PurgeCursor {
    /// Of a round that looks at all that is over at its time.
    pub(super) fn of_all() -> Self {
        Self {
            is_early: true,
            ..Self::default()
        }
    }
}

/// What a step of the purge did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Purged {
    /// Sessions that were removed.
    pub(super) sessions: u64,
    /// Whether there may be more to do at once.
    pub(super) more: bool,
}

/// What is to be done about a hint.
enum Verdict {
    /// Nothing: the next checkpoint moves or removes the session, or its time
    /// has not come.
    Wait,
    /// No session's row has it.
    Stray,
    /// The session lives on until then.
    Move(Box<HintMove>),
    /// The session is over.
    Remove(Arc<Cell>),
}

impl Engine {
    /// Removes all that has expired, also what no checkpoint has seen yet.
    pub(crate) fn purge_expired(&self) -> Result<u64> {
        let mut cursor = PurgeCursor::of_all();
        let mut removed = 0_u64;
        self.checkpoint()?;
        let _step = tracing::debug_span!("purge").entered();
        loop {
            let purged = self.purge_step(&mut cursor)?;
            removed = removed.saturating_add(purged.sessions);
            if !purged.more {
                break;
            }
            if self.wants_checkpoint() {
                self.checkpoint()?;
            }
        }
        self.checkpoint()?;
        Ok(removed)
    }

    /// Looks at some hints that are due.
    pub(super) fn purge_step(&self, cursor: &mut PurgeCursor) -> Result<Purged> {
        let _step = tracing::debug_span!("purge").entered();
        let mut doomed = Vec::new();
        let more = self.with_index(|| {
            doomed.clear();
            self.look_at_hints(cursor, &mut doomed)
        })?;
        let sessions = self.remove_expired(doomed)?;
        Ok(Purged { sessions, more })
    }

    /// Removes those of the sessions that are expired, now that they are
    /// locked: one that was renewed meanwhile stays.
    fn remove_expired(&self, cells: Vec<Arc<Cell>>) -> Result<u64> {
        if cells.is_empty() {
            return Ok(0);
        }
        self.memtable.admit_removal()?;
        let mut reservation = self.journal.reserve(SMALL_FRAME, Purpose::Removal)?;
        let now = self.now();
        let is_over = |state: &super::cell::State| self.is_expired(state, now);
        let removed = self.remove_all(cells, &mut reservation, now, is_over)?;
        Ok(removed.map_or(0, |removed| removed.sessions))
    }

    /// Not beside a merge: it decides by the hints that it finds.
    fn look_at_hints(
        &self,
        cursor: &mut PurgeCursor,
        doomed: &mut Vec<Arc<Cell>>,
    ) -> Result<bool, Setback> {
        let checkpointer = self.checkpointer.lock();
        let index = self.index.get()?;
        // What is committed and not published has the hints that it found.
        if checkpointer.has_plan() {
            // Who wants all of it must not believe that it is done.
            return if cursor.is_early {
                Err(no_room().into())
            } else {
                Ok(false)
            };
        }
        self.check_room()?;
        if self.set_hints(&index, cursor)? {
            return Ok(true);
        }
        let generation = self.index.generation();
        if cursor.index != generation {
            (cursor.index, cursor.group) = (generation, None);
        }
        let now = self.now();
        let forgotten = index.forget_passed(now, SLICE)?;
        let through = if cursor.is_early { hint_time(now) } else { now };
        let (groups, more) = index.due_groups(cursor.group, through, SLICE)?;
        self.look_at_groups(&index, &groups, now, doomed)?;
        cursor.group = groups.last().map(HintGroup::place).filter(|_| more);
        Ok(more || forgotten == SLICE)
    }

    /// Judges the members of groups. Whoever is to be removed stays in: until
    /// the next checkpoint the row has the hint.
    fn look_at_groups(
        &self,
        index: &Index,
        groups: &[HintGroup],
        now: Timestamp,
        doomed: &mut Vec<Arc<Cell>>,
    ) -> Result<(), Setback> {
        let mut moves = Vec::new();
        let mut shrunk = Vec::new();
        for group in groups {
            let mut staying = Vec::with_capacity(group.members.len());
            for digest in &group.members {
                match self.judge(index, group.time, *digest, now)? {
                    Verdict::Wait => staying.push(*digest),
                    Verdict::Stray => {}
                    Verdict::Move(one) => moves.push(*one),
                    Verdict::Remove(cell) => {
                        staying.push(*digest);
                        doomed.push(cell);
                    }
                }
            }
            if group.time <= now && staying.len() < group.members.len() {
                shrunk.push((group.place(), staying));
            }
        }
        // In this order: a crash leaves a member too many, never one too few.
        index.move_hints(moves)?;
        for (place, staying) in shrunk {
            index.shrink_group(place, &staying)?;
        }
        Ok(())
    }

    fn judge(
        &self,
        index: &Index,
        time: Timestamp,
        digest: SessionDigest,
        now: Timestamp,
    ) -> Result<Verdict, Setback> {
        let Some(row) = index.session(&digest)? else {
            return Ok(Verdict::Stray);
        };
        let RowContent::Whole { record, .. } = &row.content else {
            return Ok(Verdict::Stray);
        };
        if record.hint_at != Some(time) {
            return Ok(Verdict::Stray);
        }
        let timeouts = self.options.timeouts;
        if self.registry.look(digest).is_none() && !timeouts.is_expired(record, now) {
            let expires_at = timeouts.expires_at(record);
            return Ok(put_off((time, digest), row, expires_at, now));
        }
        let Resident::Cell(cell) = self.registry.obtain(digest) else {
            return Ok(Verdict::Wait);
        };
        self.load(&cell, digest)?;
        let state = cell.state.read();
        if state.life != Life::Live || state.digest != digest {
            return Ok(Verdict::Wait);
        }
        let expires_at = timeouts.expires_at(&state.record);
        // Its row is of another life than this one.
        let is_ahead = state.changed_in != 0 || state.frozen.is_some();
        drop(state);
        if is_ahead && expires_at.is_none_or(|at| now < at) {
            return Ok(Verdict::Wait);
        }
        Ok(if expires_at.is_some_and(|at| now >= at) {
            Verdict::Remove(cell)
        } else {
            put_off((time, digest), row, expires_at, now)
        })
    }

    /// Makes good that the timeouts are others than those that the hints were
    /// set for; whether there is more to do.
    fn set_hints(&self, index: &Index, cursor: &mut PurgeCursor) -> Result<bool, Setback> {
        let timeouts = self.options.timeouts;
        let after = match cursor.rows {
            Rows::Done => return Ok(false),
            Rows::After(after) => after,
            Rows::Unasked => {
                if index
                    .hints_are_for()?
                    .is_some_and(|noted| noted == timeouts.encode())
                {
                    cursor.rows = Rows::Done;
                    return Ok(false);
                }
                None
            }
        };
        let rows = index.sessions_after(after, ROWS)?;
        let last = rows.last().map(|(last, _)| *last);
        let wrong = rows.into_iter().filter_map(|(digest, row)| {
            let RowContent::Whole { record, .. } = &row.content else {
                return None;
            };
            let to = timeouts.latest_hint(record);
            (!timeouts.has_hint(record)).then_some(HintMove { digest, row, to })
        });
        index.move_hints(wrong.collect())?;
        if last.is_none() {
            index.note_hints(timeouts.encode())?;
        }
        cursor.rows = last.map_or(Rows::Done, |last| Rows::After(Some(last)));
        Ok(true)
    }
}

/// What is to be done about the hint of a session that lives on at `now`.
fn put_off(
    (time, digest): Hint,
    row: SessionRow,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Verdict {
    if time > now {
        return Verdict::Wait;
    }
    let to = expires_at.map(hint_time);
    Verdict::Move(Box::new(HintMove { digest, row, to }))
}

#[cfg(test)]
mod tests;
