//! Which operations keep a key's limit, and which take it away.

use std::time::Duration;

use sessiondb::Session;

use super::{TTL, expires_in, limited};
use crate::support::{Fate, INSTANT, SECOND, Scene};

type Work = (&'static str, fn(&mut Session));

/// Operations after which `otp` has no limit any more.
const TAKE_IT_AWAY: &[Work] = &[
    ("set", |session| session.set("otp", &8).unwrap()),
    ("set of the same value", |session| {
        session.set("otp", &7).unwrap();
    }),
    ("set_bytes", |session| {
        session.set_bytes("otp", b"8").unwrap();
    }),
    ("compare_and_set", |session| {
        assert!(session.compare_and_set("otp", Some(&7), Some(&8)).unwrap());
    }),
    ("compare_and_set of the same value", |session| {
        assert!(session.compare_and_set("otp", Some(&7), Some(&7)).unwrap());
    }),
    ("delete and set", |session| {
        session.delete("otp").unwrap();
        session.set("otp", &8).unwrap();
    }),
    ("pop and get_or_insert_with", |session| {
        assert_eq!(session.pop("otp").unwrap(), Some(7));
        session.get_or_insert_with("otp", || 8).unwrap();
    }),
    ("update to nothing and back", |session| {
        session.update("otp", |_: Option<i64>| None).unwrap();
        session.update("otp", |_: Option<i64>| Some(8)).unwrap();
    }),
    ("clear and set", |session| {
        session.clear().unwrap();
        session.set("otp", &8).unwrap();
    }),
    ("remove_prefix and set", |session| {
        session.remove_prefix("ot").unwrap();
        session.set("otp", &8).unwrap();
    }),
    ("set in a transaction", |session| {
        session.transaction(|tx| tx.set("otp", &8)).unwrap();
    }),
    ("away and back in a transaction", |session| {
        let done = session.transaction(|tx| {
            tx.delete("otp")?;
            tx.update("otp", |_: Option<i64>| Some(8))
        });
        done.unwrap();
    }),
];

/// Operations after which the limit is where it was.
const KEEP_IT: &[Work] = &[
    ("update", |session| {
        session
            .update("otp", |value: Option<i64>| value.map(|n| n + 1))
            .unwrap();
    }),
    ("update to the same value", |session| {
        session.update("otp", |value: Option<i64>| value).unwrap();
    }),
    ("update in a transaction", |session| {
        let done = session.transaction(|tx| {
            tx.update("otp", |value: Option<i64>| value.map(|n| n + 1))?;
            tx.update("otp", |value: Option<i64>| value.map(|n| n + 1))
        });
        done.unwrap();
    }),
    ("get_or_insert_with of a present key", |session| {
        assert_eq!(session.get_or_insert_with("otp", || 8).unwrap(), 7);
    }),
    ("a lost compare_and_set", |session| {
        assert!(!session.compare_and_set("otp", Some(&8), Some(&9)).unwrap());
    }),
    ("a lost pop_if", |session| {
        assert!(!session.pop_if("otp", &8).unwrap());
    }),
    ("reading", |session| {
        assert_eq!(session.get("otp").unwrap(), Some(7));
    }),
    ("writing another key", |session| {
        session.set("user", &2).unwrap();
    }),
    ("removing other keys", |session| {
        session.remove_prefix("us").unwrap();
    }),
    ("set_owner", |session| {
        session.set_owner(Some("user:42")).unwrap();
    }),
    ("cycle_id", |session| {
        session.cycle_id().unwrap();
    }),
    ("cycle_id_with", |session| {
        session.cycle_id_with(|tx| tx.set("user", &2)).unwrap();
    }),
    ("a transaction that fails", |session| {
        let failed = session.transaction(|tx| {
            tx.set("otp", &8)?;
            tx.delete("absent")
        });
        assert!(failed.is_err());
    }),
    ("touch", |session| session.touch().unwrap()),
];

/// A session for each of the works, a moment before the limit; some of their
/// life lies in a segment.
fn worked(fate: Fate, settled: bool, works: &[Work]) -> (Scene, Vec<(&'static str, Session)>) {
    let scene = Scene::new();
    let mut sessions: Vec<Session> = works.iter().map(|_| limited(&scene)).collect();
    if settled {
        scene.db.checkpoint().unwrap();
    }
    scene.wait(TTL / 2);
    for ((_, work), session) in works.iter().zip(&mut sessions) {
        work(session);
    }
    let scene = scene.after(fate);
    let names = works.iter().map(|(name, _)| *name);
    let handles = sessions.iter().map(|session| scene.handle(&session.id()));
    let handles = names.zip(handles).collect();
    scene.wait(TTL / 2 - INSTANT);
    (scene, handles)
}

#[test]
fn whatever_puts_a_new_value_takes_the_limit_away() {
    for fate in Fate::ALL {
        for settled in [false, true] {
            let (scene, sessions) = worked(fate, settled, TAKE_IT_AWAY);
            scene.wait(10 * TTL);
            for (name, session) in &sessions {
                assert!(session.contains_key("otp").unwrap(), "{name}, {fate}");
            }
        }
    }
}

#[test]
fn update_and_what_is_no_write_of_the_key_keep_it() {
    for fate in Fate::ALL {
        for settled in [false, true] {
            let (scene, sessions) = worked(fate, settled, KEEP_IT);
            for (name, session) in &sessions {
                assert!(session.contains_key("otp").unwrap(), "{name}, {fate}");
            }
            scene.wait(INSTANT);
            for (name, session) in &sessions {
                assert!(!session.contains_key("otp").unwrap(), "{name}, {fate}");
            }
            scene.is_sound();
        }
    }
}

#[test]
fn a_new_limit_counts_from_now() {
    for fate in Fate::ALL {
        for ttl in [TTL / 4, TTL, 3 * TTL] {
            let scene = Scene::new();
            let session = limited(&scene);
            scene.wait(TTL / 2);
            session.set_with_ttl("otp", &8, ttl).unwrap();
            let id = session.id();
            let scene = scene.after(fate);
            expires_in(&scene, &scene.handle(&id), "otp", ttl);
        }
    }
}

#[test]
fn a_limit_for_a_key_without_one_counts_too() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.written();
        scene.db.checkpoint().unwrap();
        session.set_with_ttl("user", &2, TTL).unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        let session = scene.handle(&id);
        expires_in(&scene, &session, "user", TTL);
        // The value from before, which has no limit, does not shine through.
        assert_eq!(session.get::<i64>("user").unwrap(), None, "{fate}");
    }
}

#[test]
fn a_limit_is_kept_to_the_nanosecond() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.written();
        let ttl = Duration::new(1, 23_456_789);
        session.set_with_ttl("otp", &7, ttl).unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        expires_in(&scene, &scene.handle(&id), "otp", ttl);
    }
}

#[test]
fn more_time_than_there_is_counts_as_all_of_it() {
    for fate in Fate::ALL {
        let scene = Scene::with(|builder| builder.idle_timeout(None));
        let session = scene.written();
        session.set_with_ttl("otp", &7, Duration::MAX).unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        scene.wait(100 * 365 * 86_400 * SECOND);
        assert_eq!(scene.handle(&id).get("otp").unwrap(), Some(7), "{fate}");
    }
}
