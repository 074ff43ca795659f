//! When a session expires: by the database, by seconds, by a duration, at a
//! date, and by the database again.

use std::time::Duration;

use sessiondb::Expiry;

use crate::support::{Fate, IDLE, INSTANT, SECOND, Scene};

#[test]
fn a_session_that_says_nothing_expires_as_the_database_says() {
    let scene = Scene::new();
    let session = scene.written();
    assert_eq!(session.expiry().unwrap(), Expiry::Default);
    assert_eq!(session.expires_at().unwrap(), Some(scene.now() + IDLE));
}

#[test]
fn an_expiry_in_seconds_counts_from_the_last_write() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.with_expiry(Expiry::Idle(Duration::from_secs(10)));
        scene.wait(3 * SECOND);
        session.set("user", &2).unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        let session = scene.handle(&id);
        let expires_at = session.expires_at().unwrap();
        assert_eq!(expires_at, Some(scene.now() + 10 * SECOND), "{fate}");
        scene.wait(10 * SECOND - INSTANT);
        assert!(scene.is_open(&id), "{fate}");
        scene.wait(INSTANT);
        assert!(!scene.is_open(&id), "{fate}");
    }
}

#[test]
fn a_duration_is_kept_to_the_nanosecond() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let idle = Duration::new(10, 123_456_789);
        let id = scene.with_expiry(Expiry::Idle(idle)).id();
        let scene = scene.after(fate);
        let session = scene.handle(&id);
        assert_eq!(session.expiry().unwrap(), Expiry::Idle(idle), "{fate}");
        assert_eq!(
            session.expires_at().unwrap(),
            Some(scene.now() + idle),
            "{fate}"
        );
    }
}

#[test]
fn a_date_is_the_end_whatever_happens_before() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let end = scene.now() + Duration::new(4 * IDLE.as_secs(), 7);
        let session = scene.with_expiry(Expiry::At(end));
        scene.wait(2 * IDLE);
        session.set("user", &2).unwrap();
        session.touch().unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        let session = scene.handle(&id);
        assert_eq!(session.expiry().unwrap(), Expiry::At(end), "{fate}");
        assert_eq!(session.expires_at().unwrap(), Some(end), "{fate}");
        scene.clock.set(end - INSTANT);
        assert!(scene.is_open(&id), "{fate}");
        scene.clock.set(end);
        assert!(!scene.is_open(&id), "{fate}");
    }
}

#[test]
fn an_expiry_of_its_own_is_taken_back() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.with_expiry(Expiry::Idle(10 * SECOND));
        session.set_expiry(Expiry::Default).unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        let session = scene.handle(&id);
        assert_eq!(session.expiry().unwrap(), Expiry::Default, "{fate}");
        assert_eq!(
            session.expires_at().unwrap(),
            Some(scene.now() + IDLE),
            "{fate}"
        );
    }
}
