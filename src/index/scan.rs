//! Looking at all rows: the check at open, lists, verify.

use std::collections::HashMap;

use super::derived::OwnerSum;
use super::guard::{Outcome, Trouble};
use super::hints::{Wanted, hint_of};
use super::live::{self, LiveFrames};
use super::retired::Remembered;
use super::rows::{DIGEST_BYTES, Index, undecodable};
use crate::format::identity::{Generation, Location, Timestamp};
use crate::format::record::{
    PageRow, RowContent, SessionRecord, SessionRow, page_key, split_page_key,
};
use crate::session_id::SessionDigest;

/// Session rows whose hints are looked for together, about: some 16 MiB of
/// hashes. Few in tests, which have few sessions.
const CHECKED_TOGETHER: usize = if cfg!(test) { 100 } else { 1_000_000 };
/// Generations whose pages are summed up together: some 48 MiB. For more of
/// them all sessions are looked at again.
const SUMMED_TOGETHER: usize = if cfg!(test) { 3 } else { 1_000_000 };
/// Rows read together where all are looked at.
const CHUNK: usize = if cfg!(test) { 30 } else { 1024 };

/// What the check found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Summary {
    /// Wrapping sum of the hashes of all session rows.
    pub(crate) hash: u64,
    /// Session rows.
    pub(crate) sessions: u64,
    /// Page rows.
    pub(crate) pages: u64,
    /// Generations with pages that no session and no grave knows.
    pub(crate) orphans: Vec<Generation>,
    /// The retired IDs.
    pub(crate) retired: Remembered,
    /// Whether every session is in its group of hints, and the owners are
    /// those that follow from the sessions.
    pub(crate) derived_match: bool,
    /// Whether each session's hint is as early as it has to be.
    pub(crate) hints_hold: bool,
    /// Bytes of the frames that rows lead to and of their entries, by file.
    pub(crate) live: LiveFrames,
}

/// What there is of a generation's page rows.
#[derive(Debug, Default)]
struct PageSums {
    pages: u32,
    hash: u64,
    /// Whether any of them leads to where nothing is any more.
    misplaced: bool,
}

/// The page rows of some generations.
#[derive(Debug, Default)]
struct PageChunk {
    sums: HashMap<Generation, PageSums>,
    /// Those behind this one,
    after: Option<Generation>,
    /// up to this one; to the last without it.
    through: Option<Generation>,
}

impl PageChunk {
    fn covers(&self, generation: Generation) -> bool {
        let is_behind = self.after.is_none_or(|after| generation > after);
        is_behind && self.through.is_none_or(|through| generation <= through)
    }

    /// Whether a session's pages are what its row says, if they are here.
    fn compare(&mut self, row: &SessionRow) -> Outcome<()> {
        if !self.covers(row.generation()) {
            return Ok(());
        }
        let sums = self.sums.remove(&row.generation()).unwrap_or_default();
        let RowContent::Whole { table, .. } = &row.content else {
            return Ok(());
        };
        if sums.misplaced {
            return Err(Trouble::new(
                "a page's row leads to where nothing is any more",
            ));
        }
        if (sums.pages, sums.hash) != (table.pages, table.hash) {
            return Err(Trouble::new(
                "a session's page rows are not what its row says",
            ));
        }
        Ok(())
    }
}

impl Index {
    /// Whether every session's pages are what its row says; and the sums.
    /// `has_hint` tells whether a session's hint is as early as it has to be,
    /// `counts` whether anything that counts can be at a place.
    pub(crate) fn check(
        &self,
        now: Timestamp,
        has_hint: impl Fn(&SessionRecord) -> bool,
        counts: impl Fn(Location) -> bool,
    ) -> Outcome<Summary> {
        let mut summary = Summary {
            retired: self.sum_retired(now)?,
            hints_hold: true,
            ..Summary::default()
        };
        let mut owners = OwnerSum::default();
        let mut are_hinted = true;
        let mut chunk = self.sum_pages(None, &mut summary, &counts)?;
        self.look_for_deadlines();
        let mut after = None;
        loop {
            let mut wanted = Wanted::default();
            after = self.each_session(after, |digest, row| {
                let hash = row.hash(digest).map_err(Trouble::new)?;
                summary.hash = summary.hash.wrapping_add(hash);
                summary.sessions = summary.sessions.saturating_add(1);
                owners.add(digest, row);
                wanted.add(hint_of(digest, row));
                live::add(&mut summary.live, row.location, DIGEST_BYTES);
                self.note_deadline(row);
                if !counts(row.location) {
                    return Err(Trouble::new("a row leads to where nothing is any more"));
                }
                chunk.compare(row)?;
                if let RowContent::Whole { record, .. } = &row.content {
                    summary.hints_hold &= has_hint(record);
                }
                Ok(())
            })?;
            // Also where there are no sessions: the rows have to decode.
            are_hinted &= self.strike_found(&mut wanted)? && wanted.is_empty();
            if after.is_none() {
                break;
            }
        }
        self.know_first_deadline();
        self.add_orphans(std::mem::take(&mut chunk.sums), &mut summary)?;
        while let Some(through) = chunk.through {
            chunk = self.sum_pages(Some(through), &mut summary, &counts)?;
            self.compare_all(&mut chunk)?;
            self.add_orphans(std::mem::take(&mut chunk.sums), &mut summary)?;
        }
        summary.derived_match = are_hinted && self.sum_owners()? == owners;
        self.live.set(summary.live.clone());
        self.count.set(self.count_rows(&summary, &owners)?);
        Ok(summary)
    }

