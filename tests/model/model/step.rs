//! One operation on a session's keys, with all its values, and what a plain
//! map makes of it.

use std::collections::BTreeMap;

use super::answer::{Answer, Failure};
use super::value::{Kind, Value};

/// The keys of one session.
pub(crate) type Keys = BTreeMap<String, Value>;

/// How a session's keys are walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Walk {
    Entries,
    Keys,
    Length,
    Emptiness,
    Map,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Get(String, Kind),
    Contains(String),
    Set(String, Value),
    Pop(String, Kind),
    PopIf(String, Value),
    Delete(String),
    Discard(String),
    Swap(String, Option<Value>, Option<Value>),
    Update(String, Kind, Option<Value>),
    GetOrInsert(String, Value),
    RemovePrefix(String),
    Clear,
    Walk(Walk),
}

impl Step {
    /// Applies the step to the map, and says what has to come of it.
    pub(crate) fn expect(&self, keys: &mut Keys) -> Answer {
        if !self.has_valid_key() {
            return Failure::InvalidKey.into();
        }
        match self {
            Self::Get(key, kind) => typed(keys.get(key), *kind),
            Self::Contains(key) => Answer::Flag(keys.contains_key(key)),
            Self::Set(key, value) => {
                keys.insert(key.clone(), value.clone());
                Answer::Done
            }
            Self::Pop(key, kind) => {
                let answer = typed(keys.get(key), *kind);
                if answer != Failure::Decode.into() {
                    keys.remove(key);
                }
                answer
            }
            Self::PopIf(key, expected) => swap(keys, key, Some(expected), None),
            Self::Delete(key) => match keys.remove(key) {
                Some(_) => Answer::Done,
                None => Failure::KeyNotFound.into(),
            },
            Self::Discard(key) => Answer::Flag(keys.remove(key).is_some()),
            Self::Swap(key, expected, new) => swap(keys, key, expected.as_ref(), new.clone()),
            Self::Update(key, kind, new) => match typed(keys.get(key), *kind) {
                Answer::Value(_) => {
                    put(keys, key, new.clone());
                    Answer::Value(new.clone())
                }
                failure => failure,
            },
            Self::GetOrInsert(key, value) => match typed(keys.get(key), value.kind()) {
                Answer::Value(None) => {
                    put(keys, key, Some(value.clone()));
                    Answer::Value(Some(value.clone()))
                }
                answer => answer,
            },
            Self::RemovePrefix(prefix) => {
                keys.retain(|key, _| !key.starts_with(prefix.as_str()));
                Answer::Done
            }
            Self::Clear => {
                keys.clear();
                Answer::Done
            }
            Self::Walk(walk) => walked(keys, *walk),
        }
    }

    fn has_valid_key(&self) -> bool {
        let (key, least) = match self {
            Self::Get(key, _)
            | Self::Contains(key)
            | Self::Set(key, _)
            | Self::Pop(key, _)
            | Self::PopIf(key, _)
            | Self::Delete(key)
            | Self::Discard(key)
            | Self::Swap(key, _, _)
            | Self::Update(key, _, _)
            | Self::GetOrInsert(key, _) => (key, 1),
            Self::RemovePrefix(prefix) => (prefix, 0),
            Self::Clear | Self::Walk(_) => return true,
        };
        (least..=sessiondb::MAX_KEY_BYTES).contains(&key.len())
    }

    /// Bytes that the step may add to a transaction.
    pub(crate) fn weight(&self) -> u64 {
        let (key, value) = match self {
            Self::Set(key, value) | Self::GetOrInsert(key, value) => (key.len(), value.size()),
            Self::Swap(key, _, new) | Self::Update(key, _, new) => {
                (key.len(), new.as_ref().map_or(0, Value::size))
            }
            Self::Pop(key, _) | Self::PopIf(key, _) | Self::Delete(key) | Self::Discard(key) => {
                (key.len(), 0)
            }
            Self::RemovePrefix(prefix) => (prefix.len(), 0),
            Self::Get(..) | Self::Contains(_) | Self::Clear | Self::Walk(_) => return 0,
        };
        (key + value + 32) as u64
    }
}

fn typed(found: Option<&Value>, kind: Kind) -> Answer {
    match found {
        Some(value) if value.kind() != kind => Failure::Decode.into(),
        found => Answer::Value(found.cloned()),
    }
}

fn put(keys: &mut Keys, key: &str, value: Option<Value>) {
    match value {
        Some(value) => keys.insert(key.to_owned(), value),
        None => keys.remove(key),
    };
}

fn swap(keys: &mut Keys, key: &str, expected: Option<&Value>, new: Option<Value>) -> Answer {
    let equal = keys.get(key) == expected;
    if equal {
        put(keys, key, new);
    }
    Answer::Flag(equal)
}

fn walked(keys: &Keys, walk: Walk) -> Answer {
    let has_bytes = keys.values().any(|value| value.kind() == Kind::Bytes);
    match walk {
        // Raw bytes are no serde type.
        Walk::Map if has_bytes => Failure::Decode.into(),
        Walk::Entries | Walk::Map => {
            let entries = keys.iter();
            Answer::Entries(
                entries
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect(),
            )
        }
        Walk::Keys => Answer::Keys(keys.keys().cloned().collect()),
        Walk::Length => Answer::Count(keys.len()),
        Walk::Emptiness => Answer::Flag(keys.is_empty()),
    }
}
