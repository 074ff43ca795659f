//! A settled session gets a new ID and its row follows, step by step; beside
//! it, step by step, somebody looks for its owner's sessions. Whatever the
//! order of the steps, the session is found (6).

use std::sync::Arc;

use crate::engine::stops::{Actor, stop};
use crate::{Database, SessionId, SimulatedDisk};

/// Steps of the look and of the move.
const LOOK_STEPS: u32 = 5;
const MOVE_STEPS: u32 = 5;
const STEPS: u32 = LOOK_STEPS + MOVE_STEPS;

fn open(disk: &SimulatedDisk, cap: Option<usize>) -> Database {
    let builder = Database::builder()
        .background(false)
        .sessions_per_owner(cap);
    builder.open_on(Arc::new(disk.clone())).unwrap()
}

/// Gives a session a new ID and has the index follow.
fn move_session(db: &Database, id: &SessionId) {
    // One that is logged out already has nowhere to go.
    if let Some(mut session) = db.open_session(id).unwrap() {
        let _ = session.cycle_id();
    }
    stop();
    db.checkpoint().unwrap();
}

/// Lets somebody look for an owner's only session while it moves, in every
/// order; the bits of a number say whose turn it is. Tells of what was found.
fn in_every_order(look: impl Fn(&Database, &str) -> usize + Sync) {
    let disk = SimulatedDisk::new(1).unwrap();
    let db = open(&disk, None);
    let orders = (0..1_u32 << STEPS).filter(|order| order.count_ones() == LOOK_STEPS);
    let scenes = orders.map(|order| {
        let session = db.create_session();
        let owner = format!("{order:010b}");
        session.set("a", &1).unwrap();
        session.set_owner(Some(&owner)).unwrap();
        (order, owner, session.id())
    });
    let scenes: Vec<_> = scenes.collect();
    db.close().unwrap();
    // Opened again it knows of them by their rows only.
    let db = open(&disk, Some(1));
    for (order, owner, id) in scenes {
        let mut found = None;
        std::thread::scope(|scope| {
            let looker = Actor::new(scope, || found = Some(look(&db, &owner)));
            let mover = Actor::new(scope, || move_session(&db, &id));
            for turn in 0..STEPS {
                let is_look = order >> turn & 1 == 1;
                let actor = if is_look { &looker } else { &mover };
                actor.step();
            }
            looker.finish();
            mover.finish();
        });
        assert_eq!(found, Some(1), "in the order {owner}, from its end");
        db.checkpoint().unwrap();
    }
    db.verify().unwrap();
}

#[test]
fn a_list_has_the_session_that_moves() {
    in_every_order(|db, owner| db.sessions_of(owner).unwrap().len());
}

#[test]
fn a_logout_everywhere_ends_the_session_that_moves() {
    in_every_order(|db, owner| {
        let revoked = db.revoke_owner(owner).unwrap();
        let left = db.sessions_of(owner).unwrap().len();
        assert_eq!(left, 0, "in the order {owner}, from its end");
        usize::try_from(revoked).unwrap()
    });
}

#[test]
fn a_login_beyond_the_cap_ends_the_session_that_moves() {
    in_every_order(|db, owner| {
        let session = db.create_session();
        let login = session.transaction(|tx| {
            tx.set("a", &1)?;
            tx.set_owner(Some(owner))
        });
        login.unwrap();
        let left = db.sessions_of(owner).unwrap();
        let is_own = |digest| digest == session.id().digest();
        assert!(left.iter().any(|info| is_own(info.digest)), "{owner}");
        left.len()
    });
}

#[test]
fn a_list_has_all_sessions_though_some_move_during_each_look() {
    let disk = SimulatedDisk::new(2).unwrap();
    let db = open(&disk, None);
    let sessions = (0..60).map(|_| {
        let session = db.create_session();
        session.set("a", &1).unwrap();
        session.set_owner(Some("ann")).unwrap();
        session.id()
    });
    let ids: Vec<_> = sessions.collect();
    db.checkpoint().unwrap();
    let mut found = None;
    std::thread::scope(|scope| {
        let looker = Actor::new(scope, || found = Some(db.sessions_of("ann").unwrap()));
        for id in &ids {
            looker.step();
            move_session(&db, id);
        }
        looker.finish();
    });
    assert_eq!(found.map(|found| found.len()), Some(ids.len()));
}
