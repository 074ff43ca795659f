//! After a failed write or sync nothing is written any more, nothing that may
//! not be on disk is shown, and no sync is tried again.

use std::sync::Arc;

use sessiondb::{Crash, Database, Error, FaultEffect, IndexFate, Operation, Session};

use crate::recorder::Recorder;
use crate::support::{NEVER, builder, disk, fault, is_failure, is_poisoned, open, without_hanging};

/// The failures of a commit, with what the journal is asked for then.
const JOURNAL_FAILURES: [(Operation, FaultEffect); 4] = [
    (Operation::Write, FaultEffect::Refuse),
    (Operation::Write, FaultEffect::ShortWrite),
    (Operation::SyncData, FaultEffect::Refuse),
    (Operation::SyncData, FaultEffect::LosePages),
];

/// The failures of a checkpoint's files.
const SEGMENT_FAILURES: [(Operation, FaultEffect); 6] = [
    (Operation::Create, FaultEffect::Refuse),
    (Operation::Write, FaultEffect::Refuse),
    (Operation::Write, FaultEffect::ShortWrite),
    (Operation::SyncAll, FaultEffect::Refuse),
    (Operation::SyncAll, FaultEffect::LosePages),
    (Operation::SyncDirectory, FaultEffect::Refuse),
];

struct Scene {
    disk: sessiondb::SimulatedDisk,
    recorder: Recorder,
    database: Database,
    /// Written and synced: its key "before" is 1.
    session: Session,
}

fn scene(seed: u64) -> Scene {
    let disk = disk(seed);
    let recorder = Recorder::new(&disk);
    let database = builder().open_on(Arc::new(recorder.clone())).unwrap();
    let session = database.create_session();
    session.set("before", &1).unwrap();
    wait_for_quiet(&recorder);
    Scene {
        disk,
        recorder,
        database,
        session,
    }
}

/// The journal's allocator works ahead; a fault is not meant for it.
fn wait_for_quiet(recorder: &Recorder) {
    // Both files are made of zeros and synced when the second one is there.
    crate::support::wait_for("the second journal file", || {
        recorder.asked().iter().any(|asked| {
            asked.operation == Operation::SyncData && asked.path.ends_with("000002.log")
        })
    });
}

fn assert_stopped(scene: &Scene, context: &str) {
    let other = scene.database.create_session();
    let mut doomed = scene.database.open_session(&scene.session.id());
    let writes = [
        scene.session.set("after", &2),
        scene.session.discard("before").map(|_| ()),
        other.set("after", &2),
        scene
            .database
            .commit()
            .and_then(|()| scene.database.checkpoint()),
        scene.database.checkpoint(),
    ];
    for (number, outcome) in writes.iter().enumerate() {
        assert!(
            matches!(outcome, Err(error) if is_poisoned(error)),
            "{context}, write {number}: {outcome:?}"
        );
    }
    if let Ok(Some(session)) = &mut doomed {
        let flushed = session.flush();
        assert!(
            matches!(&flushed, Err(error) if is_poisoned(error)),
            "{context}: {flushed:?}"
        );
    }
}

/// No sync of a file or directory that failed is tried again.
fn assert_no_sync_is_retried(recorder: &Recorder, context: &str) {
    let syncs = [
        Operation::SyncData,
        Operation::SyncAll,
        Operation::SyncDirectory,
    ];
    let asked = recorder.asked();
    let mut failed: Vec<&str> = Vec::new();
    for sync in asked
        .iter()
        .filter(|asked| syncs.contains(&asked.operation))
    {
        assert!(!failed.contains(&sync.path.as_str()), "{context}: {sync:?}");
        if sync.failed {
            failed.push(&sync.path);
        }
    }
}

