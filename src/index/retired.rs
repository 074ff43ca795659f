//! IDs that must not come alive again, by the time until when that holds.
//!
//! A row holds some of the IDs of one time: those from its key's digest on up to
//! that of the next row, as a page does. INVARIANT: each time's first row begins
//! with the lowest digest there can be, so that every ID has a row to look at.
//! A full row is cut, the higher pieces first: what a crash leaves twice counts
//! in the higher row only.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};

use super::guard::Outcome;
use super::rows::{Index, undecodable};
use crate::format::derived_rows::{
    decode_members, encode_members, key_hash, split_timed_key, timed_key,
};
use crate::format::identity::Timestamp;
use crate::session_id::SessionDigest;

const FIRST: SessionDigest = SessionDigest::from_bytes([0; 16]);
const LAST: SessionDigest = SessionDigest::from_bytes([0xff; 16]);

/// IDs in a row, at most: each one that is added writes the row again.
const MEMBERS: usize = 32;

/// The retired IDs that the index holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Remembered {
    /// Those until then may be missing.
    pub(crate) after: Timestamp,
    /// The sums of the hashes of the others, by time.
    pub(crate) sums: BTreeMap<Timestamp, u64>,
}

/// A row, and where the next one of its time begins.
#[derive(Debug)]
struct Part {
    until: Timestamp,
    lower: SessionDigest,
    upper: Option<SessionDigest>,
    members: Vec<SessionDigest>,
}

impl Part {
    fn decode(key: &[u8], row: &[u8]) -> Outcome<Self> {
        let (until, lower) = split_timed_key(key).ok_or_else(undecodable)?;
        Ok(Self {
            until,
            lower,
            upper: None,
            members: decode_members(row).ok_or_else(undecodable)?,
        })
    }

    fn covers(&self, until: Timestamp, digest: SessionDigest) -> bool {
        let is_below = self.upper.is_none_or(|upper| digest < upper);
        self.until == until && self.lower <= digest && is_below
    }

    /// What it adds to the sum of its time.
    fn sum(&self) -> u64 {
        let members = self.members.iter();
        let own = members.filter(|digest| self.covers(self.until, **digest));
        own.map(|digest| key_hash(&timed_key(self.until, *digest)))
            .fold(0, u64::wrapping_add)
    }
}

impl Index {
    /// Remembers that IDs must not come alive again before their times.
    pub(crate) fn retire(&self, mut ids: Vec<(Timestamp, SessionDigest)>) -> Outcome<()> {
        ids.sort_unstable();
        let mut left = ids.as_slice();
        while let Some((until, digest)) = left.first().copied() {
            // Nobody looks while a row is cut.
            let _alone = self.retired_lock.write();
            let mut part = self.part_of(until, digest)?;
            let covered = left.partition_point(|(until, digest)| part.covers(*until, *digest));
            let (own, others) = left.split_at_checked(covered.max(1)).unwrap_or((left, &[]));
            part.members.extend(own.iter().map(|(_, digest)| *digest));
            part.members.sort_unstable();
            part.members.dedup();
            self.put_part(&part)?;
            left = others;
        }
        Ok(())
    }

    fn put_part(&self, part: &Part) -> Outcome<()> {
        let pieces = part.members.len().div_ceil(MEMBERS).max(1);
        let share = part.members.len().div_ceil(pieces).max(1);
        for (place, members) in part.members.chunks(share).enumerate().rev() {
            let lower = match members.first() {
                Some(first) if place > 0 => *first,
                _ => part.lower,
            };
            let key = timed_key(part.until, lower);
            self.insert(&self.retired, &key, encode_members(members))?;
        }
        Ok(())
    }

    /// The row for an ID, which may be still to be made.
    fn part_of(&self, until: Timestamp, digest: SessionDigest) -> Outcome<Part> {
        let key = timed_key(until, digest);
        let found = self.guard.run(|| {
            let mut rows = self.retired.range(timed_key(until, FIRST)..=key);
            rows.next_back().transpose()
        })?;
        let mut part = match found {
            Some((key, row)) => Part::decode(&key, &row)?,
            None => Part {
                until,
                lower: FIRST,
                upper: None,
                members: Vec::new(),
            },
        };
        let next = self.guard.run(|| {
            let behind = (Excluded(key), Included(timed_key(until, LAST)));
            self.retired.range(behind).keys().next().transpose()
        })?;
        let next = next.map(|key| split_timed_key(&key).ok_or_else(undecodable));
        part.upper = next.transpose()?.map(|(_, lower)| lower);
        Ok(part)
    }

    /// What damage may do to a retirement.
    #[cfg(test)]
    pub(crate) fn forget_retired(&self, digest: SessionDigest, until: Timestamp) -> Outcome<()> {
        let mut part = self.part_of(until, digest)?;
        part.members.retain(|member| *member != digest);
        if part.members.is_empty() {
            return self.remove(&self.retired, &timed_key(until, part.lower));
        }
        self.put_part(&part)
    }

