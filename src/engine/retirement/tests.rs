use std::sync::Arc;
use std::time::Duration;

use crate::engine::testing::rebuild;
use crate::format::identity::Timestamp;
use crate::{Clock as _, Database, ManualClock, SessionDigest, SessionId, SimulatedDisk};

const DAY: Duration = Duration::from_secs(86_400);

fn open(clock: &Arc<ManualClock>, disk: &SimulatedDisk) -> Database {
    Database::builder()
        .background(false)
        .clock(clock.clone())
        .retire_ids_for(DAY)
        .open_on(Arc::new(disk.clone()))
        .unwrap()
}

fn scene() -> (Arc<ManualClock>, SimulatedDisk, Database) {
    let clock = Arc::new(ManualClock::default());
    let disk = SimulatedDisk::new(1).unwrap();
    let db = open(&clock, &disk);
    (clock, disk, db)
}

fn flushed(db: &Database) -> SessionId {
    let mut session = db.create_session();
    session.set("a", &1).unwrap();
    let id = session.id();
    session.flush().unwrap();
    id
}

fn rows(db: &Database) -> usize {
    let index = db.engine().index.get().unwrap();
    index.sum_retired(Timestamp(0)).unwrap().sums.len()
}

#[test]
fn an_id_is_remembered_for_the_period_and_hardly_longer() {
    let (clock, _disk, db) = scene();
    for step in 0..40 {
        let died = Timestamp::from(clock.now());
        let until = db.engine().retire_until(died);
        assert!(until >= died.plus(DAY), "{step}");
        assert!(until <= died.plus(DAY + DAY / 8), "{step}");
        clock.advance(DAY / 32);
    }
}

#[test]
fn ids_that_die_soon_after_each_other_are_forgotten_together() {
    let (clock, _disk, db) = scene();
    for _ in 0..64 {
        flushed(&db);
        clock.advance(DAY / 64);
    }
    db.checkpoint().unwrap();
    assert!((8..=9).contains(&rows(&db)), "{} times", rows(&db));
}

#[test]
fn what_has_passed_is_forgotten_by_the_purge_and_by_the_next_batch() {
    let (clock, disk, db) = scene();
    let first = flushed(&db);
    db.checkpoint().unwrap();
    assert!(db.is_retired(first).unwrap());
    clock.advance(DAY * 2);
    assert!(!db.is_retired(first).unwrap());
    assert_eq!(rows(&db), 1);
    db.purge_expired().unwrap();
    assert_eq!(rows(&db), 0);
    db.verify().unwrap();
    let second = flushed(&db);
    db.checkpoint().unwrap();
    let listed = db.engine().checkpointer.lock().retired.list().len();
    assert_eq!(listed, 1, "the first time is in no sum any more");
    rebuild(db.engine());
    assert_eq!(rows(&db), 1, "a rebuild does not bring it back");
    assert!(db.is_retired(second).unwrap());
    db.close().unwrap();
    let db = open(&clock, &disk);
    assert!(!db.is_retired(first).unwrap());
    assert!(db.is_retired(second).unwrap());
}

#[test]
fn an_index_that_has_lost_a_dead_id_is_rebuilt() {
    let (clock, disk, db) = scene();
    let id = flushed(&db);
    db.checkpoint().unwrap();
    let index = db.engine().index.get().unwrap();
    let until = *index
        .sum_retired(Timestamp(0))
        .unwrap()
        .sums
        .keys()
        .next()
        .unwrap();
    index.forget_retired(id.digest(), until).unwrap();
    index.flush().unwrap();
    drop(index);
    assert!(!db.is_retired(id).unwrap());
    let disk = disk
        .crash(crate::Crash::KeepAll, crate::IndexFate::Kept)
        .unwrap();
    let db = open(&clock, &disk);
    assert!(db.is_retired(id).unwrap());
    db.verify().unwrap();
}

#[test]
fn what_passes_between_a_stop_and_an_open_is_no_damage() {
    for clean in [false, true] {
        let (clock, disk, db) = scene();
        let id = flushed(&db);
        db.checkpoint().unwrap();
        if clean {
            db.close().unwrap();
        }
        clock.advance(DAY * 3);
        let disk = disk
            .crash(crate::Crash::KeepAll, crate::IndexFate::Kept)
            .unwrap();
        let db = open(&clock, &disk);
        assert_eq!(db.engine().index.name(), "index-0001", "it is not rebuilt");
        assert!(!db.is_retired(id).unwrap());
        db.verify().unwrap();
    }
}

#[test]
fn a_clock_that_goes_back_behind_what_has_passed_is_no_damage() {
    for clean in [false, true] {
        for purged in [false, true] {
            let (clock, disk, db) = scene();
            flushed(&db);
            db.checkpoint().unwrap();
            let start = clock.now();
            clock.advance(DAY * 2);
            if purged {
                db.purge_expired().unwrap();
            }
            let late = flushed(&db);
            db.checkpoint().unwrap();
            if clean {
                db.close().unwrap();
            }
            clock.set(start);
            let disk = disk
                .crash(crate::Crash::KeepAll, crate::IndexFate::Kept)
                .unwrap();
            let db = open(&clock, &disk);
            assert!(db.is_retired(late).unwrap());
            db.verify().unwrap();
        }
    }
}

