//! An expiry that is past already destroys the session, one that was never
//! written too.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sessiondb::{Builder, Error, Expiry};

use crate::operations::{attempts, reads};
use crate::support::{Fate, INSTANT, SECOND, Scene, is_gone};

/// Expiries that are past.
fn past(now: SystemTime) -> [Expiry; 5] {
    [
        Expiry::At(now),
        Expiry::At(now - INSTANT),
        Expiry::At(UNIX_EPOCH),
        Expiry::At(UNIX_EPOCH - 5 * SECOND),
        Expiry::Idle(Duration::ZERO),
    ]
}

#[test]
fn it_destroys_a_session_for_every_handle_and_for_good() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let mut ids = Vec::new();
        for settled in [false, true] {
            for expiry in past(scene.now()) {
                let mut session = scene.written();
                if settled {
                    scene.db.checkpoint().unwrap();
                }
                let mut other = scene.handle(&session.id());
                session.set_expiry(expiry).unwrap();
                for handle in [&mut session, &mut other] {
                    for (name, answer) in reads(handle).into_iter().chain(attempts(handle)) {
                        assert!(
                            matches!(answer, Err(Error::SessionGone)),
                            "{name} after {expiry:?}: {answer:?}"
                        );
                    }
                }
                ids.push(session.id());
            }
        }
        let scene = scene.after(fate);
        for id in &ids {
            assert!(!scene.is_open(id), "{fate}");
            assert!(scene.db.is_retired(*id).unwrap(), "{fate}");
        }
        assert_eq!(scene.db.verify().unwrap().sessions, 0, "{fate}");
        assert_eq!(
            scene.db.purge_expired().unwrap(),
            0,
            "{fate}: nothing was left"
        );
    }
}

#[test]
fn it_ends_the_handle_of_a_session_that_was_never_written() {
    for number in 0..past(UNIX_EPOCH).len() {
        let scene = Scene::new();
        let expiry = past(scene.now())[number];
        let mut session = scene.db.create_session();
        scene.writes_nothing("destroying what is not there", || {
            session.set_expiry(expiry).unwrap();
        });
        for (name, answer) in reads(&session).into_iter().chain(attempts(&mut session)) {
            assert!(
                matches!(answer, Err(Error::SessionGone)),
                "{name} after {expiry:?}: {answer:?}"
            );
        }
        assert!(!scene.db.is_retired(session.id()).unwrap(), "it never was");
        assert_eq!(scene.db.sessions().count(), 0);
    }
}

#[test]
fn the_handle_may_be_flushed_and_used_again() {
    for written in [true, false] {
        let scene = Scene::new();
        let mut session = scene.db.create_session();
        if written {
            session.set("user", &1).unwrap();
        }
        session.set_expiry(Expiry::At(scene.now())).unwrap();
        let new = scene.writes_nothing("flushing what is gone", || session.flush().unwrap());
        session.set("user", &2).unwrap();
        assert_eq!(scene.handle(&new).get("user").unwrap(), Some(2));
        assert_eq!(session.expiry().unwrap(), Expiry::Default);
        session.set_expiry(Expiry::At(scene.now())).unwrap();
        scene.writes_nothing("destroying what is gone", || session.destroy().unwrap());
    }
}

#[test]
fn in_a_transaction_it_comes_instead_of_all_else() {
    for fate in Fate::ALL {
        for written in [true, false] {
            let scene = Scene::new();
            let session = scene.db.create_session();
            if written {
                session.set("user", &1).unwrap();
            }
            let done = session.transaction(|tx| {
                tx.set("secret", "never written")?;
                tx.set_owner(Some("user:42"))?;
                tx.set_expiry(Expiry::At(scene.now()));
                tx.set("secret", "never written either")
            });
            done.unwrap();
            is_gone(session.get::<String>("secret"));
            let id = session.id();
            let scene = scene.after(fate);
            assert!(!scene.is_open(&id), "{fate}");
            assert_eq!(scene.db.is_retired(id).unwrap(), written, "{fate}");
            assert_eq!(scene.db.sessions_of("user:42").unwrap(), [], "{fate}");
            assert_eq!(scene.times_in_segments("never written"), 0, "{fate}");
        }
    }
}

#[test]
fn a_later_one_in_the_same_transaction_takes_it_back() {
    let scene = Scene::new();
    let session = scene.written();
    let done = session.transaction(|tx| {
        tx.set_expiry(Expiry::At(scene.now()));
        tx.set_expiry(Expiry::Idle(SECOND));
        Ok(())
    });
    done.unwrap();
    assert_eq!(session.expires_at().unwrap(), Some(scene.now() + SECOND));
}

#[test]
fn in_a_transaction_that_fails_it_destroys_nothing() {
    let scene = Scene::new();
    let session = scene.written();
    let failed = session.transaction(|tx| {
        tx.set_expiry(Expiry::At(scene.now()));
        tx.delete("absent")
    });
    assert!(matches!(failed, Err(Error::KeyNotFound { .. })));
    assert_eq!(session.get("user").unwrap(), Some(1));
    assert_eq!(session.expiry().unwrap(), Expiry::Default);
}

#[test]
fn at_a_login_it_leaves_neither_id_alive() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let mut session = scene.written();
        let old = session.id();
        // Whether this is an error is of no interest; nobody is logged in.
        let _ = session.cycle_id_with(|tx| {
            tx.set("user", &2)?;
            tx.set_expiry(Expiry::At(scene.now()));
            Ok(())
        });
        is_gone(session.get::<i64>("user"));
        let new = session.id();
        let scene = scene.after(fate);
        assert!(!scene.is_open(&old), "{fate}");
        assert!(!scene.is_open(&new), "{fate}");
        assert!(scene.db.is_retired(old).unwrap(), "{fate}");
        assert_eq!(scene.db.verify().unwrap().sessions, 0, "{fate}");
    }
}

#[test]
fn at_a_logout_it_leaves_neither_id_alive() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let mut session = scene.written();
        let old = session.id();
        let _ = session.flush_with(|tx| {
            tx.set("message", &2)?;
            tx.set_expiry(Expiry::At(scene.now()));
            Ok(())
        });
        let new = session.id();
        let scene = scene.after(fate);
        assert!(!scene.is_open(&old), "{fate}");
        assert!(!scene.is_open(&new), "{fate}");
        assert!(scene.db.is_retired(old).unwrap(), "{fate}");
        assert_eq!(scene.db.verify().unwrap().sessions, 0, "{fate}");
    }
}

#[test]
fn a_default_that_is_past_destroys_too() {
    fn absolute(builder: Builder) -> Builder {
        builder.idle_timeout(Some(Duration::ZERO))
    }
    let scene = Scene::new();
    let session = scene.with_expiry(Expiry::Idle(5 * SECOND));
    let id = session.id();
    let scene = scene.reopened_with(absolute);
    let session = scene.handle(&id);
    session.set_expiry(Expiry::Default).unwrap();
    is_gone(session.get::<i64>("user"));
    assert!(!scene.is_open(&id));
    assert!(scene.db.is_retired(id).unwrap());
}
