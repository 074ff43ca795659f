//! The checkpoint: from the memtable into the segments, in five steps.
//!
//! 1. Freeze; sync the journal through the freeze position: nothing that a
//!    power cut could take back may reach a segment.
//! 2. Merge each changed session and append its frames, as of the freeze (10).
//! 3. Sync the frames, append the footer, sync: the commit point.
//! 4. Publish, session by session.
//! 5. Drop the frozen layer, declare the batch in the journal, recycle.
//!
//! Batches never interleave: one lock covers all five steps (11).

use std::sync::Arc;

use super::Engine;
use super::cell::{Base, Cell, Frozen, Life};
use super::compaction::Compactor;
use super::delta::Delta;
use super::lookup::Setback;
use super::merge::{Merge, Merged, NewRow, Step};
use super::renewal::Renewal;
use super::retirement::RetiredSums;
use crate::error::{Error, Result};
use crate::format::identity::{Batch, Generation, Location, Timestamp};
use crate::format::record::{RowContent, SessionRow};
use crate::format::retired_rows::ShortDigest;
use crate::format::segment_frame::Footer;
use crate::index::{Announcement, Index, Trouble, hint_of};
use crate::journal::Position;
use crate::segments::{BatchWriter, Standing};
use crate::session_id::SessionDigest;

/// Batches between two watermarks of the index, those of compaction included.
const WATERMARK_EVERY: u64 = 8;

/// Sessions published between two looks at the free space.
const ROOM_CHECKED_EVERY: usize = 64;

/// Sessions that changed since the last freeze.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    /// With the IDs that they had then, which say who is whose neighbour in the
    /// index: to ask the sessions would take longer.
    pub(super) cells: Vec<(SessionDigest, Arc<Cell>)>,
    pub(super) retired: Vec<(SessionDigest, Timestamp)>,
    /// What sessions held that were flushed or cleared, to be freed by the
    /// next checkpoint.
    pub(super) garbage: Vec<Delta>,
}

/// What the checkpointer knows, behind the lock that lets one batch be
/// written at a time.
#[derive(Debug)]
pub(super) struct Checkpointer {
    /// The last committed batch.
    pub(super) batch: Batch,
    /// Its footer, without its contents.
    pub(super) footer: Option<(Location, Footer)>,
    /// The hash of the index once that batch is published.
    pub(super) index_hash: u64,
    /// The sums of the retired IDs then.
    pub(super) retired: RetiredSums,
    /// A checkpoint that failed to finish; the next one begins with it.
    pub(super) pending: Option<Pending>,
    /// Where compaction is.
    pub(super) compactor: Compactor,
    /// A copy of the index under way.
    pub(super) renewal: Option<Renewal>,
}

/// How far a checkpoint has come.
#[derive(Debug)]
pub(super) struct Pending {
    freeze: Freeze,
    /// What is committed and has to be published.
    plan: Option<Plan>,
}

impl Checkpointer {
    /// Whether a batch is committed and not published yet.
    pub(super) fn has_plan(&self) -> bool {
        let pending = self.pending.as_ref();
        pending.is_some_and(|pending| pending.plan.is_some())
    }
}

/// One side of the memtable, set aside.
#[derive(Debug)]
pub(super) struct Freeze {
    position: Position,
    next_generation: Generation,
    dirty: Dirty,
}

#[derive(Debug)]
struct Plan {
    batch: Batch,
    merged: Vec<Merged>,
    announced: Announcement,
    index_hash: u64,
    retired: RetiredSums,
}

impl Engine {
    /// Whether enough changed for a checkpoint.
    pub(crate) fn wants_checkpoint(&self) -> bool {
        self.memtable.is_half_full()
            || self.journal.live_bytes() > (self.options.memtable_bytes as u64).max(1 << 20)
    }

    /// Whether a checkpoint waits for space on disk.
    pub(crate) fn is_stuck(&self) -> bool {
        self.memtable.is_stuck()
    }

    /// Whether anything changed since the last freeze.
    pub(crate) fn is_changed(&self) -> bool {
        !self.dirty.lock().cells.is_empty()
    }

    /// Checkpoints what changed so far.
    pub(crate) fn checkpoint(&self) -> Result<()> {
        let mut checkpointer = self.checkpointer.lock();
        // Whoever comes behind a close finds no index.
        self.index.get()?;
        self.checkpoint_under(&mut checkpointer)
    }

    /// The same, also where nothing changed: it makes journal files unnecessary.
    pub(super) fn checkpoint_anyway(&self) -> Result<()> {
        let mut checkpointer = self.checkpointer.lock();
        self.index.get()?;
        self.checkpoint_with(&mut checkpointer, true)
    }

