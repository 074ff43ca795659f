//! What has no effect writes nothing: `pop` of a missing key, lost races,
//! and a transaction without a net effect.

use sessiondb::{Error, Result, Session, Transaction};

use super::support::{Footprint, Stage, fresh};

fn two_keys(session: &Session) {
    session.set("cart/pear", &1).unwrap();
    session.set("user", &2).unwrap();
}

#[test]
fn pop_of_a_missing_key_writes_nothing() {
    for mut stage in Stage::each(two_keys) {
        stage.writes_nothing("pop", |session| {
            assert_eq!(session.pop::<i64>("absent").unwrap(), None);
            assert!(session.pop_bytes("absent").unwrap().is_none());
            assert!(!session.pop_if("absent", &1).unwrap());
        });
        stage.holds(&[("cart/pear", 1), ("user", 2)]);
    }
}

#[test]
fn deleting_a_missing_key_writes_nothing() {
    for mut stage in Stage::each(two_keys) {
        stage.writes_nothing("a deletion", |session| {
            let deleted = session.delete("absent");
            assert!(matches!(deleted, Err(Error::KeyNotFound { key }) if key == "absent"));
            assert!(!session.discard("absent").unwrap());
            session.remove_prefix("cart/apple").unwrap();
            session.remove_prefix("zebra").unwrap();
        });
        stage.holds(&[("cart/pear", 1), ("user", 2)]);
    }
}

#[test]
fn a_lost_race_writes_nothing() {
    for mut stage in Stage::each(two_keys) {
        stage.writes_nothing("a lost race", |session| {
            assert!(!session.pop_if("user", &3).unwrap());
            assert!(!session.compare_and_set("user", Some(&3), Some(&4)).unwrap());
            assert!(!session.compare_and_set("user", None, Some(&4)).unwrap());
            assert!(!session.compare_and_set("absent", Some(&3), None).unwrap());
            assert!(
                session
                    .compare_and_set::<i64>("absent", None, None)
                    .unwrap()
            );
        });
        stage.holds(&[("cart/pear", 1), ("user", 2)]);
    }
}

#[test]
fn a_change_that_changes_nothing_writes_nothing() {
    for mut stage in Stage::each(two_keys) {
        stage.writes_nothing("no change", |session| {
            let updated = session.update("absent", |value: Option<i64>| value);
            assert_eq!(updated.unwrap(), None);
            assert_eq!(session.get_or_insert_with("user", || 9).unwrap(), 2);
        });
        stage.holds(&[("cart/pear", 1), ("user", 2)]);
    }
}

#[test]
fn clearing_an_empty_session_writes_nothing() {
    let emptied = |session: &Session| {
        session.set("a", &1).unwrap();
        session.delete("a").unwrap();
    };
    for mut stage in Stage::each(emptied) {
        stage.writes_nothing("clearing", |session| {
            session.clear().unwrap();
            session.remove_prefix("").unwrap();
        });
        stage.holds(&[]);
    }
}

type Work = fn(&mut Transaction<'_>) -> Result<()>;

/// Transactions after which everything is as before.
const WITHOUT_NET_EFFECT: &[(&str, Work)] = &[
    ("nothing at all", |_| Ok(())),
    ("set and delete", |tx| {
        tx.set("new", &1)?;
        tx.delete("new")
    }),
    ("set twice and pop", |tx| {
        tx.set("new", &1)?;
        tx.set("new", &2)?;
        assert_eq!(tx.pop::<i64>("new")?, Some(2));
        assert_eq!(tx.pop::<i64>("new")?, None);
        Ok(())
    }),
    ("set raw bytes and pop them", |tx| {
        tx.set_bytes("new", b"1")?;
        assert!(tx.pop_bytes("new")?.is_some());
        Ok(())
    }),
    ("insert and discard", |tx| {
        assert_eq!(tx.get_or_insert_with("new", || 1)?, 1);
        assert!(tx.discard("new")?);
        Ok(())
    }),
    ("compare and set, there and back", |tx| {
        assert!(tx.compare_and_set("new", None, Some(&1))?);
        assert!(tx.compare_and_set("new", Some(&1), None)?);
        Ok(())
    }),
    ("update, there and back", |tx| {
        tx.update("new", |_: Option<i64>| Some(1))?;
        tx.update("new", |_: Option<i64>| None)?;
        Ok(())
    }),
    ("set and remove by prefix", |tx| {
        tx.set("new/1", &1)?;
        tx.set("new/2", &2)?;
        tx.remove_prefix("new/")
    }),
    ("set and remove by prefix, twice", |tx| {
        tx.set("new/1", &1)?;
        tx.remove_prefix("new/")?;
        tx.set("new/2", &1)?;
        tx.remove_prefix("ne")
    }),
];

#[test]
fn a_transaction_without_a_net_effect_writes_nothing() {
    for mut stage in Stage::each(two_keys) {
        for (name, work) in WITHOUT_NET_EFFECT {
            let outcome = stage.writes_nothing(name, |session| session.transaction(work));
            outcome.unwrap();
        }
        stage.holds(&[("cart/pear", 1), ("user", 2)]);
    }
}

#[test]
fn a_transaction_without_a_net_effect_does_not_create_a_session() {
    for (name, work) in WITHOUT_NET_EFFECT {
        let (disk, db) = fresh();
        let session = db.create_session();
        let before = Footprint::of(&disk, &db);
        session.transaction(work).unwrap();
        session
            .transaction(|tx| {
                tx.set("a", &1)?;
                tx.clear()
            })
            .unwrap();
        assert_eq!(Footprint::of(&disk, &db), before, "{name}");
        assert!(db.open_session(&session.id()).unwrap().is_none(), "{name}");
    }
}

#[test]
fn a_part_without_effect_does_not_hide_the_rest_of_a_transaction() {
    for stage in Stage::each(two_keys) {
        let outcome = stage.session.transaction(|tx| {
            tx.set("cart/apple", &7)?;
            tx.set("new/1", &1)?;
            tx.remove_prefix("cart/")?;
            tx.set("cart/plum", &3)?;
            tx.remove_prefix("new/")?;
            tx.set("new/2", &4)
        });
        outcome.unwrap();
        stage.holds(&[("cart/plum", 3), ("new/2", 4), ("user", 2)]);
    }
}
