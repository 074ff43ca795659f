//! A touch renews, but writes nothing before a sixteenth of the idle time has
//! passed since the session was last seen.

use std::time::Duration;

use sessiondb::{Builder, Expiry, Session};

use crate::support::{IDLE, INSTANT, SECOND, Scene, is_gone};

const HOUR: Duration = Duration::from_secs(3600);

/// Asserts that touches are throttled for exactly so long.
#[track_caller]
fn is_throttled_for(scene: &Scene, session: &Session, quiet: Duration) {
    let id = session.id();
    for _ in 0..3 {
        let seen = scene.info(&id).last_seen;
        assert_eq!(seen, scene.now());
        for pause in [Duration::ZERO, INSTANT, quiet / 2, quiet / 2 - 2 * INSTANT] {
            scene.wait(pause);
            let end = session.expires_at().unwrap();
            scene.writes_nothing("a touch too early", || session.touch().unwrap());
            assert_eq!(scene.info(&id).last_seen, seen);
            assert_eq!(session.expires_at().unwrap(), end);
        }
        scene.clock.set(seen + quiet);
        let before = scene.db.stats().journal_live_bytes;
        session.touch().unwrap();
        assert!(scene.db.stats().journal_live_bytes > before);
        assert_eq!(scene.info(&id).last_seen, scene.now());
        scene.writes_nothing("a second touch", || session.touch().unwrap());
    }
}

fn no_idle(builder: Builder) -> Builder {
    builder.idle_timeout(None)
}

#[test]
fn by_the_idle_timeout_of_the_database() {
    let scene = Scene::new();
    let session = scene.written();
    is_throttled_for(&scene, &session, IDLE / 16);
    assert_eq!(session.expires_at().unwrap(), Some(scene.now() + IDLE));
}

#[test]
fn by_the_idle_time_of_the_session() {
    let scene = Scene::new();
    let own = 160 * IDLE;
    let session = scene.with_expiry(Expiry::Idle(own));
    is_throttled_for(&scene, &session, 10 * IDLE);
    assert_eq!(session.expires_at().unwrap(), Some(scene.now() + own));
}

#[test]
fn of_a_browsers_session_by_the_idle_timeout() {
    let scene = Scene::new();
    let session = scene.with_expiry(Expiry::BrowserSession);
    is_throttled_for(&scene, &session, IDLE / 16);
    assert_eq!(session.expires_at().unwrap(), Some(scene.now() + IDLE));
}

#[test]
fn for_an_hour_where_there_is_no_idle_time() {
    let scene = Scene::with(no_idle);
    is_throttled_for(&scene, &scene.written(), HOUR);
    let end = scene.now() + 100 * HOUR;
    let session = scene.with_expiry(Expiry::At(end));
    is_throttled_for(&scene, &session, HOUR);
    assert_eq!(session.expires_at().unwrap(), Some(end));
    let scene = Scene::new();
    let session = scene.with_expiry(Expiry::At(end + 100 * HOUR));
    is_throttled_for(&scene, &session, HOUR);
}

#[test]
fn any_write_makes_the_next_touch_too_early() {
    let scene = Scene::new();
    let session = scene.written();
    scene.wait(IDLE / 16 - INSTANT);
    session.set("user", &2).unwrap();
    scene.wait(INSTANT);
    scene.writes_nothing("a touch after a write", || session.touch().unwrap());
    scene.wait(IDLE / 16 - INSTANT);
    session.touch().unwrap();
    assert_eq!(session.expires_at().unwrap(), Some(scene.now() + IDLE));
}

#[test]
fn a_touch_through_another_handle_counts() {
    let scene = Scene::new();
    let session = scene.written();
    let other = scene.handle(&session.id());
    scene.wait(IDLE / 16);
    other.touch().unwrap();
    scene.writes_nothing("the same touch again", || session.touch().unwrap());
    assert_eq!(session.expires_at().unwrap(), Some(scene.now() + IDLE));
}

#[test]
fn a_visitor_who_keeps_clicking_is_not_logged_out() {
    let scene = Scene::new();
    let session = scene.written();
    // The longest pause that touches of every visit cannot lose.
    let pause = IDLE - IDLE / 16;
    for _ in 0..20 {
        scene.wait(pause);
        scene.handle(&session.id()).touch().unwrap();
        scene.wait(IDLE / 16 - INSTANT);
        scene.handle(&session.id()).touch().unwrap();
    }
    assert!(scene.is_open(&session.id()));
}

#[test]
fn a_touch_changes_nothing_but_the_time() {
    let scene = Scene::new();
    let session = scene.with_expiry(Expiry::Idle(2 * IDLE));
    session.set_owner(Some("user:42")).unwrap();
    let before = scene.info(&session.id());
    scene.wait(IDLE);
    session.touch().unwrap();
    let after = scene.info(&session.id());
    assert_eq!(after.created, before.created);
    assert_eq!(after.owner.as_deref(), Some("user:42"));
    assert_eq!(session.expiry().unwrap(), Expiry::Idle(2 * IDLE));
    assert_eq!(session.get("user").unwrap(), Some(1));
    assert_eq!(session.len().unwrap(), 1);
}

#[test]
fn a_touch_does_not_create_a_session() {
    let scene = Scene::new();
    let session = scene.db.create_session();
    scene.wait(IDLE);
    scene.writes_nothing("touching what was never written", || {
        session.touch().unwrap();
        scene.wait(IDLE);
        session.touch().unwrap();
    });
    assert!(!scene.is_open(&session.id()));
}

#[test]
fn a_touch_does_not_bring_a_session_back() {
    let scene = Scene::new();
    let expired = scene.written();
    scene.wait(IDLE);
    is_gone(expired.touch());
    let flushed = scene.written();
    scene.handle(&flushed.id()).flush().unwrap();
    scene.wait(IDLE / 2);
    is_gone(flushed.touch());
    assert_eq!(scene.db.sessions().count(), 0);
}

#[test]
fn a_touch_cannot_pass_the_absolute_timeout() {
    let scene = Scene::with(|builder| builder.absolute_timeout(Some(2 * IDLE)));
    let end = scene.now() + 2 * IDLE;
    let session = scene.written();
    scene.wait(IDLE - SECOND);
    session.touch().unwrap();
    scene.wait(IDLE - SECOND);
    session.touch().unwrap();
    assert_eq!(session.expires_at().unwrap(), Some(end));
    scene.wait(2 * SECOND);
    is_gone(session.touch());
}
