//! The background fails, or panics: writers hear of it and do not wait for
//! what will never come.

use std::sync::Arc;
use std::time::Duration;

use sessiondb::{Database, Error, FaultEffect, Operation};

use crate::recorder::Recorder;
use crate::support::{builder, disk, fault, is_poisoned, open, wait_for, without_hanging};

/// Little memory, so that writers soon depend on the background.
fn busy(recorder: &Recorder) -> Database {
    builder()
        .background(true)
        .idle_checkpoint_after(Duration::from_millis(10))
        .memtable_bytes(64 << 10)
        .open_on(Arc::new(recorder.clone()))
        .unwrap()
}

/// Writes from several threads until every one of them was refused.
fn write_until_refused(database: &Database) -> Vec<Error> {
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let session = database.create_session();
                    let refused = |round: usize| {
                        let key = format!("key {round}");
                        session.set(&key, &"v".repeat(2000)).err()
                    };
                    (0..1_000_000).find_map(refused).unwrap()
                })
            })
            .collect();
        let refusals = writers.into_iter().map(|writer| writer.join().unwrap());
        refusals.collect()
    })
}

#[test]
fn an_error_of_the_background_reaches_the_writers() {
    without_hanging(|| {
        let disk = disk(1);
        let database = busy(&Recorder::new(&disk));
        disk.inject(fault(Operation::SyncAll, "segments", FaultEffect::Refuse));
        for error in write_until_refused(&database) {
            assert!(is_poisoned(&error), "{error}");
        }
        database.close().unwrap_err();
        open(&disk).unwrap();
    });
}

#[test]
fn a_panic_of_the_background_reaches_the_writers() {
    without_hanging(|| {
        let disk = disk(2);
        let recorder = Recorder::new(&disk);
        let database = busy(&recorder);
        recorder.panic_at("segments");
        for error in write_until_refused(&database) {
            let is_told = matches!(&error, Error::Poisoned { cause } if cause.contains("panicked"));
            assert!(is_told, "{error}");
        }
        database.close().unwrap_err();
        open(&disk).unwrap();
    });
}

#[test]
fn a_panic_of_the_idle_background_is_not_silent() {
    without_hanging(|| {
        let disk = disk(3);
        let recorder = Recorder::new(&disk);
        let database = busy(&recorder);
        recorder.panic_at("segments");
        let session = database.create_session();
        session.set("key", &1).unwrap();
        wait_for("a refusal", || {
            // Only in silence does the background take to checkpointing.
            std::thread::sleep(Duration::from_millis(40));
            session.set("key", &2).is_err()
        });
        database.close().unwrap_err();
        let again = open(&disk).unwrap();
        let found = again.open_session(&session.id()).unwrap().unwrap();
        assert!(found.get::<i32>("key").unwrap().is_some());
    });
}

#[test]
fn a_panic_while_the_journal_is_extended_reaches_the_writers() {
    without_hanging(|| {
        let disk = disk(4);
        let recorder = Recorder::new(&disk);
        let database = builder().open_on(Arc::new(recorder.clone())).unwrap();
        recorder.panic_in("sessiondb-allocate", "000004.log");
        for error in write_until_refused(&database) {
            assert!(matches!(error, Error::Poisoned { .. }), "{error}");
        }
        database.close().unwrap_err();
        open(&disk).unwrap();
    });
}

#[test]
fn a_panic_of_one_committer_reaches_the_others() {
    without_hanging(|| {
        let disk = disk(5);
        let recorder = Recorder::new(&disk);
        let database = builder().open_on(Arc::new(recorder.clone())).unwrap();
        database.create_session().set("key", &1).unwrap();
        wait_for("the second journal file", || {
            let files = disk.files();
            files.contains(&"journal/000002.log".to_owned())
                && recorder.asked().iter().any(|asked| {
                    asked.operation == Operation::SyncData && asked.path.ends_with("000002.log")
                })
        });
        recorder.panic_at("000001.log");
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..6)
                .map(|_| {
                    scope.spawn(|| {
                        let session = database.create_session();
                        let refused = |_| session.set("key", &1).err();
                        (0..1000).find_map(refused)
                    })
                })
                .collect();
            writers
                .into_iter()
                .map(std::thread::ScopedJoinHandle::join)
                .collect()
        });
        let panics = outcomes.iter().filter(|outcome| outcome.is_err()).count();
        assert_eq!(panics, 1);
        for error in outcomes.into_iter().flatten() {
            assert!(matches!(error, Some(Error::Poisoned { .. })), "{error:?}");
        }
        database.close().unwrap_err();
        open(&disk).unwrap();
    });
}

/// A checkpoint that panics in a user's thread has taken what it froze with
/// it: nothing may be declared unnecessary in the journal after that.
#[test]
fn a_panic_of_a_checkpoint_by_hand_loses_nothing() {
    without_hanging(|| {
        let disk = disk(7);
        let recorder = Recorder::new(&disk);
        let database = builder().open_on(Arc::new(recorder.clone())).unwrap();
        let session = database.create_session();
        session.set("a", &1).unwrap();
        recorder.panic_at("segments");
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            drop(database.checkpoint());
        }));
        outcome.unwrap_err();
        let acknowledged = session.set("b", &2).is_ok();
        let _ = database.checkpoint();
        let survivor = disk
            .crash(sessiondb::Crash::KeepAll, sessiondb::IndexFate::Kept)
            .unwrap();
        let again = open(&survivor).unwrap();
        let found = again.open_session(&session.id()).unwrap().unwrap();
        assert_eq!(found.get::<i32>("a").unwrap(), Some(1));
        if acknowledged {
            assert_eq!(found.get::<i32>("b").unwrap(), Some(2), "acknowledged");
        }
    });
}
