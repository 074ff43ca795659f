//! The rows of what was flushed go, in slices, and only those.

use std::time::{Duration, Instant};

use super::super::testing::open;
use super::SLICE;
use crate::format::identity::Generation;
use crate::{Crash, Database, IndexFate, Session, SimulatedDisk};

/// Enough for several slices of pages.
const KEYS: usize = 3 * SLICE;

/// A session with a page for each key.
fn large_session(db: &Database) -> Session {
    let session = db.create_session();
    let value = vec![7; 4000];
    for chunk in 0..KEYS / 256 {
        let filled = session.transaction(|tx| {
            (0..256).try_for_each(|key| tx.set_bytes(&format!("{chunk:04}/{key:04}"), &value))
        });
        filled.unwrap();
    }
    session
}

fn rows(db: &Database, generation: Generation) -> usize {
    let index = db.engine().index.get().unwrap();
    index.pages(generation, "", usize::MAX).unwrap().len()
}

fn graves(db: &Database) -> Vec<Generation> {
    let index = db.engine().index.get().unwrap();
    index.dead_generations(usize::MAX).unwrap()
}

/// Flushes a large checkpointed session; its generation, in its grave.
fn bury_one(db: &Database) -> Generation {
    let mut session = large_session(db);
    db.checkpoint().unwrap();
    session.flush().unwrap();
    db.checkpoint().unwrap();
    let graves = graves(db);
    assert_eq!(graves.len(), 1);
    graves[0]
}

#[test]
fn a_flushed_sessions_rows_go_a_slice_at_a_time() {
    let disk = SimulatedDisk::new(1).unwrap();
    let db = open(&disk);
    let bystander = large_session(&db);
    let dead = bury_one(&db);
    let mut left = rows(&db, dead);
    assert!(left > 2 * SLICE, "{left} rows");
    while !graves(&db).is_empty() {
        assert!(db.engine().sweep_slice());
        let now = rows(&db, dead);
        assert!(now < left || now == 0);
        assert!(left - now <= SLICE, "{left} rows became {now}");
        left = now;
    }
    assert_eq!(left, 0);
    assert!(!db.engine().sweep_slice(), "nothing is left to sweep");
    assert_eq!(bystander.len().unwrap(), KEYS);
    db.verify().unwrap();
}

#[test]
fn many_small_generations_are_one_slice() {
    let disk = SimulatedDisk::new(6).unwrap();
    let db = open(&disk);
    let mut sessions: Vec<Session> = (0..100).map(|_| db.create_session()).collect();
    for session in &sessions {
        session.set_bytes("large", &[7; 6000]).unwrap();
    }
    db.checkpoint().unwrap();
    for session in &mut sessions {
        session.flush().unwrap();
    }
    db.checkpoint().unwrap();
    assert_eq!(graves(&db).len(), 100);
    assert!(db.engine().sweep_slice());
    assert!(graves(&db).is_empty());
    db.verify().unwrap();
}

#[test]
fn a_sweep_that_is_cut_off_goes_on_after_the_next_open() {
    let disk = SimulatedDisk::new(2).unwrap();
    let db = open(&disk);
    let dead = bury_one(&db);
    assert!(db.engine().sweep_slice());
    assert!(rows(&db, dead) > 0);
    db.close().unwrap();
    drop(db);
    let db = open(&disk);
    assert_eq!(graves(&db), [dead]);
    while db.engine().sweep_slice() {}
    assert_eq!(rows(&db, dead), 0);
    db.verify().unwrap();
}

#[test]
fn nothing_is_swept_before_the_batch_that_killed_it_is_committed() {
    let disk = SimulatedDisk::new(3).unwrap();
    let db = open(&disk);
    let mut session = large_session(&db);
    db.checkpoint().unwrap();
    session.flush().unwrap();
    assert!(!db.engine().sweep_slice());
    assert!(graves(&db).is_empty());
}

#[test]
fn a_cleared_sessions_old_rows_are_swept_and_its_new_ones_stay() {
    let disk = SimulatedDisk::new(4).unwrap();
    let db = open(&disk);
    let session = large_session(&db);
    db.checkpoint().unwrap();
    session.clear().unwrap();
    session.set("kept", &1).unwrap();
    db.checkpoint().unwrap();
    let dead = graves(&db)[0];
    while db.engine().sweep_slice() {}
    assert_eq!(rows(&db, dead), 0);
    assert_eq!(session.get::<u8>("kept").unwrap(), Some(1));
    db.verify().unwrap();
}

#[test]
fn a_grave_that_a_crash_took_is_dug_again_at_open() {
    let disk = SimulatedDisk::new(5).unwrap();
    let db = open(&disk);
    let dead = bury_one(&db);
    // Without the grave the rows belong to nobody.
    let index = db.engine().index.get().unwrap();
    index.forget_grave(dead).unwrap();
    index.flush().unwrap();
    drop(index);
    let disk = disk.crash(Crash::KeepNothing, IndexFate::Kept).unwrap();
    drop(db);
    let db = open(&disk);
    assert_eq!(graves(&db), [dead]);
}

#[test]
fn the_background_sweeps_by_itself() {
    let db = Database::builder()
        .idle_checkpoint_after(Duration::from_millis(10))
        .temporary()
        .unwrap();
    let mut session = large_session(&db);
    db.checkpoint().unwrap();
    let generation = session.generation();
    assert!(rows(&db, generation) > SLICE);
    session.flush().unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while rows(&db, generation) > 0 {
        assert!(Instant::now() < until, "the rows are still there");
        std::thread::yield_now();
    }
}
