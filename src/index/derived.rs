//! Rows that follow from the rows of sessions: when the purge has to look at
//! a session, and whose it is.
//!
//! INVARIANT: a session's row whose record has a `hint_at` has a row in
//! `expiry` at that time, and one whose record has an owner has a row in
//! `owners`; there are no others. They change in an order in which a crash
//! leaves a row too many rather than one too few: new ones, the session, old
//! ones. The check at open counts, and mends what a crash left.

use super::guard::{Outcome, Trouble};
use super::rows::{Index, undecodable};
use crate::format::derived_rows::{
    key_hash, owner_key, owner_prefix, split_owner_key, split_timed_key, timed_key,
};
use crate::format::identity::Timestamp;
use crate::format::record::{RowContent, SessionRecord, SessionRow};
use crate::session_id::SessionDigest;

/// Rows looked at together where all are.
const CHUNK: usize = 1024;

/// Sums of the hashes of derived rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct DerivedSums {
    expiry: u64,
    owners: u64,
}

impl DerivedSums {
    /// Adds the rows that follow from a session's row.
    pub(super) fn add(&mut self, digest: SessionDigest, row: &SessionRow) {
        let follows = Follows::of(digest, Some(row));
        if let Some(key) = follows.hint {
            self.expiry = self.expiry.wrapping_add(key_hash(&key));
        }
        if let Some(key) = follows.owner {
            self.owners = self.owners.wrapping_add(key_hash(&key));
        }
    }
}

fn record(row: &SessionRow) -> Option<&SessionRecord> {
    match &row.content {
        RowContent::Whole { record, .. } => Some(record),
        RowContent::Damaged { .. } => None,
    }
}

fn hint_of(digest: SessionDigest, row: &SessionRow) -> Option<[u8; 24]> {
    let time = record(row)?.hint_at?;
    Some(timed_key(time, digest))
}

fn owner_of(digest: SessionDigest, row: &SessionRow) -> Option<Vec<u8>> {
    let owner = record(row)?.owner.as_deref()?;
    Some(owner_key(owner, digest))
}

/// The keys of the rows that follow from a session's row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Follows {
    hint: Option<[u8; 24]>,
    owner: Option<Vec<u8>>,
}

impl Follows {
    fn of(digest: SessionDigest, row: Option<&SessionRow>) -> Self {
        Self {
            hint: row.and_then(|row| hint_of(digest, row)),
            owner: row.and_then(|row| owner_of(digest, row)),
        }
    }

    /// Those of these that are not among others.
    fn without(&self, others: &Self) -> Self {
        Self {
            hint: self.hint.filter(|_| self.hint != others.hint),
            owner: self.owner.clone().filter(|_| self.owner != others.owner),
        }
    }
}

/// Rows that will follow from session rows that are still to be put. To put
/// them before, all at once and in their own order, spares the index most of
/// its work: neighbours lie in one node.
#[derive(Debug, Default)]
pub(crate) struct Announcement {
    hints: Vec<[u8; 24]>,
    owners: Vec<Vec<u8>>,
}

impl Announcement {
    /// One more session row will be put, where `old` was before.
    pub(crate) fn add(
        &mut self,
        (digest, row): (SessionDigest, &SessionRow),
        old: Option<(SessionDigest, &SessionRow)>,
    ) {
        let old = old.map(|(digest, row)| Follows::of(digest, Some(row)));
        let new = Follows::of(digest, Some(row)).without(&old.unwrap_or_default());
        self.hints.extend(new.hint);
        self.owners.extend(new.owner);
    }

    /// Puts them in order.
    pub(crate) fn sort(&mut self) {
        self.hints.sort_unstable();
        self.owners.sort_unstable();
    }

    /// Divides them into slices of so many rows.
    pub(crate) fn slices(&self, rows: usize) -> impl Iterator<Item = AnnouncedSlice<'_>> {
        let hints = self.hints.chunks(rows).map(AnnouncedSlice::Hints);
        hints.chain(self.owners.chunks(rows).map(AnnouncedSlice::Owners))
    }
}