    /// Whether an ID must not come alive again at `now`. Steps from time to
    /// time: there are few different ones, see `retirement`.
    pub(crate) fn is_retired(&self, digest: SessionDigest, now: Timestamp) -> Outcome<bool> {
        let _still = self.retired_lock.read();
        let mut passed = now;
        while let Some(until) = self.first_retired_after(passed)? {
            let part = self.part_of(until, digest)?;
            if part.members.binary_search(&digest).is_ok() {
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
        self.each_part((Excluded(timed_key(after, LAST)), Unbounded), |part| {
            let sum = sums.entry(part.until).or_default();
            *sum = sum.wrapping_add(part.sum());
        })?;
        Ok(Remembered { after, sums })
    }

    /// The sum of the hashes of the IDs of one time.
    pub(crate) fn sum_retired_until(&self, until: Timestamp) -> Outcome<u64> {
        let mut sum = 0_u64;
        let range = (
            Included(timed_key(until, FIRST)),
            Included(timed_key(until, LAST)),
        );
        self.each_part(range, |part| sum = sum.wrapping_add(part.sum()))?;
        Ok(sum)
    }

    fn each_part(
        &self,
        range: (std::ops::Bound<[u8; 24]>, std::ops::Bound<[u8; 24]>),
        mut look: impl FnMut(&Part),
    ) -> Outcome<()> {
        let mut rows = self.retired.range(range);
        let mut last: Option<Part> = None;
        while let Some((key, row)) = self.guard.run(|| rows.next().transpose())? {
            let part = Part::decode(&key, &row)?;
            if let Some(mut before) = last.replace(part) {
                let next = last.as_ref().filter(|next| next.until == before.until);
                before.upper = next.map(|next| next.lower);
                look(&before);
            }
        }
        last.iter().for_each(look);
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u32) -> SessionDigest {
        let mut bytes = [0; 16];
        // Spread, as digests are.
        bytes[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
        bytes[12..].copy_from_slice(&number.to_be_bytes());
        SessionDigest::from_bytes(bytes)
    }

    fn open() -> (tempfile::TempDir, Index) {
        let directory = tempfile::tempdir().unwrap();
        let index = Index::open(&directory.path().join("index"), 1 << 20).unwrap();
        (directory, index)
    }

    fn rows(index: &Index) -> Vec<usize> {
        let rows = index.retired.iter().values();
        rows.map(|row| row.unwrap().len() / 16).collect()
    }

    #[test]
    fn every_id_is_found_however_many_there_are_and_no_other() {
        let (_directory, index) = open();
        let times = [Timestamp(5), Timestamp(9)];
        for chunk in 0..20 {
            let numbers = chunk * 50..chunk * 50 + 50;
            let ids = numbers.map(|number| (times[number as usize % 2], digest(number)));
            index.retire(ids.collect()).unwrap();
        }
        for number in 0..1000 {
            let until = times[number as usize % 2];
            let before = Timestamp(until.0 - 1);
            assert!(index.is_retired(digest(number), before).unwrap());
            let is_still = index.is_retired(digest(number), until).unwrap();
            assert!(!is_still, "its time has passed");
        }
        for number in 1000..1200 {
            assert!(!index.is_retired(digest(number), Timestamp(0)).unwrap());
        }
        let rows = rows(&index);
        assert!(rows.iter().all(|members| *members <= MEMBERS), "{rows:?}");
        assert_eq!(rows.iter().sum::<usize>(), 1000);
        assert!(rows.len() < 1000 / 12, "{}", rows.len());
    }

    #[test]
    fn the_sum_is_that_of_the_ids_whatever_rows_they_are_in() {
        let (_directory, one) = open();
        let (_other_directory, other) = open();
        let until = Timestamp(5);
        let ids: Vec<_> = (0..500).map(|number| (until, digest(number))).collect();
        one.retire(ids.clone()).unwrap();
        for id in ids.iter().rev() {
            other.retire(vec![*id]).unwrap();
            other.retire(vec![*id]).unwrap();
        }
        assert_ne!(rows(&one), rows(&other));
        let expected = ids
            .iter()
            .map(|(until, digest)| key_hash(&timed_key(*until, *digest)));
        let expected = expected.fold(0, u64::wrapping_add);
        for index in [one, other] {
            assert_eq!(index.sum_retired_until(until).unwrap(), expected);
            let sums = index.sum_retired(Timestamp(0)).unwrap().sums;
            assert_eq!(sums, BTreeMap::from([(until, expected)]));
        }
    }

    #[test]
    fn what_a_crash_leaves_twice_counts_once() {
        let (_directory, index) = open();
        let until = Timestamp(5);
        index
            .retire((0..20).map(|number| (until, digest(number))).collect())
            .unwrap();
        let sum = index.sum_retired_until(until).unwrap();
        // The row is cut, and the higher piece only is there.
        let mut part = index.part_of(until, digest(0)).unwrap();
        let higher = part.members.split_off(10);
        index
            .insert(
                &index.retired,
                &timed_key(until, higher[0]),
                encode_members(&higher),
            )
            .unwrap();
        assert_eq!(index.sum_retired_until(until).unwrap(), sum);
        for number in 0..20 {
            assert!(index.is_retired(digest(number), Timestamp(0)).unwrap());
        }
        index.retire(vec![(until, digest(77))]).unwrap();
        assert!(index.is_retired(digest(77), Timestamp(0)).unwrap());
    }

    #[test]
    fn what_has_passed_goes_in_slices() {
        let (_directory, index) = open();
        let ids = (0..400).map(|number| (Timestamp(5 + u64::from(number % 2)), digest(number)));
        index.retire(ids.collect()).unwrap();
        while index.forget_passed(Timestamp(5), 4).unwrap() == 4 {}
        for number in 0..400 {
            let is_there = index.is_retired(digest(number), Timestamp(0)).unwrap();
            assert_eq!(is_there, number % 2 == 1);
        }
    }
}
