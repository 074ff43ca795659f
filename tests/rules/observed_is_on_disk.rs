//! Rule 7: what was observed is on disk. An immediate reader waits for the
//! unsynced frame that its answer depends on, whether the answer is a value or
//! an absence; after a failure nothing beyond the synced position is seen.

use std::io::ErrorKind;

use sessiondb::{
    Crash, Database, Error, Expiry, Fault, FaultEffect, IndexFate, Operation, Session, SessionId,
};

use crate::support::{DEFERRED, GatedDisk, Point, cut, open, session, simulated};

/// A change that is not on disk, and a look that depends on it; the look has
/// to give the same after a power cut.
struct Case {
    name: &'static str,
    change: fn(&mut Session),
    look: fn(&Database, &SessionId) -> String,
}

fn value(db: &Database, id: &SessionId, key: &str) -> String {
    format!("{:?}", session(db, id).get::<u32>(key).unwrap())
}

const CASES: &[Case] = &[
    Case {
        name: "a value",
        change: |visitor| visitor.set("new", &1).unwrap(),
        look: |db, id| value(db, id, "new"),
    },
    Case {
        name: "the absence of a popped key",
        change: |visitor| assert_eq!(visitor.pop("old").unwrap(), Some(0)),
        look: |db, id| value(db, id, "old"),
    },
    Case {
        name: "a strict delete that finds nothing",
        change: |visitor| visitor.delete("old").unwrap(),
        look: |db, id| format!("{:?}", session(db, id).delete("old").is_err()),
    },
    Case {
        name: "a pop that finds nothing",
        change: |visitor| visitor.delete("old").unwrap(),
        look: |db, id| format!("{:?}", session(db, id).pop::<u32>("old").unwrap()),
    },
    Case {
        name: "a comparison that fails",
        change: |visitor| visitor.set("old", &7).unwrap(),
        look: |db, id| format!("{:?}", session(db, id).pop_if("old", &0).unwrap()),
    },
    Case {
        name: "a transaction that only reads",
        change: |visitor| visitor.set("old", &7).unwrap(),
        look: |db, id| {
            let read = session(db, id).transaction(|tx| tx.get::<u32>("old"));
            format!("{:?}", read.unwrap())
        },
    },
    Case {
        name: "a number of keys",
        change: |visitor| visitor.set("new", &1).unwrap(),
        look: |db, id| format!("{:?}", session(db, id).len().unwrap()),
    },
    Case {
        name: "emptiness after a clear",
        change: |visitor| visitor.clear().unwrap(),
        look: |db, id| format!("{:?}", session(db, id).is_empty().unwrap()),
    },
    Case {
        name: "the absence of a flushed session",
        change: |visitor| assert_ne!(visitor.id(), visitor.flush().unwrap()),
        look: |db, id| format!("{:?}", db.open_session(id).unwrap().is_none()),
    },
    Case {
        name: "the absence of an ID that was cycled",
        change: |visitor| assert_ne!(visitor.id(), visitor.cycle_id().unwrap()),
        look: |db, id| format!("{:?}", db.open_session(id).unwrap().is_none()),
    },
    Case {
        name: "the memory of a dead ID",
        change: |visitor| assert_ne!(visitor.id(), visitor.flush().unwrap()),
        look: |db, id| format!("{:?}", db.is_retired(id).unwrap()),
    },
    Case {
        name: "a chosen ID that is dead",
        change: |visitor| visitor.destroy().unwrap(),
        look: |db, id| {
            let refused = db.create_session_with_id(*id, Expiry::Default);
            format!("{:?}", refused.is_err())
        },
    },
    Case {
        name: "a revoke that finds nobody",
        change: |visitor| visitor.destroy().unwrap(),
        look: |db, id| format!("{:?}", db.revoke(id).unwrap()),
    },
    Case {
        name: "an owner",
        change: |visitor| visitor.set_owner(Some("ada")).unwrap(),
        look: |db, id| format!("{:?}", session(db, id).owner().unwrap()),
    },
    Case {
        name: "an expiry",
        change: |visitor| visitor.set_expiry(Expiry::BrowserSession).unwrap(),
        look: |db, id| format!("{:?}", session(db, id).expiry().unwrap()),
    },
    Case {
        name: "the list of an owner's sessions",
        change: |visitor| visitor.set_owner(Some("ada")).unwrap(),
        look: |db, _| format!("{:?}", db.sessions_of("ada").unwrap().len()),
    },
    Case {
        name: "an owner without sessions",
        change: |visitor| {
            visitor.set_owner(Some("ada")).unwrap();
            visitor.set_owner(None).unwrap();
        },
        look: |db, _| format!("{:?}", db.revoke_owner("ada").unwrap()),
    },
    Case {
        name: "what is known of a session",
        change: |visitor| visitor.set_owner(Some("ada")).unwrap(),
        look: |db, id| format!("{:?}", db.inspect(&id.digest()).unwrap().unwrap().owner),
    },
    Case {
        name: "the list of all sessions",
        change: |visitor| visitor.destroy().unwrap(),
        look: |db, _| format!("{:?}", db.sessions().count()),
    },
];

type Ask = fn(&Session) -> Result<(), Error>;

/// What a handle of a session that is gone may be asked.
const ASKS: &[Ask] = &[
    |session| session.get::<u32>("old").map(drop),
    |session| session.set("old", &1),
    |session| session.touch(),
    |session| session.set_owner(Some("ada")),
    |session| session.owner().map(drop),
    |session| session.set_expiry(Expiry::Default),
    |session| session.expires_at().map(drop),
    |session| session.len().map(drop),
];

