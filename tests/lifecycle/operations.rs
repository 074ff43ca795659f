//! Every operation of a session, by name, for promises that hold for all of
//! them.

use std::time::Duration;

use sessiondb::{Expiry, Result, Session};

/// An operation's name, and what it answered.
pub(crate) type Answer = (&'static str, Result<()>);

/// An operation by name.
pub(crate) type Write = (&'static str, fn(&mut Session));

fn nothing<T>(result: Result<T>) -> Result<()> {
    result.map(drop)
}

/// Every operation that only reads.
pub(crate) fn reads(session: &Session) -> Vec<Answer> {
    vec![
        ("get", nothing(session.get::<i64>("user"))),
        ("get_bytes", nothing(session.get_bytes("raw"))),
        ("contains_key", nothing(session.contains_key("user"))),
        ("len", nothing(session.len())),
        ("is_empty", nothing(session.is_empty())),
        (
            "keys",
            session
                .keys()
                .and_then(|mut keys| keys.try_for_each(nothing)),
        ),
        (
            "iter",
            session
                .iter()
                .and_then(|mut iter| iter.try_for_each(nothing)),
        ),
        ("to_map", nothing(session.to_map::<serde_json::Value>())),
        ("owner", nothing(session.owner())),
        ("expiry", nothing(session.expiry())),
        ("expires_at", nothing(session.expires_at())),
    ]
}

/// What a session must hold for each of [`WRITES`] to have an effect.
pub(crate) fn prepare(session: &Session) {
    for key in ["a", "b", "c", "d", "e", "f", "prefix/1"] {
        session.set(key, &1).unwrap();
    }
    session.set_bytes("raw bytes", b"1").unwrap();
}

/// Every operation that writes, except those that end the session. Each of
/// them finds something to do when they come in this order.
pub(crate) const WRITES: &[Write] = &[
    ("set", |session| session.set("user", &2).unwrap()),
    ("set_bytes", |session| {
        session.set_bytes("bytes", b"2").unwrap();
    }),
    ("set_with_ttl", |session| {
        let century = Duration::from_secs(100 * 365 * 86_400);
        session.set_with_ttl("otp", &2, century).unwrap();
    }),
    ("pop", |session| {
        assert_eq!(session.pop("a").unwrap(), Some(1));
    }),
    ("pop_bytes", |session| {
        assert!(session.pop_bytes("raw bytes").unwrap().is_some());
    }),
    ("pop_if", |session| {
        assert!(session.pop_if("b", &1).unwrap());
    }),
    ("delete", |session| session.delete("c").unwrap()),
    ("discard", |session| assert!(session.discard("d").unwrap())),
    ("get_or_insert_with", |session| {
        assert_eq!(session.get_or_insert_with("new", || 3).unwrap(), 3);
    }),
    ("update", |session| {
        session.update("user", |_: Option<i64>| Some(4)).unwrap();
    }),
    ("update to nothing", |session| {
        session.update("e", |_: Option<i64>| None).unwrap();
    }),
    ("compare_and_set", |session| {
        assert!(session.compare_and_set("user", Some(&4), Some(&5)).unwrap());
    }),
    ("transaction", |session| {
        session.transaction(|tx| tx.delete("f")).unwrap();
    }),
    ("remove_prefix", |session| {
        session.remove_prefix("prefix/").unwrap();
    }),
    ("set_owner", |session| {
        session.set_owner(Some("user:42")).unwrap();
    }),
    ("set_owner to nobody", |session| {
        session.set_owner(None).unwrap();
    }),
    ("set_expiry", |session| {
        session.set_expiry(Expiry::BrowserSession).unwrap();
    }),
    ("set_expiry in a transaction", |session| {
        let done = session.transaction(|tx| {
            tx.set_expiry(Expiry::Default);
            Ok(())
        });
        done.unwrap();
    }),
    ("cycle_id", |session| {
        session.cycle_id().unwrap();
    }),
    ("cycle_id_with", |session| {
        session.cycle_id_with(|tx| tx.set("user", &6)).unwrap();
    }),
    ("clear", |session| session.clear().unwrap()),
];

/// Every operation that writes something, or would, and answers.
pub(crate) fn attempts(session: &mut Session) -> Vec<Answer> {
    vec![
        ("set", session.set("user", &2)),
        ("set_bytes", session.set_bytes("bytes", b"2")),
        (
            "set_with_ttl",
            session.set_with_ttl("otp", &2, Duration::from_secs(60)),
        ),
        (
            "set_with_ttl of zero",
            session.set_with_ttl("otp", &2, Duration::ZERO),
        ),
        ("pop", nothing(session.pop::<i64>("user"))),
        ("pop_bytes", nothing(session.pop_bytes("user"))),
        ("pop_if", nothing(session.pop_if("user", &1))),
        ("delete", session.delete("user")),
        ("discard", nothing(session.discard("user"))),
        (
            "get_or_insert_with",
            nothing(session.get_or_insert_with("user", || 1)),
        ),
        (
            "update",
            nothing(session.update("user", |_: Option<i64>| Some(1))),
        ),
        (
            "compare_and_set",
            nothing(session.compare_and_set("user", None, Some(&1))),
        ),
        ("remove_prefix", session.remove_prefix("")),
        ("clear", session.clear()),
        ("transaction", session.transaction(|tx| tx.set("user", &1))),
        (
            "a transaction that does nothing",
            session.transaction(|_| Ok(())),
        ),
        ("touch", session.touch()),
        ("set_owner", session.set_owner(Some("user:42"))),
        (
            "set_expiry",
            session.set_expiry(Expiry::Idle(Duration::from_secs(900))),
        ),
        (
            "set_expiry to the default",
            session.set_expiry(Expiry::Default),
        ),
        ("cycle_id", nothing(session.cycle_id())),
        (
            "cycle_id_with",
            nothing(session.cycle_id_with(|tx| tx.set("user", &1))),
        ),
    ]
}
