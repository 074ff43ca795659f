//! What the database answers to a step, in the model's words.

use sessiondb::{Entry, Error, Expiry, Iter, Session, Transaction, ValueBytes};

use super::step::{Step, Walk};
use super::value::{Kind, Value};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    Flag(bool),
    Count(usize),
    Value(Option<Value>),
    Keys(Vec<String>),
    Entries(Vec<(String, Value)>),
    Failure(Failure),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    KeyNotFound,
    SessionGone,
    SessionExists,
    InvalidKey,
    InvalidOwner,
    TooLarge,
    Decode,
    /// The closure of a transaction wanted it so.
    Refused,
    /// What only a failing disk explains.
    Trouble(String),
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::KeyNotFound { .. } => Self::KeyNotFound,
            Error::SessionGone => Self::SessionGone,
            Error::SessionExists => Self::SessionExists,
            Error::InvalidKey { .. } => Self::InvalidKey,
            Error::InvalidOwner { .. } => Self::InvalidOwner,
            Error::TooLarge { .. } => Self::TooLarge,
            Error::Decode { .. } => Self::Decode,
            other => Self::Trouble(format!("{other:?}")),
        }
    }
}

impl From<Error> for Answer {
    fn from(error: Error) -> Self {
        Self::Failure(error.into())
    }
}

/// An answer of the interface, brought into the model's words by `told`.
pub(crate) fn answer<T>(result: Result<T, Error>, told: impl FnOnce(T) -> Answer) -> Answer {
    result.map_or_else(Answer::from, told)
}

fn text(result: Result<Option<String>, Error>) -> Answer {
    answer(result, |found| {
        Answer::Value(found.map(|text| Value::Text(text.into())))
    })
}

fn number(result: Result<Option<u64>, Error>) -> Answer {
    answer(result, |found| Answer::Value(found.map(Value::Number)))
}

fn bytes(result: Result<Option<ValueBytes>, Error>) -> Answer {
    answer(result, |found| {
        Answer::Value(found.map(|bytes| Value::Bytes(bytes.to_vec().into())))
    })
}

fn entry(entry: &Entry) -> Result<(String, Value), Error> {
    let key = entry.key().to_owned();
    let value = match entry.bytes() {
        Ok(bytes) => Value::Bytes(bytes.to_vec().into()),
        Err(_) => match entry.decode::<u64>() {
            Ok(number) => Value::Number(number),
            Err(_) => Value::Text(entry.decode::<String>()?.into()),
        },
    };
    Ok((key, value))
}

pub(crate) fn entries(iter: Result<Iter<'_>, Error>) -> Result<Vec<(String, Value)>, Error> {
    iter?.map(|found| entry(&found?)).collect()
}

/// A value of a map whose values are of any serde type.
fn from_json(json: &serde_json::Value) -> Value {
    match json.as_u64() {
        Some(number) => Value::Number(number),
        None => Value::Text(json.as_str().unwrap_or("neither number nor text").into()),
    }
}

/// Asks a session or a transaction: their functions have the same names.
macro_rules! ask {
    ($target:expr, $step:expr, $expire:expr) => {
        match $step {
            Step::Get(key, Kind::Text) => text($target.get(key)),
            Step::Get(key, Kind::Number) => number($target.get(key)),
            Step::Get(key, Kind::Bytes) => bytes($target.get_bytes(key)),
            Step::Contains(key) => answer($target.contains_key(key), Answer::Flag),
            Step::Set(key, Value::Bytes(value)) => {
                answer($target.set_bytes(key, value), |()| Answer::Done)
            }
            Step::Set(key, value) => answer($target.set(key, value), |()| Answer::Done),
            Step::SetWithTtl(key, value, ttl) => {
                answer($target.set_with_ttl(key, value, *ttl), |()| Answer::Done)
            }
            Step::Pop(key, Kind::Text) => text($target.pop(key)),
            Step::Pop(key, Kind::Number) => number($target.pop(key)),
            Step::Pop(key, Kind::Bytes) => bytes($target.pop_bytes(key)),
            Step::PopIf(key, expected) => answer($target.pop_if(key, expected), Answer::Flag),
            Step::Delete(key) => answer($target.delete(key), |()| Answer::Done),
            Step::Discard(key) => answer($target.discard(key), Answer::Flag),
            Step::Swap(key, expected, new) => answer(
                $target.compare_and_set(key, expected.as_ref(), new.as_ref()),
                Answer::Flag,
            ),
            Step::Update(key, Kind::Number, new) => {
                let new = new.as_ref().map(|new| match new {
                    Value::Number(number) => *number,
                    other => other.size() as u64,
                });
                number($target.update(key, |_: Option<u64>| new))
            }
            Step::Update(key, _, new) => {
                let new = new.as_ref().map(text_of);
                text($target.update(key, |_: Option<String>| new))
            }
            Step::GetOrInsert(key, Value::Number(value)) => {
                number($target.get_or_insert_with(key, || *value).map(Some))
            }
            Step::GetOrInsert(key, value) => {
                let insert = || text_of(value);
                text($target.get_or_insert_with(key, insert).map(Some))
            }
            Step::RemovePrefix(prefix) => answer($target.remove_prefix(prefix), |()| Answer::Done),
            Step::Clear => answer($target.clear(), |()| Answer::Done),
            Step::Walk(Walk::Entries) => answer(entries($target.iter()), Answer::Entries),
            Step::Walk(Walk::Keys) => {
                answer($target.keys().and_then(|keys| keys.collect()), Answer::Keys)
            }
            Step::Walk(Walk::Length) => answer($target.len(), Answer::Count),
            Step::Walk(Walk::Emptiness) => answer($target.is_empty(), Answer::Flag),
            Step::Walk(Walk::Map) => answer($target.to_map::<serde_json::Value>(), |map| {
                let entries = map.into_iter();
                Answer::Entries(entries.map(|(key, json)| (key, from_json(&json))).collect())
            }),
            Step::SetOwner(owner) => answer($target.set_owner(owner.as_deref()), |()| Answer::Done),
            Step::SetExpiry(expiry) => answer($expire($target, *expiry), |()| Answer::Done),
        }
    };
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        other => format!("{other:?}"),
    }
}

pub(crate) fn ask_session(session: &Session, step: &Step) -> Answer {
    ask!(session, step, Session::set_expiry)
}

pub(crate) fn ask_transaction(transaction: &mut Transaction<'_>, step: &Step) -> Answer {
    let expire = |transaction: &mut Transaction<'_>, expiry: Expiry| {
        transaction.set_expiry(expiry);
        Ok(())
    };
    ask!(transaction, step, expire)
}
