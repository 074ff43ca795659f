//! The copy has what the index has, whatever happens meanwhile.

use std::sync::Arc;

use super::super::testing::{check_hash, open, rebuild};
use super::{is_loose, is_overgrown};
use crate::format::identity::Timestamp;
use crate::format::retired_rows::ShortDigest;
use crate::index::Index;
use crate::{
    Crash, Database, Error, Fault, FaultEffect, IndexFate, Operation, Phase, Session,
    SessionDigest, SimulatedDisk,
};

/// Sessions of many pages, some of them owned, some gone.
fn fill(db: &Database, sessions: usize) -> Vec<Session> {
    let value = vec![7; 2000];
    let made = (0..sessions).map(|number| {
        let mut session = db.create_session();
        for key in 0..12 {
            session.set_bytes(&format!("key/{key}"), &value).unwrap();
        }
        session
            .set_owner(Some(&format!("user:{}", number % 7)))
            .unwrap();
        if number % 5 == 0 {
            db.checkpoint().unwrap();
            session.flush().unwrap();
        }
        session
    });
    let made = made.collect();
    db.checkpoint().unwrap();
    made
}

/// A database with an index worth copying: 32 sessions live.
fn filled(seed: u64) -> (SimulatedDisk, Database) {
    let disk = SimulatedDisk::new(seed).unwrap();
    let db = open(&disk);
    fill(&db, 40);
    (disk, db)
}

fn check(db: &Database, sessions: usize) {
    assert_eq!(db.sessions().count(), sessions);
    let owned = (0..7).map(|user| db.sessions_of(&format!("user:{user}")).unwrap().len());
    assert_eq!(owned.sum::<usize>(), sessions);
    db.verify().unwrap();
    check_hash(db);
}

fn name(db: &Database) -> String {
    db.engine().index.name()
}

#[test]
fn the_copy_has_what_the_index_had_and_takes_its_place() {
    let (disk, db) = filled(1);
    let before = db.engine().index.get().unwrap().live_frames();
    while db.engine().renew_step().unwrap() {}
    assert_eq!(name(&db), "index-0002");
    assert!(!disk.index_root().join("index-0001").exists());
    let after = db.engine().index.get().unwrap().live_frames();
    assert_eq!(after, before);
    check(&db, 32);
    drop(db);
    check(&open(&disk), 32);
}

#[test]
fn what_is_written_meanwhile_is_in_it_too() {
    let disk = SimulatedDisk::new(2).unwrap();
    let db = open(&disk);
    let mut sessions = fill(&db, 40);
    let mut expected = 32;
    // 1,024 rows at a time: each tree is a slice of its own.
    let mut steps = 0;
    while db.engine().renew_step().unwrap() {
        steps += 1;
        fill(&db, 4);
        expected += 3;
        let mut flushed = sessions.pop().unwrap();
        expected -= usize::from(flushed.owner().unwrap().is_some());
        flushed.flush().unwrap();
        sessions[1]
            .set_owner(Some(&format!("user:{}", steps % 7)))
            .unwrap();
        db.checkpoint().unwrap();
        while db.engine().sweep_slice() {}
    }
    assert!(steps >= 7, "{steps}");
    assert_eq!(name(&db), "index-0002");
    check(&db, expected);
    drop(db);
    let db = open(&disk.crash(Crash::KeepAll, IndexFate::Kept).unwrap());
    check(&db, expected);
}

#[test]
fn a_crash_within_it_leaves_the_old_one() {
    let (disk, db) = filled(3);
    for steps in 1..8 {
        for _ in 0..steps {
            assert!(db.engine().renew_step().unwrap());
        }
        let crashed = disk.crash(Crash::KeepNothing, IndexFate::Kept).unwrap();
        assert!(crashed.index_root().join("index-0002").exists());
        let again = open(&crashed);
        assert_eq!(name(&again), "index-0001");
        assert!(!crashed.index_root().join("index-0002").exists());
        check(&again, 32);
        let mut checkpointer = db.engine().checkpointer.lock();
        let index = db.engine().index.get().unwrap();
        db.engine().abandon_renewal(&mut checkpointer, &index);
    }
}

#[test]
fn a_rebuild_in_between_ends_it_and_it_begins_anew() {
    let (_disk, db) = filled(4);
    for _ in 0..3 {
        assert!(db.engine().renew_step().unwrap());
    }
    rebuild(db.engine());
    assert_eq!(name(&db), "index-0002");
    fill(&db, 5);
    while db.engine().renew_step().unwrap() {}
    assert_eq!(name(&db), "index-0003");
    check(&db, 36);
}

#[test]
fn a_close_in_between_leaves_nothing_behind() {
    let (disk, db) = filled(5);
    for _ in 0..3 {
        assert!(db.engine().renew_step().unwrap());
    }
    db.close().unwrap();
    assert!(!disk.index_root().join("index-0002").exists());
    check(&open(&disk), 32);
}

