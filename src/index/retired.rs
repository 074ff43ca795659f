//! IDs that must not come alive again, by the time until when that holds.
//!
//! A row holds some of the IDs of one time: those from its key's on up to that
//! of the next row, as a page does. INVARIANT: a time's first row begins with
//! the lowest ID there can be, or what is below it was forgotten, so that every
//! ID has a row to look at. A full row is cut, the higher pieces first: what a
//! crash leaves twice counts in the higher row only. An index that nobody uses
//! yet gets fuller rows; they are cut when an ID is added.

use std::collections::BTreeMap;
use std::ops::Bound::{self, Excluded, Included, Unbounded};
use std::ops::ControlFlow;

use super::guard::Outcome;
use super::rows::{Index, undecodable};
use crate::format::identity::Timestamp;
use crate::format::retired_rows::{
    PACKED_MEMBERS, ROW_MEMBERS, RetiredId, ShortDigest, decode_retired, encode_retired,
    retired_hash, retired_key, split_retired_key,
};
use crate::session_id::SessionDigest;

const FIRST: ShortDigest = ShortDigest::FIRST;
const LAST: ShortDigest = ShortDigest::LAST;

type Key = [u8; 16];

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
    lower: ShortDigest,
    upper: Option<ShortDigest>,
    members: Vec<ShortDigest>,
}

impl Part {
    fn decode(key: &[u8], row: &[u8]) -> Outcome<Self> {
        let (until, lower) = split_retired_key(key).ok_or_else(undecodable)?;
        Ok(Self {
            until,
            lower,
            upper: None,
            members: decode_retired(row).ok_or_else(undecodable)?,
        })
    }

    fn key(&self) -> Key {
        retired_key((self.until, self.lower))
    }

    fn covers(&self, (until, short): RetiredId) -> bool {
        let is_below = self.upper.is_none_or(|upper| short < upper);
        self.until == until && self.lower <= short && is_below
    }

    fn holds(&self, (until, short): RetiredId) -> bool {
        self.until == until && self.members.binary_search(&short).is_ok()
    }

    /// Those of its members that count.
    fn own(&self) -> impl Iterator<Item = RetiredId> {
        let members = self.members.iter().map(|short| (self.until, *short));
        members.filter(|id| self.covers(*id))
    }

    /// What it adds to the sum of its time.
    fn sum(&self) -> u64 {
        self.own().map(retired_hash).fold(0, u64::wrapping_add)
    }

    fn add(&mut self, ids: &[RetiredId]) {
        self.members.extend(ids.iter().map(|(_, short)| *short));
        self.members.sort_unstable();
        self.members.dedup();
    }

    /// Rows of at most so many members each, and their keys.
    fn pieces(&self, most: usize) -> impl DoubleEndedIterator<Item = (Key, &[ShortDigest])> {
        let pieces = self.members.len().div_ceil(most).max(1);
        let share = self.members.len().div_ceil(pieces).max(1);
        let pieces = self.members.chunks(share).enumerate();
        pieces.map(|(place, members)| {
            let lower = match members.first() {
                Some(first) if place > 0 => *first,
                _ => self.lower,
            };
            (retired_key((self.until, lower)), members)
        })
    }
}

impl Index {
    /// Remembers that IDs must not come alive again before their times.
    pub(crate) fn retire(&self, mut ids: Vec<RetiredId>) -> Outcome<()> {
        ids.sort_unstable();
        self.tell_successor(|successor| successor.retire_sorted(&ids));
        self.retire_sorted(&ids)
    }

    fn retire_sorted(&self, ids: &[RetiredId]) -> Outcome<()> {
        self.each_covering(ids, |mut part, own| {
            part.add(own);
            // Nobody looks while a row is cut.
            let _alone = self.retired_lock.write();
            self.put_part(&part)
        })
    }

    /// The same in an index that nobody uses yet and no crash leaves behind.
    pub(crate) fn pack_retired(&self, mut ids: Vec<RetiredId>) -> Outcome<()> {
        ids.sort_unstable();
        self.each_covering(&ids, |mut part, own| {
            part.add(own);
            let pieces = || part.pieces(PACKED_MEMBERS);
            // sled cuts its nodes while they are small, so that with their keys
            // alone there are many of them in a node, and many rows after it.
            for (key, _) in pieces().skip(1) {
                self.put(&self.retired, &key, Vec::new())?;
            }
            for (key, members) in pieces() {
                self.put(&self.retired, &key, encode_retired(members))?;
            }
            Ok(())
        })
    }

    /// Those IDs that are not retired until their times yet. They are in order.
    pub(crate) fn not_yet_retired(&self, ids: &[RetiredId]) -> Outcome<Vec<RetiredId>> {
        let mut new = Vec::new();
        self.each_covering(ids, |part, own| {
            new.extend(own.iter().filter(|id| !part.holds(**id)));
            Ok(())
        })?;
        Ok(new)
    }

    /// Looks at the rows for IDs that are in order, each with its own IDs.
    fn each_covering(
        &self,
        ids: &[RetiredId],
        mut look: impl FnMut(Part, &[RetiredId]) -> Outcome<()>,
    ) -> Outcome<()> {
        let mut left = ids;
        while let Some(id) = left.first() {
            let part = self.part_of(*id)?;
            let covered = left.partition_point(|id| part.covers(*id));
            let (own, others) = left.split_at_checked(covered.max(1)).unwrap_or((left, &[]));
            look(part, own)?;
            left = others;
        }
        Ok(())
    }