#[test]
fn an_immediate_answer_waits_for_the_sync_of_what_it_depends_on_and_then_holds() {
    for checkpointed in [false, true] {
        for case in CASES {
            let disk = GatedDisk::new(7);
            let db = disk.open();
            let visitor = db.create_session();
            visitor.set("old", &0).unwrap();
            let id = visitor.id();
            if checkpointed {
                db.checkpoint().unwrap();
            }
            let mut quick = session(&db.with_durability(DEFERRED), &id);
            (case.change)(&mut quick);
            let seen = std::thread::scope(|scope| {
                let gate = disk.close(Point::Sync, "journal/000001.log");
                let reader = scope.spawn(|| (case.look)(&db, &id));
                gate.wait_for_somebody();
                assert!(!reader.is_finished(), "{}", case.name);
                drop(gate);
                reader.join().unwrap()
            });
            drop((visitor, quick));
            let survivor = cut(db, &disk.disk, Crash::KeepNothing, IndexFate::Kept);
            let db = open(&survivor).unwrap();
            assert_eq!((case.look)(&db, &id), seen, "{}", case.name);
        }
    }
}

#[test]
fn an_existing_handle_waits_before_it_says_that_its_session_is_gone() {
    let cycles = [false, true].into_iter();
    for (cycle, ask) in cycles.flat_map(|cycle| ASKS.iter().map(move |ask| (cycle, ask))) {
        let disk = GatedDisk::new(8);
        let db = disk.open();
        let visitor = db.create_session();
        visitor.set("old", &0).unwrap();
        let id = visitor.id();
        let mut quick = session(&db.with_durability(DEFERRED), &id);
        if cycle {
            quick.cycle_id().unwrap();
        } else {
            quick.flush().unwrap();
        }
        std::thread::scope(|scope| {
            let gate = disk.close(Point::Sync, "journal/000001.log");
            let reader = scope.spawn(|| ask(&visitor));
            gate.wait_for_somebody();
            drop(gate);
            assert!(matches!(reader.join().unwrap(), Err(Error::SessionGone)));
        });
        drop((visitor, quick));
        let survivor = cut(db, &disk.disk, Crash::KeepNothing, IndexFate::Kept);
        assert!(
            open(&survivor)
                .unwrap()
                .open_session(&id)
                .unwrap()
                .is_none()
        );
    }
}

#[test]
fn after_poisoning_nothing_beyond_the_synced_position_is_seen() {
    for effect in [FaultEffect::Refuse, FaultEffect::LosePages] {
        let disk = simulated(9);
        let db = open(&disk).unwrap();
        let quick = db.with_durability(DEFERRED);
        let settled = db.create_session();
        settled.set("old", &0).unwrap();
        let mut gone = session(&quick, &settled.id());
        let visitor = db.create_session();
        visitor.set("old", &0).unwrap();
        disk.inject(Fault {
            operation: Operation::SyncData,
            // Not the file that is filled ahead meanwhile.
            path_contains: "journal/000001.log".into(),
            after: 0,
            times: 1,
            kind: ErrorKind::Other,
            effect,
        });
        assert!(matches!(
            visitor.set("old", &1),
            Err(Error::Poisoned { .. })
        ));
        for view in [&db, &quick] {
            // What is on disk is still there to be read.
            assert_eq!(session(view, &settled.id()).get("old").unwrap(), Some(0));
            let looked = view.open_session(&visitor.id());
            let looked = looked.and_then(|found| match found {
                Some(handle) => handle.get::<u32>("old"),
                None => Ok(None),
            });
            assert!(matches!(looked, Err(Error::Poisoned { .. })), "{looked:?}");
        }
        assert!(matches!(
            visitor.get::<u32>("old"),
            Err(Error::Poisoned { .. })
        ));
        assert!(matches!(visitor.len(), Err(Error::Poisoned { .. })));
        assert!(matches!(gone.flush(), Err(Error::Poisoned { .. })));
        assert!(matches!(db.checkpoint(), Err(Error::Poisoned { .. })));
    }
}

#[test]
fn the_greatest_number_that_an_immediate_reader_saw_survives_the_power_cut() {
    for seed in 0..8 {
        let disk = simulated(seed);
        let db = open(&disk).unwrap();
        let visitor = db.create_session();
        visitor.set("count", &0_u64).unwrap();
        let id = visitor.id();
        let operations = fastrand::Rng::with_seed(seed).u64(20..120);
        disk.power_off_after(operations);
        let seen = std::thread::scope(|scope| {
            let quick = session(&db.with_durability(DEFERRED), &id);
            let writer = scope.spawn(move || {
                let mut count = 0_u64;
                while quick.set("count", &count).is_ok() {
                    count += 1;
                }
            });
            let mut seen = 0;
            // Where the power goes with everything synced, reading goes on
            // being right for ever.
            while let Ok(count) = visitor.get::<u64>("count")
                && !writer.is_finished()
            {
                seen = seen.max(count.unwrap());
            }
            writer.join().unwrap();
            seen
        });
        drop(visitor);
        let disk = cut(db, &disk, Crash::Random(seed), IndexFate::Kept);
        let found: Option<u64> = session(&open(&disk).unwrap(), &id).get("count").unwrap();
        assert!(found >= Some(seen), "seed {seed}: {found:?} after {seen}");
    }
}
