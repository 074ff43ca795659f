//! What changed in a session's keys since its last checkpoint.
//!
//! Owns: the memtable's share of one session, and a transaction's own writes.
//! Promises: a later change wins over an earlier one, a removed prefix over
//! everything put before it; removing a prefix costs the same whatever it
//! covers.

use std::collections::BTreeMap;

use self::entries::Entries;
use super::stored::{Held, Stored};
use crate::format::effect::Change;

mod entries;

/// Memory of an entry besides its key and value: tree node, buffer heads.
const ENTRY_BYTES: usize = 112;

/// What a delta says about a key.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// It has this value.
    Present(Held),
    /// It is gone, whatever lies below.
    Absent,
    /// Look below.
    Unknown,
}

#[derive(Debug)]
struct Slot {
    /// When it was written, in the delta's own count.
    stamp: u64,
    /// `None` is a removal.
    held: Option<Held>,
}

/// Prefixes and when they were removed.
type Prefixes = BTreeMap<Box<str>, u64>;

/// Changes of keys, newest wins. Each session in memory has one, whether it has
/// changed or not: it is small, and what a lookup asks stands first.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Delta {
    entries: Entries<Slot>,
    /// `None` while no prefix was removed.
    prefixes: Option<Box<Prefixes>>,
    stamp: u64,
    bytes: usize,
}

