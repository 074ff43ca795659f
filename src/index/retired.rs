//! IDs that must not come alive again, by the time until when that holds.

use std::collections::BTreeMap;

use super::guard::Outcome;
use super::rows::{Index, undecodable};
use crate::format::derived_rows::{key_hash, split_timed_key, timed_key};
use crate::format::identity::Timestamp;
use crate::session_id::SessionDigest;

const FIRST: SessionDigest = SessionDigest::from_bytes([0; 16]);
const LAST: SessionDigest = SessionDigest::from_bytes([0xff; 16]);

/// The retired IDs that the index holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Remembered {
    /// Those until then may be missing.
    pub(crate) after: Timestamp,
    /// The sums of the hashes of the others' rows, by time.
    pub(crate) sums: BTreeMap<Timestamp, u64>,
}

impl Index {
    /// Remembers that an ID must not come alive again before a time.
    pub(crate) fn retire(&self, digest: SessionDigest, until: Timestamp) -> Outcome<()> {
        self.insert(&self.retired, &timed_key(until, digest), Vec::new())
    }

    /// What damage may do to a retirement.
    #[cfg(test)]
    pub(crate) fn forget_retired(&self, digest: SessionDigest, until: Timestamp) -> Outcome<()> {
        self.remove(&self.retired, &timed_key(until, digest))
    }

    /// Whether an ID must not come alive again at `now`. Steps from time to
    /// time: there are few different ones, see `retirement`.
    pub(crate) fn is_retired(&self, digest: SessionDigest, now: Timestamp) -> Outcome<bool> {
        let mut passed = now;
        while let Some(until) = self.first_retired_after(passed)? {
            let row = self.get(&self.retired, &timed_key(until, digest))?;
            if row.is_some() {
                return Ok(true);
            }
            passed = until;
        }
        Ok(false)
    }

    /// The first time after `passed` until which any ID is retired.
    fn first_retired_after(&self, passed: Timestamp) -> Outcome<Option<Timestamp>> {
        let Some(next) = passed.0.checked_add(1) else {
            return Ok(None);
        };
        let start = timed_key(Timestamp(next), FIRST);
        let mut rows = self.retired.range(start..).keys();
        let Some(key) = self.guard.run(|| rows.next().transpose())? else {
            return Ok(None);
        };
        let (until, _) = split_timed_key(&key).ok_or_else(undecodable)?;
        Ok(Some(until))
    }

    /// What there is of IDs that count after `now`.
    pub(crate) fn sum_retired(&self, now: Timestamp) -> Outcome<Remembered> {
        // The clock may have gone back since.
        let after = self.forgotten_through()?.max(now);
        let mut sums: BTreeMap<Timestamp, u64> = BTreeMap::new();
        let mut rows = self.retired.range(timed_key(after, LAST)..).keys();
        while let Some(key) = self.guard.run(|| rows.next().transpose())? {
            let (until, _) = split_timed_key(&key).ok_or_else(undecodable)?;
            if until > after {
                let sum = sums.entry(until).or_default();
                *sum = sum.wrapping_add(key_hash(&key));
            }
        }
        Ok(Remembered { after, sums })
    }

    /// The sum of the hashes of the rows of one time.
    pub(crate) fn sum_retired_until(&self, until: Timestamp) -> Outcome<u64> {
        let mut sum = 0_u64;
        let mut rows = self.retired.scan_prefix(until.0.to_be_bytes()).keys();
        while let Some(key) = self.guard.run(|| rows.next().transpose())? {
            sum = sum.wrapping_add(key_hash(&key));
        }
        Ok(sum)
    }

    /// Removes some rows whose time has passed; returns how many.
    pub(crate) fn forget_passed(&self, now: Timestamp, limit: usize) -> Outcome<usize> {
        let keys = self.guard.run(|| {
            self.retired
                .range(..=timed_key(now, LAST))
                .keys()
                .take(limit)
                .collect::<sled::Result<Vec<_>>>()
        })?;
        if !keys.is_empty() {
            self.set_forgotten_through(self.forgotten_through()?.max(now))?;
        }
        for key in &keys {
            self.remove(&self.retired, key)?;
        }
        Ok(keys.len())
    }
}
