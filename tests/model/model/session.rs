//! A session as the model knows it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::lease::Lease;
use super::time::Time;
use super::value::Value;

/// A value and how long it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) value: Value,
    pub(crate) deadline: Option<Time>,
}

impl Held {
    pub(crate) fn is_over(&self, now: Time) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }
}

/// The keys of one session.
pub(crate) type Keys = BTreeMap<String, Held>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// What was written and not removed, whether its time is over or not.
    pub(crate) keys: Keys,
    /// Values whose time was over when their keys were written again, or that
    /// a crash may have left: on disk they may still be there, and are seen
    /// again should the clock of another opening be behind.
    pub(crate) faded: Vec<(String, Held)>,
    pub(crate) created: Time,
    pub(crate) last_seen: Time,
    pub(crate) lease: Lease,
    pub(crate) owner: Option<Arc<str>>,
    /// Tells it from another one under the same ID.
    pub(crate) birth: u64,
}

impl Session {
    /// The keys that are there.
    pub(crate) fn visible(&self, now: Time) -> Keys {
        let there = self.keys.iter().filter(|(_, held)| !held.is_over(now));
        there
            .map(|(key, held)| (key.clone(), held.clone()))
            .collect()
    }

    /// Keeps what has faded of an earlier version.
    pub(crate) fn fade(&mut self, earlier: &Self, now: Time) {
        let over = earlier.keys.iter().filter(|(_, held)| held.is_over(now));
        let over = over.map(|(key, held)| (key.clone(), held.clone()));
        for faded in earlier.faded.iter().cloned().chain(over) {
            if !self.faded.contains(&faded) && self.keys.get(&faded.0) != Some(&faded.1) {
                self.faded.push(faded);
            }
        }
    }
}
