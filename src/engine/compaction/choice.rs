//! Which file is worth it: by what would come back, less what a copy needs.
//!
//! INVARIANT: a file is chosen only where its copy, with the footers that name
//! it, takes up less than the file. So every choice makes the files smaller,
//! and there comes an end.
//!
//! A look at a file reads all of it. There is one at a time, and what it found
//! is remembered.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Engine;
use super::super::lookup::Setback;
use super::STEP_BYTES;
use crate::error::Error;
use crate::format::identity::{SegmentNumber, Timestamp};
use crate::format::segment_frame::{Footer, FooterEntry, Identity, Kind, Retirement, SealedFile};
use crate::index::{self, Index, LiveFrames};
use crate::segments::Contents;

/// What is worth the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Worth {
    /// The part of a file that has to be garbage: one in so many bytes.
    one_in: u64,
    /// And so many bytes at least.
    least: u64,
    /// Whether the ballast is let go of for it.
    pub(super) is_urgent: bool,
}

impl Worth {
    /// What the background does by itself: at rest no more than a third above
    /// what lives.
    pub(in super::super) const BY_ITSELF: Self = Self {
        one_in: 4,
        least: 64 << 10,
        is_urgent: false,
    };
    /// When nobody has written for a while.
    pub(in super::super) const AT_REST: Self = Self {
        one_in: 32,
        ..Self::BY_ITSELF
    };
    /// As by itself, where a checkpoint has found no room.
    pub(in super::super) const FOR_ROOM: Self = Self {
        is_urgent: true,
        ..Self::BY_ITSELF
    };
    /// When somebody asks for it.
    pub(in super::super) const ASKED_FOR: Self = Self {
        one_in: 32,
        least: 4 << 10,
        is_urgent: true,
    };

    fn is_reached(self, garbage: u64, bytes: u64) -> bool {
        garbage >= self.least && garbage.saturating_mul(self.one_in) >= bytes
    }
}

/// Bytes of a file that no row leads to and that have to stay all the same.
#[derive(Debug, Clone, Default)]
struct Kept {
    tombstones: u64,
    /// Until when, and how many.
    retirements: Vec<(Timestamp, u64)>,
}

impl Kept {
    fn bytes(&self, now: Timestamp) -> u64 {
        let lasting = self.retirements.iter().filter(|(until, _)| *until > now);
        let retirements: u64 = lasting.map(|(_, bytes)| bytes).sum();
        self.tombstones.saturating_add(retirements)
    }
}

/// A file on its way out.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) number: SegmentNumber,
    /// What is still to be looked at, the last first.
    pub(super) left: Vec<FooterEntry>,
    /// Of so many frames.
    pub(super) total: usize,
    /// Frames so far that rows of the dead lead to.
    pub(super) buried: u64,
    /// The IDs that died and are still remembered; copied first.
    pub(super) retirements: Vec<Retirement>,
}

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Choice {
    /// This file.
    Task(Task),
    /// The last file, once it is left.
    Tail(Task),
    /// A file was looked at that is not worth it after all; another may be.
    Another,
    /// Nothing is worth it.
    Nothing,
}

/// What is known of the files.
#[derive(Debug, Default)]
pub(super) struct Known {
    kept: BTreeMap<SegmentNumber, Kept>,
    /// Files that cannot be read where something still leads to: they stay.
    damaged: BTreeSet<SegmentNumber>,
    /// Files that the disk refused to read, which are left as well.
    refused: BTreeSet<SegmentNumber>,
}

impl Known {
    /// Leaves a file as it is from now on, where it, or a frame of it, cannot be
    /// read; whether that is what the error says.
    pub(super) fn leave(&mut self, number: SegmentNumber, error: &Error) -> bool {
        match error {
            Error::Corrupted { .. } => self.damaged.insert(number),
            // A disk that refuses to read is no damage.
            Error::Io { .. } => self.refused.insert(number),
            _ => return false,
        };
        tracing::warn!(%error, "a file that cannot be read is not compacted");
        true
    }

