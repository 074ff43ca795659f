//! Rule 16: a tombstone stays as long as a file may hold what it hides, and
//! goes then; where tombstones outweigh the oldest file, that one makes room.

use std::sync::Arc;
use std::time::Duration;

use sessiondb::{Crash, Database, IndexFate, Session, SessionId, SimulatedDisk};

use crate::support::{builder, cut, session, simulated};

/// In files of so many bytes, without a memory of dead IDs.
fn open(disk: &SimulatedDisk, segment_bytes: u32) -> Database {
    let builder = builder()
        .segment_bytes(segment_bytes)
        .retire_ids_for(Duration::ZERO);
    builder.open_on(Arc::new(disk.clone())).unwrap()
}

/// A session of so many keys of about a kibibyte.
fn add(db: &Database, keys: usize) -> Session {
    let session = db.create_session();
    fill(&session, keys);
    session
}

fn fill(session: &Session, keys: usize) {
    for key in 0..keys {
        session
            .set_bytes(&format!("key/{key:03}"), &[7; 1000])
            .unwrap();
    }
}

fn has(disk: &SimulatedDisk, file: &str) -> bool {
    disk.files().contains(&format!("segments/{file}.seg"))
}

/// The index is made anew, from what the files say.
fn rebuilt(db: Database, disk: &SimulatedDisk, segment_bytes: u32) -> (SimulatedDisk, Database) {
    let disk = cut(db, disk, Crash::KeepAll, IndexFate::Lost);
    let db = open(&disk, segment_bytes);
    (disk, db)
}

#[test]
fn a_tombstone_stays_while_an_older_file_holds_what_it_hides() {
    let disk = simulated(160);
    let large = 512 << 10;
    let db = open(&disk, large);
    let kept = add(&db, 471);
    let mut dying = add(&db, 1);
    let mut moving = add(&db, 1);
    let shrinking = add(&db, 20);
    // More than there is room for: the next batch begins in a new file.
    let filling = add(&db, 20);
    db.checkpoint().unwrap();
    let dead = [dying.id(), moving.id()];
    dying.flush().unwrap();
    moving.cycle_id().unwrap();
    // A page joins the one before it, and is gone.
    for key in 3..9 {
        shrinking.delete(&format!("key/{key:03}")).unwrap();
    }
    let mut garbage = add(&db, 150);
    db.checkpoint().unwrap();
    assert!(has(&disk, "000001") && has(&disk, "000002"));
    garbage.flush().unwrap();
    let reclaimed = db.compact().unwrap();
    assert!(reclaimed.freed_bytes > 0);
    assert!(has(&disk, "000001"), "what was hidden is still there");
    assert!(!has(&disk, "000002"), "where the tombstones were is not");
    let lengths = [(kept.id(), 471), (moving.id(), 1), (shrinking.id(), 14)];
    let filling = filling.id();
    drop((kept, dying, moving, shrinking, garbage));
    let (_disk, db) = rebuilt(db, &disk, large);
    for id in dead {
        assert!(db.open_session(&id).unwrap().is_none(), "{id} is alive");
    }
    for (id, length) in lengths {
        assert_eq!(session(&db, &id).len().unwrap(), length);
    }
    assert_eq!(session(&db, &filling).len().unwrap(), 20);
    assert_eq!(db.sessions().count(), 4);
    db.verify().unwrap();
}

/// Sessions of a key each, all of which are flushed.
fn live_and_die(db: &Database, sessions: usize) -> Vec<SessionId> {
    let mut made: Vec<Session> = (0..sessions)
        .map(|number| {
            let session = db.create_session();
            session.set("number", &number).unwrap();
            session
        })
        .collect();
    db.checkpoint().unwrap();
    let ids = made.iter().map(Session::id).collect();
    for session in &mut made {
        session.flush().unwrap();
    }
    db.checkpoint().unwrap();
    ids
}

#[test]
fn a_tombstone_goes_once_nothing_is_left_that_it_hides() {
    let disk = simulated(161);
    let small = 16 << 10;
    let db = open(&disk, small);
    let dead = live_and_die(&db, 1000);
    assert!(db.stats().segment_bytes > 150_000);
    db.compact().unwrap();
    let left = db.stats().segment_bytes;
    assert!(left < 16 << 10, "{left} bytes are left of nothing");
    let (_disk, db) = rebuilt(db, &disk, small);
    for id in dead {
        assert!(db.open_session(&id).unwrap().is_none(), "{id} is alive");
    }
}

#[test]
fn the_oldest_file_makes_room_for_tombstones_that_outweigh_it() {
    let disk = simulated(162);
    let small = 16 << 10;
    let db = open(&disk, small);
    let kept = add(&db, 20);
    db.checkpoint().unwrap();
    let dead = live_and_die(&db, 1000);
    db.compact().unwrap();
    let left = db.stats().segment_bytes;
    assert!(left < 64 << 10, "{left} bytes are left of 20 kibibytes");
    let kept = kept.id();
    let (_disk, db) = rebuilt(db, &disk, small);
    assert_eq!(session(&db, &kept).len().unwrap(), 20);
    for id in dead {
        assert!(db.open_session(&id).unwrap().is_none(), "{id} is alive");
    }
}
