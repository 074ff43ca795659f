//! Verify: every frame, every index row, every reference.
//!
//! Memory is bounded: the contents of one segment file, or of one journal file,
//! and so many generations at a time; but for what sled remembers of pages that
//! it has read.

use std::collections::BTreeSet;

use super::Engine;
use super::checkpoint::Checkpointer;
use super::examine::Examiner;
use super::lookup::Setback;
use super::meter::Meter;
use super::reentrance::Inside;
use crate::error::{Error, Result};
use crate::format::effect::Payload;
use crate::format::identity::{Batch, Generation, Sequence};
use crate::format::record::SessionRow;
use crate::index::{Index, Trouble};
use crate::journal::Found;
use crate::session_id::SessionDigest;

/// Session rows looked at together.
const ROWS: usize = 512;
/// Generations in memory at a time. Few in tests, which have few sessions.
const GENERATIONS: usize = if cfg!(test) { 10 } else { 1 << 20 };

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    /// Sessions in the segments.
    pub(crate) sessions: u64,
    /// Pages outside of images.
    pub(crate) pages: u64,
    /// Keys in the segments.
    pub(crate) keys: u64,
    /// Committed batches.
    pub(crate) batches: u64,
    /// Frames in committed batches.
    pub(crate) frames: u64,
    /// Frames of the journal that no batch has.
    pub(crate) journal_frames: u64,
    /// Pages of dead sessions that wait for the sweep.
    pub(crate) dead_pages: u64,
    /// Segment files that do not count.
    pub(crate) orphan_files: u64,
}

