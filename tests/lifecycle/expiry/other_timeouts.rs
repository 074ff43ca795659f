//! The database's timeouts are not stored: opened with others, all sessions
//! go by the others. What a session said itself is stored.

use std::time::Duration;

use sessiondb::{Builder, Expiry};

use crate::support::{Fate, IDLE, INSTANT, SECOND, Scene};

fn shorter(builder: Builder) -> Builder {
    builder.idle_timeout(Some(IDLE / 4))
}

fn longer(builder: Builder) -> Builder {
    builder.idle_timeout(Some(4 * IDLE))
}

fn none(builder: Builder) -> Builder {
    builder.idle_timeout(None)
}

fn absolute(builder: Builder) -> Builder {
    builder.absolute_timeout(Some(IDLE / 4))
}

#[test]
fn a_shorter_timeout_applies_to_all_sessions() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let id = scene.written().id();
        let scene = scene.after(fate).reopened_with(shorter);
        let end = scene.now() + IDLE / 4;
        assert_eq!(scene.handle(&id).expires_at().unwrap(), Some(end), "{fate}");
        scene.wait(IDLE / 4 - INSTANT);
        assert!(scene.is_open(&id), "{fate}");
        scene.wait(INSTANT);
        assert!(!scene.is_open(&id), "{fate}");
        assert_eq!(scene.db.purge_expired().unwrap(), 1, "{fate}");
        assert_eq!(scene.db.verify().unwrap().sessions, 0, "{fate}");
    }
}

#[test]
fn a_session_may_be_over_at_the_moment_of_the_open() {
    let scene = Scene::new();
    let id = scene.written().id();
    scene.wait(IDLE / 2);
    assert!(scene.is_open(&id));
    let scene = scene.reopened_with(shorter);
    assert!(!scene.is_open(&id));
    assert!(scene.db.is_retired(id).unwrap());
    assert_eq!(scene.db.sessions().count(), 0);
    assert_eq!(scene.db.purge_expired().unwrap(), 1);
}

#[test]
fn a_longer_timeout_applies_to_all_sessions() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let id = scene.written().id();
        let scene = scene.after(fate).reopened_with(longer);
        let end = scene.now() + 4 * IDLE;
        assert_eq!(scene.handle(&id).expires_at().unwrap(), Some(end), "{fate}");
        scene.wait(2 * IDLE);
        assert_eq!(scene.db.purge_expired().unwrap(), 0, "{fate}");
        assert!(scene.is_open(&id), "{fate}");
        scene.wait(2 * IDLE);
        assert!(!scene.is_open(&id), "{fate}");
        assert_eq!(scene.db.purge_expired().unwrap(), 1, "{fate}");
    }
}

#[test]
fn without_a_timeout_no_session_expires_any_more() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let id = scene.written().id();
        let scene = scene.after(fate).reopened_with(none);
        assert_eq!(scene.handle(&id).expires_at().unwrap(), None, "{fate}");
        scene.wait(Duration::from_secs(100 * 365 * 86_400));
        assert_eq!(scene.db.purge_expired().unwrap(), 0, "{fate}");
        assert!(scene.is_open(&id), "{fate}");
        // And with one again, it is long over.
        let scene = scene.reopened_with(longer);
        assert!(!scene.is_open(&id), "{fate}");
        assert_eq!(scene.db.purge_expired().unwrap(), 1, "{fate}");
    }
}

#[test]
fn a_timeout_where_there_was_none_applies_to_all_sessions() {
    for fate in Fate::ALL {
        let scene = Scene::with(none);
        let id = scene.written().id();
        scene.wait(IDLE / 8);
        let scene = scene.after(fate).reopened_with(shorter);
        let end = scene.now() + IDLE / 8;
        assert_eq!(scene.handle(&id).expires_at().unwrap(), Some(end), "{fate}");
        scene.wait(IDLE / 8);
        assert!(!scene.is_open(&id), "{fate}");
        assert_eq!(scene.db.purge_expired().unwrap(), 1, "{fate}");
    }
}

#[test]
fn an_absolute_timeout_counts_from_creations_long_ago() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.with_expiry(Expiry::Idle(10 * IDLE));
        let created = scene.now();
        scene.wait(IDLE / 8);
        session.set("user", &2).unwrap();
        let id = session.id();
        let scene = scene.after(fate).reopened_with(absolute);
        let expires_at = scene.handle(&id).expires_at().unwrap();
        assert_eq!(expires_at, Some(created + IDLE / 4), "{fate}");
        scene.wait(IDLE / 8);
        assert!(!scene.is_open(&id), "{fate}");
        assert_eq!(scene.db.purge_expired().unwrap(), 1, "{fate}");
    }
}

#[test]
fn what_a_session_said_itself_stays() {
    for adjust in [shorter as fn(Builder) -> Builder, longer, none] {
        let scene = Scene::new();
        let end = scene.now() + IDLE / 2;
        let idle = scene.with_expiry(Expiry::Idle(IDLE / 2)).id();
        let at = scene.with_expiry(Expiry::At(end)).id();
        let scene = scene.reopened_with(adjust);
        for id in [&idle, &at] {
            assert_eq!(scene.handle(id).expires_at().unwrap(), Some(end));
        }
        assert_eq!(scene.handle(&at).expiry().unwrap(), Expiry::At(end));
        scene.clock.set(end);
        assert_eq!(scene.db.purge_expired().unwrap(), 2);
    }
}

#[test]
fn a_browsers_session_goes_by_the_timeout_of_the_day() {
    let scene = Scene::new();
    let id = scene.with_expiry(Expiry::BrowserSession).id();
    let scene = scene.reopened_with(longer);
    let expires_at = scene.handle(&id).expires_at().unwrap();
    assert_eq!(expires_at, Some(scene.now() + 4 * IDLE));
    let scene = scene.reopened_with(none);
    assert_eq!(scene.handle(&id).expires_at().unwrap(), None);
}

#[test]
fn touches_are_throttled_by_the_timeout_of_the_day() {
    let scene = Scene::new();
    let id = scene.written().id();
    scene.wait(IDLE / 16);
    let scene = scene.reopened_with(longer);
    let session = scene.handle(&id);
    scene.writes_nothing("a touch too early by now", || session.touch().unwrap());
    scene.wait(3 * IDLE / 16);
    session.touch().unwrap();
    assert_eq!(session.expires_at().unwrap(), Some(scene.now() + 4 * IDLE));
    let scene = scene.reopened_with(shorter);
    scene.wait(IDLE / 64);
    let session = scene.handle(&id);
    session.touch().unwrap();
    assert_eq!(session.expires_at().unwrap(), Some(scene.now() + IDLE / 4));
    assert!(IDLE / 64 > SECOND);
}
