//! Limits of keys and the life of their session: the session's end wins.

use super::{TTL, expires_in, holds, limited};
use crate::support::{Fate, IDLE, Scene, is_gone};

#[test]
fn the_end_of_the_session_wins() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.written();
        session.set_with_ttl("otp", &7, 10 * IDLE).unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        let session = scene.handle(&id);
        scene.wait(IDLE);
        is_gone(session.get::<i64>("otp"));
        assert!(!scene.is_open(&id), "{fate}");
        assert_eq!(scene.db.purge_expired().unwrap(), 1, "{fate}");
    }
}

#[test]
fn the_end_of_its_keys_is_not_the_end_of_a_session() {
    let scene = Scene::new();
    let session = scene.db.create_session();
    session.set_with_ttl("otp", &7, TTL).unwrap();
    scene.wait(TTL);
    assert_eq!(scene.db.purge_expired().unwrap(), 0);
    assert!(scene.is_open(&session.id()));
    assert_eq!(
        session.expires_at().unwrap(),
        Some(scene.now() + IDLE - TTL)
    );
}

#[test]
fn a_new_id_keeps_the_limits() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let mut session = limited(&scene);
        scene.wait(TTL / 4);
        session.cycle_id().unwrap();
        scene.wait(TTL / 4);
        session.cycle_id_with(|tx| tx.set("login", &1)).unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        let session = scene.handle(&id);
        expires_in(&scene, &session, "otp", TTL / 2);
        holds(&session, &[("login", 1), ("user", 1)]);
    }
}

#[test]
fn a_limit_may_be_the_first_thing_written_to_a_session() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.db.create_session();
        session.set_with_ttl("otp", &7, TTL).unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        let session = scene.handle(&id);
        expires_in(&scene, &session, "otp", TTL);
        holds(&session, &[]);
    }
}

#[test]
fn a_login_and_a_logout_in_one_frame_set_limits() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let mut login = limited(&scene);
        login
            .cycle_id_with(|tx| tx.set_with_ttl("welcome", &1, TTL / 2))
            .unwrap();
        let mut logout = limited(&scene);
        logout
            .flush_with(|tx| tx.set_with_ttl("goodbye", &1, TTL / 2))
            .unwrap();
        let (login, logout) = (login.id(), logout.id());
        let scene = scene.after(fate);
        holds(&scene.handle(&logout), &[("goodbye", 1)]);
        expires_in(&scene, &scene.handle(&login), "welcome", TTL / 2);
        holds(&scene.handle(&logout), &[]);
        holds(&scene.handle(&login), &[("otp", 7), ("user", 1)]);
    }
}
