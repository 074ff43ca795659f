//! Verify: every frame, every index row, every reference.

use std::collections::HashMap;

use super::Engine;
use super::lookup::Setback;
use super::reentrance::Inside;
use crate::error::{Error, Result};
use crate::format::identity::Generation;
use crate::format::record::{RowContent, SessionRecord, SessionRow};
use crate::index::Trouble;
use crate::session_id::SessionDigest;

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
}

impl Engine {
    /// Checks everything that is in the segments and the index. Batches wait
    /// meanwhile, readers and writers do not.
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
        let footers = self.segments.scan(&mut guarded)?;
        let last = footers.last().cloned();
        let last = last.map(|(location, footer)| (location, footer.without_contents()));
        if last != checkpointer.footer {
            return Err(self.index_damage(&Trouble::new("the last batch is not the last footer")));
        }
        for (_, footer) in &footers {
            counts.batches += u64::from(footer.ends_batch);
            for entry in &footer.entries {
                self.segments.check_frame(entry.location, entry.kind)?;
                counts.frames += 1;
            }
        }
        let timeouts = self.options.timeouts;
        let now = self.now();
        let summary = index
            .check(
                now,
                |record| timeouts.has_hint(record),
                |location| self.segments.counts(location),
            )
            .map_err(|trouble| self.index_damage(&trouble))?;
        if summary.hash != checkpointer.index_hash {
            return Err(self.index_damage(&Trouble::new("its hash is not the footer's")));
        }
        if !summary.orphans.is_empty() {
            return Err(self.index_damage(&Trouble::new("it has pages of no session")));
        }
        if !checkpointer.retired.are_in(&summary.retired) {
            return Err(self.index_damage(&Trouble::new("a retired ID is missing")));
        }
        if !summary.derived_match {
            let reason = "hints or owners do not follow from the sessions";
            return Err(self.index_damage(&Trouble::new(reason)));
        }
        // Timeouts that have changed may not be made good yet.
        let noted = index.hints_are_for();
        let are_set = noted.is_ok_and(|noted| noted == Some(timeouts.encode()));
        if !summary.hints_hold && are_set {
            return Err(self.index_damage(&Trouble::new("a session has no hint in time")));
        }
        let mut after = None;
        let mut owners = HashMap::new();
        loop {
            let rows = index
                .sessions_after(after, 512)
                .map_err(|trouble| self.index_damage(&trouble))?;
            let Some((last, _)) = rows.last() else { break };
            after = Some(*last);
            for (digest, row) in &rows {
                counts.sessions += 1;
                if owners.insert(row.generation(), *digest).is_some() {
                    let trouble = Trouble::new("two sessions share a generation");
                    return Err(self.index_damage(&trouble));
                }
                self.verify_session(*digest, row, &mut counts).map_err(
                    |setback| match setback {
                        Setback::Error(error) => error,
                        Setback::Index(trouble) => self.index_damage(&trouble),
                    },
                )?;
            }
        }
        Ok(counts)
    }

    fn index_damage(&self, trouble: &Trouble) -> Error {
        Error::corrupted(&self.index.path(), 0, trouble)
    }

    /// The image is what the row says, the pages tile, the counts are right.
    fn verify_session(
        &self,
        digest: SessionDigest,
        row: &SessionRow,
        counts: &mut Counts,
    ) -> Result<(), Setback> {
        let RowContent::Whole { table, record } = &row.content else {
            return Err(Setback::Error(Error::corrupted(
                &self.segments.path(row.location.segment),
                row.location.offset.into(),
                format_args!("session {digest} is damaged; flush or destroy it"),
            )));
        };
        let (head, page) = self.segments.read_image(row.location)?;
        let bare = SessionRecord {
            hint_at: None,
            ..record.clone()
        };
        let is_it = head.digest == digest && head.sequence == row.sequence;
        if !is_it || head.record != bare || head.table != *table {
            return Err(Trouble::new("a session's row is not its image").into());
        }
        let mut keys = page.len() as u64;
        let mut fence = head.upper.clone();
        let mut from = String::new();
        loop {
            let pages = self.index.get()?.pages(record.generation, &from, 256)?;
            let Some((last, _)) = pages.last() else { break };
            from = [last, "\0"].concat();
            for (lower, row) in &pages {
                keys += self.verify_page(record.generation, &mut fence, lower, row)?;
                counts.pages += 1;
            }
        }
        if fence.is_some() {
            return Err(Trouble::new("a session's last page is missing").into());
        }
        if keys != record.keys {
            return Err(Trouble::new("a session's count of keys is wrong").into());
        }
        counts.keys += keys;
        Ok(())
    }

    fn verify_page(
        &self,
        generation: Generation,
        fence: &mut Option<Box<str>>,
        lower: &str,
        row: &crate::format::record::PageRow,
    ) -> Result<u64, Setback> {
        let (head, page) = self.segments.read_page(row.location)?;
        let tiles = fence.as_deref() == Some(lower);
        if !tiles
            || head.generation != generation
            || &*head.lower != lower
            || head.number != row.number
            || head.sequence != row.sequence
        {
            return Err(Trouble::new("a session's pages do not tile").into());
        }
        *fence = head.upper;
        Ok(page.len() as u64)
    }
}

#[cfg(test)]
mod tests;
