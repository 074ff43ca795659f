//! Rule 8: frames that were never declared synced are cut at the first one
//! that is missing, and what was cut never comes back.

use std::io::ErrorKind;

use sessiondb::{Crash, Fault, FaultEffect, IndexFate, Operation};

use crate::support::{DEFERRED, cut, open, session, simulated};

const FRAMES: usize = 6;

#[test]
fn a_torn_tail_is_cut_and_never_revives() {
    let mut survivors_behind_a_gap = 0;
    for seed in 0..12 {
        let disk = simulated(10);
        let db = open(&disk).unwrap();
        let visitor = db.create_session();
        visitor.set("settled", &true).unwrap();
        let id = visitor.id();
        let quick = session(&db.with_durability(DEFERRED), &id);
        for frame in 0..FRAMES {
            // Each frame in sectors of its own.
            let value = format!("{frame}").repeat(1500);
            quick.set(&format!("frame-{frame}"), &value).unwrap();
        }
        disk.inject(Fault {
            operation: Operation::SyncData,
            path_contains: "journal/".into(),
            after: 0,
            times: 1,
            kind: ErrorKind::Other,
            effect: FaultEffect::Refuse,
        });
        db.commit().unwrap_err();
        drop((visitor, quick));
        let mut disk = cut(db, &disk, Crash::Random(seed), IndexFate::Kept);
        let torn = disk.read_file("journal/000001.log").unwrap();
        let last = format!("{}", FRAMES - 1).repeat(700);
        let last_is_there = torn
            .windows(last.len())
            .any(|window| window == last.as_bytes());

        let db = open(&disk).unwrap();
        let handle = session(&db, &id);
        let mut expected: Vec<String> = handle.keys().unwrap().map(|key| key.unwrap()).collect();
        let kept = expected.len() - 1;
        let prefix: Vec<String> = (0..kept).map(|frame| format!("frame-{frame}")).collect();
        assert_eq!(expected[..kept], prefix, "seed {seed}: a prefix survives");
        if last_is_there && kept < FRAMES {
            survivors_behind_a_gap += 1;
        }
        drop((handle, db));
        // Whatever is written next, and however often it is opened: what was
        // cut stays away.
        for round in 0..2 {
            let db = open(&disk).unwrap();
            let handle = session(&db, &id);
            handle
                .set(&format!("later-{round}"), &"x".repeat(1500))
                .unwrap();
            expected.push(format!("later-{round}"));
            expected.sort_unstable();
            drop(handle);
            disk = cut(db, &disk, Crash::KeepAll, IndexFate::Kept);
            let db = open(&disk).unwrap();
            let handle = session(&db, &id);
            let keys: Vec<String> = handle.keys().unwrap().map(|key| key.unwrap()).collect();
            assert_eq!(keys, expected, "seed {seed}, round {round}");
            drop(handle);
            disk = cut(db, &disk, Crash::KeepNothing, IndexFate::Kept);
        }
    }
    assert!(
        survivors_behind_a_gap > 0,
        "no seed left a frame behind a gap"
    );
}
