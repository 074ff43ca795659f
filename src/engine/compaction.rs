//! Compaction: the space of what is dead comes back.
//!
//! One sealed file at a time, the one with the most garbage first. What lives
//! in it is copied, as old as it was, in batches of its own: commit, publish,
//! and with the last of them the file does not count any more. It is removed
//! once the index, durably, leads elsewhere.
//!
//! INVARIANT: only deaths that a committed batch knows are deaths here; a
//! session that is only flushed in memory is copied, and the tombstone that
//! comes later lies behind the copy.
//!
//! A tombstone hides frames that are older than it, and all of these lie in
//! files up to the one that it was first written in: it goes when no other
//! file up to that number counts (16).

use self::choice::{Choice, Known, Task, retirement_bytes};
use super::Engine;
use super::checkpoint::Checkpointer;
use super::lookup::Setback;
use super::registry::Resident;
use crate::error::{Error, Result};
use crate::format::identity::{Batch, Location, SegmentNumber};
use crate::format::record::{PageRow, SessionRow};
use crate::format::segment_frame::{FooterEntry, Identity, Kind};
use crate::index::{Index, LiveBytes};
use crate::segments::Standing;
use crate::session_id::SessionDigest;

mod choice;

pub(super) use choice::Worth;

/// Bytes copied in one batch: for so long a checkpoint may have to wait.
const STEP_BYTES: u64 = 1 << 20;

/// Garbage that is none of the writers' business.
const BLOAT_BYTES: u64 = 16 << 20;

/// What compaction remembers between its steps.
#[derive(Debug, Default)]
pub(super) struct Compactor {
    task: Option<Task>,
    known: Known,
    /// Whether files that do not count any more are still to be removed.
    has_dropped: bool,
}

/// What a step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Compacted {
    /// Whether there may be more to do.
    pub(super) more: bool,
    /// Bytes that were copied.
    pub(super) copied: u64,
    /// Bytes of files that went.
    pub(super) freed: u64,
}

impl Compacted {
    fn to_be_continued() -> Self {
        Self {
            more: true,
            ..Self::default()
        }
    }
}

/// What is to become of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    /// Nothing needs it.
    Dead,
    /// It hides something; no row leads to it.
    Kept,
    /// A session's row leads to it.
    Image(SessionDigest, Box<SessionRow>),
    /// A page's row leads to it.
    Page(PageRow),
}

/// A frame that was copied.
struct Move {
    fate: Fate,
    entry: FooterEntry,
    to: Location,
}

impl Engine {
    /// Copies some of what lives in the file with the most garbage.
    pub(super) fn compact_step(&self, worth: Worth) -> Result<Compacted> {
        self.with_index(|| {
            let mut checkpointer = self.checkpointer.lock();
            self.journal.check()?;
            // What is committed and not published has other places than the
            // rows say.
            if checkpointer.pending.is_some() || checkpointer.footer.is_none() {
                return Ok(Compacted::default());
            }
            let index = self.index.get()?;
            if checkpointer.compactor.has_dropped {
                self.remove_dropped(&mut checkpointer, &index)?;
            }
            let task = match checkpointer.compactor.task.take() {
                Some(task) => task,
                None => match self.next_task(&mut checkpointer, &index, worth)? {
                    Choice::Task(task) => task,
                    Choice::Tail(task) => {
                        self.leave_tail(&mut checkpointer)?;
                        task
                    }
                    Choice::Another => return Ok(Compacted::to_be_continued()),
                    Choice::Nothing => return Ok(Compacted::default()),
                },
            };
            self.go_on(&mut checkpointer, &index, task)
        })
    }

    /// Bytes of frames that rows lead to.
    pub(crate) fn live_bytes(&self) -> u64 {
        let usage = self.segment_usage().into_iter();
        usage.map(|(_, live)| live).sum()
    }

