//! The bytes of an expired key go when its page is written again.

use super::{TTL, holds};
use crate::support::{Fate, INSTANT, Scene};

const SECRET: &str = "the secret of one minute";
const MARK: &str = "the value beside it";

#[test]
fn they_are_not_in_what_is_written_next_of_the_page() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.db.create_session();
        session.set_with_ttl("otp", SECRET, TTL).unwrap();
        session.set("beside", MARK).unwrap();
        scene.db.checkpoint().unwrap();
        let id = session.id();
        assert_eq!(scene.info(&id).keys, 2);
        assert_eq!(scene.db.verify().unwrap().keys, 2);
        let bytes = scene.info(&id).bytes;
        assert_eq!(scene.times_in_segments(SECRET), 1);
        let scene = scene.after(fate);
        scene.wait(TTL);
        scene.handle(&id).set("another", &1).unwrap();
        scene.db.checkpoint().unwrap();
        // The old image still lies there; the new one is without it.
        assert_eq!(scene.times_in_segments(MARK), 2, "{fate}");
        assert_eq!(scene.times_in_segments(SECRET), 1, "{fate}");
        let info = scene.info(&id);
        assert_eq!(info.keys, 2, "{fate}: `beside` and `another`");
        assert!(info.bytes < bytes, "{fate}");
        assert_eq!(scene.db.verify().unwrap().keys, 2, "{fate}");
    }
}

#[test]
fn before_its_time_a_key_is_written_again_with_its_page() {
    let scene = Scene::new();
    let session = scene.db.create_session();
    session.set_with_ttl("otp", SECRET, TTL).unwrap();
    scene.db.checkpoint().unwrap();
    scene.wait(TTL - INSTANT);
    session.set("another", &1).unwrap();
    scene.db.checkpoint().unwrap();
    assert_eq!(scene.times_in_segments(SECRET), 2);
    assert_eq!(scene.info(&session.id()).keys, 2);
}

#[test]
fn a_key_that_expires_before_any_checkpoint_never_reaches_a_segment() {
    for fate in [Fate::Nothing, Fate::PowerCut, Fate::IndexLost] {
        let scene = Scene::new();
        let session = scene.db.create_session();
        session.set_with_ttl("otp", SECRET, TTL).unwrap();
        session.set("beside", MARK).unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        scene.wait(TTL);
        scene.db.checkpoint().unwrap();
        assert_eq!(scene.times_in_segments(MARK), 1, "{fate}");
        assert_eq!(scene.times_in_segments(SECRET), 0, "{fate}");
        assert_eq!(scene.info(&id).keys, 1, "{fate}");
        assert_eq!(scene.db.verify().unwrap().keys, 1, "{fate}");
    }
}

#[test]
fn a_value_below_an_expired_one_does_not_come_back() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.db.create_session();
        session.set("otp", &1).unwrap();
        session.set("beside", &2).unwrap();
        scene.db.checkpoint().unwrap();
        session.set_with_ttl("otp", &3, TTL).unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        scene.wait(TTL);
        scene.db.checkpoint().unwrap();
        holds(&scene.handle(&id), &[("beside", 2)]);
        let scene = scene.after(Fate::CheckpointedIndexLost);
        holds(&scene.handle(&id), &[("beside", 2)]);
        scene.is_sound();
    }
}

#[test]
fn in_a_large_session_each_page_loses_its_own() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.db.create_session();
        let key = |number: u32| format!("key {number:03}");
        for number in 0..100 {
            let value = format!("{SECRET} {number:03} {}", "x".repeat(400));
            session.set_with_ttl(&key(number), &value, TTL).unwrap();
        }
        session.set("last of all", MARK).unwrap();
        scene.db.checkpoint().unwrap();
        let id = session.id();
        assert!(scene.db.verify().unwrap().pages > 3, "one page is too few");
        let scene = scene.after(fate);
        scene.wait(TTL);
        // A write among them: the page that it falls into is written again.
        scene.handle(&id).set(&key(50), "another").unwrap();
        scene.db.checkpoint().unwrap();
        assert_eq!(scene.times_in_segments(SECRET), 100, "{fate}");
        assert_eq!(scene.handle(&id).len().unwrap(), 2, "{fate}");
        scene.is_sound();
        // And every page once.
        let session = scene.handle(&id);
        for number in 0..100 {
            session.set(&key(number), "another").unwrap();
        }
        scene.db.checkpoint().unwrap();
        assert_eq!(scene.times_in_segments(SECRET), 100, "{fate}");
        assert_eq!(scene.db.verify().unwrap().keys, 101, "{fate}");
    }
}

#[test]
fn a_session_of_nothing_but_expired_keys_can_be_written_empty() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.db.create_session();
        for number in 0..60 {
            let value = "x".repeat(400);
            session
                .set_with_ttl(&format!("key {number:03}"), &value, TTL)
                .unwrap();
        }
        scene.db.checkpoint().unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        scene.wait(TTL);
        let session = scene.handle(&id);
        for number in 0..60 {
            session
                .set_with_ttl(&format!("key {number:03}"), "y", TTL)
                .unwrap();
        }
        scene.wait(TTL);
        scene.db.checkpoint().unwrap();
        assert_eq!(scene.db.verify().unwrap().keys, 0, "{fate}");
        assert!(scene.handle(&id).is_empty().unwrap(), "{fate}");
        let scene = scene.after(Fate::CheckpointedIndexLost);
        assert!(scene.handle(&id).is_empty().unwrap(), "{fate}");
        scene.is_sound();
    }
}
