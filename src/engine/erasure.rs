//! Erasure: within a time, what was removed lies in no file any more.
//!
//! Values, keys and owner names lie in the journal, in the segments and in the
//! index, and stay there when they are removed, overwritten or over: in files
//! that are used again, behind rows that lead elsewhere, in sled's free space.
//! A round gets rid of all of that, in this order:
//!
//! 1. sessions that are over are removed, and keys that are over are looked for;
//! 2. the journal goes on in a fresh file, a checkpoint makes those before it
//!    unnecessary, and they are removed;
//! 3. rows of dead generations go;
//! 4. files of the segments that hold anything dead are compacted;
//! 5. an index that names were taken out of is copied to a fresh directory.
//!
//! INVARIANT: what was removed before a round began is in no file once it has
//! ended. Each part rests on those before it: after the checkpoint nothing that
//! was dead by then is alive anywhere, so nothing copies it.
//!
//! A round begins when half the time has passed since something was removed,
//! which leaves it the other half. (A bound on how long what was deleted stays
//! is what Sarkar et al., "Lethe", SIGMOD 2020, give LSM trees.)

use std::time::Duration;

use super::Engine;
use super::cell::Life;
use super::checkpoint::Checkpointer;
use super::lookup::Setback;
use super::publish::no_room;
use super::purge::PurgeCursor;
use super::registry::Resident;
use crate::error::{Error, Result};
use crate::format::identity::{Generation, JournalNumber, SegmentNumber, Timestamp};
use crate::format::record::{RowContent, SessionRow};
use crate::session_id::SessionDigest;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};

/// Rows looked at under one hold of the checkpointer.
const ROWS: usize = 512;
/// Never.
const NEVER: u64 = u64::MAX;

/// Since when something that was removed lies in files, and where the round is
/// that gets rid of it.
#[derive(Debug)]
pub(super) struct Erasure {
    /// Not before that, and after the beginning of the last round.
    removed_since: AtomicU64,
    /// The same of what the round under way gets rid of.
    erasing_since: AtomicU64,
    /// No key that was put since the last round began ends before this: rows
    /// know only of those that a checkpoint has met in time.
    first_deadline: AtomicU64,
    /// What was removed by then is in no file.
    erased_through: AtomicU64,
    /// When the last round began.
    began: AtomicU64,
    /// The number of that round, and of the last that has come to its end.
    last_begun: AtomicU64,
    last_ended: AtomicU64,
    /// Why a key that is over stays in its page.
    obstacle: Mutex<Option<Error>>,
    round: Mutex<Option<Round>>,
}

/// A round under way.
#[derive(Debug)]
pub(super) struct Round {
    number: u64,
    began: Timestamp,
    stage: Stage,
    /// Why something stays.
    obstacle: Option<Error>,
}

#[derive(Debug)]
enum Stage {
    /// What changed is checkpointed: the purge looks at rows.
    Begin,
    /// Sessions that are over go.
    Purge(Box<PurgeCursor>),
    /// Keys that are over are looked for in sessions behind this one.
    Keys(Option<SessionDigest>),
    /// Files that wait to be used again go.
    Spares,
    /// The journal leaves this file, and all before it.
    Leave(JournalNumber),
    /// A checkpoint makes the files before this one unnecessary.
    Checkpoint(JournalNumber),
    /// Rows of dead generations before this one go.
    Sweep(Generation),
    /// These files are left.
    Files(Vec<SegmentNumber>),
    /// The index of this number is copied, once somebody has begun to.
    Index(Option<u64>),
    /// It is over.
    Done,
}

/// How far a round is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Erasing {
    /// Before the segments.
    Preparing,
    /// So many files of the segments are left.
    Files(u64),
    /// At the index.
    Index,
}

impl Erasure {
    /// Of a database that is opened.
    pub(super) fn new(erased_through: Timestamp, removed_since: Option<Timestamp>) -> Self {
        Self {
            removed_since: removed_since.map_or(NEVER, |since| since.0).into(),
            erasing_since: NEVER.into(),
            first_deadline: NEVER.into(),
            erased_through: erased_through.0.into(),
            began: 0.into(),
            last_begun: 0.into(),
            last_ended: 0.into(),
            obstacle: Mutex::default(),
            round: Mutex::default(),
        }
    }

    /// Something was removed, or its time was over.
    pub(super) fn note_removed(&self, at: Timestamp) {
        if at.0 < self.removed_since.load(Ordering::Relaxed) {
            self.removed_since.fetch_min(at.0, Ordering::Relaxed);
        }
    }

