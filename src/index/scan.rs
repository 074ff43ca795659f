//! Looking at all rows: the check at open, lists, verify.

use std::collections::{HashMap, HashSet};

use super::derived::DerivedSums;
use super::guard::{Outcome, Trouble};
use super::retired::Remembered;
use super::rows::{Index, undecodable};
use crate::format::identity::{Generation, Timestamp};
use crate::format::record::{PageRow, RowContent, SessionRecord, SessionRow, split_page_key};
use crate::session_id::SessionDigest;

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
    /// Whether the hints and the owners are those that follow from the
    /// sessions.
    pub(crate) derived_match: bool,
    /// Whether each session's hint is as early as it has to be.
    pub(crate) hints_hold: bool,
}

impl Index {
    /// Whether every session's pages are what its row says; and the sums.
    /// `has_hint` tells whether a session's hint is as early as it has to be.
    pub(crate) fn check(
        &self,
        now: Timestamp,
        has_hint: impl Fn(&SessionRecord) -> bool,
    ) -> Outcome<Summary> {
        let mut summary = Summary {
            retired: self.sum_retired(now)?,
            hints_hold: true,
            ..Summary::default()
        };
        let mut derived = DerivedSums::default();
        let mut found = self.sum_pages(&mut summary)?;
        let mut after = None;
        loop {
            let rows = self.sessions_after(after, 1024)?;
            let Some((last, _)) = rows.last() else { break };
            after = Some(*last);
            for (digest, row) in &rows {
                let hash = row.hash(*digest).map_err(Trouble::new)?;
                summary.hash = summary.hash.wrapping_add(hash);
                summary.sessions = summary.sessions.saturating_add(1);
                derived.add(*digest, row);
                let sums = found.remove(&row.generation()).unwrap_or_default();
                let RowContent::Whole { table, record } = &row.content else {
                    continue;
                };
                if sums != (table.pages, table.hash) {
                    return Err(Trouble::new(
                        "a session's page rows are not what its row says",
                    ));
                }
                summary.hints_hold &= has_hint(record);
            }
        }
        let dead: HashSet<Generation> = self.dead_generations(usize::MAX)?.into_iter().collect();
        let orphans = found
            .into_keys()
            .filter(|generation| !dead.contains(generation));
        summary.orphans = orphans.collect();
        summary.derived_match = self.derived_rows_are(derived)?;
        Ok(summary)
    }

    fn sum_pages(&self, summary: &mut Summary) -> Outcome<HashMap<Generation, (u32, u64)>> {
        let mut sums: HashMap<Generation, (u32, u64)> = HashMap::new();
        let mut rows = self.pages.iter();
        while let Some((key, row)) = self.guard.run(|| rows.next().transpose())? {
            let (generation, _) = split_page_key(&key).ok_or_else(undecodable)?;
            let row = PageRow::decode(&row).map_err(Trouble::new)?;
            let hash = row.hash(&key).map_err(Trouble::new)?;
            let sum = sums.entry(generation).or_default();
            *sum = (sum.0.saturating_add(1), sum.1.wrapping_add(hash));
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