    /// Whether a file is left as it is.
    fn is_left(&self, number: SegmentNumber) -> bool {
        self.damaged.contains(&number) || self.refused.contains(&number)
    }

    /// Files that could not be read are tried again: what was damaged in them
    /// may be dead by now.
    pub(super) fn forget_damaged(&mut self) {
        self.damaged.clear();
        self.refused.clear();
    }

    /// A file is gone. Tombstones elsewhere that waited for it may go now.
    pub(super) fn is_gone(&mut self, number: SegmentNumber, was_oldest: bool) {
        self.kept.remove(&number);
        if was_oldest {
            self.kept.clear();
        }
    }

    /// Bytes of tombstones that wait for older files to go.
    fn waiting(&self) -> u64 {
        self.kept.values().map(|kept| kept.tombstones).sum()
    }
}

/// What files are weighed by.
#[derive(Debug)]
struct Scales {
    live: LiveFrames,
    /// Of a footer without entries.
    footer: u64,
    /// What has passed by then need not be copied.
    now: Timestamp,
}

impl Scales {
    fn new(index: &Index, footer: Option<&Footer>, now: Timestamp) -> Self {
        let (files, times) = footer.map_or((0, 0), |footer| {
            (footer.files.len() as u64, footer.retired.len() as u64)
        });
        Self {
            live: index.live_frames(),
            footer: 128 + files.saturating_mul(12) + times.saturating_mul(20),
            now,
        }
    }

    /// Bytes of a file that nothing needs, as far as is known.
    fn garbage(&self, file: SealedFile, known: &Known) -> u64 {
        let live = self.live.get(&file.number).map_or(0, |live| live.bytes);
        let kept = known.kept.get(&file.number);
        let kept = kept.map_or(0, |kept| kept.bytes(self.now));
        let needed = live.saturating_add(kept);
        let batches = needed / STEP_BYTES + 1;
        let footers = batches.saturating_mul(self.footer);
        file.end.saturating_sub(needed.saturating_add(footers))
    }
}

impl Engine {
    /// Bytes that compaction would give back.
    pub(in super::super) fn garbage_bytes(&self) -> crate::Result<u64> {
        let index = self.index.get()?;
        let checkpointer = self.checkpointer.lock();
        let footer = checkpointer.footer.as_ref().map(|(_, footer)| footer);
        let scales = Scales::new(&index, footer, self.now());
        let known = &checkpointer.compactor.known;
        let mut files = self.segments.sealed();
        files.push(self.segments.tail());
        let files = files.into_iter();
        Ok(files.map(|file| scales.garbage(file, known)).sum())
    }

    /// The file that is worth it most.
    pub(super) fn choose(
        &self,
        known: &mut Known,
        (index, footer): (&Index, &Footer),
        worth: Worth,
    ) -> Result<Choice, Setback> {
        let scales = Scales::new(index, Some(footer), self.now());
        let is_worth_it = |file: SealedFile, known: &Known| {
            worth.is_reached(scales.garbage(file, known), file.end)
        };
        let mut files = self.segments.sealed();
        // For one that stays tombstones wait in vain.
        let oldest = files.first().copied();
        let oldest = oldest.filter(|file| !known.is_left(file.number));
        files.retain(|file| !known.is_left(file.number));
        let total: u64 = files.iter().map(|file| file.end).sum();
        let share = |file: &SealedFile| {
            scales.garbage(*file, known).saturating_mul(1 << 20) / file.end.max(1)
        };
        files.retain(|file| is_worth_it(*file, known));
        let most = files.into_iter().max_by_key(share);
        // The file that is written to cannot be compacted; where it is worth
        // it, it is left.
        let tail = self.segments.tail();
        let last = Some(tail).filter(|_| !known.is_left(tail.number));
        if let Some(file) = most.or(last.filter(|file| is_worth_it(*file, known))) {
            let Ok(task) = self.look(known, file)? else {
                return Ok(Choice::Another);
            };
            return Ok(match is_worth_it(file, known) {
                true if file.number == tail.number => Choice::Tail(task),
                true => Choice::Task(task),
                false => Choice::Another,
            });
        }
        // Tombstones wait for the oldest files. To get rid of them may mean to
        // copy all that is older, so they have to be a part of it.
        let waiting = known.waiting();
        match oldest {
            Some(oldest) if waiting > oldest.end && worth.is_reached(waiting, total) => {
                let looked = self.look(known, oldest)?;
                Ok(looked.map_or_else(|_| Choice::Another, Choice::Task))
            }
            _ => Ok(Choice::Nothing),
        }
    }

