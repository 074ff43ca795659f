//! A transaction as the model keeps it: what it sees, and whether it has
//! written anything.
//!
//! What has no net effect is not written and renews nothing, so the model has
//! to know it exactly: of a key that was put and removed in one transaction
//! nothing is left, unless it was there before.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::lease::Lease;
use super::session::{Held, Keys, Session};
use super::time::Time;
use super::value::Value;

#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) now: Time,
    /// What the transaction sees.
    pub(crate) keys: Keys,
    pub(crate) owner: Option<Arc<str>>,
    pub(crate) lease: Lease,
    /// Whether it has said anything about the expiry.
    pub(crate) says_lease: bool,
    /// What is below its own writes.
    below: Keys,
    written: BTreeSet<String>,
    prefixes: Vec<String>,
    cleared: bool,
}

impl Draft {
    /// Of a session that is there.
    pub(crate) fn of(session: &Session, now: Time) -> Self {
        let keys = session.visible(now);
        Self {
            below: keys.clone(),
            keys,
            owner: session.owner.clone(),
            lease: session.lease,
            ..Self::fresh(now)
        }
    }

    /// Of a session that was never written, and for which nothing waits.
    pub(crate) fn fresh(now: Time) -> Self {
        Self {
            now,
            keys: Keys::new(),
            owner: None,
            lease: Lease::Default,
            says_lease: false,
            below: Keys::new(),
            written: BTreeSet::new(),
            prefixes: Vec::new(),
            cleared: false,
        }
    }

    /// The same, for which an owner and an expiry wait.
    pub(crate) fn waiting(now: Time, owner: Option<Arc<str>>, lease: Lease) -> Self {
        Self {
            owner,
            lease,
            ..Self::fresh(now)
        }
    }

    /// Whether any key was written or removed.
    pub(crate) fn has_written(&self) -> bool {
        self.cleared || !self.prefixes.is_empty() || !self.written.is_empty()
    }

    pub(crate) fn value(&self, key: &str) -> Option<&Value> {
        self.keys.get(key).map(|held| &held.value)
    }

    pub(crate) fn put(&mut self, key: &str, value: Value) {
        self.put_held(key, value, None);
    }

    /// A time of zero removes.
    pub(crate) fn put_for(&mut self, key: &str, value: Value, ttl: Duration) {
        if ttl.is_zero() {
            self.remove(key);
        } else {
            self.put_held(key, value, Some(self.now.plus(ttl)));
        }
    }

    /// Puts a value that is there as long as the one before it.
    pub(crate) fn replace(&mut self, key: &str, value: Value) {
        let deadline = self.keys.get(key).and_then(|held| held.deadline);
        self.put_held(key, value, deadline);
    }

    fn put_held(&mut self, key: &str, value: Value, deadline: Option<Time>) {
        self.keys.insert(key.to_owned(), Held { value, deadline });
        self.written.insert(key.to_owned());
    }

    /// Whether the key was there.
    pub(crate) fn remove(&mut self, key: &str) -> bool {
        let was_there = self.keys.remove(key).is_some();
        if was_there {
            let leaves_a_trace = self.is_below(key) || !self.prefixes.is_empty();
            if leaves_a_trace {
                self.written.insert(key.to_owned());
            } else {
                self.written.remove(key);
            }
        }
        was_there
    }

    pub(crate) fn remove_prefix(&mut self, prefix: &str) {
        if !self.keys.keys().any(|key| key.starts_with(prefix)) {
            return;
        }
        self.keys.retain(|key, _| !key.starts_with(prefix));
        self.written.retain(|key| !key.starts_with(prefix));
        let covers = |key: &String| key.starts_with(prefix) && self.is_below(key);
        if self.below.keys().any(covers) {
            self.prefixes.push(prefix.to_owned());
        }
    }

    pub(crate) fn clear(&mut self) {
        self.keys.clear();
        self.written.clear();
        self.prefixes.clear();
        self.cleared |= !self.below.is_empty();
    }

    /// Whether a key would be seen if the transaction had not written it.
    fn is_below(&self, key: &str) -> bool {
        let removed = |prefix: &String| key.starts_with(prefix.as_str());
        !self.cleared && self.below.contains_key(key) && !self.prefixes.iter().any(removed)
    }
}
