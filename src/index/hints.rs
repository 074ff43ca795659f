//! Hints of the purge: at which sessions it has to look from when on.
//!
//! A row of `expiry` is a group of sessions with the same time, so that a
//! session costs a small part of a row only.
//!
//! INVARIANT: a session whose row has a `hint_at` is a member of a group of
//! that time. A group may have members too many, that are gone or have other
//! hints: what ends or moves a session leaves its group alone, and the purge
//! takes them out when the group comes due. So that a crash, too, leaves a
//! member too many and never one too few, groups are put before the rows of
//! their sessions, and shrink after them. The check at open looks for every
//! session in its group.

use std::collections::HashSet;
use std::ops::Bound;

use super::guard::{Outcome, Trouble};
use super::renewal::last_key;
use super::rows::{Index, undecodable};
use crate::format::derived_rows::{
    GROUP_MEMBERS, decode_members, encode_members, key_hash, split_timed_key, timed_key,
};
use crate::format::identity::Timestamp;
use crate::format::record::{RowContent, SessionRow};
use crate::session_id::SessionDigest;

/// When the purge is to look at a session, and which.
pub(crate) type Hint = (Timestamp, SessionDigest);

/// The hint that a session's row names.
pub(crate) fn hint_of(digest: SessionDigest, row: &SessionRow) -> Option<Hint> {
    let RowContent::Whole { record, .. } = &row.content else {
        return None;
    };
    Some((record.hint_at?, digest))
}

/// Divides hints that are in order into groups.
pub(super) fn grouped(hints: &[Hint]) -> impl Iterator<Item = &[Hint]> {
    let same_time = hints.chunk_by(|(one, _), (other, _)| one == other);
    same_time.flat_map(|hints| hints.chunks(GROUP_MEMBERS))
}

/// Sessions to be looked at from the same time on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HintGroup {
    /// When.
    pub(crate) time: Timestamp,
    /// The first member when the group was made, by which it is found.
    first: SessionDigest,
    /// Which, in order.
    pub(crate) members: Vec<SessionDigest>,
}

impl HintGroup {
    fn decode(key: &[u8], row: &[u8]) -> Option<Self> {
        let (time, first) = split_timed_key(key)?;
        let members = decode_members(row)?;
        Some(Self {
            time,
            first,
            members,
        })
    }

    /// What tells it from all others, in the order in which groups come.
    pub(crate) fn place(&self) -> Hint {
        (self.time, self.first)
    }

    /// Its hints, one for each member.
    pub(crate) fn hints(&self) -> impl Iterator<Item = Hint> {
        self.members.iter().map(|digest| (self.time, *digest))
    }
}

/// A session's row that gets another hint.
#[derive(Debug)]
pub(crate) struct HintMove {
    /// Whose.
    pub(crate) digest: SessionDigest,
    /// As it is.
    pub(crate) row: SessionRow,
    /// The new hint.
    pub(crate) to: Option<Timestamp>,
}

/// Hashes of hints that have to be found in groups.
#[derive(Debug, Default)]
pub(super) struct Wanted(HashSet<u64>);

impl Wanted {
    pub(super) fn add(&mut self, hint: Option<Hint>) {
        self.0.extend(hint.map(hash));
    }

