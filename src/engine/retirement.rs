//! IDs that are dead, and for how long that is remembered.
//!
//! An ID dies with its session or when the session gets another one. In
//! memory the registry knows it, until a batch has its retirement: a frame in
//! the segments, a row in the index, and its share in the sums of the footer,
//! by which an open finds out whether the index has lost one. What has passed
//! is in no sum, so it can go from the index at any time.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::Engine;
use super::cell::Life;
use super::options::Durability;
use super::registry::Resident;
use crate::error::Result;
use crate::format::identity::Timestamp;
use crate::format::retired_rows::{RetiredId, retired_hash};
use crate::format::segment_frame::{Footer, RetiredSum};
use crate::index::{Index, Outcome, Remembered};
use crate::session_id::SessionDigest;

/// Into how many steps the time of remembering is divided. The IDs that die
/// within one step are forgotten together, so that there is a sum for each
/// step and not for each ID.
const STEPS: u32 = 8;

/// The sums of the hashes of all retired IDs' rows, by time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RetiredSums(BTreeMap<Timestamp, u64>);

impl RetiredSums {
    /// As of a footer.
    pub(super) fn of(footer: Option<&Footer>) -> Self {
        let sums = footer.map_or(&[][..], |footer| &footer.retired);
        Self(sums.iter().map(|sum| (sum.until, sum.hash)).collect())
    }

    /// For a footer.
    pub(super) fn list(&self) -> Vec<RetiredSum> {
        let sums = self.0.iter();
        sums.map(|(until, hash)| RetiredSum {
            until: *until,
            hash: *hash,
        })
        .collect()
    }

    /// More IDs are retired than the index holds. Each counts once for its time,
    /// as it does in the index, whatever else has the same short digest.
    pub(super) fn extend(&mut self, mut ids: Vec<RetiredId>, index: &Index) -> Outcome<()> {
        ids.sort_unstable();
        ids.dedup();
        for (until, _) in &ids {
            self.begin(*until, index)?;
        }
        for id in index.not_yet_retired(&ids)? {
            self.add(id);
        }
        Ok(())
    }

    /// Begins the sum of a time with what the index holds of it already: rows
    /// that are left from before the clock went back.
    fn begin(&mut self, until: Timestamp, index: &Index) -> Outcome<()> {
        if let Entry::Vacant(sum) = self.0.entry(until) {
            sum.insert(index.sum_retired_until(until)?);
        }
        Ok(())
    }

    /// One more ID is retired, which was not counted before.
    pub(super) fn add(&mut self, id: RetiredId) {
        let sum = self.0.entry(id.0).or_default();
        *sum = sum.wrapping_add(retired_hash(id));
    }

    /// Whether an ID that is retired until then is counted.
    pub(super) fn holds(&self, until: Timestamp) -> bool {
        self.0.contains_key(&until)
    }

    /// Leaves out what has passed.
    pub(super) fn forget_passed(&mut self, now: Timestamp) {
        self.0.retain(|until, _| *until > now);
    }

    /// Whether the index holds what it has to. Times that are in no sum may
    /// still have rows, where the clock went back behind what had passed.
    pub(super) fn are_in(&self, index: &Remembered) -> bool {
        let mut expected = self.0.iter().filter(|(until, _)| **until > index.after);
        expected.all(|(until, hash)| index.sums.get(until) == Some(hash))
    }
}

impl Engine {
    /// Until when an ID that dies now is remembered.
    pub(super) fn retire_until(&self, now: Timestamp) -> Timestamp {
        let period = self.options.retire_period();
        let step = u64::try_from((period / STEPS).as_nanos()).unwrap_or(u64::MAX);
        let until = now.plus(period);
        let steps = until.0.div_ceil(step.max(1));
        Timestamp(steps.saturating_mul(step.max(1)))
    }

    /// Whether an ID is known to be dead.
    pub(crate) fn is_retired(&self, digest: SessionDigest, durability: Durability) -> Result<bool> {
        self.check()?;
        let now = self.now();
        match self.registry.look(digest) {
            Some(Resident::Hidden(sequence, _)) => {
                self.observe(sequence, durability)?;
                return Ok(true);
            }
            Some(Resident::Cell(cell)) => {
                let state = cell.state.read();
                let answer = match state.life {
                    _ if state.digest != digest => Some(true),
                    Life::Gone => Some(true),
                    Life::Live => Some(self.is_expired(&state, now)),
                    Life::Damaged => Some(false),
                    Life::Unloaded | Life::Absent | Life::Unborn => None,
                };
                drop(state);
                if let Some(answer) = answer {
                    self.observe(cell.last(), durability)?;
                    return Ok(answer);
                }
            }
            None => {}
        }
        self.with_index(|| {
            let index = self.index.get()?;
            // The purge's retirement is there before the session's row goes.
            let row = index.session(&digest)?;
            let is_over = row.is_some_and(|row| self.is_row_expired(&row, now));
            Ok(is_over || index.is_retired(digest, now)?)
        })
    }
}

#[cfg(test)]
mod tests;
