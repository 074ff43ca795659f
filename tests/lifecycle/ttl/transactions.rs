//! Limits in a transaction: it sees them, sets them, and fails without them.

use std::time::Duration;

use sessiondb::{Error, Transaction};

use super::{TTL, each_expired, expires_in, holds, limited};
use crate::support::{Fate, INSTANT, Scene};

/// Asserts that `otp` is absent for every operation of a transaction.
fn is_absent(tx: &mut Transaction<'_>) -> sessiondb::Result<()> {
    assert_eq!(tx.get::<i64>("otp")?, None);
    assert!(tx.get_bytes("otp")?.is_none());
    assert!(!tx.contains_key("otp")?);
    assert_eq!(tx.pop::<i64>("otp")?, None);
    assert!(tx.pop_bytes("otp")?.is_none());
    assert!(!tx.pop_if("otp", &7)?);
    assert!(!tx.discard("otp")?);
    assert!(matches!(tx.delete("otp"), Err(Error::KeyNotFound { .. })));
    assert!(!tx.compare_and_set("otp", Some(&7), Some(&8))?);
    assert_eq!(tx.update("otp", |value: Option<i64>| value)?, None);
    tx.remove_prefix("otp")?;
    assert_eq!(tx.len()?, 1);
    assert!(!tx.is_empty()?);
    let keys: Vec<String> = tx.keys()?.map(Result::unwrap).collect();
    assert_eq!(keys, ["user"]);
    assert_eq!(tx.to_map::<i64>()?.len(), 1);
    assert_eq!(tx.iter()?.count(), 1);
    Ok(())
}

#[test]
fn an_expired_key_is_absent_for_every_operation() {
    for (_, scene, session) in each_expired() {
        scene.writes_nothing("a transaction over what is absent", || {
            session.transaction(is_absent).unwrap();
        });
        let inserted = session.transaction(|tx| {
            assert!(tx.compare_and_set("otp", None, Some(&8))?);
            assert_eq!(tx.get_or_insert_with("otp", || 9)?, 8);
            tx.pop::<i64>("otp")
        });
        assert_eq!(inserted.unwrap(), Some(8));
        holds(&session, &[("user", 1)]);
    }
}

#[test]
fn limits_of_one_transaction_begin_at_the_same_time() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.written();
        let done = session.transaction(|tx| {
            tx.set_with_ttl("a", &1, TTL)?;
            scene.wait(TTL / 4);
            tx.set_with_ttl("b", &2, TTL)?;
            tx.set_with_ttl("c", &3, TTL / 8)?;
            // For a transaction it is always the moment of its beginning.
            assert_eq!(tx.get("c")?, Some(3));
            assert_eq!(tx.len()?, 4);
            Ok(())
        });
        done.unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        let session = scene.handle(&id);
        holds(&session, &[("a", 1), ("b", 2), ("user", 1)]);
        scene.wait(3 * TTL / 4 - INSTANT);
        holds(&session, &[("a", 1), ("b", 2), ("user", 1)]);
        scene.wait(INSTANT);
        holds(&session, &[("user", 1)]);
    }
}

#[test]
fn its_own_writes_keep_and_take_away_limits_too() {
    let scene = Scene::new();
    let session = scene.written();
    let done = session.transaction(|tx| {
        tx.set_with_ttl("updated", &1, TTL)?;
        tx.update("updated", |value: Option<i64>| value.map(|n| n + 1))?;
        tx.set_with_ttl("set", &1, TTL)?;
        tx.set("set", &2)?;
        tx.set_with_ttl("swapped", &1, TTL)?;
        assert!(tx.compare_and_set("swapped", Some(&1), Some(&2))?);
        tx.set("limited", &1)?;
        tx.set_with_ttl("limited", &2, TTL)?;
        tx.set("zero", &1)?;
        tx.set_with_ttl("zero", &2, Duration::ZERO)
    });
    done.unwrap();
    holds(
        &session,
        &[
            ("limited", 2),
            ("set", 2),
            ("swapped", 2),
            ("updated", 2),
            ("user", 1),
        ],
    );
    scene.wait(TTL - INSTANT);
    assert_eq!(session.len().unwrap(), 5);
    scene.wait(INSTANT);
    holds(&session, &[("set", 2), ("swapped", 2), ("user", 1)]);
}

#[test]
fn one_that_fails_changes_no_limit() {
    let scene = Scene::new();
    let session = limited(&scene);
    let failed = session.transaction(|tx| {
        tx.set_with_ttl("otp", &8, 10 * TTL)?;
        tx.set_with_ttl("user", &2, TTL / 2)?;
        tx.delete("absent")
    });
    assert!(matches!(failed, Err(Error::KeyNotFound { .. })));
    holds(&session, &[("otp", 7), ("user", 1)]);
    expires_in(&scene, &session, "otp", TTL);
    holds(&session, &[("user", 1)]);
}

#[test]
fn what_was_removed_is_not_hidden_by_what_has_expired() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.written();
        scene.db.checkpoint().unwrap();
        // Over the value in the segment, one with a limit; then neither.
        session.set_with_ttl("user", &2, TTL).unwrap();
        session.delete("user").unwrap();
        session.set_with_ttl("user", &3, TTL).unwrap();
        let id = session.id();
        scene.wait(TTL);
        let scene = scene.after(fate);
        holds(&scene.handle(&id), &[]);
        scene.db.checkpoint().unwrap();
        holds(&scene.handle(&id), &[]);
        assert_eq!(scene.db.verify().unwrap().keys, 0, "{fate}");
    }
}
