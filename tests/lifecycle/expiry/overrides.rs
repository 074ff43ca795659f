//! A session may have an expiry of its own.

use std::time::{Duration, UNIX_EPOCH};

use sessiondb::{Builder, Error, Expiry};

use crate::support::{Fate, IDLE, INSTANT, SECOND, Scene, contents, named};

#[test]
fn an_idle_time_of_its_own_may_be_shorter_or_longer() {
    for idle in [SECOND, IDLE / 2, 2 * IDLE, 1000 * IDLE] {
        for fate in Fate::ALL {
            let scene = Scene::new();
            let id = scene.with_expiry(Expiry::Idle(idle)).id();
            let scene = scene.after(fate);
            let expires_at = scene.handle(&id).expires_at().unwrap();
            assert_eq!(expires_at, Some(scene.now() + idle), "{idle:?}, {fate}");
            scene.wait(idle - INSTANT);
            assert!(scene.is_open(&id), "{idle:?}, {fate}");
            scene.wait(INSTANT);
            assert!(!scene.is_open(&id), "{idle:?}, {fate}");
        }
    }
}

#[test]
fn a_time_of_its_own_may_be_before_or_after_the_idle_end() {
    for distance in [SECOND, IDLE / 2, 2 * IDLE, 1000 * IDLE] {
        for fate in Fate::ALL {
            let scene = Scene::new();
            let end = scene.now() + distance;
            let id = scene.with_expiry(Expiry::At(end)).id();
            let scene = scene.after(fate);
            let expires_at = scene.handle(&id).expires_at().unwrap();
            assert_eq!(expires_at, Some(end), "{distance:?}, {fate}");
            scene.wait(distance - INSTANT);
            assert!(scene.is_open(&id), "{distance:?}, {fate}");
            scene.wait(INSTANT);
            assert!(!scene.is_open(&id), "{distance:?}, {fate}");
        }
    }
}

#[test]
fn nothing_moves_a_time_of_its_own() {
    let scene = Scene::new();
    let end = scene.now() + IDLE;
    let mut session = scene.with_expiry(Expiry::At(end));
    scene.wait(IDLE / 2);
    session.set("user", &2).unwrap();
    session.touch().unwrap();
    session.clear().unwrap();
    session.cycle_id().unwrap();
    assert_eq!(session.expires_at().unwrap(), Some(end));
    scene.wait(IDLE / 2);
    assert!(!scene.is_open(&session.id()));
}

#[test]
fn where_sessions_do_not_expire_one_may_all_the_same() {
    fn neither(builder: Builder) -> Builder {
        builder.idle_timeout(None)
    }
    for fate in Fate::ALL {
        let scene = Scene::with(neither);
        let end = scene.now() + IDLE;
        let idle = scene.with_expiry(Expiry::Idle(IDLE)).id();
        let at = scene.with_expiry(Expiry::At(end)).id();
        let browser = scene.with_expiry(Expiry::BrowserSession).id();
        let scene = scene.after(fate);
        for (id, expected) in [(&idle, Some(end)), (&at, Some(end)), (&browser, None)] {
            assert_eq!(scene.handle(id).expires_at().unwrap(), expected, "{fate}");
        }
        scene.wait(IDLE);
        assert!(!scene.is_open(&idle), "{fate}");
        assert!(!scene.is_open(&at), "{fate}");
        assert!(scene.is_open(&browser), "{fate}");
    }
}

#[test]
fn the_last_one_counts() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.with_expiry(Expiry::At(scene.now() + SECOND));
        for expiry in [
            Expiry::BrowserSession,
            Expiry::Idle(SECOND),
            Expiry::Default,
            Expiry::Idle(5 * SECOND),
        ] {
            session.set_expiry(expiry).unwrap();
            assert_eq!(session.expiry().unwrap(), expiry);
        }
        let done = session.transaction(|tx| {
            tx.set_expiry(Expiry::BrowserSession);
            tx.set_expiry(Expiry::Idle(7 * SECOND));
            Ok(())
        });
        done.unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        let expiry = scene.handle(&id).expiry().unwrap();
        assert_eq!(expiry, Expiry::Idle(7 * SECOND), "{fate}");
    }
}

#[test]
fn in_a_transaction_it_is_set_with_the_values_or_not_at_all() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.written();
        let failed = session.transaction(|tx| {
            tx.set("remember", &1)?;
            tx.set_expiry(Expiry::Idle(5 * IDLE));
            tx.delete("absent")
        });
        assert!(matches!(failed, Err(Error::KeyNotFound { .. })));
        assert_eq!(session.expiry().unwrap(), Expiry::Default);
        let done = session.transaction(|tx| {
            tx.set("remember", &1)?;
            tx.set_expiry(Expiry::Idle(5 * IDLE));
            Ok(())
        });
        done.unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        let session = scene.handle(&id);
        assert_eq!(session.expiry().unwrap(), Expiry::Idle(5 * IDLE), "{fate}");
        assert_eq!(
            contents(&session),
            named(&[("remember", 1), ("user", 1)]),
            "{fate}"
        );
    }
}

#[test]
fn clearing_and_cycling_keep_it_and_flushing_drops_it() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let own = Expiry::Idle(5 * SECOND);
        let cleared = scene.with_expiry(own);
        cleared.clear().unwrap();
        let mut cycled = scene.with_expiry(own);
        cycled.cycle_id().unwrap();
        let mut cycled_with = scene.with_expiry(own);
        cycled_with
            .cycle_id_with(|tx| {
                tx.set("too early", &1)?;
                tx.clear()
            })
            .unwrap();
        let mut flushed = scene.with_expiry(own);
        flushed.flush().unwrap();
        flushed.set("user", &1).unwrap();
        let mut replaced = scene.with_expiry(own);
        replaced.flush_with(|tx| tx.set("user", &1)).unwrap();
        let kept = [cleared.id(), cycled.id(), cycled_with.id()];
        let dropped = [flushed.id(), replaced.id()];
        let scene = scene.after(fate);
        for id in &kept {
            assert_eq!(scene.handle(id).expiry().unwrap(), own, "{fate}");
        }
        for id in &dropped {
            assert_eq!(
                scene.handle(id).expiry().unwrap(),
                Expiry::Default,
                "{fate}"
            );
        }
    }
}

#[test]
fn more_time_than_there_is_counts_as_all_of_it() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let century = Duration::from_secs(100 * 365 * 86_400);
        let idle = scene.with_expiry(Expiry::Idle(Duration::MAX)).id();
        let end = UNIX_EPOCH + Duration::from_secs(1 << 40);
        let at = scene.with_expiry(Expiry::At(end)).id();
        let scene = scene.after(fate);
        scene.wait(century);
        for id in [&idle, &at] {
            let session = scene.handle(id);
            let expires_at = session.expires_at().unwrap();
            assert!(expires_at > Some(scene.now() + century), "{fate}");
            session.set("user", &2).unwrap();
            session.touch().unwrap();
        }
        assert_eq!(scene.db.purge_expired().unwrap(), 0, "{fate}");
        scene.is_sound();
    }
}
