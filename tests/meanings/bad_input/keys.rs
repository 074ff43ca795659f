//! Keys have 1 to 512 bytes.

use sessiondb::{Error, MAX_KEY_BYTES, Session};

use super::super::operations::{keyed_in_transaction, keyed_reads, keyed_writes};
use super::super::support::{Footprint, Stage, fresh};

/// Keys that cannot exist, with their length in bytes.
fn bad_keys() -> Vec<(String, usize)> {
    let umlauts = "ä".repeat(257);
    vec![
        (String::new(), 0),
        ("k".repeat(513), 513),
        ("k".repeat(100_000), 100_000),
        // 257 characters, and 514 bytes.
        (umlauts, 514),
    ]
}

#[track_caller]
fn is_invalid(answer: &Result<(), Error>, bytes: usize, context: &str) {
    match answer {
        Err(Error::InvalidKey { length, limit }) => {
            assert_eq!((*length, *limit), (bytes, MAX_KEY_BYTES), "{context}");
        }
        other => panic!("{context} with a key of {bytes} bytes: {other:?}"),
    }
}

#[test]
fn every_operation_refuses_an_empty_key_and_one_over_512_bytes() {
    for mut stage in Stage::each(|session| session.set("a", &1).unwrap()) {
        for (key, length) in bad_keys() {
            stage.writes_nothing("a refused key", |session| {
                let answers = keyed_reads(session, &key).into_iter();
                for (operation, answer) in answers.chain(keyed_writes(session, &key)) {
                    is_invalid(&answer, length, operation);
                }
            });
        }
        stage.holds(&[("a", 1)]);
    }
}

#[test]
fn every_operation_of_a_transaction_refuses_them_and_the_rest_of_it_stands() {
    for stage in Stage::each(|session| session.set("a", &1).unwrap()) {
        let outcome = stage.session.transaction(|tx| {
            for (key, length) in bad_keys() {
                for (operation, answer) in keyed_in_transaction(tx, &key) {
                    is_invalid(&answer, length, operation);
                }
            }
            tx.set("b", &2)
        });
        outcome.unwrap();
        stage.holds(&[("a", 1), ("b", 2)]);
    }
}

#[test]
fn a_prefix_over_512_bytes_is_refused() {
    for mut stage in Stage::each(|session| session.set("a", &1).unwrap()) {
        for (prefix, length) in bad_keys().into_iter().skip(1) {
            stage.writes_nothing("a refused prefix", |session| {
                is_invalid(&session.remove_prefix(&prefix), length, "remove_prefix");
                let outcome = session.transaction(|tx| tx.remove_prefix(&prefix));
                is_invalid(&outcome, length, "tx.remove_prefix");
            });
        }
    }
}

#[test]
fn a_refused_key_does_not_create_a_session() {
    for (key, _) in bad_keys() {
        let (disk, db) = fresh();
        let session = db.create_session();
        let before = Footprint::of(&disk, &db);
        for (operation, answer) in keyed_writes(&session, &key) {
            assert!(answer.is_err(), "{operation}");
        }
        assert_eq!(Footprint::of(&disk, &db), before);
        assert!(db.open_session(&session.id()).unwrap().is_none());
    }
}

#[test]
fn keys_of_1_and_of_512_bytes_are_fine() {
    let keys = [
        "k".to_owned(),
        "\0".to_owned(),
        "k".repeat(512),
        "ä".repeat(256),
        // Differ in the last byte only.
        ["k".repeat(511), "l".to_owned()].concat(),
    ];
    let prepare = |session: &Session| {
        for key in &keys {
            session.set(key, &1).unwrap();
        }
    };
    for stage in Stage::each(prepare) {
        let session = &stage.session;
        assert_eq!(session.len().unwrap(), keys.len(), "{stage}");
        for key in &keys {
            assert_eq!(session.get::<i64>(key).unwrap(), Some(1), "{stage}");
        }
        session.remove_prefix(&"k".repeat(512)).unwrap();
        session.delete(&keys[4]).unwrap();
        session.delete("\0").unwrap();
        assert_eq!(session.pop::<i64>(&keys[3]).unwrap(), Some(1));
        stage.holds(&[("k", 1)]);
    }
}
