//! A closure runs once, under the session's lock, sees its own writes, and
//! commits nothing on `Err` or panic; the lock is released either way.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::thread;

use sessiondb::{Error, Result, Session, Transaction};

use super::support::{DEADLOCK, Stage, contents, named};

fn two_keys(session: &Session) {
    session.set("a", &1).unwrap();
    session.set("b", &2).unwrap();
}

#[test]
fn a_closure_runs_once_and_its_value_is_returned() {
    for stage in Stage::each(two_keys) {
        let session = &stage.session;
        let (mut runs, mut updates, mut inserts) = (0, 0, 0);
        let value = session.transaction(|tx| {
            runs += 1;
            tx.set("c", &3)?;
            Ok("value")
        });
        assert_eq!(value.unwrap(), "value");
        session
            .update("a", |a: Option<i64>| {
                updates += 1;
                a.map(|a| a + 10)
            })
            .unwrap();
        let mut insert = |key| {
            session.get_or_insert_with(key, || {
                inserts += 1;
                4
            })
        };
        assert_eq!((insert("d").unwrap(), insert("d").unwrap()), (4, 4));
        assert_eq!((runs, updates, inserts), (1, 1, 1), "{stage}");
        stage.holds(&[("a", 11), ("b", 2), ("c", 3), ("d", 4)]);
    }
}

#[test]
fn a_closure_that_fails_ran_once_too() {
    for mut stage in Stage::each(two_keys) {
        let mut runs = 0;
        stage.writes_nothing("a failed closure", |session| {
            let outcome = session.transaction(|tx| {
                runs += 1;
                tx.delete("absent")
            });
            assert!(matches!(outcome, Err(Error::KeyNotFound { .. })));
        });
        assert_eq!(runs, 1);
    }
}

/// Every operation of a transaction, each seeing what those before it wrote.
fn every_operation(tx: &mut Transaction<'_>) -> Result<()> {
    tx.set("c", &3)?;
    assert_eq!(tx.get::<i64>("c")?, Some(3));
    tx.set("c", &4)?;
    assert_eq!(tx.get::<i64>("c")?, Some(4));
    assert!(tx.contains_key("c")?);
    assert_eq!(tx.pop("a")?, Some(1));
    assert_eq!(tx.pop::<i64>("a")?, None);
    assert!(!tx.contains_key("a")?);
    assert!(matches!(tx.delete("a"), Err(Error::KeyNotFound { key }) if key == "a"));
    tx.delete("b")?;
    assert!(!tx.discard("b")?);
    tx.set_bytes("raw", b"123")?;
    assert_eq!(tx.get_bytes("raw")?.as_deref(), Some(&b"123"[..]));
    assert_eq!(tx.pop_bytes("raw")?.as_deref(), Some(&b"123"[..]));
    assert!(tx.get_bytes("raw")?.is_none());
    assert!(!tx.pop_if("c", &5)?);
    assert!(tx.pop_if("c", &4)?);
    assert!(tx.compare_and_set("c", None, Some(&6))?);
    assert!(!tx.compare_and_set("c", None, Some(&7))?);
    assert_eq!(tx.get_or_insert_with("c", || 8)?, 6);
    assert_eq!(tx.get_or_insert_with("d", || 8)?, 8);
    assert_eq!(tx.update("d", |d: Option<i64>| d.map(|d| d + 1))?, Some(9));
    tx.set("cart/1", &1)?;
    tx.set("cart/2", &2)?;
    assert_eq!(tx.len()?, 4);
    tx.remove_prefix("cart/")?;
    tx.set("cart/2", &3)?;
    let keys: Vec<String> = tx.keys()?.collect::<Result<_>>()?;
    assert_eq!(keys, ["c", "cart/2", "d"]);
    let mut values = Vec::new();
    for entry in tx.iter()? {
        values.push(entry?.decode::<i64>()?);
    }
    assert_eq!(values, [6, 3, 9]);
    let map: BTreeMap<String, i64> = tx.to_map()?;
    assert_eq!(map.len(), 3);
    assert!(!tx.is_empty()?);
    Ok(())
}

#[test]
fn a_closure_sees_its_own_writes() {
    for stage in Stage::each(two_keys) {
        stage.session.transaction(every_operation).unwrap();
        stage.holds(&[("c", 6), ("cart/2", 3), ("d", 9)]);
    }
}

#[test]
fn a_closure_sees_its_own_clear() {
    for stage in Stage::each(two_keys) {
        let outcome = stage.session.transaction(|tx| {
            tx.set("c", &3)?;
            tx.clear()?;
            assert!(tx.is_empty()?);
            assert_eq!(tx.get::<i64>("a")?, None);
            tx.set("a", &7)?;
            assert_eq!(tx.len()?, 1);
            Ok(())
        });
        outcome.unwrap();
        stage.holds(&[("a", 7)]);
    }
}

#[test]
fn an_error_commits_nothing_of_every_operation() {
    for mut stage in Stage::each(two_keys) {
        stage.writes_nothing("an error", |session| {
            let outcome = session.transaction(|tx| {
                every_operation(tx)?;
                tx.clear()?;
                tx.set("e", &1)?;
                Err::<(), _>(Error::SessionGone)
            });
            assert!(matches!(outcome, Err(Error::SessionGone)));
        });
        stage.holds(&[("a", 1), ("b", 2)]);
    }
}