    /// A checkpoint of what changed, by who holds the lock.
    pub(super) fn checkpoint_under(&self, checkpointer: &mut Checkpointer) -> Result<()> {
        self.checkpoint_with(checkpointer, false)
    }

    fn checkpoint_with(&self, checkpointer: &mut Checkpointer, anyway: bool) -> Result<()> {
        let _step = tracing::debug_span!("checkpoint").entered();
        self.journal.check()?;
        let mut outcome = self.checkpoint_locked(checkpointer, anyway);
        if matches!(outcome, Err(Error::StorageFull { .. })) && self.ballast.release() {
            outcome = self.checkpoint_locked(checkpointer, anyway);
        }
        let is_full = matches!(outcome, Err(Error::StorageFull { .. }));
        self.memtable.set_stuck(is_full);
        if let Err(error) = &outcome
            && !is_full
        {
            self.journal.poison(error);
        }
        self.regain();
        outcome
    }

    /// Finishes what an earlier attempt froze, and then all that changed since.
    fn checkpoint_locked(&self, checkpointer: &mut Checkpointer, anyway: bool) -> Result<()> {
        if let Some(pending) = checkpointer.pending.take() {
            self.finish_pending(checkpointer, pending)?;
        }
        let pending = Pending {
            freeze: self.freeze_now(),
            plan: None,
        };
        if pending.freeze.dirty.cells.is_empty() && !anyway {
            return Ok(());
        }
        self.finish_pending(checkpointer, pending)
    }

    fn finish_pending(&self, checkpointer: &mut Checkpointer, mut pending: Pending) -> Result<()> {
        let _alarm = Alarm(self);
        let outcome = self.advance(checkpointer, &mut pending);
        if outcome.is_err() {
            // The frozen layers stay readable.
            checkpointer.pending = Some(pending);
        }
        outcome
    }

    /// Publishes what is committed and was not published; an index that was
    /// rebuilt meanwhile is ahead of the sessions in memory until then.
    pub(super) fn finish_publishing(&self, checkpointer: &mut Checkpointer) -> Result<bool> {
        let Some(pending) = checkpointer
            .pending
            .take_if(|pending| pending.plan.is_some())
        else {
            return Ok(false);
        };
        self.finish_pending(checkpointer, pending).map(|()| true)
    }

    fn freeze_now(&self) -> Freeze {
        let mut epoch = self.freeze.write();
        *epoch = epoch.saturating_add(1);
        let dirty = std::mem::take(&mut *self.dirty.lock());
        self.memtable.freeze();
        let position = self.journal.position();
        let next_generation = self.next_unused_generation();
        Freeze {
            position,
            next_generation,
            dirty,
        }
    }

    /// Goes on from where the checkpoint is. Publishing may be repeated, a
    /// committed batch must not be.
    fn advance(&self, checkpointer: &mut Checkpointer, pending: &mut Pending) -> Result<()> {
        let Pending { freeze, plan } = pending;
        let plan = if let Some(plan) = plan {
            plan
        } else {
            freeze.dirty.garbage = Vec::new();
            let written = self.write_batch(checkpointer, freeze)?;
            // The plan has those that are left.
            freeze.dirty.cells = Vec::new();
            plan.insert(written)
        };
        self.publish_all(checkpointer, plan, freeze)?;
        self.memtable.release_all();
        self.progress.note_checkpoint(self.now());
        self.journal.declare(plan.batch, freeze.position)
    }

    fn write_batch(&self, checkpointer: &mut Checkpointer, freeze: &Freeze) -> Result<Plan> {
        let through = freeze.position.sequence;
        self.journal.wait(through)?;
        self.check_room()?;
        let batch = checkpointer.batch.next();
        let (plan, writer) = self.merge_all(checkpointer, freeze, batch)?;
        let standing = Standing {
            journal_through: through,
            next_generation: freeze.next_generation,
            erased_through: self.erasure.erased_through(),
            index_hash: plan.index_hash,
            retired: plan.retired.list(),
        };
        let committed = writer.commit(standing, &[])?;
        checkpointer.batch = batch;
        checkpointer.footer = Some(committed);
        checkpointer.index_hash = plan.index_hash;
        checkpointer.retired = plan.retired.clone();
        tracing::debug!(%batch, sessions = plan.merged.len(), "batch committed");
        Ok(plan)
    }

