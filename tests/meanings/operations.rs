//! Every operation of a session and of a transaction, by name, for promises
//! that hold for all of them.

use std::time::Duration;

use sessiondb::{Error, Expiry, Result, Session, Transaction};

const HOUR: Duration = Duration::from_secs(3600);

/// An operation's name and what it answered.
pub(crate) type Answer = (&'static str, Result<()>);

fn nothing<T>(result: Result<T>) -> Result<()> {
    result.map(drop)
}

/// Every operation that names a key and only reads.
pub(crate) fn keyed_reads(session: &Session, key: &str) -> Vec<Answer> {
    vec![
        ("get", nothing(session.get::<i64>(key))),
        ("get_bytes", nothing(session.get_bytes(key))),
        ("contains_key", nothing(session.contains_key(key))),
    ]
}

/// Every operation that reads.
pub(crate) fn reads(session: &Session, key: &str) -> Vec<Answer> {
    let mut answers = keyed_reads(session, key);
    answers.extend([
        (
            "iter",
            session
                .iter()
                .and_then(|mut iter| iter.try_for_each(nothing)),
        ),
        (
            "keys",
            session
                .keys()
                .and_then(|mut keys| keys.try_for_each(nothing)),
        ),
        ("len", nothing(session.len())),
        ("is_empty", nothing(session.is_empty())),
        ("to_map", nothing(session.to_map::<i64>())),
        ("expiry", nothing(session.expiry())),
        ("expires_at", nothing(session.expires_at())),
        ("owner", nothing(session.owner())),
    ]);
    answers
}

/// Every operation that names a key and may write.
pub(crate) fn keyed_writes(session: &Session, key: &str) -> Vec<Answer> {
    vec![
        ("set", session.set(key, &1)),
        ("set_bytes", session.set_bytes(key, b"1")),
        ("set_with_ttl", session.set_with_ttl(key, &1, HOUR)),
        ("pop", nothing(session.pop::<i64>(key))),
        ("pop_bytes", nothing(session.pop_bytes(key))),
        ("pop_if", nothing(session.pop_if(key, &1))),
        ("delete", session.delete(key)),
        ("discard", nothing(session.discard(key))),
        (
            "get_or_insert_with",
            nothing(session.get_or_insert_with(key, || 1)),
        ),
        (
            "update",
            nothing(session.update(key, |_: Option<i64>| Some(1))),
        ),
        (
            "compare_and_set",
            nothing(session.compare_and_set(key, None, Some(&1))),
        ),
    ]
}

/// Every operation that may write, except those that end the session.
pub(crate) fn writes(session: &Session, key: &str) -> Vec<Answer> {
    let mut answers = keyed_writes(session, key);
    answers.extend([
        ("remove_prefix", session.remove_prefix("")),
        ("clear", session.clear()),
        ("touch", session.touch()),
        ("set_expiry", session.set_expiry(Expiry::Idle(HOUR))),
        ("set_owner", session.set_owner(Some("somebody"))),
        ("transaction", session.transaction(|tx| tx.set(key, &1))),
        (
            "try_transaction",
            session.try_transaction::<(), Error>(|tx| tx.set(key, &1)),
        ),
        (
            "a transaction that only reads",
            session.transaction(|tx| nothing(tx.len())),
        ),
        (
            "a transaction that does nothing",
            session.transaction(|_| Ok(())),
        ),
    ]);
    answers
}

/// Every operation of a transaction that names a key.
pub(crate) fn keyed_in_transaction(tx: &mut Transaction<'_>, key: &str) -> Vec<Answer> {
    vec![
        ("get", nothing(tx.get::<i64>(key))),
        ("get_bytes", nothing(tx.get_bytes(key))),
        ("contains_key", nothing(tx.contains_key(key))),
        ("set", tx.set(key, &1)),
        ("set_bytes", tx.set_bytes(key, b"1")),
        ("set_with_ttl", tx.set_with_ttl(key, &1, HOUR)),
        ("pop", nothing(tx.pop::<i64>(key))),
        ("pop_bytes", nothing(tx.pop_bytes(key))),
        ("pop_if", nothing(tx.pop_if(key, &1))),
        ("delete", tx.delete(key)),
        ("discard", nothing(tx.discard(key))),
        (
            "get_or_insert_with",
            nothing(tx.get_or_insert_with(key, || 1)),
        ),
        ("update", nothing(tx.update(key, |_: Option<i64>| Some(1)))),
        (
            "compare_and_set",
            nothing(tx.compare_and_set(key, None, Some(&1))),
        ),
    ]
}
