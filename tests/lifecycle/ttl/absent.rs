//! A key whose time is over is absent for every operation, to the nanosecond.

use sessiondb::{Error, Session};

use super::{TTL, each_expired, expires_in, holds, limited};
use crate::support::{Fate, INSTANT, Scene};

#[test]
fn it_is_there_until_then() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let id = limited(&scene).id();
        let scene = scene.after(fate);
        let session = scene.handle(&id);
        scene.wait(TTL - INSTANT);
        assert_eq!(session.get("otp").unwrap(), Some(7), "{fate}");
        holds(&session, &[("otp", 7), ("user", 1)]);
        scene.wait(INSTANT);
        assert_eq!(session.get::<i64>("otp").unwrap(), None, "{fate}");
        holds(&session, &[("user", 1)]);
    }
}

#[test]
fn for_every_read() {
    for (fate, scene, session) in each_expired() {
        scene.writes_nothing("reading", || {
            assert_eq!(session.get::<i64>("otp").unwrap(), None, "{fate}");
            assert!(session.get_bytes("otp").unwrap().is_none(), "{fate}");
            assert!(!session.contains_key("otp").unwrap(), "{fate}");
            // Also where the type is wrong: there is nothing to decode.
            assert_eq!(session.get::<String>("otp").unwrap(), None, "{fate}");
            holds(&session, &[("user", 1)]);
        });
    }
}

#[test]
fn for_every_removal_which_writes_nothing() {
    for (fate, scene, session) in each_expired() {
        scene.writes_nothing("removing what is absent", || {
            assert_eq!(session.pop::<i64>("otp").unwrap(), None, "{fate}");
            assert_eq!(session.pop::<String>("otp").unwrap(), None, "{fate}");
            assert!(session.pop_bytes("otp").unwrap().is_none(), "{fate}");
            assert!(!session.pop_if("otp", &7).unwrap(), "{fate}");
            assert!(!session.discard("otp").unwrap(), "{fate}");
            let deleted = session.delete("otp");
            assert!(
                matches!(&deleted, Err(Error::KeyNotFound { key }) if key == "otp"),
                "{fate}: {deleted:?}"
            );
            session.remove_prefix("otp").unwrap();
            let kept = session.update("otp", |value: Option<i64>| value);
            assert_eq!(kept.unwrap(), None, "{fate}");
            assert!(!session.compare_and_set("otp", Some(&7), None).unwrap());
            assert!(!session.compare_and_set("otp", Some(&7), Some(&8)).unwrap());
            assert!(session.compare_and_set::<i64>("otp", None, None).unwrap());
        });
        holds(&session, &[("user", 1)]);
    }
}

type Put = (&'static str, fn(&Session));

/// Every operation that puts a value where there is none.
const PUTS: &[Put] = &[
    ("set", |session| session.set("otp", &9).unwrap()),
    ("get_or_insert_with", |session| {
        assert_eq!(session.get_or_insert_with("otp", || 9).unwrap(), 9);
    }),
    ("update", |session| {
        let updated = session.update("otp", |value: Option<i64>| {
            assert_eq!(value, None);
            Some(9)
        });
        assert_eq!(updated.unwrap(), Some(9));
    }),
    ("compare_and_set", |session| {
        assert!(session.compare_and_set("otp", None, Some(&9)).unwrap());
    }),
    ("transaction", |session| {
        let done = session.transaction(|tx| {
            assert_eq!(tx.get::<i64>("otp")?, None);
            tx.set("otp", &9)
        });
        done.unwrap();
    }),
];

#[test]
fn for_every_operation_that_puts_a_value_which_then_has_no_limit() {
    for (name, put) in PUTS {
        for (fate, scene, session) in each_expired() {
            put(&session);
            let id = session.id();
            let scene = scene.after(fate);
            let session = scene.handle(&id);
            holds(&session, &[("otp", 9), ("user", 1)]);
            scene.wait(2 * TTL);
            assert_eq!(session.get("otp").unwrap(), Some(9), "{name}, {fate}");
            scene.is_sound();
        }
    }
}

#[test]
fn for_raw_bytes_and_with_a_limit_again() {
    for (fate, scene, session) in each_expired() {
        session.set_bytes("otp", b"raw").unwrap();
        assert_eq!(
            &*session.get_bytes("otp").unwrap().unwrap(),
            b"raw",
            "{fate}"
        );
        session.set_with_ttl("otp", &9, TTL).unwrap();
        expires_in(&scene, &session, "otp", TTL);
    }
}

#[test]
fn a_one_time_code_is_accepted_in_time_only() {
    let scene = Scene::new();
    let session = scene.written();
    session.set_with_ttl("code", "271828", TTL).unwrap();
    scene.wait(TTL - INSTANT);
    assert!(!session.pop_if("code", "314159").unwrap());
    assert!(session.pop_if("code", "271828").unwrap());
    session.set_with_ttl("code", "271828", TTL).unwrap();
    scene.wait(TTL);
    assert!(!session.pop_if("code", "271828").unwrap());
}

#[test]
fn a_session_whose_keys_have_all_expired_is_an_empty_session() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.db.create_session();
        session.set_with_ttl("a", &1, TTL).unwrap();
        session.set_with_ttl("b", &2, TTL / 2).unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        let session = scene.handle(&id);
        scene.wait(TTL / 2);
        holds(&session, &[("a", 1)]);
        scene.wait(TTL / 2);
        holds(&session, &[]);
        scene.writes_nothing("clearing what is empty", || session.clear().unwrap());
        scene.db.checkpoint().unwrap();
        assert!(scene.handle(&id).is_empty().unwrap(), "{fate}");
        session.set("c", &3).unwrap();
        holds(&session, &[("c", 3)]);
    }
}
