//! The database's timeouts: idle, absolute, both, neither. The earlier one
//! ends the session, and nothing moves the absolute one.

use std::time::Duration;

use sessiondb::{Builder, Expiry, SessionId};

use crate::support::{Fate, INSTANT, SECOND, Scene};

const IDLE: Duration = Duration::from_secs(100);
const ABSOLUTE: Duration = Duration::from_secs(250);

fn both(builder: Builder) -> Builder {
    builder
        .idle_timeout(Some(IDLE))
        .absolute_timeout(Some(ABSOLUTE))
}

fn absolute_only(builder: Builder) -> Builder {
    builder.idle_timeout(None).absolute_timeout(Some(ABSOLUTE))
}

fn neither(builder: Builder) -> Builder {
    builder.idle_timeout(None).absolute_timeout(None)
}

#[track_caller]
fn expires_in(scene: &Scene, id: &SessionId, time: Duration) {
    let expected = Some(scene.now() + time);
    assert_eq!(scene.handle(id).expires_at().unwrap(), expected);
    assert_eq!(scene.info(id).expires_at, expected);
    scene.wait(time - INSTANT);
    assert!(scene.is_open(id));
    scene.wait(INSTANT);
    assert!(!scene.is_open(id));
}

#[test]
fn an_idle_session_ends_after_the_idle_timeout() {
    for fate in Fate::ALL {
        let scene = Scene::with(both);
        let id = scene.written().id();
        let scene = scene.after(fate);
        expires_in(&scene, &id, IDLE);
    }
}

#[test]
fn a_busy_session_ends_after_the_absolute_timeout() {
    for fate in Fate::ALL {
        let scene = Scene::with(both);
        let session = scene.written();
        for _ in 0..4 {
            scene.wait(50 * SECOND);
            session.set("user", &2).unwrap();
        }
        let id = session.id();
        let scene = scene.after(fate);
        expires_in(&scene, &id, ABSOLUTE - 200 * SECOND);
    }
}

#[test]
fn the_earlier_one_counts_also_where_they_meet() {
    let scene = Scene::with(both);
    let session = scene.written();
    scene.wait(ABSOLUTE - 2 * IDLE);
    session.set("user", &2).unwrap();
    scene.wait(IDLE - INSTANT);
    session.set("user", &3).unwrap();
    // An instant before the idle end would be the absolute one.
    expires_in(&scene, &session.id(), IDLE);

    let session = scene.written();
    scene.wait(50 * SECOND);
    session.touch().unwrap();
    scene.wait(IDLE - INSTANT);
    session.set("user", &2).unwrap();
    expires_in(&scene, &session.id(), IDLE);
}

#[test]
fn without_an_idle_timeout_only_the_absolute_one_counts() {
    for fate in Fate::ALL {
        let scene = Scene::with(absolute_only);
        let id = scene.written().id();
        let scene = scene.after(fate);
        scene.wait(ABSOLUTE - SECOND);
        scene.handle(&id).set("user", &2).unwrap();
        expires_in(&scene, &id, SECOND);
    }
}

#[test]
fn without_any_timeout_a_session_never_expires() {
    for fate in Fate::ALL {
        let scene = Scene::with(neither);
        let id = scene.written().id();
        let scene = scene.after(fate);
        assert_eq!(scene.handle(&id).expires_at().unwrap(), None);
        assert_eq!(scene.info(&id).expires_at, None);
        scene.wait(Duration::from_secs(300 * 365 * 86_400));
        assert_eq!(scene.db.purge_expired().unwrap(), 0);
        assert_eq!(scene.handle(&id).get("user").unwrap(), Some(1), "{fate}");
    }
}

#[test]
fn the_absolute_timeout_caps_every_expiry_of_a_session() {
    for fate in Fate::ALL {
        let scene = Scene::with(absolute_only);
        let far = scene.now() + 10 * ABSOLUTE;
        for expiry in [
            Expiry::Default,
            Expiry::Idle(10 * ABSOLUTE),
            Expiry::Idle(Duration::MAX),
            Expiry::At(far),
            Expiry::BrowserSession,
        ] {
            let session = scene.with_expiry(expiry);
            let cap = Some(scene.now() + ABSOLUTE);
            assert_eq!(session.expires_at().unwrap(), cap, "{expiry:?}");
        }
        let id = scene.with_expiry(Expiry::At(far)).id();
        let scene = scene.after(fate);
        expires_in(&scene, &id, ABSOLUTE);
    }
}

#[test]
fn an_expiry_before_the_absolute_end_is_not_moved() {
    let scene = Scene::with(absolute_only);
    let idle = scene.with_expiry(Expiry::Idle(IDLE));
    let at = scene.with_expiry(Expiry::At(scene.now() + IDLE));
    for session in [idle, at] {
        assert_eq!(session.expires_at().unwrap(), Some(scene.now() + IDLE));
    }
}

#[test]
fn neither_a_new_id_nor_clearing_restarts_the_absolute_timeout() {
    for fate in Fate::ALL {
        let scene = Scene::with(absolute_only);
        let end = scene.now() + ABSOLUTE;
        let mut session = scene.written();
        scene.wait(50 * SECOND);
        session.cycle_id().unwrap();
        assert_eq!(session.expires_at().unwrap(), Some(end));
        session.clear().unwrap();
        session.cycle_id_with(|tx| tx.set("user", &2)).unwrap();
        let cleared = session.cycle_id_with(|tx| {
            tx.clear()?;
            tx.set("user", &3)
        });
        cleared.unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        let expires_at = scene.handle(&id).expires_at().unwrap();
        assert_eq!(expires_at, Some(end), "{fate}");
        assert_eq!(scene.info(&id).created + ABSOLUTE, end, "{fate}");
        expires_in(&scene, &id, ABSOLUTE - 50 * SECOND);
    }
}

#[test]
fn a_flush_begins_a_session_that_has_all_its_time() {
    for fate in Fate::ALL {
        let scene = Scene::with(absolute_only);
        let mut flushed = scene.written();
        let mut replaced = scene.written();
        scene.wait(50 * SECOND);
        flushed.flush().unwrap();
        scene.wait(50 * SECOND);
        flushed.set("user", &2).unwrap();
        replaced.flush_with(|tx| tx.set("user", &2)).unwrap();
        let ids = [flushed.id(), replaced.id()];
        let scene = scene.after(fate);
        for id in &ids {
            let expires_at = scene.handle(id).expires_at().unwrap();
            assert_eq!(expires_at, Some(scene.now() + ABSOLUTE), "{fate}");
        }
        expires_in(&scene, &ids[0], ABSOLUTE);
    }
}
