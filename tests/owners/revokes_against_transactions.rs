//! A revoke and the transactions of the sessions that it ends.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use sessiondb::{Crash, Database, Error, IndexFate, Session, SessionId};

use crate::racing::{Ground, rounds, seed, together_with, until, watched};
use crate::support::{OTHER, OWNER, Scene};

fn born(database: &Database) -> Session {
    let session = database.create_session();
    session
        .transaction(|tx| {
            tx.set("count", &0_u64)?;
            tx.set_owner(Some(OWNER))
        })
        .unwrap();
    session
}

/// What ends the sessions with these IDs.
type End = fn(&Database, &[SessionId]);

fn by_owner(database: &Database, ids: &[SessionId]) {
    let revoked = database.revoke_owner(OWNER).unwrap();
    assert_eq!(revoked, ids.len() as u64);
}

fn by_id(database: &Database, ids: &[SessionId]) {
    for id in ids {
        assert!(database.revoke(*id).unwrap());
    }
}

/// Transactions count up until they learn that the session is gone; none that
/// began after the revoke had returned succeeds.
fn race(end: End) {
    const SESSIONS: usize = 3;
    const HANDLES: usize = 2;
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    for ground in Ground::both(seed) {
        let database = ground.open();
        let mut dead = Vec::new();
        for round in 0..rounds(12) {
            let what = format!("seed {seed} round {round}");
            let ids: Vec<_> = (0..SESSIONS).map(|_| born(&database).id()).collect();
            if round % 2 == 0 {
                database.checkpoint().unwrap();
            }
            let handles: Vec<_> = (0..=SESSIONS * HANDLES)
                .map(|number| {
                    let id = &ids[number % SESSIONS];
                    database.open_session(id).unwrap().unwrap()
                })
                .collect();
            let progress = AtomicUsize::new(0);
            let is_over = AtomicUsize::new(0);
            let enough = random.usize(0..60);
            together_with(handles, |thread, session| {
                if thread == SESSIONS * HANDLES {
                    until("the others get on", || {
                        progress.load(Ordering::Relaxed) >= enough
                    });
                    end(&database, &ids);
                    is_over.store(1, Ordering::SeqCst);
                    return;
                }
                loop {
                    let was_over = is_over.load(Ordering::SeqCst) == 1;
                    let counted = session.transaction(|tx| {
                        tx.update("count", |count: Option<u64>| count.map(|n| n + 1))?;
                        tx.set("pad", &"x".repeat(300))
                    });
                    match counted {
                        Ok(()) => assert!(!was_over, "{what}: a write after the revoke"),
                        Err(Error::SessionGone) => return,
                        Err(error) => panic!("{what}: {error}"),
                    }
                    progress.fetch_add(1, Ordering::Relaxed);
                }
            });
            for id in &ids {
                assert!(database.open_session(id).unwrap().is_none(), "{what}");
                assert!(database.is_retired(*id).unwrap(), "{what}");
            }
            assert_eq!(database.sessions_of(OWNER).unwrap(), [], "{what}");
            dead.extend(ids);
        }
        ground.afterwards(&database, |again| {
            for id in &dead {
                assert!(again.open_session(id).unwrap().is_none(), "seed {seed}");
            }
            assert_eq!(again.sessions().count(), 0, "seed {seed}");
        });
    }
}

#[test]
fn no_transaction_of_a_session_outlives_the_revoke_of_its_owner() {
    watched(|| race(by_owner));
}

#[test]
fn no_transaction_of_a_session_outlives_its_own_revoke() {
    watched(|| race(by_id));
}

#[test]
fn a_transaction_under_way_does_not_hold_up_the_revoke_of_an_owner() {
    watched(|| {
        let scene = Scene::new();
        let first = scene.born(Some(OWNER));
        let second = scene.born(Some(OWNER)).id();
        let (id, db) = (first.id(), scene.db.clone());
        let outcome = first.transaction(|tx| {
            tx.set("page", "/")?;
            // Elsewhere, while the closure has not come back.
            let revoked = thread::spawn(move || db.revoke_owner(OWNER))
                .join()
                .unwrap();
            assert_eq!(revoked.unwrap(), 2);
            tx.set("page", "/again")
        });
        assert!(matches!(outcome, Err(Error::SessionGone)), "{outcome:?}");
        let scene = scene.crashed(Crash::KeepNothing, IndexFate::Kept);
        scene.assert_gone(&id, "revoked meanwhile");
        scene.assert_gone(&second, "revoked beside it");
        scene.assert_all(&[], "afterwards");
    });
}

#[test]
fn a_session_that_is_leaving_its_owner_in_a_transaction_is_still_the_owners() {
    watched(|| {
        let scene = Scene::new();
        let session = scene.born(Some(OWNER));
        let (id, db) = (session.id(), scene.db.clone());
        let outcome = session.transaction(|tx| {
            tx.set_owner(Some(OTHER))?;
            let revoked = thread::spawn(move || db.revoke_owner(OWNER))
                .join()
                .unwrap();
            assert_eq!(revoked.unwrap(), 1);
            Ok(())
        });
        assert!(matches!(outcome, Err(Error::SessionGone)), "{outcome:?}");
        scene.assert_gone(&id, "it had not left yet");
        scene.assert_owns(OTHER, &[], "it never came there");
    });
}

#[test]
fn a_session_that_is_joining_in_a_transaction_is_not_the_owners_before_its_end() {
    watched(|| {
        let scene = Scene::new();
        let session = scene.born(None);
        let (id, db) = (session.id(), scene.db.clone());
        session
            .transaction(|tx| {
                tx.set_owner(Some(OWNER))?;
                let revoked = thread::spawn(move || db.revoke_owner(OWNER))
                    .join()
                    .unwrap();
                assert_eq!(revoked.unwrap(), 0);
                Ok(())
            })
            .unwrap();
        scene.assert_alive(&id, Some(OWNER), "given after the revoke");
        let scene = scene.crashed(Crash::KeepNothing, IndexFate::Lost);
        scene.assert_alive(&id, Some(OWNER), "after the crash");
    });
}

#[test]
fn a_revoke_of_one_session_ends_in_time_beside_a_transaction_that_takes_its_time() {
    watched(|| {
        let scene = Scene::new();
        let session = scene.born(Some(OWNER));
        let (id, db) = (session.id(), scene.db.clone());
        let (begun, begins) = channel();
        // By ID it may wait for the transaction or not; either way both end,
        // and the session is gone.
        let revoke = thread::spawn(move || {
            begins.recv().unwrap();
            db.revoke(id).unwrap()
        });
        let outcome = session.transaction(|tx| {
            begun.send(()).unwrap();
            for _ in 0..1000 {
                thread::yield_now();
            }
            tx.set("page", "/")
        });
        assert!(revoke.join().unwrap());
        assert!(
            matches!(outcome, Ok(()) | Err(Error::SessionGone)),
            "{outcome:?}"
        );
        scene.assert_gone(&id, "revoked");
    });
}
