//! What is known of a session by its public name.

use std::time::Duration;

use sessiondb::{Clock as _, Expiry, SessionDigest, SessionId};

use crate::support::{IDLE, OTHER, OWNER, Place, Scene, everywhere};

#[test]
fn a_look_tells_when_a_session_was_made_and_seen_and_to_whom_it_belongs() {
    let start = Scene::new().clock.now();
    everywhere(
        |scene| {
            let session = scene.born(Some(OWNER));
            scene.clock.advance(Duration::from_secs(10));
            session.set("page", "/").unwrap();
            session.id()
        },
        |scene, id, what| {
            let info = scene.db.inspect(&id.digest()).unwrap().expect(what);
            assert_eq!(info.digest, id.digest(), "{what}");
            assert_eq!(info.created, start + Duration::from_secs(1), "{what}");
            assert_eq!(info.last_seen, start + Duration::from_secs(11), "{what}");
            assert_eq!(info.expires_at, Some(info.last_seen + IDLE), "{what}");
            assert_eq!(info.owner.as_deref(), Some(OWNER), "{what}");
        },
    );
}

#[test]
fn keys_and_bytes_are_as_of_the_last_checkpoint() {
    let scene = Scene::new();
    let session = scene.born(Some(OWNER));
    session.set("page", "/").unwrap();
    let digest = session.id().digest();
    let look = |scene: &Scene| {
        let info = scene.db.inspect(&digest).unwrap().unwrap();
        (info.keys, info.bytes)
    };
    assert_eq!(look(&scene), (0, 0));
    scene.db.checkpoint().unwrap();
    let (keys, bytes) = look(&scene);
    assert_eq!(keys, 2);
    // At least the keys, "ada" and "/".
    assert!((12..60).contains(&bytes), "{bytes}");
    session.set("long", &"x".repeat(1000)).unwrap();
    assert_eq!(look(&scene), (keys, bytes));
    scene.db.checkpoint().unwrap();
    let (keys, more) = look(&scene);
    assert_eq!(keys, 3);
    assert!((bytes + 1004..bytes + 1030).contains(&more), "{more}");
    drop(session);
    let scene = scene.at(Place::Rebuilt);
    assert_eq!(look(&scene), (keys, more));
}

#[test]
fn a_look_follows_every_change() {
    let scene = Scene::new();
    let session = scene.born(None);
    let digest = session.id().digest();
    let look = || scene.db.inspect(&digest).unwrap().expect("alive");
    assert_eq!(look().owner, None);
    session.set_owner(Some(OTHER)).unwrap();
    assert_eq!(look().owner.as_deref(), Some(OTHER));
    scene.db.checkpoint().unwrap();
    session.set_owner(Some(OWNER)).unwrap();
    assert_eq!(look().owner.as_deref(), Some(OWNER));
    session.set_expiry(Expiry::Idle(IDLE / 4)).unwrap();
    assert_eq!(look().expires_at, session.expires_at().unwrap());
    scene.clock.advance(IDLE / 8);
    session.touch().unwrap();
    assert_eq!(look().last_seen, scene.clock.now());
    let created = look().created;
    session.clear().unwrap();
    assert_eq!(look().created, created);
    assert_eq!(look().owner.as_deref(), Some(OWNER));
}

#[test]
fn there_is_nothing_to_be_told_of_what_is_not_there() {
    everywhere(
        |scene| {
            let mut flushed = scene.born(Some(OWNER));
            let mut cycled = scene.born(Some(OWNER));
            let expired = scene.born(Some(OWNER));
            expired.set_expiry(Expiry::Idle(IDLE / 2)).unwrap();
            let mut dead = vec![flushed.id(), cycled.id(), expired.id()];
            dead.push(scene.db.create_session().id());
            flushed.flush().unwrap();
            dead.push(flushed.id());
            dead.push(SessionId::from_bytes([7; 16]));
            cycled.cycle_id().unwrap();
            scene.clock.advance(IDLE / 2);
            (dead, cycled.id())
        },
        |scene, (dead, cycled), what| {
            for id in &dead {
                assert_eq!(scene.db.inspect(&id.digest()).unwrap(), None, "{what}");
            }
            let found = scene.db.inspect(&cycled.digest()).unwrap();
            assert_eq!(found.expect(what).owner.as_deref(), Some(OWNER), "{what}");
        },
    );
}

#[test]
fn a_look_neither_writes_nor_renews() {
    everywhere(
        |scene| scene.born(Some(OWNER)).id(),
        |scene, id, what| {
            let before = scene.db.inspect(&id.digest()).unwrap();
            scene.clock.advance(IDLE / 2);
            let after = scene.writes_nothing(what, || scene.db.inspect(&id.digest()).unwrap());
            assert_eq!(after, before, "{what}");
            scene.clock.advance(IDLE / 2);
            assert_eq!(scene.db.inspect(&id.digest()).unwrap(), None, "{what}");
        },
    );
}

#[test]
fn a_public_name_may_be_written_down_and_used_later() {
    everywhere(
        |scene| scene.born(Some(OWNER)).id(),
        |scene, id, what| {
            let text = scene.db.sessions_of(OWNER).unwrap()[0].digest.to_string();
            let digest: SessionDigest = text.parse().unwrap();
            assert!(scene.db.inspect(&digest).unwrap().is_some(), "{what}");
            assert!(scene.db.revoke(digest).unwrap(), "{what}");
            scene.assert_gone(&id, what);
        },
    );
}
