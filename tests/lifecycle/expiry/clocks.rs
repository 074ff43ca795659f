//! A clock that jumps, backwards above all, harms nothing: neither within the
//! process nor over an open.

use std::time::{Duration, UNIX_EPOCH};

use sessiondb::{Expiry, ManualClock, SimulatedDisk};
use std::sync::Arc;

use crate::operations::{WRITES, prepare};
use crate::support::{DAY, Fate, IDLE, INSTANT, SECOND, Scene, contents, is_gone, named};

#[test]
fn what_has_expired_does_not_come_back_when_the_clock_does() {
    let scene = Scene::new();
    let session = scene.written();
    session.set_expiry(Expiry::Idle(2 * IDLE)).unwrap();
    session.set_with_ttl("otp", &1, IDLE).unwrap();
    let expired = scene.written();
    let start = scene.now();
    scene.wait(IDLE);
    // Somebody sees that it is so late.
    assert_eq!(session.get::<i64>("otp").unwrap(), None);
    is_gone(expired.get::<i64>("user"));
    for back in [IDLE - INSTANT, IDLE, 100 * IDLE] {
        scene.clock.set(start + IDLE - back);
        assert!(!scene.is_open(&expired.id()));
        is_gone(expired.set("user", &2));
        assert!(scene.db.is_retired(expired.id()).unwrap());
        assert_eq!(session.get::<i64>("otp").unwrap(), None);
        assert!(!session.contains_key("otp").unwrap());
    }
}

#[test]
fn writes_go_on_and_no_session_ends_earlier() {
    for jump in [INSTANT, IDLE, 1000 * DAY] {
        let scene = Scene::new();
        let mut session = scene.written();
        prepare(&session);
        let start = scene.now();
        scene.clock.set(start - jump);
        for (name, write) in WRITES {
            write(&mut session);
            let end = session.expires_at().unwrap();
            assert!(end >= Some(start + IDLE), "{name}, back by {jump:?}");
            let info = scene.info(&session.id());
            assert!(info.last_seen >= start, "{name}, back by {jump:?}");
        }
        let born = scene.written();
        assert!(scene.info(&born.id()).created >= start);
        session.touch().unwrap();
        scene.db.checkpoint().unwrap();
        assert_eq!(scene.db.purge_expired().unwrap(), 0);
        assert_eq!(born.get("user").unwrap(), Some(1));
        scene.is_sound();
    }
}

#[test]
fn time_goes_on_when_the_clock_has_caught_up() {
    let scene = Scene::new();
    let session = scene.written();
    let start = scene.now();
    scene.clock.set(start - IDLE);
    session.set("user", &2).unwrap();
    scene.wait(IDLE / 2);
    session.set("user", &3).unwrap();
    // It is still as late as it was.
    assert_eq!(session.expires_at().unwrap(), Some(start + IDLE));
    scene.clock.set(start + SECOND);
    session.set("user", &4).unwrap();
    assert_eq!(session.expires_at().unwrap(), Some(start + SECOND + IDLE));
}

#[test]
fn over_an_open_no_session_is_lost() {
    for fate in Fate::ALL {
        for jump in [INSTANT, IDLE, 1000 * DAY] {
            let scene = Scene::new();
            let mut dead = scene.written();
            let lives = scene.written();
            let at = scene.with_expiry(Expiry::At(scene.now() + IDLE)).id();
            let (id, old) = (lives.id(), dead.id());
            dead.flush().unwrap();
            let start = scene.now();
            scene.clock.set(start - jump);
            let scene = scene.after(fate).after(Fate::Reopened);
            assert!(scene.db.is_retired(old).unwrap(), "{fate}, {jump:?}");
            assert!(!scene.is_open(&old), "{fate}, {jump:?}");
            assert_eq!(scene.db.purge_expired().unwrap(), 0, "{fate}, {jump:?}");
            assert!(scene.is_open(&at), "{fate}, {jump:?}");
            let session = scene.handle(&id);
            session.touch().unwrap();
            session.set("again", &2).unwrap();
            let expected = named(&[("again", 2), ("user", 1)]);
            assert_eq!(contents(&session), expected, "{fate}, {jump:?}");
            let end = session.expires_at().unwrap();
            assert!(end >= Some(scene.now() + IDLE), "{fate}, {jump:?}");
            let info = scene.info(&id);
            assert!(info.created <= info.last_seen, "{fate}, {jump:?}: {info:?}");
            // It still ends one day, at the latest when it would have ended.
            scene.clock.set(start + IDLE);
            assert!(!scene.is_open(&id), "{fate}, {jump:?}");
            assert_eq!(scene.db.purge_expired().unwrap(), 2, "{fate}, {jump:?}");
            scene.is_sound();
        }
    }
}

#[test]
fn a_jump_forward_and_back_over_an_open_keeps_who_was_written_after_it() {
    let scene = Scene::new();
    let start = scene.now();
    scene.wait(1000 * DAY);
    let id = scene.written().id();
    scene.clock.set(start);
    let scene = scene.reopened();
    let session = scene.handle(&id);
    assert_eq!(session.get("user").unwrap(), Some(1));
    session.set("user", &2).unwrap();
    session.touch().unwrap();
    let scene = scene.after(Fate::CheckpointedIndexLost);
    assert_eq!(scene.handle(&id).get("user").unwrap(), Some(2));
    scene.is_sound();
}

#[test]
fn a_clock_before_the_epoch_counts_as_the_epoch() {
    let before = UNIX_EPOCH - Duration::from_secs(1_000_000);
    let clock = Arc::new(ManualClock::new(before));
    let disk = SimulatedDisk::new(1).unwrap();
    let scene = Scene::on(disk, clock, |builder| builder);
    let session = scene.written();
    assert_eq!(session.expires_at().unwrap(), Some(UNIX_EPOCH + IDLE));
    let id = session.id();
    let scene = scene.reopened();
    scene.clock.set(UNIX_EPOCH + IDLE - INSTANT);
    assert_eq!(scene.handle(&id).get("user").unwrap(), Some(1));
    scene.wait(INSTANT);
    assert!(!scene.is_open(&id));
}