/// Some rows of an announcement.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AnnouncedSlice<'a> {
    Hints(&'a [[u8; 24]]),
    Owners(&'a [Vec<u8>]),
}

impl Index {
    /// Puts what will follow from session rows that come next.
    pub(crate) fn announce(&self, slice: AnnouncedSlice<'_>) -> Outcome<()> {
        match slice {
            AnnouncedSlice::Hints(keys) => keys
                .iter()
                .try_for_each(|key| self.insert(&self.expiry, key, Vec::new())),
            AnnouncedSlice::Owners(keys) => keys
                .iter()
                .try_for_each(|key| self.insert(&self.owners, key, Vec::new())),
        }
    }

    /// Puts a session's row in another one's place, with all that follows.
    pub(super) fn replace_session(
        &self,
        digest: &SessionDigest,
        old: Option<&SessionRow>,
        new: Option<&SessionRow>,
    ) -> Outcome<()> {
        let follows = Follows::of(*digest, new);
        let fresh = follows.without(&Follows::of(*digest, old));
        self.put_derived(&fresh)?;
        self.replace_announced(digest, old, new)
    }

    /// The same where what follows is there already.
    pub(super) fn replace_announced(
        &self,
        digest: &SessionDigest,
        old: Option<&SessionRow>,
        new: Option<&SessionRow>,
    ) -> Outcome<()> {
        match new {
            Some(row) => {
                let bytes = row.encode().map_err(Trouble::new)?;
                self.insert(&self.sessions, &digest.to_bytes(), bytes)?;
            }
            None => self.remove(&self.sessions, &digest.to_bytes())?,
        }
        let stale = Follows::of(*digest, old).without(&Follows::of(*digest, new));
        if let Some(key) = stale.hint {
            self.remove(&self.expiry, &key)?;
        }
        if let Some(key) = &stale.owner {
            self.remove(&self.owners, key)?;
        }
        Ok(())
    }

    fn put_derived(&self, follows: &Follows) -> Outcome<()> {
        if let Some(key) = &follows.hint {
            self.insert(&self.expiry, key, Vec::new())?;
        }
        if let Some(key) = &follows.owner {
            self.insert(&self.owners, key, Vec::new())?;
        }
        Ok(())
    }

    /// Gives a session's row another hint. The caller sees to it that nobody
    /// else changes the row meanwhile.
    pub(crate) fn move_hint(
        &self,
        digest: SessionDigest,
        row: &SessionRow,
        to: Option<Timestamp>,
    ) -> Outcome<()> {
        let mut moved = row.clone();
        if let RowContent::Whole { record, .. } = &mut moved.content {
            record.hint_at = to;
        }
        self.replace_session(&digest, Some(row), Some(&moved))
    }

    /// Removes a hint that no session's row names.
    pub(crate) fn drop_hint(&self, time: Timestamp, digest: SessionDigest) -> Outcome<()> {
        self.remove(&self.expiry, &timed_key(time, digest))
    }

    /// What a crash may leave of a hint that was moved.
    #[cfg(test)]
    pub(crate) fn put_hint(&self, time: Timestamp, digest: SessionDigest) -> Outcome<()> {
        self.insert(&self.expiry, &timed_key(time, digest), Vec::new())
    }

    /// What a crash may leave of a session that changed its owner.
    #[cfg(test)]
    pub(crate) fn put_owner(&self, owner: &str, digest: SessionDigest) -> Outcome<()> {
        self.insert(&self.owners, &owner_key(owner, digest), Vec::new())
    }

    /// What a crash may take of a session's owner.
    #[cfg(test)]
    pub(crate) fn drop_owner(&self, owner: &str, digest: SessionDigest) -> Outcome<()> {
        self.remove(&self.owners, &owner_key(owner, digest))
    }

    /// Some of the hints that are due at `now`, those behind `after`.
    pub(crate) fn due_hints(
        &self,
        after: Option<(Timestamp, SessionDigest)>,
        now: Timestamp,
        limit: usize,
    ) -> Outcome<Vec<(Timestamp, SessionDigest)>> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let start = after.map(|(time, digest)| timed_key(time, digest));
        let start = start.map_or(Unbounded, Excluded);
        let last = timed_key(now, SessionDigest::from_bytes([0xff; 16]));
        if matches!(start, Excluded(start) if start >= last) {
            return Ok(Vec::new());
        }
        let keys = self.guard.run(|| {
            self.expiry
                .range::<[u8; 24], _>((start, Included(last)))
                .keys()
                .take(limit)
                .collect::<sled::Result<Vec<_>>>()
        })?;
        keys.iter()
            .map(|key| split_timed_key(key).ok_or_else(undecodable))
            .collect()
    }

    /// The digests of an owner's sessions.
    pub(crate) fn owned_by(&self, owner: &str) -> Outcome<Vec<SessionDigest>> {
        let keys = self.guard.run(|| {
            self.owners
                .scan_prefix(owner_prefix(owner))
                .keys()
                .collect::<sled::Result<Vec<_>>>()
        })?;
        keys.iter()
            .map(|key| split_owner_key(key).map(|(_, digest)| digest))
            .map(|digest| digest.ok_or_else(undecodable))
            .collect()
    }

    /// Whether the derived rows add up to what the sessions' rows say.
    pub(super) fn derived_rows_are(&self, expected: DerivedSums) -> Outcome<bool> {
        let found = DerivedSums {
            expiry: self.sum_keys(&self.expiry)?,
            owners: self.sum_keys(&self.owners)?,
        };
        Ok(found == expected)
    }

    fn sum_keys(&self, tree: &sled::Tree) -> Outcome<u64> {
        let mut sum = 0_u64;
        let mut keys = tree.iter().keys();
        while let Some(key) = self.guard.run(|| keys.next().transpose())? {
            sum = sum.wrapping_add(key_hash(&key));
        }
        Ok(sum)
    }

    /// Puts back the derived rows that are missing and removes those that
    /// follow from nothing.
    pub(crate) fn mend_derived(&self) -> Outcome<()> {
        let mut after = None;
        loop {
            let rows = self.sessions_after(after, CHUNK)?;
            let Some((last, _)) = rows.last() else { break };
            after = Some(*last);
            for (digest, row) in &rows {
                self.put_derived(&Follows::of(*digest, Some(row)))?;
            }
        }
        self.remove_strays(&self.expiry, |key| {
            let (_, digest) = split_timed_key(key)?;
            Some((digest, |digest, row| Some(hint_of(digest, row)?.to_vec())))
        })?;
        self.remove_strays(&self.owners, |key| {
            let (_, digest) = split_owner_key(key)?;
            Some((digest, owner_of))
        })
    }

    /// Removes the rows of a tree whose session does not lead to them.
    fn remove_strays(
        &self,
        tree: &sled::Tree,
        follows: impl Fn(&[u8]) -> Option<(SessionDigest, KeyOf)>,
    ) -> Outcome<()> {
        let mut keys = tree.iter().keys();
        while let Some(key) = self.guard.run(|| keys.next().transpose())? {
            let expected = match follows(&key) {
                Some((digest, follows)) => {
                    self.session(&digest)?.and_then(|row| follows(digest, &row))
                }
                None => None,
            };
            if expected.as_deref() != Some(&key) {
                self.remove(tree, &key)?;
            }
        }
        Ok(())
    }
}

/// The key that follows from a session's row.
type KeyOf = fn(SessionDigest, &SessionRow) -> Option<Vec<u8>>;