    /// A key was put that ends then.
    pub(super) fn note_deadline(&self, at: Timestamp) {
        if at.0 < self.first_deadline.load(Ordering::Relaxed) {
            self.first_deadline.fetch_min(at.0, Ordering::Relaxed);
        }
    }

    /// When the first key ends that was put since the last round began.
    fn first_deadline(&self) -> Option<Timestamp> {
        let first = self.first_deadline.load(Ordering::Relaxed);
        (first != NEVER).then_some(Timestamp(first))
    }

    /// A page that holds a key that is over cannot be read.
    pub(super) fn note_obstacle(&self, error: Error) {
        *self.obstacle.lock() = Some(error);
    }

    /// Since when something that was removed lies in files.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        let removed = self.removed_since.load(Ordering::Relaxed);
        let erasing = self.erasing_since.load(Ordering::Relaxed);
        let oldest = removed.min(erasing);
        (oldest != NEVER).then_some(Timestamp(oldest))
    }

    /// For a footer.
    pub(super) fn erased_through(&self) -> Timestamp {
        Timestamp(self.erased_through.load(Ordering::Relaxed))
    }

    /// Returns the number of the round.
    fn begin(&self, now: Timestamp, oldest: Option<Timestamp>) -> u64 {
        let since = oldest.map_or(NEVER, |oldest| oldest.0);
        self.erasing_since.fetch_min(since, Ordering::SeqCst);
        self.take_in();
        self.first_deadline.store(NEVER, Ordering::SeqCst);
        self.began.store(now.0, Ordering::SeqCst);
        drop(self.obstacle.lock().take());
        let before = self.last_begun.fetch_add(1, Ordering::SeqCst);
        before.saturating_add(1)
    }

    /// The round gets rid of what was removed until now. In this order: at no
    /// time is nothing known.
    fn take_in(&self) {
        let since = self.removed_since.load(Ordering::SeqCst);
        self.erasing_since.fetch_min(since, Ordering::SeqCst);
        let since = self.removed_since.swap(NEVER, Ordering::SeqCst);
        self.erasing_since.fetch_min(since, Ordering::SeqCst);
    }

    fn end(&self, round: &Round) {
        self.erased_through.store(round.began.0, Ordering::SeqCst);
        self.erasing_since.store(NEVER, Ordering::SeqCst);
        self.last_ended.store(round.number, Ordering::SeqCst);
    }

    fn last_begun(&self) -> u64 {
        self.last_begun.load(Ordering::SeqCst)
    }

    fn last_ended(&self) -> u64 {
        self.last_ended.load(Ordering::SeqCst)
    }
}

impl Engine {
    /// Since when something that was removed, or is over, lies in files.
    pub(crate) fn oldest_removed(&self) -> Option<Timestamp> {
        let now = self.now();
        let settled = self.index.get().ok()?.first_deadline().into_iter();
        let deadlines = settled.chain(self.erasure.first_deadline());
        let over = deadlines.filter(|deadline| *deadline <= now);
        over.chain(self.erasure.oldest()).min()
    }

    /// How long ago that was.
    pub(crate) fn erasure_age(&self) -> Option<Duration> {
        let now = self.now();
        self.oldest_removed().map(|since| now.since(since))
    }

    /// Whether a round is under way, or should begin.
    pub(super) fn wants_erasure(&self) -> bool {
        let Some(within) = self.options.erase_within else {
            return false;
        };
        if self.is_erasing() {
            return true;
        }
        let now = self.now();
        let half = within / 2;
        let began = Timestamp(self.erasure.began.load(Ordering::Relaxed));
        let is_due = |since: Timestamp| now >= since.plus(half);
        // What nobody purges is not known to be over.
        let is_unknown = !self.options.upkeep.purges && is_due(self.erasure.erased_through());
        is_due(began) && (is_unknown || self.oldest_removed().is_some_and(is_due))
    }

    /// Whether a round is under way.
    pub(super) fn is_erasing(&self) -> bool {
        let round = self.erasure.round.try_lock();
        round.is_none_or(|round| round.is_some())
    }