    /// For each file: its bytes, and those that rows lead to, with what footers
    /// say of them.
    pub(crate) fn segment_usage(&self) -> Vec<(u64, u64)> {
        let index = self.index.get().ok();
        let live = index.map_or_else(LiveBytes::new, |index| index.live_bytes());
        let tail = Some(self.segments.tail()).filter(|tail| tail.end > 0);
        let files = self.segments.sealed().into_iter().chain(tail);
        files
            .map(|file| {
                let live = live.get(&file.number).copied().unwrap_or(0);
                (file.end, live.min(file.end))
            })
            .collect()
    }

    /// Whether more than a third of the segments is garbage, and so much of it
    /// that compaction has to keep up with the writers.
    pub(super) fn is_bloated(&self) -> bool {
        let usage = self.segment_usage().into_iter();
        let (bytes, live) = usage.fold((0_u64, 0_u64), |(bytes, live), file| {
            (bytes.saturating_add(file.0), live.saturating_add(file.1))
        });
        bytes > live.saturating_add(live / 2).saturating_add(BLOAT_BYTES)
    }

    fn next_task(
        &self,
        checkpointer: &mut Checkpointer,
        index: &Index,
        worth: Worth,
    ) -> Result<Choice, Setback> {
        let Some((_, footer)) = &checkpointer.footer else {
            return Ok(Choice::Nothing);
        };
        self.choose(&mut checkpointer.compactor.known, (index, footer), worth)
    }

    /// One batch of a task.
    fn go_on(
        &self,
        checkpointer: &mut Checkpointer,
        index: &Index,
        mut task: Task,
    ) -> Result<Compacted, Setback> {
        self.check_spare_room()?;
        let batch = checkpointer.batch.next();
        let mut writer = self.poisoning(self.segments.begin(batch))?;
        let mut moves = Vec::new();
        let mut copied = 0_u64;
        for some in task.retirements.drain(..) {
            copied = copied.saturating_add(retirement_bytes(&some));
            for digest in some.digests {
                writer.retire(digest, some.until);
            }
        }
        while copied < STEP_BYTES {
            let Some(entry) = task.left.pop() else { break };
            let fate = self.fate(index, &entry)?;
            if fate == Fate::Dead {
                continue;
            }
            let Some(raw) = self.segments.read_whole(&entry)? else {
                tracing::warn!(location = ?entry.location, "a damaged frame is not compacted");
                checkpointer.compactor.known.is_damaged(task.number);
                return Ok(Compacted::to_be_continued());
            };
            let to = self.poisoning(writer.copy(&entry, &raw))?;
            copied = copied.saturating_add(to.length.into());
            moves.push(Move { fate, entry, to });
        }
        let dropped = task.left.is_empty().then_some(task.number);
        self.commit_copies(checkpointer, batch, writer, dropped)?;
        let mut freed = 0;
        if let Some(number) = dropped {
            freed = self.segments.length(number).unwrap_or(0);
            checkpointer.compactor.has_dropped = true;
            let oldest = self.segments.oldest_sealed_but(number);
            let was_oldest = oldest.is_none_or(|oldest| number < oldest);
            checkpointer.compactor.known.is_gone(number, was_oldest);
            self.progress.end_compaction();
        } else {
            self.progress.set_compaction(task.left.len(), task.total);
            checkpointer.compactor.task = Some(task);
        }
        for moved in &moves {
            self.publish_move(index, moved)?;
        }
        if dropped.is_some() {
            self.remove_dropped(checkpointer, index)?;
        }
        Ok(Compacted {
            more: true,
            copied,
            freed,
        })
    }

    /// Goes on in a new file, so that the last one can be compacted.
    fn leave_tail(&self, checkpointer: &mut Checkpointer) -> Result<()> {
        self.check_spare_room()?;
        let batch = checkpointer.batch.next();
        let mut writer = self.poisoning(self.segments.begin(batch))?;
        self.poisoning(writer.roll())?;
        self.commit_copies(checkpointer, batch, writer, None)
    }