impl Engine {
    /// Checks everything that is in the segments, the index, and what of the
    /// journal is needed. Batches wait meanwhile, readers and writers do not.
    pub(crate) fn verify(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Counts> {
        let mut checkpointer = self.checkpointer.lock();
        self.finish_publishing(&mut checkpointer)?;
        let index = self.index.get()?;
        let mut counts = Counts::default();
        let mut guarded = |done, total| {
            // It would wait for the checkpointer that is held here.
            let _inside = Inside::enter(self);
            progress(done, total);
        };
        let bytes = self.segments.disk_bytes();
        let (journal_bytes, index_bytes) = (self.journal.disk_bytes(), index.disk_bytes());
        let total = bytes.saturating_mul(2).saturating_add(journal_bytes);
        let mut meter = Meter::new(total.saturating_add(index_bytes), &mut guarded);
        meter.begin(bytes);
        self.verify_files(&checkpointer, &mut counts, &mut meter)?;
        meter.begin(journal_bytes);
        counts.journal_frames = self.verify_journal(&checkpointer)?;
        meter.begin(index_bytes);
        let page_rows = self.verify_index(&checkpointer, &index)?;
        meter.begin(bytes);
        self.verify_sessions(&index, &mut counts, &mut meter)?;
        counts.dead_pages = page_rows.saturating_sub(counts.pages);
        counts.orphan_files = self.segments.orphans()?;
        meter.finish();
        Ok(counts)
    }

    fn index_damage(&self, trouble: &Trouble) -> Error {
        Error::corrupted(&self.index.path(), 0, trouble)
    }

    fn of_index(&self, setback: Setback) -> Error {
        match setback {
            Setback::Error(error) => error,
            Setback::Index(trouble) => self.index_damage(&trouble),
        }
    }

    /// Every frame that counts is what a footer says, and the last footer is
    /// the last batch.
    fn verify_files(
        &self,
        checkpointer: &Checkpointer,
        counts: &mut Counts,
        meter: &mut Meter<'_>,
    ) -> Result<()> {
        let mut last = None;
        self.segments.scan_files(&mut |footers, done, total| {
            for (location, footer) in footers {
                counts.batches += u64::from(footer.ends_batch);
                for entry in &footer.entries {
                    self.segments.check_frame(entry.location, entry.kind)?;
                    counts.frames += 1;
                }
                last = Some((location, footer.without_contents()));
            }
            meter.set(done, total);
            Ok(())
        })?;
        if last == checkpointer.footer {
            return Ok(());
        }
        Err(self.index_damage(&Trouble::new("the last batch is not the last footer")))
    }

    /// Every frame that an open would need is there; returns how many.
    fn verify_journal(&self, checkpointer: &Checkpointer) -> Result<u64> {
        let footer = checkpointer.footer.as_ref();
        let (after, batch) = footer.map_or((Sequence(0), Batch(0)), |(_, footer)| {
            (footer.journal_through, footer.batch)
        });
        // Behind this one others write.
        let through = self.journal.position().sequence;
        self.journal.wait(through)?;
        let mut frames = 0;
        self.journal
            .salvage()?
            .walk(after, batch, &mut |_, found| {
                match found {
                    // Others say what became of the files.
                    Found::Frame(sequence, Payload::Transaction(_)) if sequence <= through => {
                        frames += 1;
                    }
                    Found::Gap(gap) if gap.missing <= through => return Err(gap.error()),
                    Found::Frame(..) | Found::Gap(_) => {}
                }
                Ok(())
            })?;
        Ok(frames)
    }

    /// The rows hang together, and are those that the last footer sums up;
    /// returns how many rows of pages there are.
    fn verify_index(&self, checkpointer: &Checkpointer, index: &Index) -> Result<u64> {
        let timeouts = self.options.timeouts;
        let summary = index
            .check(
                self.now(),
                |record| timeouts.has_hint(record),
                |location| self.segments.counts(location),
            )
            .map_err(|trouble| self.index_damage(&trouble))?;
        // Timeouts that have changed may not be made good yet.
        let noted = index.hints_are_for();
        let are_set = noted.is_ok_and(|noted| noted == Some(timeouts.encode()));
        let wrong = if summary.hash != checkpointer.index_hash {
            "its hash is not the footer's"
        } else if !summary.orphans.is_empty() {
            "it has pages of no session"
        } else if !checkpointer.retired.are_in(&summary.retired) {
            "a retired ID is missing"
        } else if !summary.derived_match {
            "hints or owners do not follow from the sessions"
        } else if !summary.hints_hold && are_set {
            "a session has no hint in time"
        } else {
            return Ok(summary.pages);
        };
        Err(self.index_damage(&Trouble::new(wrong)))
    }

    /// Every session is what its image and its pages say, and no two have the
    /// same keys.
    fn verify_sessions(
        &self,
        index: &Index,
        counts: &mut Counts,
        meter: &mut Meter<'_>,
    ) -> Result<()> {
        let segments = &*self.segments;
        let examiner = Examiner { index, segments };
        let mut known = Generations::default();
        self.each_session(index, meter, &mut |digest, row| {
            counts.sessions += 1;
            self.check_owner(known.add(row.generation()))?;
            let found = examiner.session(digest, row, &mut |_| Ok(()));
            let found = found.map_err(|setback| self.of_index(setback))?;
            counts.keys = counts.keys.saturating_add(found.keys);
            counts.pages = counts.pages.saturating_add(found.pages);
            Ok(())
        })?;
        while known.go_on() {
            self.each_session(index, meter, &mut |_, row| {
                self.check_owner(known.add(row.generation()))
            })?;
        }
        Ok(())
    }

    /// Looks at the rows of all sessions. Only the first look moves the meter,
    /// which does not go back.
    fn each_session(
        &self,
        index: &Index,
        meter: &mut Meter<'_>,
        look: &mut dyn FnMut(SessionDigest, &SessionRow) -> Result<()>,
    ) -> Result<()> {
        let mut after = None;
        loop {
            let rows = index.sessions_after(after, ROWS);
            let rows = rows.map_err(|trouble| self.index_damage(&trouble))?;
            let Some((last, _)) = rows.last() else {
                return Ok(());
            };
            after = Some(*last);
            for (digest, row) in &rows {
                look(*digest, row)?;
            }
            meter.pass(*last);
        }
    }

    fn check_owner(&self, is_new: bool) -> Result<()> {
        if is_new {
            return Ok(());
        }
        Err(self.index_damage(&Trouble::new("two sessions share a generation")))
    }
}

/// The lowest generations above some, of which none may come twice. What does
/// not fit is for another look at all of them.
#[derive(Debug, Default)]
struct Generations {
    /// Those up to this one have been looked at.
    above: Option<Generation>,
    lowest: BTreeSet<Generation>,
    /// Whether some did not fit.
    are_more: bool,
}

impl Generations {
    /// One more; false if it was there before.
    fn add(&mut self, generation: Generation) -> bool {
        if self.above.is_some_and(|above| generation <= above) {
            return true;
        }
        let is_new = self.lowest.insert(generation);
        if self.lowest.len() > GENERATIONS {
            self.lowest.pop_last();
            self.are_more = true;
        }
        is_new
    }

    /// Whether there are some to look at, above those that are known.
    fn go_on(&mut self) -> bool {
        self.above = self.lowest.pop_last().max(self.above);
        self.lowest.clear();
        std::mem::take(&mut self.are_more)
    }
}

#[cfg(test)]
mod tests;