    /// The rows that there are; those of the large trees have been counted.
    fn count_rows(&self, summary: &Summary, owners: &OwnerSum) -> Outcome<u64> {
        let small = [&self.expiry, &self.retired, &self.dead];
        let lengths = small.iter().map(|tree| tree.len() as u64);
        let small: u64 = self.guard.run(|| Ok(lengths.sum()))?;
        let large = summary.sessions.saturating_add(summary.pages);
        Ok(large.saturating_add(owners.rows).saturating_add(small))
    }

    /// Looks at some sessions, those behind `after`; returns the last of them,
    /// if there may be more behind it.
    pub(super) fn each_session(
        &self,
        after: Option<SessionDigest>,
        mut look: impl FnMut(SessionDigest, &SessionRow) -> Outcome<()>,
    ) -> Outcome<Option<SessionDigest>> {
        let mut seen = 0_usize;
        let mut last = after;
        while seen < CHECKED_TOGETHER {
            let rows = self.sessions_after(last, CHUNK)?;
            for (digest, row) in &rows {
                look(*digest, row)?;
                last = Some(*digest);
            }
            seen = seen.saturating_add(rows.len());
            if rows.len() < CHUNK {
                return Ok(None);
            }
        }
        Ok(last)
    }

    /// Looks at all sessions for those whose pages are in a chunk.
    fn compare_all(&self, chunk: &mut PageChunk) -> Outcome<()> {
        let mut after = None;
        loop {
            after = self.each_session(after, |_, row| chunk.compare(row))?;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// What no session has, and no grave, is of nobody.
    fn add_orphans(
        &self,
        left: HashMap<Generation, PageSums>,
        summary: &mut Summary,
    ) -> Outcome<()> {
        for generation in left.into_keys() {
            if !self.is_buried(generation)? {
                summary.orphans.push(generation);
            }
        }
        Ok(())
    }

    fn sum_pages(
        &self,
        after: Option<Generation>,
        summary: &mut Summary,
        counts: impl Fn(Location) -> bool,
    ) -> Outcome<PageChunk> {
        let mut chunk = PageChunk {
            after,
            ..PageChunk::default()
        };
        let start = after.map_or(Generation(0), Generation::next);
        let mut rows = self.pages.range(page_key(start, "")..);
        let mut last = None;
        while let Some((key, row)) = self.guard.run(|| rows.next().transpose())? {
            let (generation, _) = split_page_key(&key).ok_or_else(undecodable)?;
            let is_next = last.replace(generation) != Some(generation);
            if is_next && chunk.sums.len() >= SUMMED_TOGETHER {
                chunk.through = Some(Generation(generation.0.saturating_sub(1)));
                break;
            }
            let row = PageRow::decode(&row).map_err(Trouble::new)?;
            let hash = row.hash(&key).map_err(Trouble::new)?;
            let sum = chunk.sums.entry(generation).or_default();
            sum.pages = sum.pages.saturating_add(1);
            sum.hash = sum.hash.wrapping_add(hash);
            // Compaction does not wait for the sweep of what is dead.
            sum.misplaced |= !counts(row.location);
            live::add(&mut summary.live, row.location, key.len());
            summary.pages = summary.pages.saturating_add(1);
        }
        Ok(chunk)
    }

    /// Some digests of sessions in order, those behind `after`.
    pub(crate) fn digests_after(
        &self,
        after: Option<SessionDigest>,
        limit: usize,
    ) -> Outcome<Vec<SessionDigest>> {
        use std::ops::Bound;
        let start = after.map_or(Bound::Unbounded, |digest| {
            Bound::Excluded(digest.to_bytes())
        });
        let keys = self.guard.run(|| {
            self.sessions
                .range::<[u8; 16], _>((start, Bound::Unbounded))
                .keys()
                .take(limit)
                .collect::<sled::Result<Vec<_>>>()
        })?;
        keys.iter()
            .map(|key| key.as_ref().try_into().map(SessionDigest::from_bytes))
            .map(|digest| digest.map_err(|_| undecodable()))
            .collect()
    }

    /// Some session rows in order, those behind `after`.
    pub(crate) fn sessions_after(
        &self,
        after: Option<SessionDigest>,
        limit: usize,
    ) -> Outcome<Vec<(SessionDigest, SessionRow)>> {
        use std::ops::Bound;
        let start = after.map_or(Bound::Unbounded, |digest| {
            Bound::Excluded(digest.to_bytes().to_vec())
        });
        let rows = self.guard.run(|| {
            self.sessions
                .range::<Vec<u8>, _>((start, Bound::Unbounded))
                .take(limit)
                .collect::<sled::Result<Vec<_>>>()
        })?;
        let mut sessions = Vec::with_capacity(rows.len());
        for (key, row) in rows {
            let digest = key.as_ref().try_into().map_err(|_| undecodable())?;
            let row = SessionRow::decode(&row).map_err(Trouble::new)?;
            sessions.push((SessionDigest::from_bytes(digest), row));
        }
        Ok(sessions)
    }
}