    pub(super) fn contains(&self, hint: Hint) -> bool {
        self.0.contains(&hash(hint))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn hash((time, digest): Hint) -> u64 {
    key_hash(&timed_key(time, digest))
}

impl Index {
    /// Puts hints, in groups. Session rows that name them come after.
    pub(crate) fn put_hints(&self, mut hints: Vec<Hint>) -> Outcome<()> {
        hints.sort_unstable();
        hints.dedup();
        grouped(&hints).try_for_each(|group| self.put_group(group))
    }

    /// Puts a group. What is there under the same key has members of its own.
    pub(super) fn put_group(&self, hints: &[Hint]) -> Outcome<()> {
        let Some((time, first)) = hints.first() else {
            return Ok(());
        };
        let key = timed_key(*time, *first);
        let mut members: Vec<_> = hints.iter().map(|(_, digest)| *digest).collect();
        if let Some(row) = self.get(&self.expiry, &key)? {
            members.extend(decode_members(&row).ok_or_else(undecodable)?);
            members.sort_unstable();
            members.dedup();
        }
        self.insert(&self.expiry, &key, encode_members(&members))
    }

    /// Gives sessions' rows other hints. The caller sees to it that nobody
    /// else changes the rows meanwhile.
    pub(crate) fn move_hints(&self, moves: Vec<HintMove>) -> Outcome<()> {
        let hints = moves.iter().filter_map(|one| Some((one.to?, one.digest)));
        self.put_hints(hints.collect())?;
        for HintMove {
            digest,
            mut row,
            to,
        } in moves
        {
            if let RowContent::Whole { record, .. } = &mut row.content {
                record.hint_at = to;
            }
            let bytes = row.encode().map_err(Trouble::new)?;
            self.insert(&self.sessions, &digest.to_bytes(), bytes)?;
        }
        Ok(())
    }

    /// Leaves a group only some of its members. Those that go have no row
    /// that names the group's time.
    pub(crate) fn shrink_group(&self, place: Hint, members: &[SessionDigest]) -> Outcome<()> {
        let key = timed_key(place.0, place.1);
        if members.is_empty() {
            return self.remove(&self.expiry, &key);
        }
        self.insert(&self.expiry, &key, encode_members(members))
    }

    /// What damage may do to a group.
    #[cfg(test)]
    pub(crate) fn spoil_group(&self, place: Hint) -> Outcome<()> {
        self.insert(&self.expiry, &timed_key(place.0, place.1), vec![7; 17])
    }

    /// Some of the groups with times up to `through`, those behind `after`:
    /// with as many members as the limit, or one group that has more. And
    /// whether there may be others.
    pub(crate) fn due_groups(
        &self,
        after: Option<Hint>,
        through: Timestamp,
        limit: usize,
    ) -> Outcome<(Vec<HintGroup>, bool)> {
        let start = after.map(|(time, first)| timed_key(time, first));
        let start = start.map_or(Bound::Unbounded, Bound::Excluded);
        let last = timed_key(through, SessionDigest::from_bytes([0xff; 16]));
        if matches!(start, Bound::Excluded(start) if start >= last) {
            return Ok((Vec::new(), false));
        }
        let mut groups: Vec<HintGroup> = Vec::new();
        let mut members = 0_usize;
        let range = (start, Bound::Included(last));
        let mut rows = self.expiry.range::<[u8; 24], _>(range);
        while let Some((key, row)) = self.guard.run(|| rows.next().transpose())? {
            let group = HintGroup::decode(&key, &row).ok_or_else(undecodable)?;
            members = members.saturating_add(group.members.len());
            if members > limit && !groups.is_empty() {
                return Ok((groups, true));
            }
            groups.push(group);
        }
        Ok((groups, false))
    }

    /// Strikes out what is found in a group; whether all rows are groups.
    pub(super) fn strike_found(&self, wanted: &mut Wanted) -> Outcome<bool> {
        let mut all_decode = true;
        let mut rows = self.expiry.iter();
        while let Some((key, row)) = self.guard.run(|| rows.next().transpose())? {
            let Some(group) = HintGroup::decode(&key, &row) else {
                all_decode = false;
                continue;
            };
            for hint in group.hints() {
                wanted.0.remove(&hash(hint));
            }
        }
        Ok(all_decode)
    }

    /// Copies some groups, those behind `after`, without the members that are
    /// gone or have other hints; returns the key of the last, if there may be
    /// more. All session rows name hints that are put, as for the purge.
    pub(super) fn copy_groups(
        &self,
        to: &Self,
        after: Option<sled::IVec>,
        limit: usize,
    ) -> Outcome<Option<sled::IVec>> {
        let limit = limit.max(1);
        let rows = self.rows_after(&self.expiry, after, limit)?;
        for (key, row) in &rows {
            let row = match HintGroup::decode(key, row) {
                Some(group) => encode_members(&self.wanted_members(&group)?),
                // What is no group the check at open puts right.
                None => row.to_vec(),
            };
            if !row.is_empty() {
                to.put(&to.expiry, key, row)?;
            }
        }
        Ok(last_key(&rows, limit))
    }

    fn wanted_members(&self, group: &HintGroup) -> Outcome<Vec<SessionDigest>> {
        let mut wanted = Vec::with_capacity(group.members.len());
        for hint in group.hints() {
            let row = self.session(&hint.1)?;
            if row.and_then(|row| hint_of(hint.1, &row)) == Some(hint) {
                wanted.push(hint.1);
            }
        }
        Ok(wanted)
    }

    /// Removes rows that are no groups, and groups of nobody.
    pub(super) fn remove_stray_groups(&self) -> Outcome<()> {
        let mut rows = self.expiry.iter();
        while let Some((key, row)) = self.guard.run(|| rows.next().transpose())? {
            let is_wanted = match HintGroup::decode(&key, &row) {
                Some(group) => !self.wanted_members(&group)?.is_empty(),
                None => false,
            };
            if !is_wanted {
                self.remove(&self.expiry, &key)?;
            }
        }
        Ok(())
    }
}
