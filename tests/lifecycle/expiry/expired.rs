//! Past its end a session is as good as removed, swept or not.

use sessiondb::{Error, Expiry, Session};

use crate::operations::{attempts, reads};
use crate::support::{Fate, IDLE, INSTANT, Scene, is_gone};

#[test]
fn every_operation_through_a_handle_says_that_it_is_gone() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let id = scene.written().id();
        let scene = scene.after(fate);
        let mut session = scene.handle(&id);
        scene.wait(IDLE - INSTANT);
        for (name, answer) in reads(&session) {
            assert!(answer.is_ok(), "{name}, {fate}: {answer:?}");
        }
        scene.wait(INSTANT);
        scene.writes_nothing("using what has expired", || {
            for (name, answer) in reads(&session).into_iter().chain(attempts(&mut session)) {
                assert!(
                    matches!(answer, Err(Error::SessionGone)),
                    "{name}, {fate}: {answer:?}"
                );
            }
        });
        assert_eq!(session.id(), id);
    }
}

#[test]
fn nothing_shows_it() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.written();
        session.set_owner(Some("user:42")).unwrap();
        let other = scene.with_expiry(Expiry::Idle(2 * IDLE));
        other.set_owner(Some("user:42")).unwrap();
        let (id, other) = (session.id(), other.id());
        let scene = scene.after(fate);
        scene.wait(IDLE);
        assert!(!scene.is_open(&id), "{fate}");
        assert!(
            scene.db.open_token(&id.to_string()).unwrap().is_none(),
            "{fate}"
        );
        assert_eq!(scene.db.inspect(&id.digest()).unwrap(), None, "{fate}");
        let listed = scene.db.sessions().map(|info| info.unwrap().digest);
        assert_eq!(listed.collect::<Vec<_>>(), [other.digest()], "{fate}");
        let owned = scene.db.sessions_of("user:42").unwrap();
        let owned: Vec<_> = owned.iter().map(|info| info.digest).collect();
        assert_eq!(owned, [other.digest()], "{fate}");
    }
}

#[test]
fn its_id_is_dead_and_cannot_be_logged_out_once_more() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let id = scene.written().id();
        let scene = scene.after(fate);
        assert!(!scene.db.is_retired(id).unwrap(), "{fate}");
        scene.wait(IDLE);
        assert!(scene.db.is_retired(id).unwrap(), "{fate}");
        let revoked = scene.writes_nothing("revoking", || scene.db.revoke(id).unwrap());
        assert!(!revoked, "{fate}");
    }
}

#[test]
fn flush_succeeds_and_removes_what_is_left() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let id = scene.written().id();
        let scene = scene.after(fate);
        let mut session = scene.handle(&id);
        scene.wait(IDLE);
        let new = session.flush().unwrap();
        assert_ne!(new, id);
        session.set("user", &2).unwrap();
        assert_eq!(scene.handle(&new).get("user").unwrap(), Some(2), "{fate}");
        assert!(scene.db.is_retired(id).unwrap(), "{fate}");
        assert_eq!(scene.db.verify().unwrap().sessions, 1, "{fate}");
        assert_eq!(
            scene.db.purge_expired().unwrap(),
            0,
            "{fate}: nothing was left"
        );
    }
}

#[test]
fn destroy_succeeds_and_removes_what_is_left() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let id = scene.written().id();
        let scene = scene.after(fate);
        let mut session = scene.handle(&id);
        scene.wait(IDLE);
        session.destroy().unwrap();
        session.destroy().unwrap();
        is_gone(session.get::<i64>("user"));
        assert!(scene.db.is_retired(id).unwrap(), "{fate}");
        assert_eq!(scene.db.verify().unwrap().sessions, 0, "{fate}");
    }
}

#[test]
fn after_the_purge_flush_and_destroy_have_nothing_left_to_remove() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let (first, second) = (scene.written().id(), scene.written().id());
        let scene = scene.after(fate);
        let (mut flushed, mut destroyed) = (scene.handle(&first), scene.handle(&second));
        scene.wait(IDLE);
        assert_eq!(scene.db.purge_expired().unwrap(), 2, "{fate}");
        is_gone(flushed.get::<i64>("user"));
        scene.writes_nothing("what was purged", || {
            assert_ne!(flushed.flush().unwrap(), first);
            destroyed.destroy().unwrap();
        });
        assert_eq!(scene.db.verify().unwrap().sessions, 0, "{fate}");
    }
}

#[test]
fn a_logout_with_a_message_succeeds() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let id = scene.written().id();
        let scene = scene.after(fate);
        let mut session = scene.handle(&id);
        scene.wait(IDLE);
        let new = session.flush_with(|tx| tx.set("message", &2)).unwrap();
        assert_eq!(
            scene.handle(&new).get("message").unwrap(),
            Some(2),
            "{fate}"
        );
        assert!(!scene.is_open(&id), "{fate}");
        assert_eq!(scene.db.verify().unwrap().sessions, 1, "{fate}");
    }
}

#[test]
fn a_closure_does_not_even_begin() {
    let scene = Scene::new();
    let mut session = scene.written();
    scene.wait(IDLE);
    is_gone::<()>(session.transaction(|_| panic!("it began")));
    is_gone(session.cycle_id_with(|_| panic!("it began")));
    is_gone(session.update("user", |_: Option<i64>| panic!("it began")));
}

/// A session whose iteration takes several looks at it.
fn large(scene: &Scene) -> Session {
    let session = scene.written();
    let fill = session.transaction(|tx| {
        (0..1000).try_for_each(|number| tx.set(&format!("key {number:04}"), &number))
    });
    fill.unwrap();
    session
}

#[test]
fn an_iteration_ends_with_one_error_once_anybody_has_seen_the_end() {
    let scene = Scene::new();
    let session = large(&scene);
    let mut iter = session.iter().unwrap();
    assert!(iter.next().unwrap().is_ok());
    scene.wait(IDLE);
    assert!(!scene.is_open(&session.id()));
    is_gone(iter.next().unwrap());
    assert!(iter.next().is_none());
}

#[test]
fn an_iteration_goes_no_further_than_it_has_looked() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let id = large(&scene).id();
        let scene = scene.after(fate);
        let session = scene.handle(&id);
        let mut iter = session.iter().unwrap();
        assert!(iter.next().unwrap().is_ok());
        scene.wait(IDLE);
        let mut last = None;
        let mut seen = 0;
        for entry in iter.by_ref() {
            seen += 1;
            last = Some(entry);
        }
        assert!(seen < 500, "{seen}, {fate}");
        is_gone(last.unwrap());
        assert!(iter.next().is_none(), "{fate}");
    }
}

#[test]
fn a_closure_that_began_in_time_is_done_in_time() {
    let scene = Scene::new();
    let session = scene.written();
    scene.wait(IDLE - INSTANT);
    let began = scene.now();
    let done = session.transaction(|tx| {
        scene.wait(IDLE - INSTANT);
        tx.set("user", &2)
    });
    done.unwrap();
    // The time of a transaction is that of its beginning.
    assert_eq!(session.expires_at().unwrap(), Some(began + IDLE));
    assert_eq!(session.get("user").unwrap(), Some(2));
    scene.wait(INSTANT);
    is_gone(session.get::<i64>("user"));
}
