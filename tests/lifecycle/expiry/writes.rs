//! Every write renews, to the nanosecond.

use sessiondb::Expiry;

use crate::operations::{WRITES, prepare};
use crate::support::{Fate, IDLE, INSTANT, Scene};

#[test]
fn every_write_renews_exactly() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.written();
        prepare(&session);
        let id = session.id();
        let scene = scene.after(fate);
        let mut session = scene.handle(&id);
        for (name, write) in WRITES {
            // Nowhere near what a touch would be throttled by.
            scene.wait(INSTANT);
            write(&mut session);
            let end = Some(scene.now() + IDLE);
            assert_eq!(session.expires_at().unwrap(), end, "{name}, {fate}");
            let info = scene.info(&session.id());
            assert_eq!(info.last_seen, scene.now(), "{name}, {fate}");
            assert_eq!(info.expires_at, end, "{name}, {fate}");
        }
    }
}

#[test]
fn a_session_that_is_written_in_time_lives_on_and_on() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.written();
        for number in 0..20 {
            scene.wait(IDLE - INSTANT);
            session.set("user", &number).unwrap();
            if number == 10 {
                scene.db.checkpoint().unwrap();
            }
        }
        let id = session.id();
        let scene = scene.after(fate);
        let expires_at = scene.handle(&id).expires_at().unwrap();
        assert_eq!(expires_at, Some(scene.now() + IDLE), "{fate}");
        scene.wait(IDLE - INSTANT);
        assert_eq!(scene.db.purge_expired().unwrap(), 0, "{fate}");
        assert!(scene.is_open(&id), "{fate}");
        scene.wait(INSTANT);
        assert_eq!(scene.db.purge_expired().unwrap(), 1, "{fate}");
    }
}

#[test]
fn a_write_renews_an_idle_time_of_its_own() {
    let scene = Scene::new();
    let session = scene.with_expiry(Expiry::Idle(3 * IDLE));
    scene.wait(3 * IDLE - INSTANT);
    session.set("user", &2).unwrap();
    assert_eq!(session.expires_at().unwrap(), Some(scene.now() + 3 * IDLE));
}

#[test]
fn a_transaction_that_fails_does_not_renew() {
    let scene = Scene::new();
    let mut session = scene.written();
    let end = scene.now() + IDLE;
    scene.wait(IDLE / 2);
    scene.writes_nothing("what fails", || {
        assert!(session.delete("absent").is_err());
        let failed = session.transaction(|tx| {
            tx.set("user", &2)?;
            tx.delete("absent")
        });
        assert!(failed.is_err());
        assert!(session.cycle_id_with(|tx| tx.delete("absent")).is_err());
        assert!(session.set("", &1).is_err());
    });
    assert_eq!(session.expires_at().unwrap(), Some(end));
}

#[test]
fn the_creation_is_when_the_first_value_was_written() {
    let scene = Scene::new();
    let mut session = scene.db.create_session();
    scene.wait(10 * IDLE);
    session.set("user", &1).unwrap();
    let created = scene.now();
    for (_, write) in &WRITES[..3] {
        scene.wait(IDLE / 2);
        write(&mut session);
    }
    let info = scene.info(&session.id());
    assert_eq!((info.created, info.last_seen), (created, scene.now()));
}
