//! An opening that fails has destroyed nothing, and let the directory go.

use std::io::ErrorKind;

use sessiondb::{Error, Fault, FaultEffect, Operation};

use crate::support::{disk, fault, open, without_hanging};

const OPERATIONS: [(Operation, FaultEffect); 11] = [
    (Operation::Write, FaultEffect::Refuse),
    (Operation::Write, FaultEffect::ShortWrite),
    (Operation::SyncData, FaultEffect::Refuse),
    (Operation::SyncAll, FaultEffect::Refuse),
    (Operation::SyncDirectory, FaultEffect::Refuse),
    (Operation::Create, FaultEffect::Refuse),
    (Operation::Open, FaultEffect::Refuse),
    (Operation::Read, FaultEffect::Refuse),
    (Operation::List, FaultEffect::Refuse),
    (Operation::Rename, FaultEffect::Refuse),
    (Operation::Remove, FaultEffect::Refuse),
];

#[test]
fn a_refused_opening_destroys_nothing() {
    without_hanging(|| {
        let disk = disk(1);
        let database = open(&disk).unwrap();
        let session = database.create_session();
        session.set("settled", &1).unwrap();
        database.checkpoint().unwrap();
        session.set("in the journal", &2).unwrap();
        let killed = disk
            .crash(sessiondb::Crash::KeepAll, sessiondb::IndexFate::Kept)
            .unwrap();
        drop(database);
        let mut refusals = 0;
        for (operation, effect) in OPERATIONS {
            for after in 0..60 {
                killed.inject(Fault {
                    after,
                    ..fault(operation, "", effect)
                });
                let opened = open(&killed);
                killed.clear_faults();
                match opened {
                    // The process is killed rather than closed, so that the
                    // next one has as much to do.
                    Ok(database) => {
                        database.close().ok();
                        break;
                    }
                    Err(error) => {
                        refusals += 1;
                        assert!(
                            matches!(error, Error::Io { .. } | Error::Poisoned { .. }),
                            "{operation:?} {after}: {error}"
                        );
                    }
                }
            }
            let again = open(&killed).unwrap_or_else(|error| panic!("{operation:?}: {error}"));
            let found = again.open_session(&session.id()).unwrap().unwrap();
            assert_eq!(found.get::<i32>("settled").unwrap(), Some(1));
            assert_eq!(found.get::<i32>("in the journal").unwrap(), Some(2));
        }
        assert!(refusals > 30, "only {refusals} openings were refused");
    });
}

#[test]
fn an_opening_without_space_is_refused_and_works_once_there_is_some() {
    without_hanging(|| {
        let disk = disk(2);
        disk.set_capacity(Some(10_000));
        let refused = open(&disk);
        assert!(
            matches!(&refused, Err(Error::StorageFull { .. })),
            "{refused:?}"
        );
        disk.set_capacity(None);
        let database = open(&disk).unwrap();
        database.create_session().set("key", &1).unwrap();
        database.close().unwrap();
    });
}

#[test]
fn a_refusal_says_which_file_it_was() {
    without_hanging(|| {
        let disk = disk(3);
        open(&disk).unwrap().close().unwrap();
        disk.inject(Fault {
            kind: ErrorKind::Other,
            ..fault(Operation::Read, "CURRENT", FaultEffect::Refuse)
        });
        let refused = open(&disk);
        assert!(
            matches!(&refused, Err(Error::Io { path, .. }) if path.ends_with("CURRENT")),
            "{refused:?}"
        );
    });
}
