//! Keys that are there for a limited time.

mod absent;
mod bytes;
mod iteration;
mod kept;
mod lasting;
mod sessions;
mod transactions;
mod zero;

use std::time::Duration;

use sessiondb::Session;

use crate::support::{Fate, INSTANT, Scene, named};

/// Shorter than the session's idle timeout.
const TTL: Duration = Duration::from_secs(60);

/// A session with a key, `otp`, that is there for [`TTL`], and another one.
fn limited(scene: &Scene) -> Session {
    let session = scene.written();
    session.set_with_ttl("otp", &7, TTL).unwrap();
    session
}

/// The session after every fate, at a moment when `otp` has just expired.
fn each_expired() -> impl Iterator<Item = (Fate, Scene, Session)> {
    Fate::ALL.into_iter().map(|fate| {
        let scene = Scene::new();
        let id = limited(&scene).id();
        let scene = scene.after(fate);
        scene.wait(TTL);
        let session = scene.handle(&id);
        (fate, scene, session)
    })
}

/// Asserts that a key is there for exactly so long.
#[track_caller]
fn expires_in(scene: &Scene, session: &Session, key: &str, time: Duration) {
    scene.wait(time - INSTANT);
    assert!(session.contains_key(key).unwrap(), "it went too early");
    scene.wait(INSTANT);
    assert!(!session.contains_key(key).unwrap(), "it is still there");
}

/// Asserts what a session of integers holds, in whatever way it is asked.
#[track_caller]
fn holds(session: &Session, expected: &[(&str, i64)]) {
    assert_eq!(crate::support::contents(session), named(expected));
    assert_eq!(session.len().unwrap(), expected.len());
    assert_eq!(session.is_empty().unwrap(), expected.is_empty());
    let keys: Vec<String> = session.keys().unwrap().map(Result::unwrap).collect();
    let names: Vec<&str> = expected.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, names);
}
