//! Sessions keep their first pages, and no more of them than the cache has.

use std::sync::Arc;

use crate::engine::testing::open;
use crate::{Database, Durability, Session, SimulatedDisk};

const SESSIONS: usize = 400;
const VALUE: usize = 1000;

fn filled(db: &Database) -> Vec<Session> {
    let sessions: Vec<Session> = (0..SESSIONS).map(|_| db.create_session()).collect();
    for session in &sessions {
        session.set_bytes("a", &[1; VALUE]).unwrap();
    }
    db.checkpoint().unwrap();
    sessions
}

/// How many of them keep their first page.
fn kept(sessions: &[Session]) -> usize {
    let cells = sessions.iter().map(Session::cell);
    let kept = cells.filter(|cell| {
        let state = cell.state.read();
        let base = state.live_base().unwrap();
        cell.first_page.is_kept(base.place())
    });
    kept.count()
}

fn read_all(sessions: &[Session]) {
    for session in sessions {
        let value = session.get_bytes("a").unwrap().unwrap();
        assert_eq!(*value, [1; VALUE]);
    }
}

#[test]
fn what_the_cache_lets_go_of_no_session_keeps() {
    let disk = SimulatedDisk::new(7).unwrap();
    let db = Database::builder()
        .background(false)
        .cache_bytes(256 << 10)
        .open_on(Arc::new(disk.clone()))
        .unwrap();
    let sessions = filled(&db);
    for _ in 0..3 {
        read_all(&sessions);
        let kept = kept(&sessions);
        let cached = db.engine().cached_bytes();
        assert!(cached <= 96 << 10, "{cached}");
        assert!(kept > 10 && kept as u64 * VALUE as u64 <= cached, "{kept}");
    }
}

#[test]
fn a_session_keeps_its_page_while_there_is_memory() {
    let disk = SimulatedDisk::new(8).unwrap();
    let db = open(&disk);
    let sessions = filled(&db);
    assert_eq!(kept(&sessions), 0);
    read_all(&sessions);
    assert_eq!(kept(&sessions), SESSIONS);
}

#[test]
fn a_page_that_was_replaced_or_moved_is_not_kept() {
    let disk = SimulatedDisk::new(9).unwrap();
    let db = open(&disk);
    let sessions = filled(&db);
    read_all(&sessions);
    for session in &sessions {
        session.set_bytes("b", b"2").unwrap();
    }
    db.checkpoint().unwrap();
    assert_eq!(kept(&sessions), 0);
    read_all(&sessions);
    db.compact().unwrap();
    read_all(&sessions);
    for session in &sessions {
        assert_eq!(session.get_bytes("b").unwrap().as_deref(), Some(&b"2"[..]));
    }
    assert_eq!(kept(&sessions), SESSIONS);
}

#[test]
fn a_page_that_comes_into_the_cache_twice_is_kept() {
    let disk = SimulatedDisk::new(10).unwrap();
    let db = open(&disk);
    let sessions = filled(&db);
    read_all(&sessions);
    let id = sessions[0].id();
    let digest = id.digest();
    let cell = db.engine().find_session(digest, Durability::Immediate);
    let cell = cell.unwrap().unwrap().cell;
    db.engine().registry.remove(digest, &cell);
    let again = [db.open_session(&id).unwrap().unwrap()];
    read_all(&again);
    assert_eq!(kept(&again), 1);
}
