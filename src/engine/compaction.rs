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

use std::collections::{BTreeMap, BTreeSet};

use super::Engine;
use super::checkpoint::Checkpointer;
use super::lookup::Setback;
use super::registry::Resident;
use crate::error::{Error, Result};
use crate::format::identity::{Batch, Location, SegmentNumber};
use crate::format::record::{PageRow, SessionRow};
use crate::format::segment_frame::{
    FooterEntry, Identity, Kind, Retirement, SealedFile, frame_bytes,
};
use crate::index::{Index, LiveBytes};
use crate::segments::{Contents, Standing};
use crate::session_id::SessionDigest;

/// Bytes copied in one batch: for so long a checkpoint may have to wait.
const STEP_BYTES: u64 = 1 << 20;

/// What an ID that died takes up in a footer.
const RETIREMENT_BYTES: u64 = 16;
/// Garbage that is none of the writers' business.
const BLOAT_BYTES: u64 = 16 << 20;

/// What is worth the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Worth {
    /// The part of a file that has to be garbage: one in so many bytes.
    one_in: u64,
    /// And so many bytes at least.
    least: u64,
}

impl Worth {
    /// What the background does by itself: at rest no more than a third above
    /// what lives.
    pub(super) const BY_ITSELF: Self = Self {
        one_in: 4,
        least: 64 << 10,
    };
    /// When somebody asks for it.
    pub(super) const ASKED_FOR: Self = Self {
        one_in: 16,
        least: 4 << 10,
    };

    fn is_reached(self, garbage: u64, bytes: u64) -> bool {
        garbage >= self.least && garbage.saturating_mul(self.one_in) >= bytes
    }
}

/// Bytes of a file that no row leads to and that have to stay all the same.
#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    tombstones: u64,
    retirements: u64,
}

impl Kept {
    fn bytes(self) -> u64 {
        self.tombstones.saturating_add(self.retirements)
    }
}

/// A file on its way out.
#[derive(Debug)]
struct Task {
    number: SegmentNumber,
    /// What is still to be looked at, the last first.
    left: Vec<FooterEntry>,
    /// Of so many frames.
    total: usize,
    /// The IDs that died and are still remembered; copied first.
    retirements: Vec<Retirement>,
}

