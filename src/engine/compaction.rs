//! Compaction: the space of what is dead comes back.
//!
//! One sealed file at a time, the one with the most garbage first. What lives
//! in it is copied, as old as it was, in batches of its own: commit, publish,
//! and with the last of them the file does not count any more. It is removed
//! once the index, durably, leads elsewhere.
//!
//! INVARIANT: a file is removed only once all that was copied out of it is
//! published: no row and no session in memory leads there any more.
//!
//! INVARIANT: a file stops counting only when as many of its frames were
//! copied as rows lead there, by a count that does not ask the index: rows that
//! it has lost would take what they led to with them.
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
use super::publish::no_room;
use crate::error::{Error, Result};
use crate::format::identity::{Batch, Location, SegmentNumber};
use crate::format::record::PageRow;
use crate::format::segment_frame::{Footer, FooterEntry, Identity, Kind};
use crate::index::{Index, LiveFrames, Trouble};
use crate::segments::Standing;
use crate::session_id::SessionDigest;

mod choice;

pub(super) use choice::Worth;

/// Bytes copied in one batch: for so long a checkpoint may have to wait.
const STEP_BYTES: u64 = 1 << 20;
/// Frames looked at for one batch, living or not.
const STEP_ENTRIES: usize = 16 << 10;

/// Garbage that is none of the writers' business.
const BLOAT_BYTES: u64 = 4 << 20;

/// What compaction remembers between its steps.
#[derive(Debug, Default)]
pub(super) struct Compactor {
    task: Option<Task>,
    known: Known,
    /// What was copied last and is not published.
    moves: Vec<Move>,
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

impl Compactor {
    /// When an open has left files that do not count.
    pub(super) fn new(has_dropped: bool) -> Self {
        Self {
            has_dropped,
            ..Self::default()
        }
    }

    /// Whether the index leads where nothing counts any more.
    pub(super) fn is_ahead(&self) -> bool {
        !self.moves.is_empty()
    }

    /// Tries again what could not be read.
    pub(super) fn try_again(&mut self) {
        self.known.forget_damaged();
    }

    /// Whether what was begun is to be finished.
    fn is_busy(&self) -> bool {
        self.task.is_some() || self.is_ahead() || self.has_dropped
    }
}

impl Compacted {
    fn to_be_continued() -> Self {
        Self {
            more: true,
            ..Self::default()
        }
    }
}

/// What a step of erasure did.
#[derive(Debug)]
pub(super) struct Erased {
    /// Whether there is more to do.
    pub(super) more: bool,
    /// Why a file has to stay as it is.
    pub(super) obstacle: Option<Error>,
}

/// What becomes of a frame with its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It lives, or hides what is dead.
    Copied,
    /// A row of the dead leads there, which waits for the sweep; nobody
    /// follows it.
    Buried,
    /// Nothing needs it.
    Dropped,
}

/// A frame that was copied.
#[derive(Debug)]
struct Move {
    entry: FooterEntry,
    to: Location,
}

impl Engine {
    /// Copies some of what lives in the file with the most garbage.
    pub(super) fn compact_step(&self, worth: Worth) -> Result<Compacted> {
        self.with_index(|| {
            let mut checkpointer = self.checkpointer.lock();
            // What is committed and not published has other places than the
            // rows say.
            if checkpointer.has_plan() {
                return Ok(Compacted::default());
            }
            self.step(&mut checkpointer, worth.is_urgent, |known, standing| {
                self.choose(known, standing, worth)
            })
        })
    }

    /// Copies some of what lives in one of the files that hold anything dead.
    /// Those that do not are left out of the list, and those that are gone.
    pub(super) fn erase_files(&self, files: &mut Vec<SegmentNumber>) -> Result<Erased> {
        let mut obstacle = None;
        let more = self.with_index(|| {
            let mut checkpointer = self.checkpointer.lock();
            if checkpointer.has_plan() {
                return Err(no_room().into());
            }
            let erased = self.step(&mut checkpointer, false, |known, (index, _)| {
                self.choose_stained(known, index, files)
            });
            match erased {
                // The others can be erased all the same.
                Err(Setback::Error(error @ Error::Corrupted { .. })) => {
                    files.pop();
                    obstacle = Some(error);
                }
                erased => drop(erased?),
            }
            Ok(!files.is_empty() || checkpointer.compactor.is_busy())
        })?;
        Ok(Erased { more, obstacle })
    }

