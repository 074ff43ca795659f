//! A rebuild gives the same contents as before, with thousands of sessions and
//! with sessions of many pages.

use std::collections::HashMap;
use std::fs;

use sessiondb::{Database, Durability, SessionId};

use crate::support::{builder, index_of};

const SESSIONS: usize = 2_000;

/// A hash of what a session holds.
fn sum(db: &Database, id: &SessionId) -> (usize, u64) {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let session = db.open_session(id).unwrap().expect("the session is there");
    let mut hasher = DefaultHasher::new();
    let mut keys = 0;
    for entry in session.iter().unwrap() {
        let entry = entry.unwrap();
        entry.key().hash(&mut hasher);
        entry.decode::<String>().unwrap().hash(&mut hasher);
        keys += 1;
    }
    (keys, hasher.finish())
}

fn sums(db: &Database, ids: &[SessionId]) -> HashMap<SessionId, (usize, u64)> {
    ids.iter().map(|id| (*id, sum(db, id))).collect()
}

/// Small sessions, of which every seventh is flushed again, and three of many
/// pages that are split, emptied in the middle and cut at their ends.
fn fill(db: &Database) -> (Vec<SessionId>, Vec<SessionId>) {
    let (mut alive, mut dead) = (Vec::new(), Vec::new());
    for number in 0..SESSIONS {
        let mut session = db.create_session();
        session.set("user", &format!("user-{number}")).unwrap();
        alive.push(session.id());
        if number % 7 == 0 {
            if number % 10 == 0 {
                db.checkpoint().unwrap();
            }
            dead.extend(alive.pop());
            session.flush().unwrap();
        }
    }
    for large in 0..3 {
        let session = db.create_session();
        alive.push(session.id());
        for part in 0..10 {
            let written = session.transaction(|tx| {
                for number in 0..100 {
                    let key = format!("key-{:04}", (number * 10 + part) * 7 % 1000);
                    tx.set(&key, &"v".repeat(50 + 100 * large))?;
                }
                Ok(())
            });
            written.unwrap();
            if part % 3 == 0 {
                db.checkpoint().unwrap();
            }
        }
        session.remove_prefix("key-04").unwrap();
        session.remove_prefix("key-09").unwrap();
        db.checkpoint().unwrap();
        session.remove_prefix("key-00").unwrap();
    }
    (alive, dead)
}

#[test]
fn a_rebuild_of_thousands_of_sessions_gives_the_same_contents() {
    let directory = tempfile::tempdir().unwrap();
    let roomy = || {
        builder()
            .segment_bytes(256 << 10)
            .journal_segment_bytes(1 << 20)
    };
    let db = roomy().open(directory.path()).unwrap();
    let sync_within = std::time::Duration::from_secs(3600);
    let quick = db.with_durability(Durability::Deferred { sync_within });
    let (alive, dead) = fill(&quick);
    drop(quick);
    let before = sums(&db, &alive);
    let verified = db.verify().unwrap();
    db.close().unwrap();
    fs::remove_dir_all(index_of(directory.path())).unwrap();

    let db = roomy().open(directory.path()).unwrap();
    assert_eq!(sums(&db, &alive), before);
    for id in &dead {
        assert!(db.open_session(id).unwrap().is_none());
    }
    assert_eq!(db.verify().unwrap(), verified);
    assert_eq!(verified.sessions, alive.len() as u64);
    // What was rebuilt is gone on with.
    for id in &alive[..50] {
        let session = db.open_session(id).unwrap().unwrap();
        session.set("user", "somebody else").unwrap();
    }
    let after = sums(&db, &alive);
    db.close().unwrap();
    let db = roomy().open(directory.path()).unwrap();
    assert_eq!(sums(&db, &alive), after);
}
