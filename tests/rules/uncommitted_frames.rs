//! Rule 12: frames outside of a committed batch do not exist. Wherever the
//! power goes during a checkpoint, the next open finds what was acknowledged,
//! and nothing that was written for the batch gets in its way.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;

use sessiondb::{
    Crash, Database, Error, Fault, FaultEffect, IndexFate, Operation, SessionId, SimulatedDisk,
};

use crate::support::{builder, cut, session, simulated};

/// In segments so small that a batch needs several.
fn open(disk: &SimulatedDisk) -> Result<Database, Error> {
    let small = builder().segment_bytes(4 << 10);
    small.open_on(Arc::new(disk.clone()))
}

type Model = BTreeMap<String, Option<BTreeMap<String, String>>>;

/// A database with a committed batch and changes of every kind behind it.
fn prepared() -> (SimulatedDisk, Model) {
    let disk = simulated(18);
    let db = open(&disk).unwrap();
    let large = db.create_session();
    for number in 0..60 {
        large
            .set(&format!("key-{number:02}"), &"x".repeat(300))
            .unwrap();
    }
    let mut dying = db.create_session();
    dying.set("user", "ada").unwrap();
    let mut moving = db.create_session();
    moving.set("user", "grace").unwrap();
    db.checkpoint().unwrap();
    for number in (0..60).step_by(3) {
        large
            .set(&format!("key-{number:02}"), &"y".repeat(900))
            .unwrap();
        large.delete(&format!("key-{:02}", number + 1)).unwrap();
    }
    let dead = [dying.id(), moving.id()];
    dying.flush().unwrap();
    moving.cycle_id().unwrap();
    let young = db.create_session();
    young.set("user", "eve").unwrap();
    let alive = [large.id(), moving.id(), young.id()];
    let mut model = Model::new();
    for id in dead {
        model.insert(id.to_string(), None);
    }
    for id in alive {
        model.insert(id.to_string(), Some(session(&db, &id).to_map().unwrap()));
    }
    drop((large, dying, moving, young));
    (cut(db, &disk, Crash::KeepAll, IndexFate::Kept), model)
}

fn check(db: &Database, model: &Model, what: &str) {
    for (token, expected) in model {
        let id: SessionId = token.parse().unwrap();
        let found = db.open_session(&id).unwrap();
        let found = found.map(|handle| handle.to_map::<String>().unwrap());
        assert_eq!(found, *expected, "{what}");
    }
}

#[test]
fn wherever_the_power_goes_in_a_checkpoint_the_next_open_finds_what_was_acknowledged() {
    let (original, model) = prepared();
    let mut cuts = 0;
    for operations in 0.. {
        let disk = original.crash(Crash::KeepAll, IndexFate::Kept).unwrap();
        let db = open(&disk).unwrap();
        disk.power_off_after(operations);
        let outcome = db.checkpoint();
        if outcome.is_ok() && !disk.is_off() {
            break;
        }
        disk.power_off();
        drop(db);
        cuts += 1;
        let fate = |lost| {
            if lost {
                IndexFate::Lost
            } else {
                IndexFate::Kept
            }
        };
        for (how, index) in [
            (Crash::KeepNothing, fate(operations % 2 == 0)),
            (Crash::Random(operations), fate(operations % 3 == 0)),
            (Crash::KeepAll, fate(operations % 2 == 1)),
        ] {
            let what = format!("{operations} operations, {how:?}, {index:?}");
            let disk = disk.crash(how, index).unwrap();
            let db = open(&disk).unwrap_or_else(|error| panic!("{what}: {error}"));
            check(&db, &model, &what);
            db.verify()
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            check(&db, &model, &what);
            // The batch that took the place of the one that was cut off is
            // all that a rebuild finds.
            let disk = cut(db, &disk, Crash::KeepNothing, IndexFate::Lost);
            let db = open(&disk).unwrap_or_else(|error| panic!("{what}, rebuilt: {error}"));
            check(&db, &model, &what);
        }
    }
    assert!(cuts >= 5, "the power was cut within the checkpoint");
}

#[test]
fn a_batch_that_was_abandoned_for_want_of_space_leaves_no_trace() {
    let (original, model) = prepared();
    let disk = original.crash(Crash::KeepAll, IndexFate::Kept).unwrap();
    let db = open(&disk).unwrap();
    // It would let the checkpoint come to its end.
    disk.remove_file("BALLAST").unwrap();
    disk.inject(Fault {
        operation: Operation::Create,
        path_contains: "BALLAST".into(),
        after: 0,
        times: u64::MAX,
        kind: ErrorKind::StorageFull,
        effect: FaultEffect::Refuse,
    });
    let batches = db.stats().batches;
    let mut abandoned = 0;
    for after in 0.. {
        disk.inject(Fault {
            operation: Operation::Write,
            path_contains: "segments/".into(),
            after,
            times: 1,
            kind: ErrorKind::StorageFull,
            effect: FaultEffect::ShortWrite,
        });
        match db.checkpoint() {
            Err(Error::StorageFull { .. }) => abandoned += 1,
            // Whether a footer without space is there cannot be known.
            Err(Error::Poisoned { cause }) if cause.contains("footer") => break,
            // All writes of the batch were struck, one after the other.
            Ok(()) => break,
            other => panic!("after {after} writes: {other:?}"),
        }
        assert_eq!(db.stats().batches, batches);
        check(&db, &model, "after a batch without space");
    }
    disk.clear_faults();
    assert!(abandoned > 1, "a batch was abandoned in every place");
    let disk = cut(db, &disk, Crash::KeepAll, IndexFate::Lost);
    let db = open(&disk).unwrap();
    check(&db, &model, "reopened");
    db.verify().unwrap();
    check(&db, &model, "checkpointed");
}