    /// Merges everything; begins anew when the index had to be rebuilt.
    fn merge_all(
        &self,
        checkpointer: &mut Checkpointer,
        freeze: &Freeze,
        batch: Batch,
    ) -> Result<(Plan, BatchWriter)> {
        for _ in 0..3 {
            let mut writer = self.segments.begin(batch)?;
            match self.merge_attempt(checkpointer, freeze, batch, &mut writer) {
                Ok(plan) => return Ok((plan, writer)),
                Err(Setback::Error(error)) => return Err(error),
                Err(Setback::Index(trouble)) => {
                    drop(writer);
                    self.rebuild_index(checkpointer, &trouble)?;
                }
            }
        }
        Err(Error::corrupted(
            &self.index.path(),
            0,
            "sessions miss their base, also after a rebuild of the index",
        ))
    }

    fn merge_attempt(
        &self,
        checkpointer: &Checkpointer,
        freeze: &Freeze,
        batch: Batch,
        writer: &mut BatchWriter,
    ) -> Result<Plan, Setback> {
        let mut plan = Plan {
            batch,
            merged: Vec::with_capacity(freeze.dirty.cells.len()),
            announced: Announcement::default(),
            index_hash: checkpointer.index_hash,
            retired: checkpointer.retired.clone(),
        };
        let now = self.now();
        plan.retired.forget_passed(now);
        // Only this function's caller moves the epoch on.
        let epoch = *self.freeze.read();
        // Neighbours in the index are looked up one after another.
        let mut cells: Vec<_> = freeze.dirty.cells.iter().collect();
        cells.sort_unstable_by_key(|(digest, _)| *digest);
        for (_, cell) in cells {
            self.give_way();
            let (frozen, old) = {
                let mut state = cell.state.write();
                state.rotate(epoch);
                (state.frozen.clone(), state.base.clone())
            };
            let Some(frozen) = frozen else { continue };
            let steps = self.merge_one(writer, batch, &frozen, old.as_ref(), &mut plan)?;
            plan.merged.push(Merged {
                cell: Arc::clone(cell),
                frozen,
                steps,
            });
        }
        // Neighbours in the index are published one after another, from the end.
        plan.merged.reverse();
        plan.announced.sort();
        let mut retired = Vec::with_capacity(freeze.dirty.retired.len());
        for (digest, until) in &freeze.dirty.retired {
            if *until > now {
                writer.retire(*digest, *until);
                retired.push((*until, ShortDigest::of(*digest)));
            }
        }
        plan.retired.extend(retired, &*self.index.get()?)?;
        Ok(plan)
    }

    /// Writes one session's frames. Of a session that was born and died since
    /// the last checkpoint nothing is written (10).
    fn merge_one(
        &self,
        writer: &mut BatchWriter,
        batch: Batch,
        frozen: &Frozen,
        old: Option<&Base>,
        plan: &mut Plan,
    ) -> Result<Vec<Step>, Setback> {
        let mut row = None;
        if let Some(old) = old {
            let (settled, hash) = self.settled_row(old)?;
            plan.index_hash = plan.index_hash.wrapping_sub(hash);
            row = Some((old.digest, settled));
        }
        let hint = row.as_ref().and_then(|(digest, row)| {
            let (hint, _) = hint_of(*digest, row)?;
            (*digest == frozen.digest).then_some(hint)
        });
        let is_there = matches!(frozen.life, Life::Live | Life::Damaged);
        if !is_there {
            let Some(old) = old else {
                return Ok(Vec::new());
            };
            writer.session_tombstone(old.digest, old.generation)?;
            return Ok(vec![Step::Gone]);
        }
        if let Some(old) = old.filter(|old| old.digest != frozen.digest) {
            let moved = old.generation == frozen.record.generation;
            let dead = if moved { Generation(0) } else { old.generation };
            writer.session_tombstone(old.digest, dead)?;
        }
        let merged = match frozen.life {
            Life::Damaged => write_damage(writer, batch, frozen),
            _ => Merge::new(self, writer, batch, frozen, old, hint).run(),
        };
        let steps = match merged {
            // The session is lost and says so; the others go on (15).
            Err(Setback::Error(error @ Error::Corrupted { .. })) => {
                tracing::error!(%error, session = %frozen.digest, "a session is damaged");
                write_damage(writer, batch, frozen)?
            }
            merged => merged?,
        };
        let old = row.as_ref().map(|(digest, row)| (*digest, row));
        for new in steps.iter().filter_map(Step::row) {
            plan.index_hash = plan.index_hash.wrapping_add(new.hash);
            plan.announced.add((frozen.digest, &new.row), old);
        }
        Ok(steps)
    }

