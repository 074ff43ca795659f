//! On a full disk what only removes goes on, a hundred thousand times at
//! least, whatever it is called; and what comes after that is a full disk for
//! removals, too.

use std::sync::Arc;
use std::time::Duration;

use sessiondb::{Crash, Database, Error, Fault, FaultEffect, IndexFate, Operation, Result};
use sessiondb::{Session, SimulatedDisk};

use crate::patience::within;
use crate::support::{NEVER, disk, fault, wait_for};

const MANY: usize = 100_000;

/// Far more than so many take, also where others use the machine.
const LIMIT: Duration = Duration::from_secs(600);

/// Journal files are as large as they usually are.
fn open(disk: &SimulatedDisk) -> Database {
    let builder = Database::builder().cache_bytes(1 << 20).background(false);
    let builder = builder.durability(NEVER);
    builder.open_on(Arc::new(disk.clone())).unwrap()
}

fn is_full<T>(outcome: &Result<T>) -> bool {
    matches!(outcome, Err(Error::StorageFull { .. }))
}

/// The key of a number, of 100 bytes.
fn key(number: usize) -> String {
    format!("{number:0100}")
}

/// From now on no file grows, and nothing can be put any more.
fn fill_up(disk: &SimulatedDisk, database: &Database) {
    disk.set_capacity(Some(disk.file_bytes()));
    let filling = database.create_session();
    let refused = (0..1_000_000).find_map(|number: u32| filling.set(&number.to_string(), &1).err());
    assert!(is_full(&refused.map_or(Ok(()), Err)));
}

fn assert_nothing_can_be_put(database: &Database) {
    let session = database.create_session();
    assert!(is_full(&session.set("key", &1)));
    assert!(!session.contains_key("key").unwrap());
}

/// A session of so many keys, on a disk that is full since.
fn keys(disk: &SimulatedDisk, count: usize) -> (Database, Session) {
    let database = open(disk);
    let session = database.create_session();
    for first in (0..count).step_by(1000) {
        let put = session.transaction(|tx| {
            (first..count.min(first + 1000)).try_for_each(|number| tx.set(&key(number), &number))
        });
        put.unwrap();
    }
    fill_up(disk, &database);
    (database, session)
}

/// Sessions with an owner, on a disk that is full since.
fn sessions(disk: &SimulatedDisk) -> (Database, Vec<Session>) {
    let database = open(disk);
    let sessions: Vec<Session> = (0..MANY)
        .map(|number| {
            let session = database.create_session();
            session.set_owner(Some("user:42")).unwrap();
            session.set("number", &number).unwrap();
            session
        })
        .collect();
    fill_up(disk, &database);
    (database, sessions)
}

/// Nothing comes back, and there is space for puts again.
fn survives(disk: &SimulatedDisk, database: &Database, check: impl Fn(&Database)) {
    assert_nothing_can_be_put(database);
    database.commit().unwrap();
    check(database);
    let killed = disk.crash(Crash::KeepNothing, IndexFate::Kept).unwrap();
    let again = open(&killed);
    check(&again);
    killed.set_capacity(None);
    again.create_session().set("key", &1).unwrap();
    again.checkpoint().unwrap();
    check(&again);
}

#[test]
fn a_hundred_thousand_keys_are_popped_and_after_that_the_disk_is_full() {
    within(LIMIT, || {
        let disk = disk(1);
        let more = MANY + MANY / 2;
        let (database, session) = keys(&disk, more);
        let mut popped = 0;
        let refused = loop {
            match session.pop::<usize>(&key(popped)) {
                Ok(value) => assert_eq!(value, Some(popped)),
                Err(error) => break error,
            }
            popped += 1;
        };
        assert!(is_full::<()>(&Err(refused)));
        assert!((MANY..more).contains(&popped), "{popped} keys");
        // The one that was refused is still there, and its session.
        assert!(is_full(&session.delete(&key(popped))));
        let mut other = database.open_session(&session.id()).unwrap().unwrap();
        assert!(is_full(&other.flush()));
        let id = session.id();
        assert_eq!(other.id(), id);
        survives(&disk, &database, |database| {
            let session = database.open_session(&id).unwrap().unwrap();
            assert_eq!(session.get(&key(popped)).unwrap(), Some(popped));
            assert!(!session.contains_key(&key(popped - 1)).unwrap());
            assert_eq!(session.len().unwrap(), more - popped);
        });
    });
}

#[test]
fn a_hundred_thousand_sessions_are_flushed_destroyed_or_revoked() {
    within(LIMIT, || {
        let disk = disk(2);
        let (database, mut sessions) = sessions(&disk);
        let ids: Vec<_> = sessions.iter().map(Session::id).collect();
        for (number, session) in sessions.iter_mut().enumerate() {
            match number % 3 {
                0 => drop(session.flush().unwrap()),
                1 => session.destroy().unwrap(),
                _ => assert!(database.revoke(session.id()).unwrap()),
            }
        }
        survives(&disk, &database, |database| {
            for id in ids.iter().step_by(1000) {
                assert!(database.open_session(id).unwrap().is_none());
                assert!(database.is_retired(*id).unwrap());
            }
            assert!(database.sessions_of("user:42").unwrap().is_empty());
        });
    });
}

