//! Values over 1 MiB and transactions over 16 MiB.

use sessiondb::{Builder, Database, Error, MAX_TRANSACTION_BYTES, MAX_VALUE_BYTES, Session};

use super::super::support::{Stage, State, contents, named, promptly};

/// The longest raw bytes: one byte says that they are raw.
const LONGEST_RAW: usize = MAX_VALUE_BYTES - 1;
/// The longest text: a tag, a kind, and a length of five bytes.
const LONGEST_TEXT: usize = MAX_VALUE_BYTES - 7;

#[track_caller]
fn is_too_large<T: std::fmt::Debug>(answer: Result<T, Error>, least: usize, most: usize) {
    match answer {
        Err(Error::TooLarge { what, size, limit }) => {
            assert_eq!(limit, most as u64, "{what}");
            assert!(size > limit && size >= least as u64, "{what}: {size}");
        }
        other => panic!("expected TooLarge, got {other:?}"),
    }
}

#[test]
fn the_limits_are_those_of_the_interface() {
    assert_eq!(MAX_VALUE_BYTES, 1_048_576);
    assert_eq!(MAX_TRANSACTION_BYTES, 16_777_216);
    assert_eq!(sessiondb::MAX_KEY_BYTES, 512);
}

#[test]
fn every_operation_refuses_a_value_one_byte_over_the_limit() {
    let (text, raw) = ("x".repeat(LONGEST_TEXT + 1), vec![7; LONGEST_RAW + 1]);
    for mut stage in Stage::each(|session| session.set("a", &1).unwrap()) {
        stage.writes_nothing("a refused value", |session| {
            let size = MAX_VALUE_BYTES + 1;
            let refused = |answer| is_too_large(answer, size, MAX_VALUE_BYTES);
            refused(session.set("a", &text));
            refused(session.set_bytes("a", &raw));
            refused(session.get_or_insert_with("b", || text.clone()).map(drop));
            refused(
                session
                    .update("b", |_: Option<String>| Some(text.clone()))
                    .map(drop),
            );
            refused(session.compare_and_set("b", None, Some(&text)).map(drop));
            refused(session.compare_and_set("a", Some(&text), None).map(drop));
            refused(session.pop_if("a", &text).map(drop));
            refused(session.transaction(|tx| tx.set("b", &text)));
            refused(session.transaction(|tx| tx.set_bytes("b", &raw)));
        });
        stage.holds(&[("a", 1)]);
    }
}

#[test]
fn values_of_exactly_the_limit_are_fine() {
    let (text, raw) = ("x".repeat(LONGEST_TEXT), vec![7; LONGEST_RAW]);
    let prepare = |session: &Session| {
        session.set("text", &text).unwrap();
        session.set_bytes("raw", &raw).unwrap();
        session.set("a", &1).unwrap();
    };
    for stage in Stage::each(prepare) {
        let session = &stage.session;
        assert!(
            session.get_bytes("raw").unwrap().as_deref() == Some(&*raw),
            "{stage}"
        );
        assert!(session.pop_if("text", &text).unwrap(), "{stage}");
        assert!(
            session.pop_bytes("raw").unwrap().as_deref() == Some(&*raw),
            "{stage}"
        );
        stage.holds(&[("a", 1)]);
    }
}

#[test]
fn a_value_that_is_refused_leaves_the_old_one_in_place() {
    let large = vec![7; LONGEST_RAW + 1];
    for stage in Stage::each(|session| session.set_bytes("raw", b"old").unwrap()) {
        stage.session.set_bytes("raw", &large).unwrap_err();
        let kept = stage.session.get_bytes("raw").unwrap();
        assert_eq!(kept.as_deref(), Some(&b"old"[..]), "{stage}");
    }
}

#[test]
fn a_value_that_nests_too_deep_is_an_encode_error() {
    let mut deep = serde_json::json!(1);
    for _ in 0..sessiondb::MAX_VALUE_DEPTH {
        deep = serde_json::json!([deep]);
    }
    let deeper = serde_json::json!([deep]);
    for mut stage in Stage::each(|session| session.set("a", &1).unwrap()) {
        stage.writes_nothing("a refused value", |session| {
            let refused = session.set("deep", &deeper);
            assert!(matches!(refused, Err(Error::Encode { key, .. }) if key == "deep"));
        });
        stage.session.set("deep", &deep).unwrap();
        let again = stage.session.pop::<serde_json::Value>("deep").unwrap();
        assert!(again.is_some_and(|again| again == deep));
        stage.holds(&[("a", 1)]);
    }
}

#[test]
fn a_map_with_two_equal_keys_is_an_encode_error() {
    struct Twice;
    impl serde::Serialize for Twice {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([("a", 1), ("a", 2)])
        }
    }
    for mut stage in Stage::each(|session| session.set("a", &1).unwrap()) {
        stage.writes_nothing("a refused value", |session| {
            let refused = session.set("b", &Twice);
            assert!(matches!(refused, Err(Error::Encode { key, .. }) if key == "b"));
        });
    }
}

/// Room for a transaction of any size that is allowed.
fn roomy() -> Builder {
    Database::builder().background(false).cache_bytes(64 << 20)
}

/// A real database with one small key.
fn database() -> (tempfile::TempDir, Database, Session) {
    let directory = tempfile::tempdir().unwrap();
    let db = roomy().open(directory.path()).unwrap();
    let session = db.create_session();
    session.set("a", &1).unwrap();
    (directory, db, session)
}

/// What a write would change.
fn written(db: &Database) -> [u64; 4] {
    let stats = db.stats();
    [
        stats.journal_live_bytes,
        stats.memtable_bytes,
        stats.segment_bytes,
        stats.batches,
    ]
}

