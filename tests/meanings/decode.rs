//! A decode failure leaves the value in place, `pop` included;
//! `Some(None::<T>)` is a present null.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Deserializer};
use sessiondb::{Error, Result, Session};

use super::support::Stage;

fn text_and_bytes(session: &Session) {
    session.set("text", "ada").unwrap();
    session.set_bytes("bytes", b"raw").unwrap();
}

#[track_caller]
fn is_decode<T: std::fmt::Debug>(key: &str, answer: Result<T>) {
    match answer {
        Err(Error::Decode { key: named, .. }) => assert_eq!(named, key),
        other => panic!("expected a decode error for {key}, got {other:?}"),
    }
}

#[track_caller]
fn is_unchanged(session: &Session) {
    assert_eq!(
        session.get::<String>("text").unwrap().as_deref(),
        Some("ada")
    );
    let bytes = session.get_bytes("bytes").unwrap();
    assert_eq!(bytes.as_deref(), Some(&b"raw"[..]));
    assert_eq!(session.len().unwrap(), 2);
}

#[test]
fn a_decode_failure_leaves_the_value_in_place_and_writes_nothing() {
    for mut stage in Stage::each(text_and_bytes) {
        stage.writes_nothing("a failed decode", |session| {
            is_decode("text", session.get::<i64>("text"));
            is_decode("text", session.get_bytes("text"));
            is_decode("text", session.pop::<i64>("text"));
            is_decode("text", session.pop::<Option<i64>>("text"));
            is_decode("text", session.pop_bytes("text"));
            is_decode("text", session.get_or_insert_with("text", || 1));
            is_decode("text", session.update("text", |_: Option<i64>| None));
            is_decode("bytes", session.get::<String>("bytes"));
            is_decode("bytes", session.pop::<Vec<u8>>("bytes"));
            is_decode("bytes", session.pop::<serde_json::Value>("bytes"));
            is_decode("bytes", session.update("bytes", |_: Option<String>| None));
            is_unchanged(session);
        });
        let stage = stage.reopened();
        is_unchanged(&stage.session);
    }
}

#[test]
fn a_decode_failure_in_a_transaction_leaves_the_value_in_place() {
    for stage in Stage::each(text_and_bytes) {
        let outcome = stage.session.transaction(|tx| {
            is_decode("text", tx.pop::<i64>("text"));
            is_decode("text", tx.pop_bytes("text"));
            is_decode("text", tx.update("text", |_: Option<i64>| None));
            is_decode("bytes", tx.pop::<String>("bytes"));
            is_decode("bytes", tx.get_or_insert_with("bytes", || 1));
            assert!(tx.contains_key("text")? && tx.contains_key("bytes")?);
            Ok(())
        });
        outcome.unwrap();
        is_unchanged(&stage.session);
    }
}

#[test]
fn removing_without_decoding_works_whatever_the_type() {
    for stage in Stage::each(text_and_bytes) {
        assert!(stage.session.contains_key("bytes").unwrap());
        stage.session.delete("text").unwrap();
        assert!(stage.session.discard("bytes").unwrap());
        stage.holds(&[]);
    }
}

#[test]
fn comparing_with_a_value_of_another_type_loses_and_does_not_fail() {
    for mut stage in Stage::each(text_and_bytes) {
        stage.writes_nothing("a comparison", |session| {
            assert!(!session.pop_if("text", &1).unwrap());
            assert!(!session.pop_if("bytes", "raw").unwrap());
            assert!(!session.compare_and_set("text", Some(&1), Some(&2)).unwrap());
            is_unchanged(session);
        });
    }
}

#[derive(Debug)]
struct Panics;

impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: Deserializer<'de>>(_: D) -> std::result::Result<Self, D::Error> {
        panic!("a type that cannot be read")
    }
}

#[test]
fn a_type_that_panics_while_it_is_read_leaves_the_value_in_place() {
    for mut stage in Stage::each(text_and_bytes) {
        stage.writes_nothing("a panic", |session| {
            for attempt in [
                |session: &Session| drop(session.get::<Panics>("text")),
                |session: &Session| drop(session.pop::<Panics>("text")),
                |session: &Session| {
                    let last = session.iter().unwrap().last().unwrap().unwrap();
                    drop(last.decode::<Panics>());
                },
            ] {
                let outcome = catch_unwind(AssertUnwindSafe(|| attempt(session)));
                assert!(outcome.is_err());
            }
            is_unchanged(session);
        });
        // The lock is free: a write gets through.
        stage.session.set("text", "ada").unwrap();
        is_unchanged(&stage.session);
    }
}

#[test]
fn an_entry_that_does_not_decode_does_not_end_an_iteration() {
    for stage in Stage::each(text_and_bytes) {
        let entries: Vec<_> = stage.session.iter().unwrap().map(Result::unwrap).collect();
        assert_eq!(entries.len(), 2);
        is_decode("bytes", entries[0].decode::<String>());
        is_decode("text", entries[1].bytes());
        assert_eq!(entries[0].bytes().unwrap(), b"raw");
        assert_eq!(entries[1].decode::<String>().unwrap(), "ada");
    }
}

#[test]
fn some_none_is_a_present_null() {
    let prepare = |session: &Session| session.set("null", &None::<u8>).unwrap();
    for mut stage in Stage::each(prepare) {
        stage.writes_nothing("reading a null", |session| {
            assert!(session.contains_key("null").unwrap());
            assert_eq!(session.len().unwrap(), 1);
            assert_eq!(session.get::<Option<u8>>("null").unwrap(), Some(None));
            assert_eq!(session.get::<Option<u8>>("absent").unwrap(), None);
            let inserted = session.get_or_insert_with("null", || Some(1_u8));
            assert_eq!(inserted.unwrap(), None, "a null is a value");
            is_decode("null", session.get::<u8>("null"));
            assert!(
                !session
                    .compare_and_set("null", None, Some(&Some(1_u8)))
                    .unwrap()
            );
        });
        assert_eq!(stage.session.pop::<Option<u8>>("null").unwrap(), Some(None));
        assert_eq!(stage.session.pop::<Option<u8>>("null").unwrap(), None);
        stage.holds(&[]);
    }
}

#[test]
fn an_update_tells_a_present_null_from_absence_on_either_side() {
    for stage in Stage::each(|session| session.set("other", &1).unwrap()) {
        let session = &stage.session;
        let made = session.update("null", |before: Option<Option<u8>>| {
            assert_eq!(before, None);
            Some(None)
        });
        assert_eq!(made.unwrap(), Some(None));
        assert!(session.contains_key("null").unwrap());
        let removed = session.update("null", |before: Option<Option<u8>>| {
            assert_eq!(before, Some(None));
            None
        });
        assert_eq!(removed.unwrap(), None);
        stage.holds(&[("other", 1)]);
    }
}

#[test]
fn a_null_can_be_compared_and_swapped_and_popped() {
    for stage in Stage::each(|session| session.set("null", &None::<u8>).unwrap()) {
        let session = &stage.session;
        let (null, seven) = (None::<i64>, Some(7_i64));
        assert!(
            session
                .compare_and_set("null", Some(&null), Some(&seven))
                .unwrap()
        );
        assert!(
            session
                .compare_and_set("null", Some(&seven), Some(&null))
                .unwrap()
        );
        assert!(session.pop_if("null", &null).unwrap());
        stage.holds(&[]);
    }
}