    /// The last of some files, if it holds a dead frame; else it goes from the
    /// list. So does one that does not count any more.
    pub(super) fn choose_stained(
        &self,
        known: &mut Known,
        index: &Index,
        files: &mut Vec<SegmentNumber>,
    ) -> Result<Choice, Setback> {
        let Some(number) = files.last().copied() else {
            return Ok(Choice::Nothing);
        };
        let Some(file) = self.segments.counting(number) else {
            files.pop();
            return Ok(Choice::Another);
        };
        if !index.is_clean(number) {
            if known.damaged.contains(&number) {
                return Err(self.unreadable(number));
            }
            let task = match self.look(known, file)? {
                Ok(task) => task,
                Err(error @ Error::Io { .. }) => return Err(Setback::Error(error)),
                Err(_) => return Err(self.unreadable(number)),
            };
            let frames = task.left.iter().filter(|entry| entry.kind.has_row());
            if frames.count() as u64 != index.frames_in(number) {
                return Ok(if number == self.segments.tail().number {
                    Choice::Tail(task)
                } else {
                    Choice::Task(task)
                });
            }
            index.note_clean(number);
        }
        files.pop();
        Ok(Choice::Another)
    }

    fn unreadable(&self, number: SegmentNumber) -> Setback {
        let path = self.segments.path(number);
        let error = Error::corrupted(&path, 0, "what was removed from it cannot be erased");
        Setback::Error(error)
    }

    /// What lies in a file, and how much of it has to stay though no row leads
    /// to it; or why the file cannot be read.
    fn look(&self, known: &mut Known, file: SealedFile) -> Result<Result<Task, Error>, Setback> {
        let looked = self.segments.contents(file.number).and_then(|contents| {
            let Contents {
                entries: mut left,
                mut retirements,
            } = contents;
            let now = self.now();
            retirements.retain(|some| some.until > now);
            let mut kept = Kept {
                retirements: retirements
                    .iter()
                    .map(|some| (some.until, retirement_bytes(some)))
                    .collect(),
                ..Kept::default()
            };
            for entry in &left {
                let bytes = index::bytes_of(entry.location, key_bytes(&entry.identity));
                let is_tombstone =
                    matches!(entry.kind, Kind::SessionTombstone | Kind::PageTombstone);
                if is_tombstone && self.is_tombstone_needed(entry)? {
                    kept.tombstones = kept.tombstones.saturating_add(bytes);
                }
            }
            known.kept.insert(file.number, kept);
            left.reverse();
            Ok(Task {
                number: file.number,
                total: left.len(),
                buried: 0,
                left,
                retirements,
            })
        });
        match looked {
            Err(error) if known.leave(file.number, &error) => Ok(Err(error)),
            looked => Ok(Ok(looked?)),
        }
    }
}

/// What retirements take up in a footer.
pub(super) fn retirement_bytes(some: &Retirement) -> u64 {
    16 + 16 * some.digests.len() as u64
}

/// What of an entry depends on what it is about.
fn key_bytes(identity: &Identity) -> usize {
    match identity {
        Identity::Session(..) => 16,
        Identity::Page(_, _, lower) => lower.len().saturating_add(8),
    }
}
