//! A limit of zero is `discard`.

use std::time::Duration;

use sessiondb::Error;

use super::holds;
use crate::support::{Fate, IDLE, Scene};

#[test]
fn it_removes_a_key_that_is_there() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.written();
        session.set("otp", &7).unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        let session = scene.handle(&id);
        session.set_with_ttl("otp", &8, Duration::ZERO).unwrap();
        holds(&session, &[("user", 1)]);
        let scene = scene.after(fate);
        holds(&scene.handle(&id), &[("user", 1)]);
        assert_eq!(scene.db.verify().unwrap().keys, 1, "{fate}");
    }
}

#[test]
fn it_writes_nothing_where_there_is_no_key() {
    let scene = Scene::new();
    let session = scene.written();
    let end = scene.now() + IDLE;
    scene.wait(IDLE / 2);
    scene.writes_nothing("a limit of zero", || {
        session.set_with_ttl("absent", &8, Duration::ZERO).unwrap();
        let done = session.transaction(|tx| tx.set_with_ttl("absent", &8, Duration::ZERO));
        done.unwrap();
    });
    assert_eq!(session.expires_at().unwrap(), Some(end));
}

#[test]
fn it_does_not_create_a_session() {
    let scene = Scene::new();
    let session = scene.db.create_session();
    scene.writes_nothing("a limit of zero", || {
        session.set_with_ttl("otp", &8, Duration::ZERO).unwrap();
    });
    assert!(!scene.is_open(&session.id()));
}

#[test]
fn the_key_and_the_value_are_checked_all_the_same() {
    let scene = Scene::new();
    let session = scene.written();
    let refused = session.set_with_ttl("", &8, Duration::ZERO);
    assert!(matches!(refused, Err(Error::InvalidKey { .. })));
    let large = "x".repeat(sessiondb::MAX_VALUE_BYTES);
    let refused = session.set_with_ttl("user", &large, Duration::ZERO);
    assert!(matches!(refused, Err(Error::TooLarge { .. })));
    holds(&session, &[("user", 1)]);
}