impl Delta {
    /// Whether nothing changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.prefixes.is_none()
    }

    /// Memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts or removes a key; returns the bytes by which the delta grew.
    pub(crate) fn write(&mut self, key: &str, held: Option<Held>) -> usize {
        self.stamp = self.stamp.saturating_add(1);
        let size = held.as_ref().map_or(0, |held| held.value.len());
        let slot = Slot {
            stamp: self.stamp,
            held,
        };
        let (grown, shrunk) = if let Some(old) = self.entries.get_mut(key) {
            let old = std::mem::replace(old, slot);
            (size, old.held.map_or(0, |held| held.value.len()))
        } else {
            self.entries.insert(key.into(), slot);
            (
                ENTRY_BYTES.saturating_add(key.len()).saturating_add(size),
                0,
            )
        };
        self.bytes = self.bytes.saturating_add(grown).saturating_sub(shrunk);
        grown.saturating_sub(shrunk)
    }

    /// Bytes of a key and its value here; 0 for a key that is not here.
    pub(crate) fn size_of(&self, key: &str) -> usize {
        self.entries.get(key).map_or(0, |slot| {
            let value = slot.held.as_ref().map_or(0, |held| held.value.len());
            key.len().saturating_add(value)
        })
    }

    /// Forgets what was said about a key.
    pub(crate) fn forget(&mut self, key: &str) {
        if let Some(slot) = self.entries.remove(key) {
            let size = slot.held.map_or(0, |held| held.value.len());
            let bytes = ENTRY_BYTES.saturating_add(key.len()).saturating_add(size);
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }

    /// Forgets what was said about each key with a prefix.
    pub(crate) fn forget_prefix(&mut self, prefix: &str) {
        let covered = self.range(prefix).map(|(key, _)| key);
        let covered = covered.take_while(|key| key.starts_with(prefix));
        let covered: Vec<Box<str>> = covered.cloned().collect();
        for key in covered {
            self.forget(&key);
        }
    }

    /// Removes all keys with a prefix; returns the bytes by which the delta grew.
    pub(crate) fn remove_prefix(&mut self, prefix: &str) -> usize {
        self.stamp = self.stamp.saturating_add(1);
        let prefixes = self.prefixes.get_or_insert_default();
        if prefixes.insert(prefix.into(), self.stamp).is_some() {
            return 0;
        }
        let grown = ENTRY_BYTES.saturating_add(prefix.len());
        self.bytes = self.bytes.saturating_add(grown);
        grown
    }

    /// Applies a change as the journal carries it; returns the growth.
    pub(crate) fn apply(&mut self, change: &Change<'_>) -> usize {
        match *change {
            Change::Put {
                key,
                value,
                deadline,
            } => {
                let value = Stored::from(value.0);
                self.write(key, Some(Held { value, deadline }))
            }
            Change::Remove { key } => self.write(key, None),
            Change::RemovePrefix { prefix } => self.remove_prefix(prefix),
        }
    }

    /// What the delta says about a key.
    pub(crate) fn find(&self, key: &str) -> Answer {
        self.judge(key, self.entries.get(key))
    }

    /// What the delta says about a key that has no entry of its own here.
    pub(crate) fn find_prefix_of(&self, key: &str) -> Answer {
        self.judge(key, None)
    }

    fn judge(&self, key: &str, slot: Option<&Slot>) -> Answer {
        let removed = self.removed_at(key);
        match slot {
            Some(slot) if removed.is_none_or(|removed| removed < slot.stamp) => match &slot.held {
                Some(held) => Answer::Present(held.clone()),
                None => Answer::Absent,
            },
            _ if removed.is_some() => Answer::Absent,
            _ => Answer::Unknown,
        }
    }

    /// When the last prefix of `key` was removed.
    fn removed_at(&self, key: &str) -> Option<u64> {
        let prefixes = self.prefixes.as_deref()?;
        // All prefixes of a key sort at or before it, but so do others: with
        // few removed prefixes look at all of them, with many probe each.
        if prefixes.len() <= key.len() {
            let covering = prefixes.iter();
            return covering
                .filter(|(prefix, _)| key.starts_with(&***prefix))
                .map(|(_, stamp)| *stamp)
                .max();
        }
        (0..=key.len())
            .filter_map(|end| prefixes.get(key.get(..end)?).copied())
            .max()
    }

    /// Keys that have an entry of their own, at or after `from`.
    fn range(&self, from: &str) -> impl Iterator<Item = (&Box<str>, &Slot)> {
        self.entries.range(from)
    }

    /// What the delta says about its own keys from `from` on, in order.
    pub(crate) fn answers<'a>(
        &'a self,
        from: &'a str,
    ) -> impl Iterator<Item = (&'a str, Answer)> + 'a {
        self.range(from)
            .map(|(key, slot)| (&**key, self.judge(key, Some(slot))))
    }

    /// The removed prefixes, in order.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = &str> {
        let prefixes = self.prefixes.iter();
        prefixes.flat_map(|prefixes| prefixes.keys().map(|prefix| &**prefix))
    }

    /// Whether any prefix was removed.
    pub(crate) fn has_prefixes(&self) -> bool {
        self.prefixes.is_some()
    }

    /// How many keys and prefixes it says something about.
    pub(crate) fn changes_count(&self) -> usize {
        let prefixes = self.prefixes.as_ref().map_or(0, |prefixes| prefixes.len());
        self.entries.len().saturating_add(prefixes)
    }

    /// Whether any key was put.
    pub(crate) fn has_puts(&self) -> bool {
        self.entries.iter().any(|(_, slot)| slot.held.is_some())
    }

    /// The first key with an entry of its own at or after `from`.
    pub(crate) fn next_key<'a>(&'a self, from: &'a str) -> Option<&'a str> {
        self.range(from).next().map(|(key, _)| &**key)
    }

    /// Moves everything of `newer` on top; returns the growth.
    pub(crate) fn absorb(&mut self, newer: Delta) -> usize {
        let mut grown = 0_usize;
        let mut steps: Vec<(u64, Step)> = Vec::with_capacity(newer.entries.len());
        let prefixes = newer.prefixes.into_iter().flat_map(|prefixes| *prefixes);
        steps.extend(prefixes.map(|(prefix, stamp)| (stamp, Step::Prefix(prefix))));
        let entries = newer.entries.into_iter();
        steps.extend(entries.map(|(key, slot)| (slot.stamp, Step::Entry(key, slot.held))));
        steps.sort_unstable_by_key(|(stamp, _)| *stamp);
        for (_, step) in steps {
            grown = grown.saturating_add(match step {
                Step::Prefix(prefix) => self.remove_prefix(&prefix),
                Step::Entry(key, held) => self.write(&key, held),
            });
        }
        grown
    }

    /// The changes in the order they were made, as the journal carries them.
    pub(crate) fn changes(&self) -> Vec<Change<'_>> {
        let mut changes: Vec<(u64, Change<'_>)> = Vec::with_capacity(self.entries.len());
        let prefixes = self.prefixes.iter().flat_map(|prefixes| prefixes.iter());
        changes.extend(prefixes.map(|(prefix, stamp)| (*stamp, Change::RemovePrefix { prefix })));
        changes.extend(self.entries.iter().map(|(key, slot)| {
            let change = match &slot.held {
                Some(held) => Change::Put {
                    key,
                    value: crate::format::codec::Bytes(&held.value),
                    deadline: held.deadline,
                },
                None => Change::Remove { key },
            };
            (slot.stamp, change)
        }));
        changes.sort_unstable_by_key(|(stamp, _)| *stamp);
        changes.into_iter().map(|(_, change)| change).collect()
    }
}

enum Step {
    Prefix(Box<str>),
    Entry(Box<str>, Option<Held>),
}
