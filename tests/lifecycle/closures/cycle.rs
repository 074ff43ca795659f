//! `cycle_id_with`: a new ID, all of the data, and the writes of the closure.

use sessiondb::Expiry;

use crate::support::{Fate, IDLE, SECOND, Scene, contents, is_gone, named};

#[test]
fn the_writes_are_under_the_new_id_with_all_that_was_there() {
    for fate in Fate::ALL {
        for settled in [false, true] {
            let scene = Scene::new();
            let mut session = scene.written();
            session.set("cart", &2).unwrap();
            session.set("flash", &3).unwrap();
            if settled {
                scene.db.checkpoint().unwrap();
            }
            let old = session.id();
            let new = session.cycle_id_with(|tx| {
                // It sees what was there, and its own writes.
                assert_eq!(tx.get("user")?, Some(1));
                assert_eq!(tx.len()?, 3);
                assert_eq!(tx.pop("flash")?, Some(3));
                tx.set("user", &4)?;
                tx.set("login", &5)?;
                assert_eq!(tx.get("user")?, Some(4));
                Ok(())
            });
            let new = new.unwrap();
            assert_ne!(new, old);
            assert_eq!(session.id(), new);
            let scene = scene.after(fate);
            let expected = named(&[("cart", 2), ("login", 5), ("user", 4)]);
            assert_eq!(contents(&scene.handle(&new)), expected, "{fate}");
            assert!(!scene.is_open(&old), "{fate}");
            assert!(scene.db.is_retired(old).unwrap(), "{fate}");
            assert!(!scene.db.is_retired(new).unwrap(), "{fate}");
            assert_eq!(scene.db.verify().unwrap().sessions, 1, "{fate}");
        }
    }
}

#[test]
fn other_handles_are_gone_at_once() {
    let scene = Scene::new();
    let mut session = scene.written();
    let other = scene.handle(&session.id());
    session.cycle_id_with(|tx| tx.set("login", &2)).unwrap();
    is_gone(other.get::<i64>("user"));
    is_gone(other.set("user", &3));
    assert_eq!(session.get("user").unwrap(), Some(1));
}

#[test]
fn owner_and_expiry_come_with_it() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let mut session = scene.written();
        let new = session.cycle_id_with(|tx| {
            tx.set_owner(Some("user:42"))?;
            tx.set_expiry(Expiry::Idle(9 * SECOND));
            tx.set("login", &2)
        });
        let new = new.unwrap();
        let scene = scene.after(fate);
        let session = scene.handle(&new);
        assert_eq!(
            session.owner().unwrap().as_deref(),
            Some("user:42"),
            "{fate}"
        );
        assert_eq!(
            session.expiry().unwrap(),
            Expiry::Idle(9 * SECOND),
            "{fate}"
        );
        let owned = scene.db.sessions_of("user:42").unwrap();
        assert_eq!(owned.len(), 1, "{fate}");
        assert_eq!(owned[0].digest, new.digest(), "{fate}");
    }
}

#[test]
fn owner_and_expiry_from_before_stay_where_it_says_nothing_of_them() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let mut session = scene.with_expiry(Expiry::Idle(2 * IDLE));
        session.set_owner(Some("user:42")).unwrap();
        let created = scene.now();
        scene.wait(IDLE);
        let new = session.cycle_id_with(|tx| tx.set("login", &2)).unwrap();
        let scene = scene.after(fate);
        let info = scene.info(&new);
        assert_eq!(
            (info.created, info.last_seen),
            (created, scene.now()),
            "{fate}"
        );
        assert_eq!(info.owner.as_deref(), Some("user:42"), "{fate}");
        assert_eq!(info.expires_at, Some(scene.now() + 2 * IDLE), "{fate}");
    }
}

#[test]
fn a_closure_that_writes_nothing_is_a_new_id_all_the_same() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let mut session = scene.written();
        let old = session.id();
        let new = session.cycle_id_with(|_| Ok(())).unwrap();
        let scene = scene.after(fate);
        assert!(!scene.is_open(&old), "{fate}");
        assert_eq!(
            contents(&scene.handle(&new)),
            named(&[("user", 1)]),
            "{fate}"
        );
    }
}

#[test]
fn a_closure_may_empty_the_session() {
    type Empty = fn(&mut sessiondb::Transaction<'_>) -> sessiondb::Result<()>;
    let ways: [Empty; 3] = [
        |tx| tx.clear(),
        |tx| tx.remove_prefix(""),
        |tx| tx.delete("user"),
    ];
    for empty in ways {
        for fate in Fate::ALL {
            let scene = Scene::new();
            let mut session = scene.written();
            scene.db.checkpoint().unwrap();
            let new = session.cycle_id_with(empty).unwrap();
            assert!(session.is_empty().unwrap());
            let scene = scene.after(fate);
            assert!(scene.handle(&new).is_empty().unwrap(), "{fate}");
            assert_eq!(scene.db.verify().unwrap().keys, 0, "{fate}");
        }
    }
}

#[test]
fn a_session_may_be_cleared_and_filled_anew() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let mut session = scene.written();
        session.set_owner(Some("user:42")).unwrap();
        scene.db.checkpoint().unwrap();
        let new = session.cycle_id_with(|tx| {
            tx.set("too early", &1)?;
            tx.clear()?;
            tx.set("login", &2)
        });
        let new = new.unwrap();
        let scene = scene.after(fate);
        assert_eq!(
            contents(&scene.handle(&new)),
            named(&[("login", 2)]),
            "{fate}"
        );
        assert_eq!(scene.db.sessions_of("user:42").unwrap().len(), 1, "{fate}");
        scene.is_sound();
    }
}

#[test]
fn a_session_may_log_in_again_and_again() {
    let scene = Scene::new();
    let mut session = scene.written();
    let mut dead = Vec::new();
    for number in 0..10 {
        dead.push(session.id());
        session
            .cycle_id_with(|tx| tx.set("login", &number))
            .unwrap();
        if number % 3 == 0 {
            scene.db.checkpoint().unwrap();
        }
    }
    let id = session.id();
    let scene = scene.after(Fate::CheckpointedIndexLost);
    assert_eq!(
        contents(&scene.handle(&id)),
        named(&[("login", 9), ("user", 1)])
    );
    for old in dead {
        assert!(scene.db.is_retired(old).unwrap());
    }
    assert_eq!(scene.db.verify().unwrap().sessions, 1);
}