    /// Nothing that a footer says has changed but the places.
    fn commit_copies(
        &self,
        checkpointer: &mut Checkpointer,
        batch: Batch,
        writer: crate::segments::BatchWriter,
        dropped: Option<SegmentNumber>,
    ) -> Result<()> {
        let Some((_, footer)) = &checkpointer.footer else {
            return Ok(());
        };
        let standing = Standing::of(footer);
        let committed = self.poisoning(writer.commit(standing, dropped.as_slice()))?;
        checkpointer.batch = batch;
        checkpointer.footer = Some(committed);
        Ok(())
    }

    /// After a failed write or sync nothing is written any more; a full disk
    /// is foreseen.
    fn poisoning<T>(&self, outcome: Result<T>) -> Result<T> {
        if let Err(error) = &outcome
            && !matches!(error, Error::StorageFull { .. })
        {
            self.journal.poison(error);
        }
        outcome
    }

    fn fate(&self, index: &Index, entry: &FooterEntry) -> Result<Fate, Setback> {
        let fate = match (&entry.identity, entry.kind) {
            (Identity::Session(digest, _), Kind::Image | Kind::SessionDamage) => {
                let row = index.session(digest)?;
                row.filter(|row| row.location == entry.location)
                    .map(|row| Fate::Image(*digest, Box::new(row)))
            }
            (Identity::Page(generation, _, lower), Kind::Page) => {
                let row = index.page_row(*generation, lower)?;
                match row.filter(|row| row.location == entry.location) {
                    // Its rows wait for the sweep, and nobody follows them.
                    Some(_) if index.is_buried(*generation)? => None,
                    row => row.map(Fate::Page),
                }
            }
            _ => self.is_tombstone_needed(entry)?.then_some(Fate::Kept),
        };
        Ok(fate.unwrap_or(Fate::Dead))
    }

    /// Whether any other file may hold what a tombstone hides.
    fn is_tombstone_needed(&self, entry: &FooterEntry) -> Result<bool> {
        let Some(oldest) = self.segments.oldest_sealed_but(entry.location.segment) else {
            return Ok(false);
        };
        // It was first written in its own file, or in an older one.
        Ok(oldest < entry.location.segment && oldest <= self.segments.written_in(entry)?)
    }

    /// The index leads to a copy from now on, and so does the session in
    /// memory, if it is.
    fn publish_move(&self, index: &Index, moved: &Move) -> Result<(), Setback> {
        match (&moved.fate, &moved.entry.identity) {
            (Fate::Image(digest, row), _) => {
                let row = SessionRow {
                    location: moved.to,
                    ..(**row).clone()
                };
                index.put_session(digest, &row)?;
                self.move_base(*digest, moved);
            }
            (Fate::Page(row), Identity::Page(generation, _, lower)) => {
                let row = PageRow {
                    location: moved.to,
                    ..*row
                };
                index.put_page(*generation, lower, &row)?;
                self.cache.copy(moved.entry.location, moved.to, *generation);
            }
            _ => {}
        }
        Ok(())
    }

    /// Under the session's lock: a lookup finds the old file, or the new place.
    /// Whoever loads the session from now on finds the new row.
    fn move_base(&self, digest: SessionDigest, moved: &Move) {
        let resident = self.registry.look(digest);
        let Some(Resident::Cell(cell) | Resident::Hidden(_, cell)) = resident else {
            return;
        };
        let mut state = cell.state.write();
        if let Some(base) = &mut state.base
            && base.digest == digest
            && base.location == moved.entry.location
        {
            self.cache.copy(base.location, moved.to, base.generation);
            base.location = moved.to;
        }
    }

    /// Removes what does not count any more, once the index is durably past it.
    fn remove_dropped(
        &self,
        checkpointer: &mut Checkpointer,
        index: &Index,
    ) -> Result<(), Setback> {
        // What this gives back is more than the ballast.
        self.check_room()?;
        index.set_watermark(checkpointer.batch)?;
        self.segments.remove_dropped()?;
        checkpointer.compactor.has_dropped = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