#[test]
fn ids_that_die_into_a_time_that_had_passed_before_add_up() {
    for clean in [false, true] {
        let (clock, disk, db) = scene();
        let start = clock.now();
        flushed(&db);
        db.checkpoint().unwrap();
        clock.advance(DAY * 3);
        // This batch leaves the time out of its sums; nothing has purged yet.
        db.create_session().set("a", &1).unwrap();
        db.checkpoint().unwrap();
        db.close().unwrap();
        clock.set(start);
        let db = open(&clock, &disk);
        let id = flushed(&db);
        db.checkpoint().unwrap();
        db.verify().unwrap();
        if clean {
            db.close().unwrap();
        }
        let disk = disk
            .crash(crate::Crash::KeepAll, crate::IndexFate::Kept)
            .unwrap();
        let db = open(&clock, &disk);
        assert_eq!(db.engine().index.name(), "index-0001", "it is not rebuilt");
        assert!(db.is_retired(id).unwrap());
        db.verify().unwrap();
    }
}

/// Those of a time that have the same short digest are one in the index, and so
/// they are one in the sums.
#[test]
fn ids_that_the_index_cannot_tell_apart_count_once() {
    for clean in [false, true] {
        let (clock, disk, db) = scene();
        let until = db.engine().retire_until(Timestamp::from(clock.now()));
        let twin = |last| {
            let mut bytes = [7; 16];
            bytes[15] = last;
            SessionDigest::from_bytes(bytes)
        };
        // In one batch, and in two.
        for twins in [&[1, 2][..], &[3]] {
            for last in twins {
                let dirty = &mut db.engine().dirty.lock().retired;
                dirty.push((twin(*last), until));
            }
            flushed(&db);
            db.checkpoint().unwrap();
            db.verify().unwrap();
        }
        let sums = db.engine().checkpointer.lock().retired.clone();
        rebuild(db.engine());
        assert_eq!(db.engine().checkpointer.lock().retired, sums);
        if clean {
            db.close().unwrap();
        }
        let disk = disk
            .crash(crate::Crash::KeepAll, crate::IndexFate::Kept)
            .unwrap();
        let db = open(&clock, &disk);
        assert_eq!(db.engine().index.name(), "index-0002", "it is not rebuilt");
        db.verify().unwrap();
        for last in 1..=3 {
            assert!(db.is_retired(twin(last)).unwrap());
        }
    }
}

#[test]
fn an_id_that_is_forgotten_may_live_and_die_again() {
    let (clock, _disk, db) = scene();
    let id = SessionId::from_bytes([7; 16]);
    for _ in 0..3 {
        let mut session = db
            .create_session_with_id(id, crate::Expiry::Default)
            .unwrap();
        assert!(!db.is_retired(id).unwrap());
        session.destroy().unwrap();
        db.checkpoint().unwrap();
        assert!(db.is_retired(id).unwrap());
        clock.advance(DAY * 2);
        assert!(!db.is_retired(id).unwrap());
        db.verify().unwrap();
    }
}

/// It leaves out what has passed, which the last footer still counts.
#[test]
fn a_clock_that_goes_back_after_a_rebuild_is_no_damage() {
    for clean in [false, true] {
        let (clock, disk, db) = scene();
        flushed(&db);
        db.checkpoint().unwrap();
        let start = clock.now();
        clock.advance(DAY * 2);
        rebuild(db.engine());
        if clean {
            db.close().unwrap();
        }
        clock.set(start);
        let disk = disk
            .crash(crate::Crash::KeepAll, crate::IndexFate::Kept)
            .unwrap();
        let db = open(&clock, &disk);
        assert_eq!(db.engine().index.name(), "index-0002", "once is enough");
        db.verify().unwrap();
    }
}

/// It does not copy what has passed, and the index is lost with its rows.
#[test]
fn a_clock_that_goes_back_after_a_compaction_is_no_damage() {
    let (clock, disk, db) = scene();
    let mut session = db.create_session();
    session.set_bytes("a", &vec![7; 200_000]).unwrap();
    db.checkpoint().unwrap();
    session.flush().unwrap();
    db.checkpoint().unwrap();
    let start = clock.now();
    clock.advance(DAY * 2);
    assert!(db.compact().unwrap().freed_bytes > 200_000);
    clock.set(start);
    let disk = disk
        .crash(crate::Crash::KeepAll, crate::IndexFate::Lost)
        .unwrap();
    let db = open(&clock, &disk);
    db.verify().unwrap();
    db.close().unwrap();
    let db = open(&clock, &disk);
    db.verify().unwrap();
}
