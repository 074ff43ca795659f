//! What the child does, as text and as a change of a model.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The keys of a session and their values, and its owner as if it were one.
pub(crate) type Keys = BTreeMap<String, String>;

/// Where the owner stands among the keys. No key looks like it.
pub(crate) const OWNER: &str = "";

/// Sessions that one thread uses.
pub(crate) const SLOTS: usize = 4;

/// One operation of one thread, on one of its sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Sets a key; the value's length.
    Set(u32, usize),
    /// Sets two keys and removes a third, in one transaction.
    Exchange(u32, u32, u32),
    /// Pops a key.
    Pop(u32),
    /// Deletes a key strictly.
    Delete(u32),
    /// Removes the keys that begin with this digit.
    RemovePrefix(u32),
    /// Removes all keys.
    Clear,
    /// Ends the session; the slot has a new one.
    Flush,
    /// Ends the session; the slot has none.
    Destroy,
    /// Gives it a new ID.
    Cycle,
    /// Sets a key and gives the session to the thread, in one transaction.
    Own(u32),
    /// Ends all sessions of the thread that were given to it; their slots have
    /// new ones.
    RevokeOwner,
    /// Pops a key of the pool that all threads share.
    PopShared(u32),
}

/// The owner of the sessions that a thread was given.
pub(crate) fn owner(thread: usize) -> String {
    format!("thread {thread}")
}

/// The name of a key.
pub(crate) fn key(number: u32) -> String {
    format!("{number:02}")
}

/// The name of a key of the pool.
pub(crate) fn shared_key(number: u32) -> String {
    format!("shared {number:05}")
}

/// A value that no other operation writes.
pub(crate) fn value(stamp: &str, length: usize) -> String {
    let mut value = stamp.to_owned();
    value.extend(std::iter::repeat_n('v', length));
    value
}

impl Operation {
    pub(crate) fn random(random: &mut fastrand::Rng, pool: u32) -> Self {
        let mut key = || random.u32(0..60);
        let (a, b, c) = (key(), key(), key());
        match random.u8(0..100) {
            0..45 => Self::Set(a, random.usize(0..1500)),
            45..57 => Self::Exchange(a, b, c),
            57..67 => Self::Pop(a),
            67..74 => Self::Delete(a),
            74..79 => Self::RemovePrefix(random.u32(0..6)),
            79..81 => Self::Clear,
            81..84 => Self::Flush,
            84..86 => Self::Destroy,
            86..90 => Self::Cycle,
            90..94 => Self::Own(a),
            94..95 => Self::RevokeOwner,
            _ => Self::PopShared(random.u32(0..pool)),
        }
    }

    /// What the operation makes of a session's keys.
    fn apply(self, keys: &mut Keys, stamp: &str, thread: usize) {
        match self {
            Self::Set(number, length) => {
                keys.insert(key(number), value(stamp, length));
            }
            Self::Exchange(first, second, removed) => {
                keys.insert(key(first), value(stamp, 1));
                keys.insert(key(second), value(stamp, 2));
                keys.remove(&key(removed));
            }
            Self::Pop(number) | Self::Delete(number) => {
                keys.remove(&key(number));
            }
            Self::RemovePrefix(digit) => {
                let prefix = digit.to_string();
                keys.retain(|key, _| !key.starts_with(&prefix));
            }
            Self::Own(number) => {
                keys.insert(key(number), value(stamp, 1));
                keys.insert(OWNER.to_owned(), owner(thread));
            }
            Self::Clear => keys.retain(|key, _| key == OWNER),
            Self::Flush | Self::Destroy => keys.clear(),
            Self::Cycle | Self::RevokeOwner | Self::PopShared(_) => {}
        }
    }

    /// What it makes of a session; `None` is one that does not exist.
    pub(crate) fn after(self, before: Option<Keys>, stamp: &str, thread: usize) -> Option<Keys> {
        match self {
            Self::Flush | Self::Destroy => None,
            Self::Set(..) | Self::Exchange(..) | Self::Own(_) => {
                let mut keys = before.unwrap_or_default();
                self.apply(&mut keys, stamp, thread);
                Some(keys)
            }
            _ => before.map(|mut keys| {
                self.apply(&mut keys, stamp, thread);
                keys
            }),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(key, length) => write!(formatter, "set {key} {length}"),
            Self::Exchange(a, b, c) => write!(formatter, "exchange {a} {b} {c}"),
            Self::Pop(key) => write!(formatter, "pop {key}"),
            Self::Delete(key) => write!(formatter, "delete {key}"),
            Self::RemovePrefix(digit) => write!(formatter, "remove-prefix {digit}"),
            Self::Clear => write!(formatter, "clear"),
            Self::Flush => write!(formatter, "flush"),
            Self::Destroy => write!(formatter, "destroy"),
            Self::Cycle => write!(formatter, "cycle"),
            Self::Own(key) => write!(formatter, "own {key}"),
            Self::RevokeOwner => write!(formatter, "revoke-owner"),
            Self::PopShared(key) => write!(formatter, "pop-shared {key}"),
        }
    }
}

impl FromStr for Operation {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text.split(' ');
        let name = words.next().unwrap_or_default();
        let mut number = || words.next().unwrap_or_default().parse::<u32>();
        Ok(match name {
            "set" => Self::Set(number()?, number()? as usize),
            "exchange" => Self::Exchange(number()?, number()?, number()?),
            "pop" => Self::Pop(number()?),
            "delete" => Self::Delete(number()?),
            "remove-prefix" => Self::RemovePrefix(number()?),
            "clear" => Self::Clear,
            "flush" => Self::Flush,
            "destroy" => Self::Destroy,
            "cycle" => Self::Cycle,
            "own" => Self::Own(number()?),
            "revoke-owner" => Self::RevokeOwner,
            "pop-shared" => Self::PopShared(number()?),
            other => panic!("no operation: {other}"),
        })
    }
}

#[test]
fn an_operation_is_read_back_as_it_was_written() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..500 {
        let operation = Operation::random(&mut random, 100);
        assert_eq!(operation.to_string().parse(), Ok(operation));
    }
}