    /// Does something that no round may be beside; nothing where there is one.
    pub(super) fn unless_erasing<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let round = self.erasure.round.try_lock()?;
        round.is_none().then(work)
    }

    /// Does a step of the round, or begins one; whether there is more to do.
    /// Where somebody else is at it, there is not.
    pub(super) fn erase_step(&self) -> Result<bool> {
        match self.erasure.round.try_lock() {
            Some(mut round) => self.erase_some(&mut round),
            None => Ok(false),
        }
    }

    /// Erases all that was removed before. `goes_on` is told how far it is, and
    /// says whether to go on; nothing is locked meanwhile. Whoever else is at
    /// it does some of the steps.
    pub(crate) fn erase(&self, mut goes_on: impl FnMut(Erasing) -> bool) -> Result<bool> {
        // One that began before does not do for what was removed since.
        let first = self.erasure.last_begun().saturating_add(1);
        loop {
            let progress = {
                let mut slot = self.erasure.round.lock();
                if self.erasure.last_ended() >= first {
                    return Ok(true);
                }
                slot.get_or_insert_with(|| self.begin_round()).progress()
            };
            if !goes_on(progress) {
                self.stop_erasing();
                return Ok(false);
            }
            let mut slot = self.erasure.round.lock();
            let is_before = slot.as_ref().is_some_and(|round| round.number < first);
            if let Err(error) = self.erase_some(&mut slot) {
                // What kept that one from its end keeps this one, too.
                if slot.is_some() || !is_before {
                    drop(slot);
                    self.stop_erasing();
                    return Err(error);
                }
            }
        }
    }

    /// Where nothing is erased by itself, nobody would go on with the round, and
    /// the journal would keep no file for as long as it is not over.
    fn stop_erasing(&self) {
        let mut round = self.erasure.round.lock();
        if self.options.erase_within.is_none() && round.take().is_some() {
            self.journal.give_up_leaving();
        }
    }

    fn begin_round(&self) -> Round {
        let now = self.now();
        Round {
            number: self.erasure.begin(now, self.oldest_removed()),
            began: now,
            stage: Stage::Begin,
            obstacle: None,
        }
    }

    fn erase_some(&self, slot: &mut Option<Round>) -> Result<bool> {
        let _step = tracing::debug_span!("erasure").entered();
        let mut round = slot.take().unwrap_or_else(|| self.begin_round());
        let outcome = self.advance_round(&mut round);
        if !matches!(round.stage, Stage::Done) {
            *slot = Some(round);
            return outcome.map(|()| true);
        }
        if let Some(error) = round.obstacle {
            return Err(error);
        }
        self.erasure.end(&round);
        tracing::debug!(through = round.began.0, "erased");
        Ok(false)
    }

    fn advance_round(&self, round: &mut Round) -> Result<()> {
        // What is committed and not published has other places than the rows
        // say, and nobody else may be there to finish it.
        if self.checkpointer.lock().has_plan() {
            self.checkpoint()?;
        }
        let next = match &mut round.stage {
            Stage::Begin => {
                self.checkpoint()?;
                Some(Stage::Purge(Box::new(PurgeCursor::of_all())))
            }
            Stage::Purge(cursor) => {
                let more = self.purge_step(cursor)?.more;
                self.checkpoint_if_wanted()?;
                (!more).then(|| self.begin_keys())
            }
            Stage::Keys(after) => {
                *after = self.look_for_keys(*after)?;
                let is_over = after.is_none();
                self.checkpoint_if_wanted()?;
                is_over.then_some(Stage::Spares)
            }
            Stage::Spares => {
                // What the purge has removed was over before it.
                self.erasure.take_in();
                Some(Stage::Leave(self.journal.begin_leaving()?))
            }
            Stage::Leave(from) => self.journal.leave(*from)?.map(Stage::Checkpoint),
            Stage::Checkpoint(fresh) => {
                self.checkpoint_anyway()?;
                let found = self.erasure.obstacle.lock().take();
                round.obstacle = round.obstacle.take().or(found);
                Some(if self.journal.end_leaving(*fresh) {
                    Stage::Sweep(self.next_unused_generation())
                } else {
                    Stage::Spares
                })
            }
            Stage::Sweep(before) => {
                let is_over = self.sweep_before(*before)?;
                is_over.then(|| self.begin_files())
            }
            Stage::Files(files) => {
                let erased = self.erase_files(files)?;
                round.obstacle = round.obstacle.take().or(erased.obstacle);
                let is_over = !erased.more;
                is_over.then_some(Stage::Index(None))
            }
            Stage::Index(copied) => self.erase_index(copied)?.then_some(Stage::Done),
            Stage::Done => None,
        };
        if let Some(next) = next {
            round.stage = next;
        }
        Ok(())
    }

    fn checkpoint_if_wanted(&self) -> Result<()> {
        if self.wants_checkpoint() {
            self.checkpoint()?;
        }
        Ok(())
    }

    /// Where no key is over, none has to be looked for.
    fn begin_keys(&self) -> Stage {
        let first = self
            .index
            .get()
            .ok()
            .and_then(|index| index.first_deadline());
        if first.is_none_or(|first| first > self.now()) {
            return Stage::Spares;
        }
        Stage::Keys(None)
    }

    /// Looks at some sessions for keys that are over; returns the last of them
    /// while there are more.
    fn look_for_keys(&self, after: Option<SessionDigest>) -> Result<Option<SessionDigest>> {
        self.with_index(|| {
            let checkpointer = self.checkpointer.lock();
            if checkpointer.has_plan() {
                return Err(no_room().into());
            }
            let index = self.index.get()?;
            if after.is_none() {
                index.look_for_deadlines();
            }
            let rows = index.sessions_after(after, ROWS)?;
            let now = self.now();
            for (digest, row) in &rows {
                if holds_expired(row, now) {
                    self.drop_expired(*digest, row)?;
                } else {
                    index.note_deadline(row);
                }
            }
            let last = rows.last().map(|(digest, _)| *digest);
            let last = last.filter(|_| rows.len() == ROWS);
            if last.is_none() {
                index.know_first_deadline();
            }
            Ok(last)
        })
    }

    /// Has the next checkpoint search a session for keys that are over. Nobody
    /// freezes meanwhile: the caller holds the checkpointer.
    fn drop_expired(&self, digest: SessionDigest, row: &SessionRow) -> Result<(), Setback> {
        let cell = match self.registry.obtain(digest) {
            Resident::Cell(cell) => {
                self.load(&cell, digest)?;
                cell
            }
            Resident::Hidden(_, cell) => cell,
        };
        let base = cell.state.read().base.clone();
        // Whoever reads it is told so; it is not given up for this.
        if let Some(Err(error)) = base.map(|base| self.image_to_replace(&base)) {
            let Setback::Error(error @ Error::Corrupted { .. }) = error else {
                return Err(error);
            };
            self.erasure.note_obstacle(error);
            self.index.get()?.note_deadline(row);
            return Ok(());
        }
        let epoch = self.freeze.read();
        let mut state = cell.state.write();
        if state.life == Life::Live && state.base.is_some() {
            self.list_change(&mut state, &cell, *epoch);
            state.drops_expired = true;
            self.note_owed(&mut state);
        }
        Ok(())
    }

    /// Whether no row of a generation before this one waits for the sweep;
    /// sweeps some.
    fn sweep_before(&self, before: Generation) -> Result<bool> {
        let first = self.with_index(|| Ok(self.index.get()?.dead_generations(1)?))?;
        if first.first().is_none_or(|first| *first >= before) {
            return Ok(true);
        }
        self.check_spare_room()?;
        self.sweep_slice();
        Ok(false)
    }

    fn begin_files(&self) -> Stage {
        self.checkpointer.lock().compactor.try_again();
        Stage::Files(self.segments.committed_numbers())
    }

    /// Copies the index where it has to; whether that is over.
    fn erase_index(&self, copied: &mut Option<u64>) -> Result<bool> {
        let mut checkpointer = self.checkpointer.lock();
        if checkpointer.has_plan() {
            return Err(no_room());
        }
        let index = self.index.get()?;
        // Under the lock: else it may be another one's.
        let generation = self.index.generation();
        if *copied != Some(generation) {
            if copied.is_some() || !index.holds_removed() {
                return self.remove_old_indexes(&checkpointer).map(|()| true);
            }
            // It may have copied what was removed since.
            self.abandon_renewal(&mut checkpointer, &index);
            *copied = Some(generation);
        }
        drop(checkpointer);
        if !self.renew_step()? && self.index.generation() == generation {
            *copied = None;
            let given_up = std::io::Error::other("it was given up");
            return Err(Error::io("copy", &self.index.path(), given_up));
        }
        Ok(false)
    }

    /// What could not be removed when it was left.
    fn remove_old_indexes(&self, checkpointer: &Checkpointer) -> Result<()> {
        if checkpointer.renewal.is_some() {
            return Ok(());
        }
        let path = self.index.path();
        crate::index::remove_others(&path).map_err(|error| Error::io("remove", &path, error))
    }
}

impl Round {
    fn progress(&self) -> Erasing {
        match &self.stage {
            Stage::Files(files) => Erasing::Files(files.len() as u64),
            Stage::Index(_) | Stage::Done => Erasing::Index,
            _ => Erasing::Preparing,
        }
    }
}

fn holds_expired(row: &SessionRow, now: Timestamp) -> bool {
    let RowContent::Whole { table, .. } = &row.content else {
        return false;
    };
    table.first_deadline.is_some_and(|first| first <= now)
}

#[cfg(test)]
mod tests;