#[test]
fn a_transaction_over_16_mib_is_refused_and_nothing_of_it_is_applied() {
    let (_directory, db, session) = database();
    let chunk = vec![7; LONGEST_RAW];
    for checkpointed in [false, true] {
        if checkpointed {
            db.checkpoint().unwrap();
        }
        let before = written(&db);
        let outcome = session.transaction(|tx| {
            tx.delete("a")?;
            for number in 0..17 {
                tx.set_bytes(&format!("chunk {number}"), &chunk)?;
            }
            Ok(())
        });
        is_too_large(outcome, MAX_TRANSACTION_BYTES, MAX_TRANSACTION_BYTES);
        assert_eq!(written(&db), before);
        assert_eq!(contents(&session), named(&[("a", 1)]));
    }
    session.set("b", &2).unwrap();
    assert_eq!(contents(&session), named(&[("a", 1), ("b", 2)]));
}

#[test]
fn a_closure_that_goes_on_after_the_refusal_applies_nothing_either() {
    let (_directory, db, session) = database();
    let chunk = vec![7; LONGEST_RAW];
    let before = written(&db);
    let outcome = session.transaction(|tx| {
        for number in 0..17 {
            let _ = tx.set_bytes(&format!("chunk {number}"), &chunk);
        }
        Ok(())
    });
    is_too_large(outcome, MAX_TRANSACTION_BYTES, MAX_TRANSACTION_BYTES);
    assert_eq!(written(&db), before);
    assert_eq!(contents(&session), named(&[("a", 1)]));
}

#[test]
fn a_key_that_is_set_again_counts_once() {
    let (_directory, _db, session) = database();
    let chunk = vec![7; LONGEST_RAW];
    let outcome = session.transaction(|tx| {
        for _ in 0..40 {
            tx.set_bytes("chunk", &chunk)?;
        }
        tx.delete("chunk")
    });
    outcome.unwrap();
    assert_eq!(contents(&session), named(&[("a", 1)]));
}

#[test]
fn many_small_changes_over_16_mib_are_refused_too() {
    let (_directory, db, session) = database();
    let before = written(&db);
    let key = "k".repeat(480);
    let mut accepted = 0;
    let outcome = session.transaction(|tx| {
        for number in 0..40_000 {
            tx.set(&format!("{number:08}{key}"), &number)?;
            accepted += 1;
        }
        Ok(())
    });
    is_too_large(outcome, MAX_TRANSACTION_BYTES, MAX_TRANSACTION_BYTES);
    assert!(
        accepted * 490 < MAX_TRANSACTION_BYTES,
        "{accepted} is too many"
    );
    assert!(
        accepted * 540 > MAX_TRANSACTION_BYTES,
        "{accepted} is too few"
    );
    assert_eq!(written(&db), before);
    assert_eq!(contents(&session), named(&[("a", 1)]));
}

#[test]
fn a_transaction_of_nearly_16_mib_is_applied_as_a_whole() {
    let (directory, db, session) = database();
    let chunk = vec![7; LONGEST_RAW];
    let outcome = session.transaction(|tx| {
        tx.delete("a")?;
        for number in 0..15 {
            tx.set_bytes(&format!("chunk {number}"), &chunk)?;
        }
        tx.set_bytes("rest", &chunk[..LONGEST_RAW - 4096])
    });
    outcome.unwrap();
    let id = session.id();
    assert_eq!(session.len().unwrap(), 16);
    db.close().unwrap();
    drop((session, db));
    let db = roomy().open(directory.path()).unwrap();
    let session = db.open_session(&id).unwrap().unwrap();
    let keys: Vec<_> = session.keys().unwrap().map(Result::unwrap).collect();
    assert_eq!(keys.len(), 16);
    for key in keys.iter().filter(|key| key.starts_with("chunk")) {
        assert!(session.get_bytes(key).unwrap().as_deref() == Some(&*chunk));
    }
}

#[test]
fn a_refused_part_can_be_left_out_and_the_transaction_goes_on() {
    let large = "x".repeat(LONGEST_TEXT + 1);
    for stage in Stage::each(|session| session.set("a", &1).unwrap()) {
        let outcome = stage.session.transaction(|tx| {
            is_too_large(tx.set("a", &large), MAX_VALUE_BYTES + 1, MAX_VALUE_BYTES);
            tx.set("b", &2)
        });
        outcome.unwrap();
        stage.holds(&[("a", 1), ("b", 2)]);
    }
}

#[test]
fn a_transaction_larger_than_the_memtable_is_applied_and_does_not_hang() {
    promptly(|| {
        let directory = tempfile::tempdir().unwrap();
        let db = Database::builder()
            .memtable_bytes(1 << 20)
            .open(directory.path())
            .unwrap();
        let session = db.create_session();
        let chunk = vec![7; 1 << 19];
        for _ in 0..2 {
            let outcome = session.transaction(|tx| {
                (0..8).try_for_each(|number| tx.set_bytes(&number.to_string(), &chunk))
            });
            outcome.unwrap();
        }
        assert_eq!(session.len().unwrap(), 8);
    });
}

#[test]
fn what_is_too_large_is_said_with_its_numbers() {
    let stage = Stage::new(State::Memtable, |session| session.set("a", &1).unwrap());
    let refused = stage.session.set_bytes("a", &vec![0; MAX_VALUE_BYTES]);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "a value of 1048577 bytes is over the limit of 1048576 bytes; \
         nothing was written, divide it"
    );
}
