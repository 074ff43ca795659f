//! Who owns what, as far as the index does not say so yet.
//!
//! Owns: the members of each owner that no published row shows. Together with
//! the rows of the index these are all members, and some that are none any
//! more: a row may be behind. INVARIANT: a live session with an owner is a
//! member here or in a row of the index, whenever its lock is free.
//!
//! The lock is a leaf: whoever gives a session to an owner holds it over
//! append and apply, so that a revoke that holds it knows of every frame
//! before its own (6). Reading the index is not done under it; who looks at
//! all members [watches](Watch) the owner first, and begins anew if somebody
//! joined meanwhile, or went from one place to another, where a look may meet
//! neither.

use std::collections::{HashMap, HashSet};

use crate::session_id::SessionDigest;
use crate::sync::{Mutex, MutexGuard};

/// Memory of a member besides the name of its owner, about.
pub(super) const MEMBER_BYTES: usize = 128;

#[derive(Debug, Default)]
struct Group {
    members: HashSet<SessionDigest>,
    /// How many joined while somebody watched.
    joined: u64,
    /// How many went from one place to another.
    moved: u64,
    watchers: usize,
}

/// All members that are not in the index yet, by owner.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: HashMap<Box<str>, Group>,
}

impl Groups {
    /// A session belongs to an owner from now on.
    pub(super) fn join(&mut self, owner: &str, digest: SessionDigest) {
        if let Some(group) = self.groups.get_mut(owner) {
            group.members.insert(digest);
            group.joined = group.joined.wrapping_add(1);
        } else {
            let group = Group {
                members: HashSet::from([digest]),
                ..Group::default()
            };
            self.groups.insert(owner.into(), group);
        }
    }

    /// A session does not belong to an owner any more, or the index says so.
    pub(super) fn leave(&mut self, owner: &str, digest: SessionDigest) {
        if let Some(group) = self.groups.get_mut(owner) {
            group.members.remove(&digest);
            self.tidy(owner);
        }
    }

    /// A session of an owner has another ID. Who has found it under the old one
    /// follows it, until the registry forgets the way.
    pub(super) fn move_member(&mut self, owner: &str, from: SessionDigest, to: SessionDigest) {
        let joined = self.groups.get(owner).map_or(0, |group| group.joined);
        self.join(owner, to);
        self.leave(owner, from);
        if let Some(group) = self.groups.get_mut(owner) {
            group.joined = joined;
        }
    }

    /// The rows of a member are about to go to another ID, and the registry to
    /// forget the way to it: who is looking has to look anew.
    pub(super) fn disturb(&mut self, owner: &str) {
        if let Some(group) = self.groups.get_mut(owner) {
            group.moved = group.moved.wrapping_add(1);
        }
    }

    fn tidy(&mut self, owner: &str) {
        let is_empty = |group: &Group| group.members.is_empty() && group.watchers == 0;
        if self.groups.get(owner).is_some_and(is_empty) {
            self.groups.remove(owner);
        }
    }
}

/// The table and its lock.
#[derive(Debug, Default)]
pub(crate) struct Owners(Mutex<Groups>);

impl Owners {
    /// The table. Nothing else is locked under it but the journal.
    pub(super) fn lock(&self) -> MutexGuard<'_, Groups> {
        self.0.lock()
    }

    /// Begins to look at an owner's members.
    pub(super) fn watch<'o>(&'o self, owner: &'o str) -> Watch<'o> {
        let mut groups = self.lock();
        let group = groups.groups.entry(owner.into()).or_default();
        group.watchers = group.watchers.saturating_add(1);
        Watch {
            owners: self,
            owner,
            joined: group.joined,
            moved: group.moved,
        }
    }

    /// The members that are not in the index.
    pub(super) fn members(&self, owner: &str) -> Vec<SessionDigest> {
        let groups = self.lock();
        let members = groups.groups.get(owner).map(|group| &group.members);
        members.map_or_else(Vec::new, |members| members.iter().copied().collect())
    }

    /// Whether all members are in the index.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.lock().groups.is_empty()
    }
}

/// A look at an owner's members.
#[derive(Debug)]
pub(super) struct Watch<'o> {
    owners: &'o Owners,
    owner: &'o str,
    joined: u64,
    moved: u64,
}

impl Watch<'_> {
    /// Whether nobody has joined since the look began, and all that had were
    /// found, by who holds the lock.
    pub(super) fn saw_all(&self, groups: &Groups) -> bool {
        let group = groups.groups.get(self.owner);
        group.is_some_and(|group| group.joined == self.joined && group.moved == self.moved)
    }

    /// Whether all were found that have been members all the time. Who joins
    /// again and again does not keep anybody from that.
    pub(super) fn saw_who_stayed(&self) -> bool {
        let groups = self.owners.lock();
        let group = groups.groups.get(self.owner);
        group.is_some_and(|group| group.moved == self.moved)
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let mut groups = self.owners.lock();
        if let Some(group) = groups.groups.get_mut(self.owner) {
            group.watchers = group.watchers.saturating_sub(1);
            groups.tidy(self.owner);
        }
    }
}

#[cfg(test)]
mod tests;