#[derive(Debug)]
enum Refused {
    SoldOut(u32),
    Storage(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Storage(error)
    }
}

#[test]
fn an_error_of_the_callers_own_type_commits_nothing_and_comes_back() {
    for mut stage in Stage::each(two_keys) {
        stage.writes_nothing("an error", |session| {
            let outcome = session.try_transaction::<(), Refused>(|tx| {
                tx.set("a", &9)?;
                Err(Refused::SoldOut(3))
            });
            assert!(matches!(outcome, Err(Refused::SoldOut(3))));
            let outcome = session.try_transaction::<(), Refused>(|tx| Ok(tx.delete("absent")?));
            assert!(matches!(
                outcome,
                Err(Refused::Storage(Error::KeyNotFound { .. }))
            ));
        });
        let outcome = stage.session.try_transaction::<_, Refused>(|tx| {
            tx.set("a", &9)?;
            Ok(tx.len()?)
        });
        assert_eq!(outcome.unwrap(), 2);
        stage.holds(&[("a", 9), ("b", 2)]);
    }
}

#[test]
fn a_panic_commits_nothing_and_releases_the_lock() {
    type Attempt = fn(&Session);
    let attempts: [(&str, Attempt); 4] = [
        ("transaction", |session| {
            let _ = session.transaction::<()>(|tx| {
                every_operation(tx)?;
                tx.clear()?;
                panic!("in a transaction")
            });
        }),
        ("try_transaction", |session| {
            let _ = session.try_transaction::<(), Refused>(|tx| {
                tx.delete("a")?;
                panic!("in a transaction")
            });
        }),
        ("update", |session| {
            let _ = session.update("a", |_: Option<i64>| -> Option<i64> {
                panic!("in an update")
            });
        }),
        ("get_or_insert_with", |session| {
            let _ = session.get_or_insert_with("c", || -> i64 { panic!("in an insert") });
        }),
    ];
    for (name, attempt) in attempts {
        for mut stage in Stage::each(two_keys) {
            let other = stage.handle();
            stage.writes_nothing(name, |session| {
                let outcome = catch_unwind(AssertUnwindSafe(|| attempt(session)));
                assert!(outcome.is_err(), "{name}");
            });
            assert_eq!(contents(&other), named(&[("a", 1), ("b", 2)]), "{name}");
            // From another thread, so that a lock that is still held shows.
            let (sender, receiver) = channel();
            let writer = thread::spawn(move || sender.send(other.set("b", &3)).unwrap());
            let written = receiver.recv_timeout(DEADLOCK);
            written.expect("the lock is released").unwrap();
            writer.join().unwrap();
            // And from this one, which is not inside a closure any more.
            stage.session.set("c", &4).unwrap();
            assert_eq!(
                contents(&stage.session),
                named(&[("a", 1), ("b", 3), ("c", 4)]),
                "{name}"
            );
        }
    }
}

#[test]
fn nobody_sees_a_transaction_before_it_is_committed() {
    for stage in Stage::each(two_keys) {
        let (reader, reader_db) = (stage.handle(), stage.db.clone());
        let id = stage.session.id();
        let (ask, asked) = channel::<()>();
        let (answer, answered) = channel();
        let thread = thread::spawn(move || {
            asked.recv().unwrap();
            let reopened = reader_db.open_session(&id).unwrap().unwrap();
            answer
                .send((contents(&reader), contents(&reopened)))
                .unwrap();
        });
        let seen = stage.session.transaction(|tx| {
            tx.set("a", &9)?;
            tx.delete("b")?;
            ask.send(()).unwrap();
            Ok(answered
                .recv_timeout(DEADLOCK)
                .expect("readers do not wait"))
        });
        let before = named(&[("a", 1), ("b", 2)]);
        assert_eq!(seen.unwrap(), (before.clone(), before), "{stage}");
        thread.join().unwrap();
        stage.holds(&[("a", 9)]);
    }
}

#[test]
fn nobody_comes_between_the_read_and_the_write_of_a_closure() {
    for stage in Stage::each(two_keys) {
        let other = stage.handle();
        let (started, begin) = channel::<()>();
        let thread = thread::spawn(move || {
            begin.recv().unwrap();
            other
                .update("a", |a: Option<i64>| a.map(|a| a * 10))
                .unwrap();
        });
        let outcome = stage.session.transaction(|tx| {
            let before: Option<i64> = tx.get("a")?;
            started.send(()).unwrap();
            for _ in 0..100 {
                thread::yield_now();
                assert_eq!(tx.get::<i64>("a")?, before);
            }
            tx.set("a", &before.map(|a| a + 1))
        });
        outcome.unwrap();
        thread.join().unwrap();
        stage.holds(&[("a", 20), ("b", 2)]);
    }
}

#[test]
fn a_transaction_is_one_frame_and_survives_as_a_whole() {
    for stage in Stage::each(two_keys) {
        let outcome = stage.session.transaction(|tx| {
            tx.delete("a")?;
            tx.set("b", &3)?;
            tx.set("c", &4)
        });
        outcome.unwrap();
        let again = stage.after_power_cut();
        again.holds(&[("b", 3), ("c", 4)]);
    }
}
