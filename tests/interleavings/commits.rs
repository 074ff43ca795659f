//! Group commit: who is told that it is on disk, finds it there.

use std::sync::{Arc, Mutex};

use sessiondb::{Error, Fault, FaultEffect, Operation, SimulatedDisk};

use crate::support::{act, cut, disk, explore, open, session, together};

/// What a power cut right after an acknowledgement left, and which key has to
/// be in it.
type Cuts = Arc<Mutex<Vec<(SimulatedDisk, String)>>>;

/// Three writers of one session, each of which cuts the power in its mind once
/// it is told that its key is on disk.
fn write_and_cut(disk: &SimulatedDisk, may_fail: bool) {
    let database = open(disk);
    let first = database.create_session();
    first.set("first", &0).expect("it is written");
    let id = first.id();
    if may_fail {
        disk.inject(Fault {
            operation: Operation::SyncData,
            path_contains: "journal/".to_owned(),
            after: 1,
            times: 1,
            kind: std::io::ErrorKind::Other,
            effect: FaultEffect::LosePages,
        });
    }
    let cuts = Cuts::default();
    let writer = |key: &str| {
        let key = key.to_owned();
        act!(database, disk, cuts, key; {
            let session = database.open_session(&id);
            let written = session.and_then(|session| session.expect("it is there").set(&key, &1));
            match written {
                Ok(()) => cuts.lock().expect("unharmed").push((cut(&disk), key)),
                Err(Error::Io { .. } | Error::Poisoned { .. }) if may_fail => {}
                Err(error) => panic!("{error}"),
            }
        })
    };
    together(vec![writer("a"), writer("b"), writer("c")]);
    let closed = database.close();
    assert!(closed.is_ok() || may_fail, "{closed:?}");
    let cuts = std::mem::take(&mut *cuts.lock().expect("unharmed"));
    assert!(cuts.len() == 3 || may_fail);
    for (disk, key) in cuts {
        let database = open(&disk);
        let found = session(&database, &id)
            .get::<u32>(&key)
            .expect("it is read");
        assert_eq!(found, Some(1), "{key} was acknowledged");
        database.close().expect("it closes");
    }
}

#[test]
fn what_was_acknowledged_is_on_disk_whoever_synced_it() {
    explore(200, || write_and_cut(&disk(), false));
}

#[test]
fn nobody_is_told_that_what_a_failed_sync_lost_is_on_disk() {
    explore(200, || write_and_cut(&disk(), true));
}
