//! Hints are for whole seconds; sessions are over when they are.

use std::time::Duration;

use super::{HOUR, Scene};
use crate::engine::expiry::hint_time;
use crate::format::identity::Timestamp;

const PART: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);

/// A scene in which a second is three tenths old.
fn within_a_second() -> Scene {
    let scene = Scene::new();
    assert_eq!(scene.later(Duration::ZERO).0 % 1_000_000_000, 0);
    scene.clock.advance(3 * PART);
    scene
}

#[test]
fn a_hint_is_at_the_whole_second_after_the_expiry() {
    let scene = within_a_second();
    let digest = scene.session().id().digest();
    scene.db.checkpoint().unwrap();
    assert_eq!(scene.hints(), [(scene.later(HOUR + 7 * PART), digest)]);
    scene.db.verify().unwrap();
}

#[test]
fn the_background_looks_when_the_second_is_over() {
    let scene = within_a_second();
    let session = scene.session();
    scene.db.checkpoint().unwrap();
    scene.clock.advance(HOUR + 6 * PART);
    assert!(session.len().is_err(), "it is over for everybody else");
    assert_eq!(scene.step(), 0);
    scene.clock.advance(PART);
    assert_eq!(scene.step(), 1);
}

#[test]
fn purge_expired_does_not_wait_for_the_second() {
    let scene = within_a_second();
    scene.session();
    scene.db.checkpoint().unwrap();
    scene
        .clock
        .advance(HOUR.saturating_sub(Duration::from_nanos(1)));
    assert_eq!(scene.db.purge_expired().unwrap(), 0);
    scene.clock.advance(Duration::from_nanos(1));
    assert_eq!(scene.db.purge_expired().unwrap(), 1);
}

#[test]
fn purge_expired_leaves_what_is_over_later_in_the_second() {
    let scene = within_a_second();
    let first = scene.session();
    scene.clock.advance(3 * PART);
    let second = scene.session();
    scene.db.checkpoint().unwrap();
    let hint = scene.hint(second.id().digest());
    assert_eq!(hint.0, scene.hint(first.id().digest()).0, "one group");
    scene.clock.advance(HOUR.saturating_sub(2 * PART));
    assert_eq!(scene.db.purge_expired().unwrap(), 1);
    assert_eq!(second.get::<i32>("a").unwrap(), Some(1));
    assert_eq!(scene.hint(second.id().digest()), hint);
    assert!(scene.hints().contains(&hint));
    scene.db.verify().unwrap();
    scene.clock.advance(2 * PART);
    assert_eq!(scene.db.purge_expired().unwrap(), 1);
}

#[test]
fn a_look_ahead_leaves_a_session_that_was_renewed_to_its_second() {
    let scene = within_a_second();
    let session = scene.session();
    scene.db.checkpoint().unwrap();
    let hint = scene.hint(session.id().digest());
    scene.clock.advance(HOUR / 2);
    session.touch().unwrap();
    let expires_at = scene.later(HOUR + 7 * PART);
    scene.clock.advance(HOUR / 2);
    assert_eq!(scene.db.purge_expired().unwrap(), 0);
    assert_eq!(scene.hints(), [hint]);
    scene.clock.advance(SECOND);
    assert_eq!(scene.db.purge_expired().unwrap(), 0);
    assert_eq!(scene.hints(), [(expires_at, session.id().digest())]);
}

#[test]
fn times_are_rounded_up_to_the_end_of_time() {
    let second = 1_000_000_000;
    for (at, hint) in [
        (0, 0),
        (1, second),
        (second, second),
        (second + 1, 2 * second),
        (u64::MAX, u64::MAX),
    ] {
        assert_eq!(hint_time(Timestamp(at)), Timestamp(hint), "{at}");
    }
}

#[test]
fn a_hint_that_moves_into_a_group_of_this_second_stays_there() {
    let scene = Scene::new();
    let session = scene.session();
    scene.db.checkpoint().unwrap();
    scene.clock.advance(HOUR / 2 + 7 * PART);
    session.touch().unwrap();
    scene.db.checkpoint().unwrap();
    scene.clock.advance(HOUR.saturating_sub(2 * PART));
    let hint = (scene.later(5 * PART), session.id().digest());
    // It was in that group before.
    scene.index().put_hints(vec![hint]).unwrap();
    assert_eq!(scene.db.purge_expired().unwrap(), 0);
    assert_eq!(scene.hint(hint.1), hint);
    assert_eq!(scene.hints(), [hint]);
    scene.db.verify().unwrap();
}
