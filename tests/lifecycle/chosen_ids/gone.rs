//! An ID that is dead stays dead: nobody undoes a logout by saving.

use sessiondb::{Expiry, Session};

use super::{id, is_dead};
use crate::support::{Fate, IDLE, INSTANT, SECOND, Scene};

type Die = (&'static str, fn(&Scene, Session));

const DEATHS: &[Die] = &[
    ("flush", |_, mut session| {
        session.flush().unwrap();
    }),
    ("flush_with", |_, mut session| {
        session.flush_with(|tx| tx.set("message", &1)).unwrap();
    }),
    ("destroy", |_, mut session| session.destroy().unwrap()),
    ("cycle_id", |_, mut session| {
        session.cycle_id().unwrap();
    }),
    ("revoke", |scene, session| {
        assert!(scene.db.revoke(session.id()).unwrap());
    }),
    ("an expiry that is past", |scene, session| {
        session.set_expiry(Expiry::At(scene.now())).unwrap();
    }),
    ("expiry", |scene, _| scene.wait(IDLE)),
    ("expiry and purge", |scene, _| {
        scene.wait(IDLE);
        assert_eq!(scene.db.purge_expired().unwrap(), 1);
    }),
];

#[test]
fn it_is_not_made_again_after_any_death() {
    for (name, die) in DEATHS {
        for fate in Fate::ALL {
            for settled in [false, true] {
                let scene = Scene::new();
                let session = scene
                    .db
                    .create_session_with_id(id(1), Expiry::Default)
                    .unwrap();
                if settled {
                    scene.db.checkpoint().unwrap();
                }
                die(&scene, session);
                is_dead(&scene, &id(1));
                let scene = scene.after(fate);
                is_dead(&scene, &id(1));
                assert!(!scene.is_open(&id(1)), "{name}, {fate}");
                scene.is_sound();
                is_dead(&scene, &id(1));
            }
        }
    }
}

#[test]
fn a_session_that_ends_in_an_instant_is_still_there() {
    let scene = Scene::new();
    scene
        .db
        .create_session_with_id(id(1), Expiry::Idle(SECOND))
        .unwrap();
    scene.wait(SECOND - INSTANT);
    let refused = scene.db.create_session_with_id(id(1), Expiry::Default);
    assert!(matches!(refused, Err(sessiondb::Error::SessionExists)));
    scene.wait(INSTANT);
    is_dead(&scene, &id(1));
}

#[test]
fn an_id_that_was_drawn_and_flushed_unwritten_is_not_dead() {
    let scene = Scene::new();
    let mut session = scene.db.create_session();
    let old = session.id();
    session.flush().unwrap();
    scene
        .db
        .create_session_with_id(old, Expiry::Default)
        .unwrap();
    assert!(scene.is_open(&old));
}
