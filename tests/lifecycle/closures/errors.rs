//! An error of the closure, or a panic, changes nothing at all: the handle
//! stays on the old ID, and nobody is logged out.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sessiondb::{Error, Expiry, MAX_TRANSACTION_BYTES, Result, Session, SessionId, Transaction};

use crate::support::{Fate, IDLE, Scene, contents, named};

type Turn =
    fn(&mut Session, &mut dyn FnMut(&mut Transaction<'_>) -> Result<()>) -> Result<SessionId>;

/// Both operations, by name.
const TURNS: [(&str, Turn); 2] = [
    ("cycle_id_with", |session, work| {
        session.cycle_id_with(|tx| work(tx))
    }),
    ("flush_with", |session, work| {
        session.flush_with(|tx| work(tx))
    }),
];

/// Does much, and then fails.
fn fails(tx: &mut Transaction<'_>) -> Result<()> {
    tx.set("user", &2)?;
    tx.set("login", &3)?;
    tx.clear()?;
    tx.set("login", &4)?;
    tx.set_owner(Some("user:43"))?;
    tx.set_expiry(Expiry::BrowserSession);
    tx.delete("absent")
}

/// A session, and another handle of it, about both of which everything is
/// known.
fn known(scene: &Scene) -> (Session, Session) {
    let session = scene.with_expiry(Expiry::Idle(2 * IDLE));
    session.set_owner(Some("user:42")).unwrap();
    let other = scene.handle(&session.id());
    scene.wait(IDLE);
    (session, other)
}

/// Asserts that everything is as it was.
#[track_caller]
fn is_as_before(scene: &Scene, id: &SessionId, what: &str) {
    let session = scene.handle(id);
    assert_eq!(contents(&session), named(&[("user", 1)]), "{what}");
    assert_eq!(
        session.owner().unwrap().as_deref(),
        Some("user:42"),
        "{what}"
    );
    assert_eq!(session.expiry().unwrap(), Expiry::Idle(2 * IDLE), "{what}");
    assert_eq!(
        session.expires_at().unwrap(),
        Some(scene.now() + IDLE),
        "{what}"
    );
    assert!(!scene.db.is_retired(*id).unwrap(), "{what}");
    assert_eq!(scene.db.sessions().count(), 1, "{what}");
    assert_eq!(scene.db.sessions_of("user:43").unwrap(), [], "{what}");
}

#[test]
fn an_error_changes_nothing() {
    for (name, turn) in TURNS {
        for fate in Fate::ALL {
            for settled in [false, true] {
                let scene = Scene::new();
                let (mut session, other) = known(&scene);
                let id = session.id();
                if settled {
                    scene.db.checkpoint().unwrap();
                }
                let failed = scene.writes_nothing(name, || turn(&mut session, &mut fails));
                assert!(
                    matches!(failed, Err(Error::KeyNotFound { .. })),
                    "{failed:?}"
                );
                assert_eq!(session.id(), id, "{name}");
                assert_eq!(session.get("user").unwrap(), Some(1), "{name}");
                assert_eq!(other.get("user").unwrap(), Some(1), "{name}");
                is_as_before(&scene, &id, name);
                let scene = scene.after(fate);
                is_as_before(&scene, &id, name);
            }
        }
    }
}

#[test]
fn a_panic_changes_nothing_and_leaves_no_lock() {
    for (name, turn) in TURNS {
        let scene = Scene::new();
        let (mut session, other) = known(&scene);
        let id = session.id();
        let panicked = scene.writes_nothing(name, || {
            catch_unwind(AssertUnwindSafe(|| {
                turn(&mut session, &mut |tx| {
                    tx.set("user", &2)?;
                    panic!("the closure panics")
                })
            }))
        });
        assert!(panicked.is_err());
        assert_eq!(session.id(), id, "{name}");
        is_as_before(&scene, &id, name);
        other.set("user", &3).unwrap();
        turn(&mut session, &mut |tx| tx.set("login", &4)).unwrap();
        assert_eq!(session.get("login").unwrap(), Some(4), "{name}");
    }
}

#[test]
fn too_much_for_one_frame_changes_nothing_also_where_the_closure_goes_on() {
    for (name, turn) in TURNS {
        let scene = Scene::with(|builder| builder.journal_segment_bytes(32 << 20));
        let (mut session, _other) = known(&scene);
        let id = session.id();
        let part = vec![0; 1 << 19];
        let refused = scene.writes_nothing(name, || {
            turn(&mut session, &mut |tx| {
                for number in 0..=MAX_TRANSACTION_BYTES / part.len() {
                    let _ = tx.set_bytes(&number.to_string(), &part);
                }
                Ok(())
            })
        });
        assert!(
            matches!(refused, Err(Error::TooLarge { .. })),
            "{refused:?}"
        );
        assert_eq!(session.id(), id, "{name}");
        is_as_before(&scene, &id, name);
    }
}

#[test]
fn using_the_database_in_the_closure_is_refused_and_changes_nothing() {
    for (name, turn) in TURNS {
        let scene = Scene::new();
        let (mut session, other) = known(&scene);
        let id = session.id();
        let refused = scene.writes_nothing(name, || {
            turn(&mut session, &mut |tx| {
                tx.set("user", &2)?;
                other.set("user", &3)
            })
        });
        assert!(matches!(refused, Err(Error::Reentrant)), "{refused:?}");
        let refused = scene.writes_nothing(name, || {
            turn(&mut session, &mut |_| {
                scene.db.revoke_owner("user:42").map(drop)
            })
        });
        assert!(matches!(refused, Err(Error::Reentrant)), "{refused:?}");
        is_as_before(&scene, &id, name);
    }
}

#[test]
fn an_owner_that_is_none_changes_nothing() {
    for (name, turn) in TURNS {
        let scene = Scene::new();
        let (mut session, _other) = known(&scene);
        let id = session.id();
        for owner in [String::new(), "o".repeat(sessiondb::MAX_OWNER_BYTES + 1)] {
            let refused = scene.writes_nothing(name, || {
                turn(&mut session, &mut |tx| {
                    tx.set("user", &2)?;
                    tx.set_owner(Some(&owner))
                })
            });
            assert!(
                matches!(refused, Err(Error::InvalidOwner { .. })),
                "{refused:?}"
            );
        }
        is_as_before(&scene, &id, name);
    }
}

#[test]
fn an_unwritten_handle_keeps_its_id_and_what_waits() {
    for (name, turn) in TURNS {
        let scene = Scene::new();
        let mut session = scene.db.create_session();
        session.set_owner(Some("user:42")).unwrap();
        session.set_expiry(Expiry::Idle(2 * IDLE)).unwrap();
        let id = session.id();
        let failed = scene.writes_nothing(name, || turn(&mut session, &mut fails));
        assert!(failed.is_err());
        assert_eq!(session.id(), id, "{name}");
        session.set("user", &1).unwrap();
        scene.wait(IDLE);
        is_as_before(&scene, &id, name);
    }
}
