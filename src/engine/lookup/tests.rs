//! A digest has one cell, whenever one looks for it, and what is remembered of
//! its row leads to what the row leads to.

use std::sync::Arc;

use super::super::testing::open;
use crate::engine::registry::Resident;
use crate::{Database, SessionId, SimulatedDisk};

#[test]
fn who_looked_before_a_sessions_birth_shares_its_locks_after_it() {
    let disk = SimulatedDisk::new(3).unwrap();
    let db = open(&disk);
    let first = db.create_session();
    let id = first.id();
    // A reader that has got its cell from the registry, and no further.
    let Resident::Cell(early) = db.engine().registry.obtain(id.digest()) else {
        panic!("nobody moved it");
    };
    let stall = early.state.read();
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| db.open_session(&id).unwrap());
        while Arc::strong_count(&early) < 3 {
            std::thread::yield_now();
        }
        first.set("code", "123456").unwrap();
        db.checkpoint().unwrap();
        drop(stall);
        let second = opening.join().unwrap().expect("it was born meanwhile");
        let one: Option<String> = first.pop("code").unwrap();
        let two: Option<String> = second.pop("code").unwrap();
        assert_eq!((one.as_deref(), two), (Some("123456"), None));
    });
}

/// A session that is on disk and not in memory.
fn checkpointed(db: &Database, value: &str) -> SessionId {
    let session = db.create_session();
    session.set("name", value).unwrap();
    db.checkpoint().unwrap();
    let (engine, digest) = (db.engine(), session.id().digest());
    let Resident::Cell(cell) = engine.registry.obtain(digest) else {
        panic!("nobody moved it");
    };
    engine.registry.remove(digest, &cell);
    session.id()
}

fn name(db: &Database, id: &SessionId) -> Option<String> {
    let session = db.open_session(id).unwrap()?;
    session.get("name").unwrap()
}

#[test]
fn a_session_whose_place_is_known_is_read_without_its_row() {
    let disk = SimulatedDisk::new(4).unwrap();
    let db = open(&disk);
    let id = checkpointed(&db, "ada");
    let engine = db.engine();
    let generation = engine.index.generation();
    engine.index.get().unwrap().fail();
    assert_eq!(name(&db, &id).as_deref(), Some("ada"));
    assert_eq!(
        engine.index.generation(),
        generation,
        "nobody asked the index"
    );
}

#[test]
fn a_place_is_not_believed_where_another_session_lies() {
    let disk = SimulatedDisk::new(5).unwrap();
    let db = open(&disk);
    let (one, other) = (checkpointed(&db, "ada"), checkpointed(&db, "eve"));
    let index = db.engine().index.get().unwrap();
    let wrong = index.image_of(&other.digest()).unwrap();
    index.mistake_place(&one.digest(), wrong);
    assert_eq!(name(&db, &one).as_deref(), Some("ada"));
    assert_eq!(name(&db, &other).as_deref(), Some("eve"));
}

#[test]
fn a_session_is_found_where_compaction_or_a_checkpoint_has_put_it() {
    let disk = SimulatedDisk::new(6).unwrap();
    let db = open(&disk);
    let ids: Vec<SessionId> = (0..50)
        .map(|number| checkpointed(&db, &number.to_string()))
        .collect();
    let evens = || ids.iter().step_by(2);
    for id in evens() {
        db.open_session(id).unwrap().unwrap().destroy().unwrap();
    }
    db.checkpoint().unwrap();
    db.compact().unwrap();
    assert!(evens().all(|id| name(&db, id).is_none()));
    for (number, id) in ids.iter().enumerate().skip(1).step_by(2) {
        assert!(
            db.engine()
                .index
                .get()
                .unwrap()
                .image_of(&id.digest())
                .is_some()
        );
        assert_eq!(name(&db, id), Some(number.to_string()));
    }
}

/// A database whose memory has room for few of its sessions.
fn small() -> Database {
    let disk = SimulatedDisk::new(7).unwrap();
    let builder = Database::builder().background(false).cache_bytes(64 << 10);
    builder.open_on(Arc::new(disk)).unwrap()
}

#[test]
fn sessions_that_come_and_go_in_memory_are_what_they_were() {
    let db = small();
    let mut random = fastrand::Rng::with_seed(7);
    let mut model: Vec<(SessionId, u32)> = Vec::new();
    let mut gone: Vec<SessionId> = Vec::new();
    let mut known = 0;
    for number in 0..20_000 {
        let index = db.engine().index.get().unwrap();
        if model.len() < 1000 || random.u8(..20) == 0 {
            let session = db.create_session();
            session.set("number", &number).unwrap();
            model.push((session.id(), number));
            continue;
        }
        let place = random.usize(..model.len());
        let (id, value) = &mut model[place];
        let is_resident = db.engine().registry.look(id.digest()).is_some();
        known += u32::from(!is_resident && index.image_of(&id.digest()).is_some());
        let mut session = db.open_session(id).unwrap().unwrap();
        assert_eq!(session.get::<u32>("number").unwrap(), Some(*value));
        match random.u8(..32) {
            0..4 => {
                session.set("number", &number).unwrap();
                *value = number;
            }
            4 => {
                gone.push(*id);
                session.cycle_id().unwrap();
                *id = session.id();
            }
            5 => {
                gone.push(*id);
                session.destroy().unwrap();
                model.swap_remove(place);
            }
            6 if random.u8(..8) == 0 => db.checkpoint().unwrap(),
            7 if random.u8(..64) == 0 => drop(db.compact().unwrap()),
            8 => {
                if let Some(id) = random.choice(&gone) {
                    assert!(db.open_session(id).unwrap().is_none());
                }
            }
            _ => {}
        }
    }
    assert!(known > 1000, "{known}");
}

#[test]
fn where_a_session_lies_is_known_once_it_was_read() {
    let disk = SimulatedDisk::new(8).unwrap();
    let db = open(&disk);
    let id = checkpointed(&db, "ada");
    db.close().unwrap();
    let db = open(&disk);
    let index = db.engine().index.get().unwrap();
    assert_eq!(index.image_of(&id.digest()), None);
    assert_eq!(name(&db, &id).as_deref(), Some("ada"));
    assert!(index.image_of(&id.digest()).is_some());
}