    /// Does what was begun, or what is chosen.
    fn step(
        &self,
        checkpointer: &mut Checkpointer,
        is_urgent: bool,
        choose: impl FnOnce(&mut Known, (&Index, &Footer)) -> Result<Choice, Setback>,
    ) -> Result<Compacted, Setback> {
        self.journal.check()?;
        let _step = tracing::debug_span!("compaction").entered();
        let index = self.index.get()?;
        self.finish_moves(checkpointer, &index, false)?;
        let chosen = match (checkpointer.compactor.task.take(), &checkpointer.footer) {
            (Some(task), _) => Choice::Task(task),
            (None, Some((_, footer))) => {
                choose(&mut checkpointer.compactor.known, (&index, footer))?
            }
            (None, None) => Choice::Nothing,
        };
        let (task, is_tail) = match chosen {
            Choice::Task(task) => (task, false),
            Choice::Tail(task) => (task, true),
            Choice::Another => return Ok(Compacted::to_be_continued()),
            Choice::Nothing => return Ok(Compacted::default()),
        };
        if is_urgent {
            self.check_room()?;
        } else {
            self.check_spare_room()?;
        }
        if is_tail {
            self.leave_tail(checkpointer)?;
        }
        self.go_on(checkpointer, &index, task)
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
        let live = index.map_or_else(LiveFrames::new, |index| index.live_frames());
        let tail = Some(self.segments.tail()).filter(|tail| tail.end > 0);
        let files = self.segments.sealed().into_iter().chain(tail);
        files
            .map(|file| {
                let live = live.get(&file.number).map_or(0, |live| live.bytes);
                (file.end, live.min(file.end))
            })
            .collect()
    }

    /// Whether more than a quarter of the segments is garbage, and so much of it
    /// that compaction has to keep up with the writers.
    pub(super) fn is_bloated(&self) -> bool {
        let usage = self.segment_usage().into_iter();
        let (bytes, live) = usage.fold((0_u64, 0_u64), |(bytes, live), file| {
            (bytes.saturating_add(file.0), live.saturating_add(file.1))
        });
        bytes > live.saturating_add(live / 3).saturating_add(BLOAT_BYTES)
    }

    /// One batch of a task.
    fn go_on(
        &self,
        checkpointer: &mut Checkpointer,
        index: &Index,
        mut task: Task,
    ) -> Result<Compacted, Setback> {
        let needed = self.take_needed(index, &mut task)?;
        if task.left.is_empty() {
            check_count(index, &task, &needed)?;
        }
        if needed.is_empty() && !task.left.is_empty() {
            self.progress.set_compaction(task.left.len(), task.total);
            checkpointer.compactor.task = Some(task);
            return Ok(Compacted::to_be_continued());
        }
        let batch = checkpointer.batch.next();
        let mut writer = self.poisoning(self.segments.begin(batch))?;
        let mut moves = Vec::with_capacity(needed.len());
        let mut copied = 0_u64;
        for some in task.retirements.drain(..) {
            copied = copied.saturating_add(retirement_bytes(&some));
            for digest in some.digests {
                writer.retire(digest, some.until);
            }
        }
        for entry in needed {
            self.give_way();
            let raw = match self.segments.read_whole(&entry) {
                Err(error) if checkpointer.compactor.known.leave(task.number, &error) => {
                    return Ok(Compacted::to_be_continued());
                }
                raw => raw?,
            };
            let to = self.poisoning(writer.copy(&entry, &raw))?;
            copied = copied.saturating_add(to.length.into());
            moves.push(Move { entry, to });
        }
        let dropped = task.left.is_empty().then_some(task.number);
        self.commit_copies(checkpointer, batch, writer, dropped)?;
        checkpointer.compactor.moves = moves;
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
        self.finish_moves(checkpointer, index, true)?;
        Ok(Compacted {
            more: true,
            copied,
            freed,
        })
    }

    /// What is needed of what comes next, about a step's bytes of it.
    fn take_needed(&self, index: &Index, task: &mut Task) -> Result<Vec<FooterEntry>, Setback> {
        let mut needed = Vec::new();
        let mut bytes = 0_u64;
        for _ in 0..STEP_ENTRIES {
            if bytes >= STEP_BYTES {
                break;
            }
            let Some(entry) = task.left.pop() else { break };
            self.give_way();
            match self.fate(index, &entry)? {
                Fate::Copied => {
                    bytes = bytes.saturating_add(entry.location.length.into());
                    needed.push(entry);
                }
                Fate::Buried => task.buried = task.buried.saturating_add(1),
                Fate::Dropped => {}
            }
        }
        Ok(needed)
    }

    /// Publishes what is copied, and removes what does not count any more.
    /// What fails is done again before the next step, after a rebuild of the
    /// index perhaps: then rows may lead to the copies already, or elsewhere.
    /// At first all of them lead to what was copied, or they are lost: memory
    /// may have told that a frame lives whose row sled does not have.
    fn finish_moves(
        &self,
        checkpointer: &mut Checkpointer,
        index: &Index,
        is_first: bool,
    ) -> Result<(), Setback> {
        let compactor = &mut checkpointer.compactor;
        for moved in &compactor.moves {
            self.give_way();
            if !publish_row(index, moved)? && is_first {
                return Err(Trouble::new("a row that led to what was copied is missing").into());
            }
        }
        for moved in &compactor.moves {
            self.give_way();
            self.publish_place(moved);
        }
        compactor.moves.clear();
        if compactor.has_dropped {
            self.remove_dropped(checkpointer, index)?;
        }
        Ok(())
    }