    /// The row of a settled session, and its hash. A merge that misses its base has the
    /// index rebuilt (13); a rebuild may have met damage that the session in
    /// memory does not know of.
    fn settled_row(&self, old: &Base) -> Result<(SessionRow, u64), Setback> {
        let row = self.index.get()?.session(&old.digest)?;
        let row = row.ok_or_else(|| Trouble::new("a settled session has no row"))?;
        let hash = row.hash(old.digest).map_err(Trouble::new)?;
        let is_damaged = matches!(row.content, RowContent::Damaged { .. });
        if hash != old.row_hash && !(is_damaged && row.location == old.location) {
            return Err(Trouble::new("a settled session has another row").into());
        }
        Ok((row, hash))
    }

    fn publish_all(
        &self,
        checkpointer: &mut Checkpointer,
        plan: &mut Plan,
        freeze: &Freeze,
    ) -> Result<()> {
        let _step = tracing::debug_span!("publish").entered();
        let batch = plan.batch;
        // First: from here on the registry may forget the dead.
        self.publish_retired(checkpointer, plan, freeze)?;
        self.announce(checkpointer, plan)?;
        plan.announced = Announcement::default();
        let mut count = 0_usize;
        while let Some(merged) = plan.merged.last() {
            if count.is_multiple_of(ROOM_CHECKED_EVERY) {
                self.check_room()?;
            }
            self.give_way();
            self.publish_one(checkpointer, merged, batch)?;
            // What it holds counts as free from here on, and is.
            plan.merged.pop();
            count = count.saturating_add(1);
        }
        self.check_room()?;
        let index = self.index.get()?;
        // What compaction could not publish is older.
        if !checkpointer.compactor.is_ahead()
            && let Err(trouble) = move_watermark(&index, batch)
        {
            self.rebuild_index(checkpointer, &trouble)?;
        }
        Ok(())
    }

    fn publish_retired(
        &self,
        checkpointer: &mut Checkpointer,
        plan: &Plan,
        freeze: &Freeze,
    ) -> Result<()> {
        let retired = freeze.dirty.retired.iter();
        let counted = retired.filter(|(_, until)| plan.retired.holds(*until));
        let counted = counted.map(|(digest, until)| (*until, ShortDigest::of(*digest)));
        let mut counted: Vec<_> = counted.collect();
        // Neighbours lie in one row.
        counted.sort_unstable();
        for some in counted.chunks(ROOM_CHECKED_EVERY) {
            self.check_room()?;
            if let Err(trouble) = self.index.get()?.retire(some.to_vec()) {
                // A rebuild reads them from the batch.
                return self.rebuild_index(checkpointer, &trouble);
            }
        }
        Ok(())
    }

    /// Puts what follows from the sessions' rows before these.
    fn announce(&self, checkpointer: &mut Checkpointer, plan: &Plan) -> Result<()> {
        for slice in plan.announced.slices(ROOM_CHECKED_EVERY) {
            self.check_room()?;
            if let Err(trouble) = self.index.get()?.announce(&slice) {
                // A rebuild puts all of the batch.
                return self.rebuild_index(checkpointer, &trouble);
            }
        }
        Ok(())
    }

    fn publish_one(
        &self,
        checkpointer: &mut Checkpointer,
        merged: &Merged,
        batch: Batch,
    ) -> Result<()> {
        for _ in 0..3 {
            match self.publish(merged, batch) {
                Ok(()) => return Ok(()),
                Err(Setback::Error(error)) => return Err(error),
                Err(Setback::Index(trouble)) => self.rebuild_index(checkpointer, &trouble)?,
            }
        }
        Err(Error::corrupted(
            &self.index.path(),
            0,
            "the index cannot be written, also after a rebuild",
        ))
    }
}

/// A panic takes what was frozen with it: nothing may be declared checkpointed
/// after that, whoever's thread it was.
struct Alarm<'e>(&'e Engine);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let cause = "a checkpoint panicked".into();
            self.0.journal.poison(&Error::Poisoned { cause });
        }
    }
}

/// From time to time: an open applies the batches behind the watermark.
fn move_watermark(index: &Index, batch: Batch) -> Result<(), Trouble> {
    let due = index.watermark()?.0.saturating_add(WATERMARK_EVERY);
    if batch.0 < due {
        return Ok(());
    }
    index.set_watermark(batch)
}

/// Writes that a session is damaged, instead of what it holds.
fn write_damage(
    writer: &mut BatchWriter,
    batch: Batch,
    frozen: &Frozen,
) -> Result<Vec<Step>, Setback> {
    let generation = frozen.record.generation;
    let row = SessionRow {
        location: writer.session_damage(frozen.digest, generation)?,
        sequence: batch,
        content: RowContent::Damaged { generation },
    };
    let row = NewRow::of(frozen.digest, row).map_err(Trouble::new)?;
    Ok(vec![Step::Damaged(row)])
}

#[cfg(test)]
mod tests;