#[test]
fn a_small_index_is_left_alone() {
    let disk = SimulatedDisk::new(6).unwrap();
    let db = open(&disk);
    fill(&db, 10);
    assert!(!db.engine().wants_renewal());
    let mut phases = Vec::new();
    db.compact_with(|phase, _, _| {
        phases.push(phase);
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    assert!(!phases.contains(&Phase::Index));
    assert_eq!(name(&db), "index-0001");
}

fn copies(disk: &SimulatedDisk) -> usize {
    std::fs::read_dir(disk.index_root()).unwrap().count()
}

#[test]
fn a_full_disk_in_between_is_waited_for() {
    let (disk, db) = filled(7);
    for steps in 1..20 {
        disk.set_capacity(Some(1));
        let outcome = db.engine().renew_step();
        assert!(matches!(outcome, Err(Error::StorageFull { .. })));
        disk.set_capacity(None);
        if !db.engine().renew_step().unwrap() {
            assert!(steps >= 8, "{steps}");
            break;
        }
        assert_eq!(copies(&disk), 2);
    }
    assert_eq!(name(&db), "index-0002");
    assert_eq!(copies(&disk), 1);
    check(&db, 32);
}

#[test]
fn a_full_disk_and_a_close_leave_nothing_behind() {
    let (disk, db) = filled(8);
    assert!(db.engine().renew_step().unwrap());
    disk.set_capacity(Some(1));
    assert!(db.engine().renew_step().is_err());
    disk.set_capacity(None);
    db.close().unwrap();
    assert_eq!(copies(&disk), 1);
    check(&open(&disk), 32);
}

#[test]
fn a_copy_that_cannot_take_its_place_goes() {
    let (disk, db) = filled(9);
    disk.inject(Fault {
        operation: Operation::Rename,
        path_contains: "CURRENT".into(),
        after: 0,
        times: 1,
        kind: std::io::ErrorKind::Other,
        effect: FaultEffect::Refuse,
    });
    while db.engine().renew_step().unwrap() {}
    assert_eq!(name(&db), "index-0001");
    assert_eq!(copies(&disk), 1);
    fill(&db, 5);
    check(&db, 36);
    while db.engine().renew_step().unwrap() {}
    assert_eq!(name(&db), "index-0002");
    check(&db, 36);
}

/// Puts so many rows.
fn own(index: &Index, rows: u128) {
    for number in 0..rows {
        let digest = SessionDigest::from_bytes(number.to_be_bytes());
        index.put_owner("user:0", digest).unwrap();
        // In portions: on a busy machine sled writes a long row of them more
        // than once.
        if number % 250 == 0 {
            index.flush().unwrap();
        }
    }
    index.flush().unwrap();
}

/// Rows of nobody, put and removed again.
fn swell(index: &Index, rows: u128) {
    let digest = |number: u128| SessionDigest::from_bytes(number.to_be_bytes());
    for number in 0..rows {
        index.put_owner("user:1", digest(number)).unwrap();
    }
    index.flush().unwrap();
    for number in 0..rows {
        index.drop_owner("user:1", digest(number)).unwrap();
    }
    index.flush().unwrap();
}

#[test]
fn an_index_that_was_large_is_copied_each_time() {
    let disk = SimulatedDisk::new(10).unwrap();
    let db = open(&disk);
    fill(&db, 10);
    for round in 2..5 {
        let index = db.engine().index.get().unwrap();
        assert!(!db.engine().wants_renewal(), "it holds little");
        swell(&index, 30_000);
        let before = index.disk_bytes();
        drop(index);
        assert!(db.engine().wants_renewal(), "{before} bytes");
        db.compact().unwrap();
        assert_eq!(name(&db), format!("index-{round:04}"));
        let after = db.engine().index.get().unwrap().disk_bytes();
        assert!(after < before / 2, "{before} became {after}");
    }
    check(&db, 8);
}

#[test]
fn an_index_that_holds_as_much_as_it_takes_is_left_alone() {
    let disk = SimulatedDisk::new(11).unwrap();
    let db = open(&disk);
    let index = db.engine().index.get().unwrap();
    own(&index, 30_000);
    let (bytes, fresh) = (index.disk_bytes(), index.fresh_bytes().unwrap());
    assert!(bytes > 4 << 20, "{bytes}");
    assert!(
        !db.engine().wants_renewal(),
        "{bytes}, {fresh:?} when fresh"
    );
}

#[test]
fn how_many_rows_there_are_is_known_again_after_each_kind_of_stop() {
    let disk = SimulatedDisk::new(12).unwrap();
    let db = open(&disk);
    fill(&db, 20);
    let fresh = |db: &Database| db.engine().index.get().unwrap().fresh_bytes().unwrap();
    let before = fresh(&db).expect("they are counted");
    assert!(before > (512 << 10) + 120 * 240, "{before}");
    // Rows of the dead come and go.
    let near = before - 60 * 240..=before + 60 * 240;
    db.close().unwrap();
    drop(db);
    let db = open(&disk);
    assert!(near.contains(&fresh(&db).expect("it was noted")));
    rebuild(db.engine());
    assert!(near.contains(&fresh(&db).expect("all were put")));
    for index in [IndexFate::Kept, IndexFate::Lost] {
        let crashed = disk.crash(Crash::KeepAll, index).unwrap();
        let fresh = fresh(&open(&crashed)).expect("the check has counted");
        assert!(near.contains(&fresh), "{fresh} after {before}");
    }
}

#[test]
fn of_a_few_rows_in_a_large_file_nothing_follows_for_others() {
    let disk = SimulatedDisk::new(13).unwrap();
    let db = open(&disk);
    fill(&db, 10);
    let index = db.engine().index.get().unwrap();
    swell(&index, 30_000);
    index.note_bytes_of_a_row().unwrap();
    let fresh = index.fresh_bytes().unwrap().unwrap();
    assert!(fresh < 2 << 20, "{fresh}");
}

/// sled's own failure shows with each call; that of our sync only once.
#[test]
fn a_copy_whose_flush_failed_is_given_up_and_begun_anew() {
    let (disk, db) = filled(9);
    for steps in 1.. {
        for _ in 0..steps {
            assert!(db.engine().renew_step().unwrap());
        }
        let successor = {
            let checkpointer = db.engine().checkpointer.lock();
            Arc::clone(&checkpointer.renewal.as_ref().unwrap().successor)
        };
        let failed = crate::index::Trouble::new("a sync failed");
        assert!(!db.engine().give_up(&successor, &failed));
        assert!(!db.engine().is_renewing());
        assert!(!disk.index_root().join("index-0002").exists());
        check(&db, 32);
        if steps == 7 {
            break;
        }
    }
    while db.engine().renew_step().unwrap() {}
    assert_eq!(name(&db), "index-0002");
    check(&db, 32);
}

/// Nobody holds the checkpointer while it is flushed.
#[test]
fn a_copy_that_cannot_be_flushed_is_given_up_by_the_step_that_meets_it() {
    let (_disk, db) = filled(15);
    // All trees; the next step is the flush.
    for _ in 0..7 {
        assert!(db.engine().renew_step().unwrap());
    }
    let successor = {
        let checkpointer = db.engine().checkpointer.lock();
        Arc::clone(&checkpointer.renewal.as_ref().unwrap().successor)
    };
    successor.fail();
    drop(successor);
    assert!(!db.engine().renew_step().unwrap());
    assert!(!db.engine().is_renewing());
    while db.engine().renew_step().unwrap() {}
    assert_eq!(name(&db), "index-0002");
    check(&db, 32);
}

#[test]
fn a_copy_that_does_not_help_is_not_made_again() {
    let disk = SimulatedDisk::new(14).unwrap();
    let db = open(&disk);
    let index = db.engine().index.get().unwrap();
    // Rows that are much larger than others.
    let until = db.engine().now().plus(std::time::Duration::from_secs(60));
    let digest = |number: u128| SessionDigest::from_bytes((number << 100).to_be_bytes());
    let ids = (0..200_000).map(|number| (until, ShortDigest::of(digest(number))));
    index.retire(ids.collect()).unwrap();
    index.flush().unwrap();
    drop(index);
    let mut copies = 0;
    while db.engine().wants_renewal() || db.engine().wants_renewal_at_rest() {
        while db.engine().renew_step().unwrap() {}
        copies += 1;
        assert!(copies < 3);
    }
    let index = db.engine().index.get().unwrap();
    let taken = index.disk_bytes();
    assert!(taken > 1 << 20, "{taken}");
}

#[test]
fn a_small_index_is_copied_when_nobody_needs_it_to_grow() {
    let disk = SimulatedDisk::new(15).unwrap();
    let db = open(&disk);
    fill(&db, 10);
    assert!(!db.engine().wants_renewal_at_rest());
    let index = db.engine().index.get().unwrap();
    swell(&index, 1200);
    let before = index.disk_bytes();
    drop(index);
    assert!((256 << 10..1 << 20).contains(&before), "{before} bytes");
    assert!(!db.engine().wants_renewal(), "it may grow as it is used");
    assert!(db.engine().wants_renewal_at_rest());
    db.compact().unwrap();
    assert_eq!(name(&db), "index-0002");
    let after = db.engine().index.get().unwrap().disk_bytes();
    assert!(after < before / 2, "{before} became {after}");
    assert!(!db.engine().wants_renewal_at_rest());
    check(&db, 8);
}

#[test]
fn an_index_that_has_grown_by_a_quarter_is_copied_when_nobody_needs_it_to_grow() {
    let disk = SimulatedDisk::new(18).unwrap();
    let db = open(&disk);
    let engine = db.engine();
    own(&engine.index.get().unwrap(), 30_000);
    while engine.renew_step().unwrap() {}
    assert_eq!(name(&db), "index-0002");
    assert!(!engine.wants_renewal_at_rest(), "it is new");
    let mut rounds = 0;
    while !engine.wants_renewal_at_rest() {
        rounds += 1;
        assert!(rounds < 20);
        swell(&engine.index.get().unwrap(), rounds * 2000);
    }
    let before = engine.index.get().unwrap().disk_bytes();
    while engine.renew_step().unwrap() {}
    let after = engine.index.get().unwrap().disk_bytes();
    assert!(after < before, "{before} became {after}");
    assert!(!engine.wants_renewal_at_rest());
    assert!(is_loose(40 << 20, 30 << 20) && !is_loose(35 << 20, 30 << 20));
    assert!(!is_loose(64 << 20, 30 << 20), "it is large");
}

#[test]
fn dead_ids_are_in_the_copy_whenever_they_died() {
    let (disk, db) = filled(16);
    let mut sessions: Vec<_> = db.sessions().map(|info| info.unwrap().digest).collect();
    let alive = sessions.split_off(20);
    let mut dead = Vec::new();
    let mut kill = || {
        if let Some(digest) = sessions.pop() {
            db.revoke(digest).unwrap();
            dead.push(digest);
        }
        db.checkpoint().unwrap();
    };
    (0..5).for_each(|_| kill());
    while db.engine().renew_step().unwrap() {
        kill();
    }
    kill();
    assert_eq!(name(&db), "index-0002");
    db.verify().unwrap();
    let disk = disk.crash(Crash::KeepAll, IndexFate::Kept).unwrap();
    let db = open(&disk);
    assert_eq!(name(&db), "index-0002", "it is not rebuilt");
    assert!(dead.len() > 10, "{}", dead.len());
    for digest in dead {
        assert!(db.is_retired(digest).unwrap());
    }
    for digest in alive {
        assert!(!db.is_retired(digest).unwrap());
    }
    db.verify().unwrap();
}

fn hinted(db: &Database) -> Vec<SessionDigest> {
    let index = db.engine().index.get().unwrap();
    let groups = index.due_groups(None, Timestamp(u64::MAX), usize::MAX);
    let (groups, _) = groups.unwrap();
    let mut members: Vec<_> = groups.into_iter().flat_map(|group| group.members).collect();
    members.sort_unstable();
    members
}

#[test]
fn the_copy_leaves_out_hints_of_sessions_that_are_gone_and_no_others() {
    let (disk, db) = filled(17);
    let mut sessions = fill(&db, 40);
    assert_eq!(hinted(&db).len(), 80, "the dead are in it still");
    let mut steps = 0;
    while db.engine().renew_step().unwrap() {
        steps += 1;
        // Some hints come meanwhile, and some sessions go.
        let lives_on = &sessions[steps];
        let expiry = crate::Expiry::Idle(std::time::Duration::from_secs(60 * steps as u64));
        lives_on.set_expiry(expiry).unwrap();
        sessions.pop().unwrap().flush().unwrap();
        fill(&db, 3);
        db.checkpoint().unwrap();
        while db.engine().sweep_slice() {}
    }
    let mut alive: Vec<_> = db.sessions().map(|info| info.unwrap().digest).collect();
    alive.sort_unstable();
    let mut members = hinted(&db);
    members.dedup();
    assert!(alive.iter().all(|digest| members.contains(digest)));
    assert!(members.len() < alive.len() + 4 * steps, "{}", members.len());
    db.verify().unwrap();
    check_hash(&db);
    while db.engine().renew_step().unwrap() {}
    assert_eq!(hinted(&db), alive, "now that nothing happened meanwhile");
    db.verify().unwrap();
    let disk = disk.crash(Crash::KeepAll, IndexFate::Kept).unwrap();
    let db = open(&disk);
    assert_eq!(hinted(&db), alive);
    db.verify().unwrap();
}

#[test]
fn a_large_index_may_grow_further_than_a_small_one() {
    let mib = |mebibytes: u64| mebibytes << 20;
    assert!(!is_overgrown(mib(15), mib(10)));
    assert!(is_overgrown(mib(15) + 3, mib(10)));
    assert!(!is_overgrown(mib(600), mib(200)));
    assert!(is_overgrown(mib(600) + 6, mib(200)));
    assert!(is_overgrown(mib(64) - 1, mib(42)));
    assert!(!is_overgrown(mib(64), mib(42)));
}
