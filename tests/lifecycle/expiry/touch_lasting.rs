//! What a touch recorded is on disk, and is known after the next open.

use crate::support::{Fate, IDLE, INSTANT, Scene};

#[test]
fn a_touch_that_was_recorded_lasts() {
    for fate in Fate::ALL {
        for settled in [false, true] {
            let scene = Scene::new();
            let session = scene.written();
            if settled {
                scene.db.checkpoint().unwrap();
            }
            scene.wait(IDLE / 2);
            session.touch().unwrap();
            let (id, seen) = (session.id(), scene.now());
            let scene = scene.after(fate);
            assert_eq!(scene.info(&id).last_seen, seen, "{fate}");
            assert_eq!(scene.handle(&id).get("user").unwrap(), Some(1), "{fate}");
            scene.wait(IDLE - INSTANT);
            assert!(scene.is_open(&id), "{fate}");
            scene.wait(INSTANT);
            assert!(!scene.is_open(&id), "{fate}");
            scene.is_sound();
        }
    }
}

#[test]
fn after_an_open_touches_are_throttled_as_before() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let id = scene.written().id();
        let seen = scene.now();
        scene.wait(IDLE / 32);
        let scene = scene.after(fate);
        let session = scene.handle(&id);
        scene.writes_nothing("a touch too early", || session.touch().unwrap());
        scene.clock.set(seen + IDLE / 16 - INSTANT);
        scene.writes_nothing("a touch too early", || session.touch().unwrap());
        scene.wait(INSTANT);
        let before = scene.db.stats().journal_live_bytes;
        session.touch().unwrap();
        assert!(scene.db.stats().journal_live_bytes > before, "{fate}");
        assert_eq!(scene.info(&id).last_seen, scene.now(), "{fate}");
    }
}

#[test]
fn a_touch_too_early_is_not_remembered_by_an_open() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.written();
        let (id, seen) = (session.id(), scene.now());
        scene.wait(IDLE / 16 - INSTANT);
        session.touch().unwrap();
        let scene = scene.after(fate);
        assert_eq!(scene.info(&id).last_seen, seen, "{fate}");
    }
}

#[test]
fn touched_again_and_again_a_session_needs_no_more_than_its_record() {
    let scene = Scene::new();
    let session = scene.written();
    let id = session.id();
    for _ in 0..40 {
        scene.wait(IDLE / 2);
        session.touch().unwrap();
        scene.db.checkpoint().unwrap();
    }
    let seen = scene.now();
    assert_eq!(scene.db.purge_expired().unwrap(), 0);
    let scene = scene.after(Fate::CheckpointedIndexLost);
    let info = scene.info(&id);
    assert_eq!((info.last_seen, info.keys), (seen, 1));
    scene.is_sound();
}
