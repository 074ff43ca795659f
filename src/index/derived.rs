//! Rows that follow from the rows of sessions: when the purge has to look at
//! a session, and whose it is.
//!
//! INVARIANT: a session's row whose record has an owner has a row in `owners`,
//! and there are no others there. They change in an order in which a crash
//! leaves a row too many rather than one too few: new ones, the session, old
//! ones. The check at open counts, and mends what a crash left. What holds of
//! hints: see `hints`.

use super::guard::{Outcome, Trouble};
use super::hints::{Hint, Wanted, grouped, hint_of};
use super::rows::{Index, undecodable};
use super::sessions::image_of;
use crate::format::derived_rows::{key_hash, owner_key, owner_prefix, split_owner_key};
use crate::format::record::{RowContent, SessionRow};
use crate::session_id::SessionDigest;

/// The sum of the hashes of the owners' rows, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct OwnerSum {
    hash: u64,
    pub(super) rows: u64,
}

impl OwnerSum {
    /// Adds the row that follows from a session's row.
    pub(super) fn add(&mut self, digest: SessionDigest, row: &SessionRow) {
        if let Some(owner) = owner_of(row) {
            self.add_key(&owner_key(owner, digest));
        }
    }

    fn add_key(&mut self, key: &[u8]) {
        self.hash = self.hash.wrapping_add(key_hash(key));
        self.rows = self.rows.saturating_add(1);
    }
}

fn owner_of(row: &SessionRow) -> Option<&str> {
    match &row.content {
        RowContent::Whole { record, .. } => record.owner.as_deref(),
        RowContent::Damaged { .. } => None,
    }
}

/// Rows that will follow from session rows that are still to be put. To put
/// them before, all at once and in their own order, spares the index most of
/// its work: neighbours lie in one node.
#[derive(Debug, Default)]
pub(crate) struct Announcement {
    hints: Vec<Hint>,
    owners: Vec<Vec<u8>>,
}

impl Announcement {
    /// One more session row will be put, where `old` was before.
    pub(crate) fn add(
        &mut self,
        (digest, row): (SessionDigest, &SessionRow),
        old: Option<(SessionDigest, &SessionRow)>,
    ) {
        let hint = hint_of(digest, row);
        let old_hint = old.and_then(|(digest, row)| hint_of(digest, row));
        self.hints.extend(hint.filter(|_| hint != old_hint));
        let owner = owner_of(row).map(|owner| (owner, digest));
        let old_owner = old.and_then(|(digest, row)| Some((owner_of(row)?, digest)));
        let new_owner = owner.filter(|_| owner != old_owner);
        let key = new_owner.map(|(owner, digest)| owner_key(owner, digest));
        self.owners.extend(key);
    }

    /// Puts them in order.
    pub(crate) fn sort(&mut self) {
        self.hints.sort_unstable();
        self.owners.sort_unstable();
    }

    /// Divides them into slices of so many rows.
    pub(crate) fn slices(&self, rows: usize) -> impl Iterator<Item = AnnouncedSlice<'_>> {
        let groups: Vec<_> = grouped(&self.hints).collect();
        let groups: Vec<_> = groups.chunks(rows).map(<[_]>::to_vec).collect();
        let groups = groups.into_iter().map(AnnouncedSlice::Hints);
        groups.chain(self.owners.chunks(rows).map(AnnouncedSlice::Owners))
    }
}

