//! Looking at all rows: the check at open, lists, verify.

use std::collections::{HashMap, HashSet};

use super::derived::OwnerSum;
use super::guard::{Outcome, Trouble};
use super::hints::{Wanted, hint_of};
use super::live::{self, LiveFrames};
use super::retired::Remembered;
use super::rows::{DIGEST_BYTES, Index, undecodable};
use crate::format::identity::{Generation, Location, Timestamp};
use crate::format::record::{PageRow, RowContent, SessionRecord, SessionRow, split_page_key};
use crate::session_id::SessionDigest;

/// Session rows whose hints are looked for together, about: some 16 MiB of
/// hashes. Few in tests, which have few sessions.
const CHECKED_TOGETHER: usize = if cfg!(test) { 100 } else { 1_000_000 };
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
        let mut found = self.sum_pages(&mut summary, &counts)?;
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
                let sums = found.remove(&row.generation()).unwrap_or_default();
                let RowContent::Whole { table, record } = &row.content else {
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
                summary.hints_hold &= has_hint(record);
                Ok(())
            })?;
            // Also where there are no sessions: the rows have to decode.
            are_hinted &= self.strike_found(&mut wanted)? && wanted.is_empty();
            if after.is_none() {
                break;
            }
        }
        self.know_first_deadline();
        let dead: HashSet<Generation> = self.dead_generations(usize::MAX)?.into_iter().collect();
        let orphans = found
            .into_keys()
            .filter(|generation| !dead.contains(generation));
        summary.orphans = orphans.collect();
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

    fn sum_pages(
        &self,
        summary: &mut Summary,
        counts: impl Fn(Location) -> bool,
    ) -> Outcome<HashMap<Generation, PageSums>> {
        let mut sums: HashMap<Generation, PageSums> = HashMap::new();
        let mut rows = self.pages.iter();
        while let Some((key, row)) = self.guard.run(|| rows.next().transpose())? {
            let (generation, _) = split_page_key(&key).ok_or_else(undecodable)?;
            let row = PageRow::decode(&row).map_err(Trouble::new)?;
            let hash = row.hash(&key).map_err(Trouble::new)?;
            let sum = sums.entry(generation).or_default();
            sum.pages = sum.pages.saturating_add(1);
            sum.hash = sum.hash.wrapping_add(hash);
            // Compaction does not wait for the sweep of what is dead.
            sum.misplaced |= !counts(row.location);
            live::add(&mut summary.live, row.location, key.len());
            summary.pages = summary.pages.saturating_add(1);
        }
        Ok(sums)
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