    fn put_part(&self, part: &Part) -> Outcome<()> {
        let mut pieces = part.pieces(ROW_MEMBERS).rev();
        pieces.try_for_each(|(key, members)| self.put(&self.retired, &key, encode_retired(members)))
    }

    /// The row for an ID, which may be still to be made.
    fn part_of(&self, (until, short): RetiredId) -> Outcome<Part> {
        let key = retired_key((until, short));
        let found = self.guard.run(|| {
            let mut rows = self.retired.range(retired_key((until, FIRST))..=key);
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
            let behind = (Excluded(key), Included(retired_key((until, LAST))));
            self.retired.range(behind).keys().next().transpose()
        })?;
        let next = next.map(|key| split_retired_key(&key).ok_or_else(undecodable));
        part.upper = next.transpose()?.map(|(_, lower)| lower);
        // What a crash left twice would take the place of what came since.
        part.members
            .retain(|short| part.upper.is_none_or(|upper| *short < upper));
        Ok(part)
    }

    /// What damage may do to a retirement.
    #[cfg(test)]
    pub(crate) fn forget_retired(&self, digest: SessionDigest, until: Timestamp) -> Outcome<()> {
        let short = ShortDigest::of(digest);
        let mut part = self.part_of((until, short))?;
        part.members.retain(|member| *member != short);
        if part.members.is_empty() {
            return self.take(&self.retired, &part.key());
        }
        self.put_part(&part)
    }

    /// Whether an ID must not come alive again at `now`. Steps from time to
    /// time: there are few different ones, see `retirement`.
    pub(crate) fn is_retired(&self, digest: SessionDigest, now: Timestamp) -> Outcome<bool> {
        let short = ShortDigest::of(digest);
        let _still = self.retired_lock.read();
        let mut passed = now;
        while let Some(until) = self.first_retired_after(passed)? {
            if self.part_of((until, short))?.holds((until, short)) {
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
        let start = retired_key((Timestamp(next), FIRST));
        let mut rows = self.retired.range(start..).keys();
        let Some(key) = self.guard.run(|| rows.next().transpose())? else {
            return Ok(None);
        };
        let (until, _) = split_retired_key(&key).ok_or_else(undecodable)?;
        Ok(Some(until))
    }

    /// What there is of IDs that count after `now`.
    pub(crate) fn sum_retired(&self, now: Timestamp) -> Outcome<Remembered> {
        // The clock may have gone back since.
        let after = self.forgotten_through()?.max(now);
        let mut sums: BTreeMap<Timestamp, u64> = BTreeMap::new();
        let range = (Excluded(retired_key((after, LAST))), Unbounded);
        self.each_part(range, |part| {
            let sum = sums.entry(part.until).or_default();
            *sum = sum.wrapping_add(part.sum());
            ControlFlow::Continue(())
        })?;
        Ok(Remembered { after, sums })
    }

    /// The sum of the hashes of the IDs of one time.
    pub(crate) fn sum_retired_until(&self, until: Timestamp) -> Outcome<u64> {
        let mut sum = 0_u64;
        let range = (
            Included(retired_key((until, FIRST))),
            Included(retired_key((until, LAST))),
        );
        self.each_part(range, |part| {
            sum = sum.wrapping_add(part.sum());
            ControlFlow::Continue(())
        })?;
        Ok(sum)
    }

    /// Looks at rows for as long as it is told to; whether there are more.
    fn each_part<K: AsRef<[u8]>>(
        &self,
        range: (Bound<K>, Bound<K>),
        mut look: impl FnMut(&Part) -> ControlFlow<()>,
    ) -> Outcome<bool> {
        let mut rows = self.retired.range(range);
        let mut last: Option<Part> = None;
        while let Some((key, row)) = self.guard.run(|| rows.next().transpose())? {
            let part = Part::decode(&key, &row)?;
            if let Some(mut before) = last.replace(part) {
                let next = last.as_ref().filter(|next| next.until == before.until);
                before.upper = next.map(|next| next.lower);
                if look(&before).is_break() {
                    return Ok(true);
                }
            }
        }
        let _ = last.iter().try_for_each(look);
        Ok(false)
    }

    /// Copies so many IDs, about, those of the rows behind `after`, into an index
    /// that nobody uses yet; returns the last row's key, if there are more.
    pub(super) fn copy_retired(
        &self,
        to: &Self,
        after: Option<sled::IVec>,
        limit: usize,
    ) -> Outcome<Option<sled::IVec>> {
        let mut ids = Vec::new();
        let mut last = None;
        let start = after.map_or(Unbounded, Excluded);
        let more = self.each_part((start, Unbounded), |part| {
            ids.extend(part.own());
            last = Some(sled::IVec::from(&part.key()));
            if ids.len() < limit {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        to.pack_retired(ids)?;
        Ok(last.filter(|_| more))
    }

    /// Removes some rows whose time has passed; returns how many.
    pub(crate) fn forget_passed(&self, now: Timestamp, limit: usize) -> Outcome<usize> {
        self.tell_successor(|successor| successor.forget_passed(now, limit).map(drop));
        let keys = self.guard.run(|| {
            self.retired
                .range(..=retired_key((now, LAST)))
                .keys()
                .take(limit)
                .collect::<sled::Result<Vec<_>>>()
        })?;
        if !keys.is_empty() {
            self.set_forgotten_through(self.forgotten_through()?.max(now))?;
        }
        for key in &keys {
            self.take(&self.retired, key)?;
        }
        Ok(keys.len())
    }
}

#[cfg(test)]
mod tests;