/// Everything acknowledged is there after the machine went on, or lost power.
fn assert_recovers(disk: &sessiondb::SimulatedDisk, session: &Session, key: &str, context: &str) {
    disk.clear_faults();
    for how in [None, Some(Crash::KeepNothing), Some(Crash::KeepAll)] {
        let survivor = match how {
            None => disk.clone(),
            Some(how) => disk.crash(how, IndexFate::Kept).unwrap(),
        };
        let again = open(&survivor).unwrap_or_else(|error| panic!("{context} {how:?}: {error}"));
        let found = again.open_session(&session.id()).unwrap().unwrap();
        assert_eq!(found.get::<i32>("before").unwrap(), Some(1), "{context}");
        // Wholly or not at all.
        let keys = found.keys().unwrap().count();
        let in_flight = found.get::<i32>(key).unwrap();
        assert!(
            (keys, in_flight) == (1, None) || (keys, in_flight) == (3, Some(7)),
            "{context} {how:?}: {keys} keys, {in_flight:?}"
        );
        found.set("before", &1).unwrap();
        again.close().unwrap();
    }
}

fn write_in_flight(session: &Session) -> Result<(), Error> {
    session.transaction(|tx| {
        tx.set("in flight", &7)?;
        tx.set("in flight too", &8)
    })
}

#[test]
fn a_failed_write_or_sync_of_the_journal_stops_all_writing() {
    without_hanging(|| {
        for (operation, effect) in JOURNAL_FAILURES {
            let context = format!("{operation:?} {effect:?}");
            let scene = scene(1);
            scene.disk.inject(fault(operation, "journal", effect));
            let outcome = write_in_flight(&scene.session);
            assert!(
                matches!(&outcome, Err(error) if is_failure(error)),
                "{context}: {outcome:?}"
            );
            assert_stopped(&scene, &context);
            let read = scene.session.get::<i32>("in flight");
            assert!(read.is_err(), "{context}: {read:?} may not be on disk");
            assert!(scene.database.close().is_err(), "{context}");
            assert_no_sync_is_retried(&scene.recorder, &context);
            assert_recovers(&scene.disk, &scene.session, "in flight", &context);
        }
    });
}

#[test]
fn a_failed_write_or_sync_of_a_segment_stops_all_writing() {
    without_hanging(|| {
        for (operation, effect) in SEGMENT_FAILURES {
            // The first one strikes the frames, the second the footer; of the
            // first batch, or of one behind another.
            for (after, settled) in [(0, false), (0, true), (1, false), (1, true)] {
                let context = format!("{operation:?} {effect:?} {after} {settled}");
                let scene = scene(2);
                if settled {
                    scene.database.checkpoint().unwrap();
                }
                write_in_flight(&scene.session).unwrap();
                scene.disk.inject(sessiondb::Fault {
                    after,
                    ..fault(operation, "segments", effect)
                });
                let outcome = scene.database.checkpoint();
                if !scene.recorder.met_a_fault() {
                    assert!(outcome.is_ok(), "{context}: {outcome:?}");
                    assert!(after > 0 || settled, "{context}: nothing failed");
                    continue;
                }
                assert!(
                    matches!(&outcome, Err(error) if is_failure(error)),
                    "{context}: {outcome:?}"
                );
                assert_stopped(&scene, &context);
                // It was synced before, so it may be shown.
                let read = scene.session.get::<i32>("in flight");
                assert!(matches!(read, Ok(Some(7))), "{context}: {read:?}");
                assert!(scene.database.close().is_err(), "{context}");
                assert_no_sync_is_retried(&scene.recorder, &context);
                assert_recovers(&scene.disk, &scene.session, "in flight", &context);
            }
        }
    });
}