    /// Goes on in a new file, so that the last one can be compacted.
    fn leave_tail(&self, checkpointer: &mut Checkpointer) -> Result<()> {
        let batch = checkpointer.batch.next();
        let tail = self.segments.tail().number;
        let mut writer = self.poisoning(self.segments.begin(batch))?;
        self.poisoning(writer.leave(tail))?;
        self.commit_copies(checkpointer, batch, writer, None)
    }

    /// Nothing that a footer says has changed but the places, and what has passed.
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
        // IDs whose time has passed were not copied, and a clock may go back.
        checkpointer.retired.forget_passed(self.now());
        let standing = Standing {
            retired: checkpointer.retired.list(),
            ..Standing::of(footer)
        };
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
        let (leads_here, is_buried) = match (&entry.identity, entry.kind) {
            (Identity::Session(digest, _), Kind::Image | Kind::SessionDamage) => {
                (index.leads_to(digest, entry.location)?, false)
            }
            (Identity::Page(generation, _, lower), Kind::Page) => {
                let row = index.page_row(*generation, lower)?;
                let leads_here = row.is_some_and(|row| row.location == entry.location);
                (leads_here, leads_here && index.is_buried(*generation)?)
            }
            _ => (self.is_tombstone_needed(entry)?, false),
        };
        Ok(match (leads_here, is_buried) {
            (false, _) => Fate::Dropped,
            (true, true) => Fate::Buried,
            (true, false) => Fate::Copied,
        })
    }

    /// Whether any other file may hold what a tombstone hides.
    fn is_tombstone_needed(&self, entry: &FooterEntry) -> Result<bool> {
        let Some(oldest) = self.segments.oldest_sealed_but(entry.location.segment) else {
            return Ok(false);
        };
        // It was first written in its own file, or in an older one.
        Ok(oldest < entry.location.segment && oldest <= self.segments.written_in(entry)?)
    }

    /// Sessions in memory follow their image, cached pages their frame. Whoever
    /// loads the session from now on finds the new row. Under the session's
    /// lock: a lookup finds the old file, or the new place.
    fn publish_place(&self, moved: &Move) {
        let (from, to) = (moved.entry.location, moved.to);
        let (Identity::Session(_, generation) | Identity::Page(generation, ..)) =
            moved.entry.identity;
        let (old, new) = ((from, generation), (to, generation));
        if let Some(page) = self.cache.peek(old) {
            let session = match moved.entry.identity {
                Identity::Session(digest, _) => Some(digest),
                Identity::Page(..) => None,
            };
            self.keep_page(new, page, session);
        }
        if let Identity::Session(digest, _) = moved.entry.identity {
            self.move_base(digest, from, to);
        }
        // Who asks from now on asks for the new place.
        self.cache.forget(old);
    }

    fn move_base(&self, digest: SessionDigest, from: Location, to: Location) {
        let Some(resident) = self.registry.look(digest) else {
            return;
        };
        let cell = resident.cell();
        let mut state = cell.state.write();
        if let Some(base) = &mut state.base
            && base.digest == digest
            && base.location == from
        {
            cell.first_page.forget(base.place());
            base.location = to;
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
        // Else an open would look in them for batches that it misses.
        index.set_watermark(checkpointer.batch)?;
        index.flush()?;
        self.segments.remove_dropped()?;
        checkpointer.compactor.has_dropped = false;
        Ok(())
    }
}

/// Whether the last of a file's frames are all that rows lead to. Those of the
/// dead go with the sweep, which goes on meanwhile.
fn check_count(index: &Index, task: &Task, needed: &[FooterEntry]) -> Result<(), Trouble> {
    let needed = needed.iter().filter(|entry| entry.kind.has_row()).count() as u64;
    if index.frames_in(task.number) > needed.saturating_add(task.buried) {
        return Err(Trouble::new("rows that lead to a file are missing"));
    }
    Ok(())
}

/// The index leads to a copy from now on; whether it did lead to what was copied.
fn publish_row(index: &Index, moved: &Move) -> Result<bool, Setback> {
    #[cfg(test)]
    super::stops::stop();
    if !moved.entry.kind.has_row() {
        return Ok(true);
    }
    let (from, location) = (moved.entry.location, moved.to);
    match &moved.entry.identity {
        Identity::Session(digest, _) => Ok(index.relocate_session(digest, from, location)?),
        Identity::Page(generation, _, lower) => {
            let row = index.page_row(*generation, lower)?;
            let Some(row) = row.filter(|row| row.location == from) else {
                return Ok(false);
            };
            index.put_page(*generation, lower, &PageRow { location, ..row })?;
            Ok(true)
        }
    }
}

#[cfg(test)]
mod tests;