/// What compaction remembers between its steps.
#[derive(Debug, Default)]
pub(super) struct Compactor {
    task: Option<Task>,
    kept: BTreeMap<SegmentNumber, Kept>,
    /// Files with a damaged frame that something still leads to: they stay.
    damaged: BTreeSet<SegmentNumber>,
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
            let Some(task) = self.next_task(&mut checkpointer, &index, worth)? else {
                return Ok(Compacted::default());
            };
            self.go_on(&mut checkpointer, &index, task)
        })
    }

    /// Bytes that compaction would give back.
    pub(super) fn garbage_bytes(&self) -> Result<u64> {
        let live = self.index.get()?.live_bytes();
        let checkpointer = self.checkpointer.lock();
        let kept = &checkpointer.compactor.kept;
        let files = self.segments.sealed().into_iter();
        Ok(files.map(|file| garbage(file, &live, kept)).sum())
    }

    /// Bytes of frames that rows lead to.
    pub(crate) fn live_bytes(&self) -> u64 {
        let index = self.index.get().ok();
        index.map_or(0, |index| index.live_bytes().values().sum())
    }

    /// For each file: its bytes, and those of frames that rows lead to.
    pub(crate) fn segment_usage(&self) -> Vec<(u64, u64)> {
        let index = self.index.get().ok();
        let live = index.map_or_else(LiveBytes::new, |index| index.live_bytes());
        let tail = Some(self.segments.tail()).filter(|tail| tail.end > 0);
        let files = self.segments.sealed().into_iter().chain(tail);
        files
            .map(|file| (file.end, live.get(&file.number).copied().unwrap_or(0)))
            .collect()
    }

    /// Whether more than a third of the segments is garbage, and so much of it
    /// that compaction has to keep up with the writers.
    pub(super) fn is_bloated(&self) -> bool {
        let live = self.live_bytes();
        let files = self.segment_usage().into_iter();
        let bytes: u64 = files.map(|(bytes, _)| bytes).sum();
        bytes > live.saturating_add(live / 2).saturating_add(BLOAT_BYTES)
    }

    fn next_task(
        &self,
        checkpointer: &mut Checkpointer,
        index: &Index,
        worth: Worth,
    ) -> Result<Option<Task>, Setback> {
        if let Some(task) = checkpointer.compactor.task.take() {
            return Ok(Some(task));
        }
        if let Some(task) = self.choose(&mut checkpointer.compactor, index, worth)? {
            return Ok(Some(task));
        }
        // The file that is written to cannot be compacted; where it is worth
        // it, it is left.
        let tail = self.segments.tail();
        if !worth.is_reached(
            garbage(tail, &index.live_bytes(), &BTreeMap::new()),
            tail.end,
        ) {
            return Ok(None);
        }
        let Some((task, kept)) = self.look(&mut checkpointer.compactor, tail)? else {
            return Ok(None);
        };
        let kept = BTreeMap::from([(tail.number, kept)]);
        if !worth.is_reached(garbage(tail, &index.live_bytes(), &kept), tail.end) {
            return Ok(None);
        }
        self.leave_tail(checkpointer)?;
        Ok(Some(task))
    }

    /// The file that is worth it most.
    fn choose(
        &self,
        compactor: &mut Compactor,
        index: &Index,
        worth: Worth,
    ) -> Result<Option<Task>, Setback> {
        let live = index.live_bytes();
        let mut files = self.segments.sealed();
        files.retain(|file| !compactor.damaged.contains(&file.number));
        let oldest = files.first().copied();
        let share = |file: &SealedFile, kept: &BTreeMap<_, _>| {
            let bytes = file.end.max(1);
            garbage(*file, &live, kept).saturating_mul(1 << 20) / bytes
        };
        files.sort_by_cached_key(|file| std::cmp::Reverse(share(file, &compactor.kept)));
        for file in files {
            if !worth.is_reached(garbage(file, &live, &compactor.kept), file.end) {
                break;
            }
            let Some((task, kept)) = self.look(compactor, file)? else {
                continue;
            };
            compactor.kept.insert(file.number, kept);
            if worth.is_reached(garbage(file, &live, &compactor.kept), file.end) {
                return Ok(Some(task));
            }
        }
        // Tombstones wait for the oldest files.
        let waiting = compactor
            .kept
            .values()
            .map(|kept| kept.tombstones)
            .sum::<u64>();
        match oldest {
            Some(oldest) if waiting > oldest.end && waiting >= worth.least => {
                let looked = self.look(compactor, oldest)?;
                Ok(looked.map(|(task, _)| task))
            }
            _ => Ok(None),
        }
    }

    /// What lies in a file, and how much of it has to stay though no row leads
    /// to it.
    fn look(
        &self,
        compactor: &mut Compactor,
        file: SealedFile,
    ) -> Result<Option<(Task, Kept)>, Setback> {
        let looked = self.segments.contents(file.number).and_then(|contents| {
            let Contents {
                entries: mut left,
                mut retirements,
            } = contents;
            let now = self.now();
            retirements.retain(|some| some.until > now);
            let retired = retirements
                .iter()
                .map(|some| some.digests.len())
                .sum::<usize>();
            let mut kept = Kept {
                retirements: (retired as u64).saturating_mul(RETIREMENT_BYTES),
                ..Kept::default()
            };
            for entry in &left {
                let bytes = frame_bytes(entry.location.length as usize) as u64;
                let is_tombstone =
                    matches!(entry.kind, Kind::SessionTombstone | Kind::PageTombstone);
                if is_tombstone && self.is_tombstone_needed(entry)? {
                    kept.tombstones = kept.tombstones.saturating_add(bytes);
                }
            }
            left.reverse();
            let task = Task {
                number: file.number,
                total: left.len(),
                left,
                retirements,
            };
            Ok((task, kept))
        });
        match looked {
            Err(error @ Error::Corrupted { .. }) => {
                tracing::warn!(%error, "a damaged file is not compacted");
                compactor.damaged.insert(file.number);
                Ok(None)
            }
            looked => Ok(Some(looked?)),
        }
    }

    /// One batch of a task.
    fn go_on(
        &self,
        checkpointer: &mut Checkpointer,
        index: &Index,
        mut task: Task,
    ) -> Result<Compacted, Setback> {
        self.check_room()?;
        let batch = checkpointer.batch.next();
        let mut writer = self.poisoning(self.segments.begin(batch))?;
        let mut moves = Vec::new();
        let mut copied = 0_u64;
        for some in task.retirements.drain(..) {
            let bytes = (some.digests.len() as u64).saturating_mul(RETIREMENT_BYTES);
            copied = copied.saturating_add(bytes);
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
                checkpointer.compactor.damaged.insert(task.number);
                return Ok(Compacted {
                    more: true,
                    ..Compacted::default()
                });
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
            // Tombstones that waited for it may go now.
            checkpointer.compactor.kept.clear();
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
        self.check_room()?;
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
        let written_in = self.segments.written_in(entry)?;
        let mut files = self.segments.sealed().into_iter();
        let other = files.find(|file| file.number != entry.location.segment);
        Ok(other.is_some_and(|oldest| oldest.number <= written_in))
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
        self.check_room()?;
        index.set_watermark(checkpointer.batch)?;
        self.segments.remove_dropped()?;
        checkpointer.compactor.has_dropped = false;
        Ok(())
    }
}

/// Bytes of a file that nothing needs, as far as is known.
fn garbage(file: SealedFile, live: &LiveBytes, kept: &BTreeMap<SegmentNumber, Kept>) -> u64 {
    let live = live.get(&file.number).copied().unwrap_or(0);
    let kept = kept.get(&file.number).map_or(0, |kept| kept.bytes());
    file.end.saturating_sub(live.saturating_add(kept))
}

#[cfg(test)]
mod tests;
