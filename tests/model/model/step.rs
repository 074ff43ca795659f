//! One operation on a session, with all its values, and what a plain map makes
//! of it.

use std::sync::Arc;
use std::time::Duration;

use sessiondb::{Expiry, MAX_OWNER_BYTES};

use super::answer::{Answer, Failure};
use super::draft::Draft;
use super::value::{Kind, Value};

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
    SetWithTtl(String, Value, Duration),
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
    SetOwner(Option<Arc<str>>),
    SetExpiry(Expiry),
}

impl Step {
    /// Applies the step to the map, and says what has to come of it.
    pub(crate) fn expect(&self, draft: &mut Draft) -> Answer {
        if !self.has_valid_key() {
            return Failure::InvalidKey.into();
        }
        match self {
            Self::Get(key, kind) => typed(draft.value(key), *kind),
            Self::Contains(key) => Answer::Flag(draft.keys.contains_key(key)),
            Self::Set(key, value) => {
                draft.put(key, value.clone());
                Answer::Done
            }
            Self::SetWithTtl(key, value, ttl) => {
                draft.put_for(key, value.clone(), *ttl);
                Answer::Done
            }
            Self::Pop(key, kind) => {
                let answer = typed(draft.value(key), *kind);
                if answer != Failure::Decode.into() {
                    draft.remove(key);
                }
                answer
            }
            Self::PopIf(key, expected) => swap(draft, key, Some(expected), None),
            Self::Delete(key) if draft.remove(key) => Answer::Done,
            Self::Delete(_) => Failure::KeyNotFound.into(),
            Self::Discard(key) => Answer::Flag(draft.remove(key)),
            Self::Swap(key, expected, new) => swap(draft, key, expected.as_ref(), new.clone()),
            Self::Update(key, kind, new) => match (typed(draft.value(key), *kind), new) {
                (Answer::Value(_), Some(value)) => {
                    draft.replace(key, value.clone());
                    Answer::Value(new.clone())
                }
                (Answer::Value(_), None) => {
                    draft.remove(key);
                    Answer::Value(None)
                }
                (failure, _) => failure,
            },
            Self::GetOrInsert(key, value) => match typed(draft.value(key), value.kind()) {
                Answer::Value(None) => {
                    draft.put(key, value.clone());
                    Answer::Value(Some(value.clone()))
                }
                answer => answer,
            },
            Self::RemovePrefix(prefix) => {
                draft.remove_prefix(prefix);
                Answer::Done
            }
            Self::Clear => {
                draft.clear();
                Answer::Done
            }
            Self::Walk(walk) => walked(draft, *walk),
            Self::SetOwner(owner) if owner.as_deref().is_none_or(is_owner) => {
                draft.owner.clone_from(owner);
                Answer::Done
            }
            Self::SetOwner(_) => Failure::InvalidOwner.into(),
            Self::SetExpiry(expiry) => {
                draft.lease = (*expiry).into();
                draft.says_lease = true;
                Answer::Done
            }
        }
    }

    /// Whether a session answers it without a transaction.
    pub(crate) fn is_read(&self) -> bool {
        matches!(self, Self::Get(..) | Self::Contains(_) | Self::Walk(_))
    }

    /// The key that the step is about.
    pub(crate) fn key(&self) -> Option<&str> {
        match self {
            Self::Get(key, _)
            | Self::Contains(key)
            | Self::Set(key, _)
            | Self::SetWithTtl(key, _, _)
            | Self::Pop(key, _)
            | Self::PopIf(key, _)
            | Self::Delete(key)
            | Self::Discard(key)
            | Self::Swap(key, _, _)
            | Self::Update(key, _, _)
            | Self::GetOrInsert(key, _) => Some(key),
            Self::RemovePrefix(_)
            | Self::Clear
            | Self::Walk(_)
            | Self::SetOwner(_)
            | Self::SetExpiry(_) => None,
        }
    }

    fn has_valid_key(&self) -> bool {
        let most = sessiondb::MAX_KEY_BYTES;
        match self {
            Self::RemovePrefix(prefix) => prefix.len() <= most,
            other => other
                .key()
                .is_none_or(|key| (1..=most).contains(&key.len())),
        }
    }

    /// Bytes that the step may add to a transaction.
    pub(crate) fn weight(&self) -> u64 {
        let (key, value) = match self {
            Self::Set(key, value)
            | Self::SetWithTtl(key, value, _)
            | Self::GetOrInsert(key, value) => (key.len(), value.size()),
            Self::Swap(key, _, new) | Self::Update(key, _, new) => {
                (key.len(), new.as_ref().map_or(0, Value::size))
            }
            Self::Pop(key, _) | Self::PopIf(key, _) | Self::Delete(key) | Self::Discard(key) => {
                (key.len(), 0)
            }
            Self::RemovePrefix(prefix) => (prefix.len(), 0),
            Self::Get(..)
            | Self::Contains(_)
            | Self::Clear
            | Self::Walk(_)
            | Self::SetOwner(_)
            | Self::SetExpiry(_) => return 0,
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

fn swap(draft: &mut Draft, key: &str, expected: Option<&Value>, new: Option<Value>) -> Answer {
    let equal = draft.value(key) == expected;
    match new {
        _ if !equal => {}
        Some(new) => draft.put(key, new),
        None => {
            draft.remove(key);
        }
    }
    Answer::Flag(equal)
}

fn walked(draft: &Draft, walk: Walk) -> Answer {
    let entries = || draft.keys.iter().map(|(key, held)| (key, &held.value));
    match walk {
        // Raw bytes are no serde type.
        Walk::Map if entries().any(|(_, value)| value.kind() == Kind::Bytes) => {
            Failure::Decode.into()
        }
        Walk::Entries | Walk::Map => Answer::Entries(
            entries()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        ),
        Walk::Keys => Answer::Keys(draft.keys.keys().cloned().collect()),
        Walk::Length => Answer::Count(draft.keys.len()),
        Walk::Emptiness => Answer::Flag(draft.keys.is_empty()),
    }
}

/// Whether it can be the name of an owner.
pub(crate) fn is_owner(name: &str) -> bool {
    (1..=MAX_OWNER_BYTES).contains(&name.len())
}
