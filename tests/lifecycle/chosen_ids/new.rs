//! A session with a chosen ID is there at once, even empty.

use std::time::Duration;

use sessiondb::{Builder, Error, Expiry};

use super::{id, is_taken};
use crate::support::{Fate, IDLE, INSTANT, SECOND, Scene, contents, is_gone, named};

#[test]
fn it_is_there_at_once_and_empty() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene
            .db
            .create_session_with_id(id(1), Expiry::Default)
            .unwrap();
        assert_eq!(session.id(), id(1));
        assert!(session.is_empty().unwrap());
        let scene = scene.after(fate);
        let session = scene.handle(&id(1));
        assert!(session.is_empty().unwrap(), "{fate}");
        assert_eq!(session.expiry().unwrap(), Expiry::Default, "{fate}");
        assert_eq!(session.owner().unwrap(), None, "{fate}");
        let info = scene.info(&id(1));
        assert_eq!(
            (info.created, info.last_seen),
            (scene.now(), scene.now()),
            "{fate}"
        );
        assert_eq!(info.keys, 0, "{fate}");
        assert_eq!(scene.db.sessions().count(), 1, "{fate}");
        assert!(!scene.db.is_retired(id(1)).unwrap(), "{fate}");
        assert_eq!(scene.db.verify().unwrap().sessions, 1, "{fate}");
    }
}

#[test]
fn it_is_a_session_like_any_other() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let mut session = scene
            .db
            .create_session_with_id(id(1), Expiry::Default)
            .unwrap();
        session.set("user", &1).unwrap();
        session.set_owner(Some("user:42")).unwrap();
        scene.handle(&id(1)).set("cart", &2).unwrap();
        let scene_id = session.id();
        assert_eq!(scene_id, id(1));
        let new = session.cycle_id().unwrap();
        let scene = scene.after(fate);
        let session = scene.handle(&new);
        assert_eq!(
            contents(&session),
            named(&[("cart", 2), ("user", 1)]),
            "{fate}"
        );
        assert_eq!(scene.db.sessions_of("user:42").unwrap().len(), 1, "{fate}");
        assert!(scene.db.is_retired(id(1)).unwrap(), "{fate}");
    }
}

#[test]
fn it_has_the_expiry_it_was_made_with() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let start = scene.now();
        let expiries = [
            (Expiry::Default, start + IDLE),
            (Expiry::Idle(5 * SECOND), start + 5 * SECOND),
            (Expiry::Idle(INSTANT), start + INSTANT),
            (Expiry::At(start + 7 * IDLE), start + 7 * IDLE),
            (Expiry::BrowserSession, start + IDLE),
        ];
        for (number, (expiry, _)) in (1..).zip(&expiries) {
            scene
                .db
                .create_session_with_id(id(number), *expiry)
                .unwrap();
        }
        let scene = scene.after(fate);
        for (number, (expiry, end)) in (1..).zip(&expiries) {
            let session = scene.handle(&id(number));
            assert_eq!(session.expiry().unwrap(), *expiry, "{fate}");
            assert_eq!(session.expires_at().unwrap(), Some(*end), "{fate}");
            assert_eq!(scene.info(&id(number)).expires_at, Some(*end), "{fate}");
        }
        for (number, (expiry, end)) in (1..).zip(&expiries) {
            if *end <= start + IDLE {
                scene.clock.set(*end);
                assert!(!scene.is_open(&id(number)), "{expiry:?}, {fate}");
            }
        }
    }
}

#[test]
fn the_absolute_timeout_counts_from_its_creation() {
    fn absolute(builder: Builder) -> Builder {
        builder.absolute_timeout(Some(IDLE / 2))
    }
    for fate in Fate::ALL {
        let scene = Scene::with(absolute);
        let end = scene.now() + IDLE / 2;
        let session = scene
            .db
            .create_session_with_id(id(1), Expiry::Default)
            .unwrap();
        scene.wait(IDLE / 4);
        // Its first value is not its beginning.
        session.set("user", &1).unwrap();
        let scene = scene.after(fate);
        assert_eq!(
            scene.handle(&id(1)).expires_at().unwrap(),
            Some(end),
            "{fate}"
        );
    }
}

#[test]
fn one_whose_time_is_over_already_is_not_made() {
    for expiry in [
        Expiry::Idle(Duration::ZERO),
        Expiry::At(Scene::new().now()),
        Expiry::At(Scene::new().now() - SECOND),
    ] {
        for fate in Fate::ALL {
            let scene = Scene::new();
            scene.writes_nothing("a creation too late", || {
                is_gone(scene.db.create_session_with_id(id(1), expiry));
            });
            assert!(!scene.is_open(&id(1)), "{expiry:?}");
            assert!(
                !scene.db.is_retired(id(1)).unwrap(),
                "it never was: {expiry:?}"
            );
            let scene = scene.after(fate);
            // Nothing stands in the way of one that is made in time.
            scene
                .db
                .create_session_with_id(id(1), Expiry::Default)
                .unwrap();
            is_taken(&scene, &id(1));
        }
    }
}

#[test]
fn it_costs_one_small_frame() {
    let scene = Scene::new();
    let session = scene.written();
    let before = scene.db.stats().journal_live_bytes;
    session.set("user", &2).unwrap();
    let write = scene.db.stats().journal_live_bytes - before;
    let before = scene.db.stats().journal_live_bytes;
    scene
        .db
        .create_session_with_id(id(1), Expiry::Default)
        .unwrap();
    let creation = scene.db.stats().journal_live_bytes - before;
    assert!(
        creation > 0 && creation < 2 * write + 128,
        "{creation} bytes"
    );
}

#[test]
fn it_is_not_made_in_a_closure() {
    let scene = Scene::new();
    let session = scene.written();
    let refused = session.transaction(|tx| {
        tx.set("user", &2)?;
        scene
            .db
            .create_session_with_id(id(1), Expiry::Default)
            .map(drop)
    });
    assert!(matches!(refused, Err(Error::Reentrant)), "{refused:?}");
    assert!(!scene.is_open(&id(1)));
    scene.db.close().unwrap();
    let refused = scene.db.create_session_with_id(id(1), Expiry::Default);
    assert!(matches!(refused, Err(Error::Closed)), "{refused:?}");
}