/// Some rows of an announcement.
#[derive(Debug, Clone)]
pub(crate) enum AnnouncedSlice<'a> {
    Hints(Vec<&'a [Hint]>),
    Owners(&'a [Vec<u8>]),
}

impl Index {
    /// Puts what will follow from session rows that come next.
    pub(crate) fn announce(&self, slice: &AnnouncedSlice<'_>) -> Outcome<()> {
        match slice {
            AnnouncedSlice::Hints(groups) => {
                groups.iter().try_for_each(|group| self.put_group(group))
            }
            AnnouncedSlice::Owners(keys) => keys
                .iter()
                .try_for_each(|key| self.insert(&self.owners, key, Vec::new())),
        }
    }

    /// Puts a session's row in another one's place, with the owner's; its
    /// hint is there already.
    pub(super) fn replace_session(
        &self,
        digest: &SessionDigest,
        old: Option<&SessionRow>,
        new: Option<&SessionRow>,
    ) -> Outcome<()> {
        let owner = new.and_then(owner_of);
        if let Some(owner) = owner.filter(|_| owner != old.and_then(owner_of)) {
            self.put_owner(owner, *digest)?;
        }
        let key = digest.to_bytes();
        self.places.change(digest, || {
            match new {
                Some(row) => {
                    let bytes = row.encode().map_err(Trouble::new)?;
                    self.insert(&self.sessions, &key, bytes)?;
                }
                None => self.remove(&self.sessions, &key)?,
            }
            Ok(((), new.and_then(image_of)))
        })?;
        self.drop_stale_owner(digest, old, new)
    }

    /// Takes away the row of an owner that a session had.
    pub(super) fn drop_stale_owner(
        &self,
        digest: &SessionDigest,
        old: Option<&SessionRow>,
        new: Option<&SessionRow>,
    ) -> Outcome<()> {
        let stale = old.and_then(owner_of);
        match stale.filter(|_| stale != new.and_then(owner_of)) {
            Some(owner) => self.drop_owner(owner, *digest),
            None => Ok(()),
        }
    }

    /// Puts the row of an owner's session.
    pub(crate) fn put_owner(&self, owner: &str, digest: SessionDigest) -> Outcome<()> {
        self.insert(&self.owners, &owner_key(owner, digest), Vec::new())
    }

    /// Removes the row of an owner's session.
    pub(crate) fn drop_owner(&self, owner: &str, digest: SessionDigest) -> Outcome<()> {
        self.remove(&self.owners, &owner_key(owner, digest))
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

    /// The sum of the owners' rows that there are.
    pub(super) fn sum_owners(&self) -> Outcome<OwnerSum> {
        let mut sum = OwnerSum::default();
        let mut keys = self.owners.iter().keys();
        while let Some(key) = self.guard.run(|| keys.next().transpose())? {
            sum.add_key(&key);
        }
        Ok(sum)
    }

    /// Puts back the derived rows that are missing and removes those that
    /// follow from nothing.
    pub(crate) fn mend_derived(&self) -> Outcome<()> {
        self.remove_stray_groups()?;
        let mut after = None;
        loop {
            after = self.mend_after(after)?;
            if after.is_none() {
                break;
            }
        }
        self.remove_stray_owners()
    }

    /// Puts back what is missing of some sessions, those behind `after`;
    /// returns the last of them, if there may be more behind it.
    fn mend_after(&self, after: Option<SessionDigest>) -> Outcome<Option<SessionDigest>> {
        let mut wanted = Wanted::default();
        let last = self.each_session(after, |digest, row| {
            wanted.add(hint_of(digest, row));
            match owner_of(row) {
                Some(owner) => self.put_owner(owner, digest),
                None => Ok(()),
            }
        })?;
        self.strike_found(&mut wanted)?;
        if !wanted.is_empty() {
            let mut missing = Vec::new();
            self.each_session(after, |digest, row| {
                let hint = hint_of(digest, row);
                missing.extend(hint.filter(|hint| wanted.contains(*hint)));
                Ok(())
            })?;
            self.put_hints(missing)?;
        }
        Ok(last)
    }

    /// Removes the owners' rows that no session leads to.
    fn remove_stray_owners(&self) -> Outcome<()> {
        let mut keys = self.owners.iter().keys();
        while let Some(key) = self.guard.run(|| keys.next().transpose())? {
            let is_owned = match split_owner_key(&key) {
                Some((owner, digest)) => {
                    let row = self.session(&digest)?;
                    row.as_ref().and_then(owner_of) == Some(owner)
                }
                None => false,
            };
            if !is_owned {
                self.remove(&self.owners, &key)?;
            }
        }
        Ok(())
    }
}