#[test]
fn after_a_failure_nothing_unsynced_is_shown_with_deferred_durability_either() {
    without_hanging(|| {
        for (operation, effect) in JOURNAL_FAILURES {
            let context = format!("{operation:?} {effect:?}");
            let scene = scene(3);
            let quick = scene.database.with_durability(NEVER);
            let session = quick.open_session(&scene.session.id()).unwrap().unwrap();
            let mut gone = quick.create_session();
            gone.set("before", &1).unwrap();
            quick.commit().unwrap();
            session.set("unsynced", &1).unwrap();
            let born = quick.create_session();
            born.set("unsynced", &1).unwrap();
            gone.destroy().unwrap();
            assert_eq!(session.get::<i32>("unsynced").unwrap(), Some(1));

            scene.disk.inject(fault(operation, "journal", effect));
            quick.commit().unwrap_err();
            let answers = [
                session.get::<i32>("unsynced").map(|_| ()),
                session.contains_key("unsynced").map(|_| ()),
                session
                    .keys()
                    .and_then(|mut keys| keys.try_for_each(|key| key.map(|_| ()))),
                session.len().map(|_| ()),
                quick.open_session(&born.id()).map(|_| ()),
                // That it is gone is not on disk.
                quick.open_session(&gone.id()).map(|_| ()),
                session.pop::<i32>("unsynced").map(|_| ()),
                session.commit(),
            ];
            for (number, answer) in answers.iter().enumerate() {
                assert!(
                    matches!(answer, Err(error) if is_poisoned(error)),
                    "{context}, answer {number}: {answer:?}"
                );
            }
            quick.close().unwrap_err();
        }
    });
}

#[test]
fn what_was_synced_stays_readable_after_a_failure() {
    without_hanging(|| {
        let scene = scene(4);
        let other = scene.database.create_session();
        other.set("kept", &1).unwrap();
        scene.disk.inject(fault(
            Operation::SyncData,
            "journal",
            FaultEffect::LosePages,
        ));
        write_in_flight(&scene.session).unwrap_err();
        assert_eq!(other.get::<i32>("kept").unwrap(), Some(1));
        let again = scene.database.open_session(&other.id()).unwrap().unwrap();
        assert_eq!(again.get::<i32>("kept").unwrap(), Some(1));
    });
}

#[test]
fn a_close_after_a_failure_returns_and_lets_the_directory_go() {
    without_hanging(|| {
        let scene = scene(5);
        scene
            .disk
            .inject(fault(Operation::SyncData, "journal", FaultEffect::Refuse));
        write_in_flight(&scene.session).unwrap_err();
        assert!(matches!(open(&scene.disk), Err(Error::Locked { .. })));
        let closed = scene.database.close();
        assert!(
            matches!(&closed, Err(error) if is_poisoned(error)),
            "{closed:?}"
        );
        assert!(matches!(scene.session.set("after", &1), Err(Error::Closed)));
        scene.database.close().unwrap();
        let again = open(&scene.disk).unwrap();
        again.create_session().set("again", &1).unwrap();
        again.close().unwrap();
    });
}

#[test]
fn waiting_committers_all_hear_of_a_failure() {
    without_hanging(|| {
        for round in 0..10 {
            let scene = scene(round);
            let after = round % 3;
            scene.disk.inject(sessiondb::Fault {
                after,
                ..fault(Operation::SyncData, "journal", FaultEffect::LosePages)
            });
            let acknowledged: Vec<_> = std::thread::scope(|scope| {
                let writers: Vec<_> = (0..8)
                    .map(|_| {
                        scope.spawn(|| {
                            let session = scene.database.create_session();
                            let mut written = 0;
                            while session.set("counter", &(written + 1)).is_ok() {
                                written += 1;
                            }
                            (session.id(), written)
                        })
                    })
                    .collect();
                writers
                    .into_iter()
                    .map(|writer| writer.join().unwrap())
                    .collect()
            });
            let _ = scene.database.close();
            assert_no_sync_is_retried(&scene.recorder, &format!("round {round}"));
            let survivor = scene
                .disk
                .crash(Crash::KeepNothing, IndexFate::Lost)
                .unwrap();
            let again = open(&survivor).unwrap();
            for (id, written) in acknowledged {
                let session = again.open_session(&id).unwrap();
                let found = session.map_or(0, |session| {
                    session.get::<i32>("counter").unwrap().unwrap_or(0)
                });
                assert!(found >= written, "round {round}: {found} of {written}");
            }
        }
    });
}
