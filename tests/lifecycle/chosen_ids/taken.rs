//! An ID that a session has is not given to another one.

use sessiondb::Expiry;

use super::{id, is_taken};
use crate::support::{Fate, IDLE, INSTANT, Scene, contents, named};

#[test]
fn not_the_one_of_a_session_that_was_made_with_it() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        scene
            .db
            .create_session_with_id(id(1), Expiry::Default)
            .unwrap();
        is_taken(&scene, &id(1));
        let scene = scene.after(fate);
        is_taken(&scene, &id(1));
        assert!(scene.handle(&id(1)).is_empty().unwrap(), "{fate}");
    }
}

#[test]
fn not_the_one_of_any_session_and_it_keeps_what_it_has() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let mut session = scene.written();
        session.set_owner(Some("user:42")).unwrap();
        session.set_expiry(Expiry::Idle(2 * IDLE)).unwrap();
        session.cycle_id().unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        scene.wait(2 * IDLE - INSTANT);
        is_taken(&scene, &id);
        let session = scene.handle(&id);
        assert_eq!(contents(&session), named(&[("user", 1)]), "{fate}");
        assert_eq!(
            session.owner().unwrap().as_deref(),
            Some("user:42"),
            "{fate}"
        );
        // And the attempt was no visit.
        assert_eq!(
            session.expires_at().unwrap(),
            Some(scene.now() + INSTANT),
            "{fate}"
        );
    }
}

#[test]
fn not_the_one_of_an_emptied_session() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.written();
        session.clear().unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        is_taken(&scene, &id);
    }
}

#[test]
fn an_id_that_was_drawn_and_never_written_is_free() {
    let scene = Scene::new();
    let drawn = scene.db.create_session();
    let made = scene.db.create_session_with_id(drawn.id(), Expiry::Default);
    made.unwrap().set("user", &1).unwrap();
    assert_eq!(contents(&scene.handle(&drawn.id())), named(&[("user", 1)]));
}

#[test]
fn the_handle_that_drew_it_does_not_put_another_session_in_its_place() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let drawn = scene.db.create_session();
        let id = drawn.id();
        let made = scene
            .db
            .create_session_with_id(id, Expiry::Default)
            .unwrap();
        made.set("user", &1).unwrap();
        // Refused or not: what the session holds is not lost.
        let _ = drawn.set("cart", &2);
        assert_eq!(made.get("user").unwrap(), Some(1));
        assert_eq!(scene.handle(&id).get("user").unwrap(), Some(1));
        let before = contents(&made);
        assert_eq!(
            contents(&scene.handle(&id)),
            before,
            "two sessions have one ID"
        );
        let scene = scene.after(fate);
        assert_eq!(contents(&scene.handle(&id)), before, "{fate}");
        scene.is_sound();
    }
}
