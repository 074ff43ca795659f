//! Which sessions an owner has.

use std::time::Duration;

use sessiondb::{Expiry, Session, SessionId, SessionInfo};

use crate::support::{IDLE, OTHER, OWNER, Place, Scene, digests, everywhere};

#[test]
fn an_owners_sessions_come_the_one_seen_last_first() {
    everywhere(
        |scene| {
            let sessions: Vec<_> = (0..5).map(|_| scene.born(Some(OWNER))).collect();
            let mut order: Vec<_> = sessions.iter().map(Session::id).collect();
            // Seen again, in another order; a cycled one has its new name.
            for number in [3, 0] {
                scene.tick();
                sessions[number].set("page", "/").unwrap();
                let seen = order.remove(
                    order
                        .iter()
                        .position(|id| *id == sessions[number].id())
                        .unwrap(),
                );
                order.push(seen);
            }
            order.reverse();
            order
        },
        |scene, order: Vec<SessionId>, what| {
            let expected: Vec<_> = order.iter().map(SessionId::digest).collect();
            assert_eq!(digests(&scene.db, OWNER), expected, "{what}");
        },
    );
}

#[test]
fn what_is_told_of_a_session_is_what_it_says_itself() {
    everywhere(
        |scene| {
            let session = scene.born(Some(OWNER));
            scene.tick();
            session.set("cart", &[1, 2, 3]).unwrap();
            session.set_expiry(Expiry::Idle(IDLE / 2)).unwrap();
            session.id()
        },
        |scene, id, what| {
            let session = scene.session(&id);
            let told = scene.db.sessions_of(OWNER).unwrap();
            let [info] = &told[..] else {
                panic!("{what}: {told:?}");
            };
            assert_eq!(info.digest, id.digest(), "{what}");
            assert_eq!(info.owner, session.owner().unwrap(), "{what}");
            assert_eq!(info.expires_at, session.expires_at().unwrap(), "{what}");
            assert_eq!(info.expires_at, Some(info.last_seen + IDLE / 2), "{what}");
            assert_eq!(
                info.last_seen,
                info.created + Duration::from_secs(1),
                "{what}"
            );
            // And so do the other ways to ask.
            assert_eq!(scene.db.inspect(&id.digest()).unwrap().as_ref(), Some(info));
            let all: Vec<SessionInfo> = scene.db.sessions().map(Result::unwrap).collect();
            assert_eq!(all, told, "{what}");
        },
    );
}

#[test]
fn a_session_of_nobody_or_of_somebody_else_is_not_in_the_list() {
    everywhere(
        |scene| {
            scene.born(None);
            scene.born(Some(OTHER));
            scene.born(Some(OWNER)).id()
        },
        |scene, id, what| {
            scene.assert_owns(OWNER, &[id], what);
            assert_eq!(scene.db.sessions_of("nobody").unwrap(), [], "{what}");
        },
    );
}

#[test]
fn an_expired_session_is_not_in_the_list_purged_or_not() {
    everywhere(
        |scene| {
            let short = scene.born(Some(OWNER));
            short.set_expiry(Expiry::Idle(IDLE / 2)).unwrap();
            (short.id(), scene.born(Some(OWNER)).id())
        },
        |scene, (short, long), what| {
            scene.clock.advance(IDLE / 2);
            scene.assert_owns(OWNER, &[long], what);
            assert_eq!(scene.db.purge_expired().unwrap(), 1, "{what}");
            scene.assert_owns(OWNER, &[long], what);
            scene.assert_gone(&short, what);
            scene.assert_all(&[long], what);
        },
    );
}

#[test]
fn an_owner_given_to_a_session_that_was_never_written_counts_from_its_first_write() {
    let scene = Scene::new();
    let session = scene.db.create_session();
    scene.writes_nothing("an owner that waits", || {
        session.set_owner(Some(OTHER)).unwrap();
        session.set_owner(Some(OWNER)).unwrap();
        assert_eq!(session.owner().unwrap().as_deref(), Some(OWNER));
        assert_eq!(scene.db.sessions_of(OWNER).unwrap(), []);
        assert_eq!(scene.db.revoke_owner(OWNER).unwrap(), 0);
    });
    let frames = scene.frames();
    session.set("user", "ada").unwrap();
    assert_eq!(scene.frames(), frames + 1);
    let id = session.id();
    drop(session);
    for place in Place::ALL {
        let scene = Scene::new();
        let session = scene.db.create_session();
        session.set_owner(Some(OWNER)).unwrap();
        session.set("user", "ada").unwrap();
        let id = session.id();
        drop(session);
        let scene = scene.at(place);
        scene.assert_alive(&id, Some(OWNER), &format!("{place:?}"));
    }
    scene.assert_owns(OWNER, &[id], "at once");
    scene.assert_owns(OTHER, &[], "the first wish");
}

#[test]
fn a_look_at_the_list_writes_and_renews_nothing() {
    everywhere(
        |scene| scene.born_ids(3, Some(OWNER)),
        |scene, _, what| {
            let before = scene.db.sessions_of(OWNER).unwrap();
            scene.clock.advance(IDLE / 2);
            let after = scene.writes_nothing(what, || scene.db.sessions_of(OWNER).unwrap());
            assert_eq!(after, before, "{what}");
        },
    );
}

#[test]
fn thousands_of_sessions_of_one_owner_are_all_in_the_list_wherever_they_lie() {
    let scene = Scene::new();
    let mut expected = scene.born_ids(1500, Some(OWNER));
    scene.db.checkpoint().unwrap();
    expected.extend(scene.born_ids(700, Some(OWNER)));
    // Some are in a segment and changed since; some have gone.
    for id in expected.iter().step_by(5) {
        scene.tick();
        scene.session(id).set("page", "/").unwrap();
    }
    let mut gone = Vec::new();
    for number in (0..1500).rev().step_by(7) {
        gone.push(expected.remove(number));
    }
    for id in &gone {
        assert!(scene.db.revoke(*id).unwrap());
    }
    let look = |scene: &Scene, what: &str| {
        scene.assert_owns(OWNER, &expected, what);
        let seen = scene.db.sessions_of(OWNER).unwrap();
        let seen: Vec<_> = seen.iter().map(|info| info.last_seen).collect();
        assert!(seen.is_sorted_by(|a, b| a >= b), "{what}: the order");
    };
    look(&scene, "half checkpointed");
    scene.db.checkpoint().unwrap();
    look(&scene, "checkpointed");
    let scene = scene.at(Place::Rebuilt);
    look(&scene, "rebuilt");
    scene.assert_all(&expected, "rebuilt");
}