#[test]
fn an_owner_of_a_hundred_thousand_sessions_is_logged_out() {
    within(LIMIT, || {
        let disk = disk(4);
        let (database, _sessions) = sessions(&disk);
        assert_eq!(database.revoke_owner("user:42").unwrap(), MANY as u64);
        survives(&disk, &database, |database| {
            assert!(database.sessions_of("user:42").unwrap().is_empty());
        });
    });
}

#[test]
fn what_counts_is_what_a_transaction_does_and_not_what_it_is_called() {
    within(LIMIT, || {
        let disk = disk(5);
        let (database, mut session) = keys(&disk, 100);
        session.delete(&key(1)).unwrap();
        assert!(session.discard(&key(2)).unwrap());
        assert!(session.pop_if(&key(3), &3_usize).unwrap());
        assert!(session.pop_bytes(&key(4)).is_err(), "it is no bytes");
        session.update(&key(5), |_: Option<usize>| None).unwrap();
        assert!(
            session
                .compare_and_set(&key(6), Some(&6_usize), None)
                .unwrap()
        );
        session.set_with_ttl(&key(7), &7, Duration::ZERO).unwrap();
        session
            .transaction(|tx| {
                tx.set("put and removed", &1)?;
                tx.discard("put and removed")?;
                tx.delete(&key(8))
            })
            .unwrap();
        session.remove_prefix(&key(9)).unwrap();
        assert_eq!(session.len().unwrap(), 92);
        // What removes nothing writes nothing.
        assert_eq!(session.pop::<usize>(&key(1)).unwrap(), None);
        assert!(is_full(&session.transaction(|tx| {
            tx.delete(&key(10))?;
            tx.set("put", &1)
        })));
        assert!(is_full(&session.set_owner(Some("ada"))));
        assert!(is_full(&session.cycle_id()));
        assert!(is_full(&session.flush_with(|tx| tx.set("message", "bye"))));
        assert!(is_full(&database.create_session_with_id(
            database.create_session().id(),
            sessiondb::Expiry::Default
        )));
        assert_eq!(session.get(&key(10)).unwrap(), Some(10_usize));
        assert_eq!(session.owner().unwrap(), None);
        assert_eq!(session.len().unwrap(), 92);
        session.clear().unwrap();
        assert!(session.is_empty().unwrap());
        let past = std::time::SystemTime::UNIX_EPOCH;
        session.set_expiry(sessiondb::Expiry::At(past)).unwrap();
        let id = session.id();
        assert!(database.open_session(&id).unwrap().is_none());
        session.flush_with(|_| Ok(())).unwrap();
        survives(&disk, &database, |database| {
            assert!(database.open_session(&id).unwrap().is_none());
        });
    });
}

#[test]
fn what_is_refused_leaves_no_trace() {
    within(LIMIT, || {
        let disk = disk(6);
        let (database, session) = keys(&disk, 10);
        let new = database.create_session();
        let before = (database.stats(), disk.file_bytes());
        assert!(is_full(&session.set("put", &"x".repeat(1000))));
        assert!(is_full(&session.set(&key(0), &"other")));
        assert!(is_full(&new.set("put", &1)));
        let now = database.stats();
        assert_eq!(now.journal_live_bytes, before.0.journal_live_bytes);
        assert_eq!(now.memtable_bytes, before.0.memtable_bytes);
        assert_eq!(disk.file_bytes(), before.1);
        let (id, new) = (session.id(), new.id());
        survives(&disk, &database, |database| {
            let session = database.open_session(&id).unwrap().unwrap();
            assert!(!session.contains_key("put").unwrap());
            assert_eq!(session.get(&key(0)).unwrap(), Some(0_usize));
            assert!(database.open_session(&new).unwrap().is_none());
        });
    });
}

#[test]
fn removals_have_memory_while_no_checkpoint_finds_space() {
    within(LIMIT, || {
        let disk = disk(7);
        disk.inject(Fault {
            kind: std::io::ErrorKind::StorageFull,
            times: u64::MAX,
            ..fault(Operation::Create, "BALLAST", FaultEffect::Refuse)
        });
        let database = Database::builder()
            .memtable_bytes(64 << 10)
            .idle_checkpoint_after(Duration::from_millis(10))
            .open_on(Arc::new(disk.clone()))
            .unwrap();
        let session = database.create_session();
        for first in (0..3000).step_by(100) {
            let put = session.transaction(|tx| {
                (first..first + 100).try_for_each(|number| tx.set(&key(number), &number))
            });
            put.unwrap();
        }
        wait_for("a checkpoint", || database.stats().memtable_bytes == 0);
        fill_up(&disk, &database);
        for number in 0..3000 {
            let popped = session.pop(&key(number)).unwrap();
            assert_eq!(popped, Some(number));
        }
        assert!(database.stats().memtable_bytes > 5 * (64 << 10));
        assert_nothing_can_be_put(&database);
        disk.set_capacity(None);
        wait_for("a put", || session.set("key", &1).is_ok());
        wait_for("a checkpoint", || database.stats().memtable_bytes == 0);
        assert_eq!(session.len().unwrap(), 1);
        database.close().unwrap();
    });
}
