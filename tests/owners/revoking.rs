//! Logging an owner, or one session, out.

use sessiondb::{Session, SessionId};

use crate::support::{IDLE, OTHER, OWNER, Place, Scene, assert_handle_gone, everywhere};

/// Three sessions of the owner, two of somebody else, one of nobody.
struct Cast {
    mine: Vec<SessionId>,
    others: Vec<SessionId>,
    nobodys: SessionId,
}

impl Cast {
    fn new(scene: &Scene) -> Self {
        Self {
            mine: scene.born_ids(3, Some(OWNER)),
            others: scene.born_ids(2, Some(OTHER)),
            nobodys: scene.born(None).id(),
        }
    }

    /// Asserts which of the owner's sessions are there, and that the rest is.
    #[track_caller]
    fn assert_left(&self, scene: &Scene, left: &[SessionId], what: &str) {
        for id in &self.mine {
            if left.contains(id) {
                scene.assert_alive(id, Some(OWNER), what);
            } else {
                scene.assert_gone(id, what);
            }
        }
        scene.assert_owns(OWNER, left, what);
        scene.assert_owns(OTHER, &self.others, what);
        let rest = [&self.others, &[self.nobodys][..], left].concat();
        scene.assert_all(&rest, what);
    }
}

/// Does something where the sessions have come to, and looks at what is left
/// there and in every place from then on.
fn revokes(revoke: impl Fn(&Scene, &Cast) -> Vec<SessionId>) {
    for before in Place::ALL {
        for after in Place::ALL {
            let what = format!("{before:?}, then {after:?}");
            let scene = Scene::new();
            let cast = Cast::new(&scene);
            let scene = scene.at(before);
            let left = revoke(&scene, &cast);
            let scene = scene.at(after);
            cast.assert_left(&scene, &left, &what);
            // Nothing is left for the next time.
            let again = scene.at(Place::Rebuilt);
            cast.assert_left(&again, &left, &format!("{what}, rebuilt"));
        }
    }
}

#[test]
fn revoking_an_owner_ends_all_sessions_of_that_owner_and_no_others() {
    revokes(|scene, cast| {
        let handles: Vec<Session> = cast.mine.iter().map(|id| scene.session(id)).collect();
        assert_eq!(scene.db.revoke_owner(OWNER).unwrap(), 3);
        for handle in &handles {
            assert_handle_gone(handle, "a handle from before");
        }
        Vec::new()
    });
}

#[test]
fn revoking_all_but_one_leaves_that_one() {
    revokes(|scene, cast| {
        let here = cast.mine[1];
        let handle = scene.session(&here);
        assert_eq!(scene.db.revoke_owner_except(OWNER, &here).unwrap(), 2);
        assert_eq!(handle.get("user").unwrap(), Some("ada".to_owned()));
        vec![here]
    });
}

#[test]
fn an_exception_that_is_not_the_owners_saves_nobody() {
    revokes(|scene, cast| {
        let elsewhere = &cast.others[0];
        assert_eq!(scene.db.revoke_owner_except(OWNER, elsewhere).unwrap(), 3);
        Vec::new()
    });
    let scene = Scene::new();
    scene.born_ids(2, Some(OWNER));
    let unwritten = scene.db.create_session().id();
    assert_eq!(scene.db.revoke_owner_except(OWNER, &unwritten).unwrap(), 2);
}

#[test]
fn a_single_session_is_revoked_by_its_id() {
    revokes(|scene, cast| {
        let handle = scene.session(&cast.mine[0]);
        assert!(scene.db.revoke(cast.mine[0]).unwrap());
        assert_handle_gone(&handle, "a handle from before");
        cast.mine[1..].to_vec()
    });
}

#[test]
fn a_single_session_is_revoked_by_its_digest() {
    revokes(|scene, cast| {
        // As an account page does it: by what it shows.
        let oldest = scene.db.sessions_of(OWNER).unwrap().pop().unwrap();
        assert!(scene.db.revoke(oldest.digest).unwrap());
        cast.mine[1..].to_vec()
    });
}

#[test]
fn revoking_an_owner_of_no_session_writes_nothing() {
    everywhere(Cast::new, |scene, cast, what| {
        scene.writes_nothing(what, || {
            assert_eq!(scene.db.revoke_owner("nobody").unwrap(), 0);
        });
        scene.db.revoke_owner(OWNER).unwrap();
        scene.writes_nothing(what, || {
            assert_eq!(scene.db.revoke_owner(OWNER).unwrap(), 0, "{what}");
        });
        let here = &cast.others[0];
        scene.db.revoke(cast.others[1]).unwrap();
        scene.writes_nothing(what, || {
            assert_eq!(scene.db.revoke_owner_except(OTHER, here).unwrap(), 0);
        });
        scene.assert_alive(here, Some(OTHER), what);
    });
}

#[test]
fn revoking_what_is_not_there_is_false_and_writes_nothing() {
    everywhere(
        |scene| {
            let mut flushed = scene.born(Some(OWNER));
            let mut cycled = scene.born(Some(OWNER));
            let revoked = scene.born(Some(OWNER)).id();
            let dead = vec![flushed.id(), cycled.id(), revoked];
            flushed.flush().unwrap();
            cycled.cycle_id().unwrap();
            assert!(scene.db.revoke(revoked).unwrap());
            dead
        },
        |scene, mut unknown, what| {
            unknown.push(scene.db.create_session().id());
            unknown.push(SessionId::from_bytes([7; 16]));
            scene.writes_nothing(what, || {
                for id in &unknown {
                    assert!(!scene.db.revoke(*id).unwrap(), "{what}");
                    assert!(!scene.db.revoke(id.digest()).unwrap(), "{what}");
                }
            });
        },
    );
}

#[test]
fn a_session_that_has_expired_is_not_logged_out_once_more() {
    everywhere(
        |scene| scene.born_ids(2, Some(OWNER)),
        |scene, old, what| {
            scene.clock.advance(IDLE);
            let young = scene.born(Some(OWNER)).id();
            assert!(!scene.db.revoke(old[0]).unwrap(), "{what}");
            assert_eq!(scene.db.revoke_owner(OWNER).unwrap(), 1, "{what}");
            for id in [old[0], old[1], young] {
                scene.assert_gone(&id, what);
            }
            scene.db.purge_expired().unwrap();
            scene.assert_all(&[], what);
        },
    );
}

#[test]
fn a_session_given_to_the_owner_after_the_revoke_survives_it() {
    for place in Place::ALL {
        let scene = Scene::new();
        let old = scene.born_ids(2, Some(OWNER));
        let later = scene.born(None).id();
        let scene = scene.at(place);
        assert_eq!(scene.db.revoke_owner(OWNER).unwrap(), 2);
        scene.session(&later).set_owner(Some(OWNER)).unwrap();
        let born = scene.born(Some(OWNER)).id();
        scene.assert_owns(OWNER, &[later, born], "at once");
        let scene = scene.at(Place::Replayed);
        scene.assert_owns(OWNER, &[later, born], "replayed");
        let scene = scene.at(Place::Rebuilt);
        scene.assert_owns(OWNER, &[later, born], "rebuilt");
        for id in &old {
            scene.assert_gone(id, "rebuilt");
        }
        scene.assert_all(&[later, born], "rebuilt");
    }
}

#[test]
fn a_handle_of_a_revoked_session_can_still_be_flushed_and_belongs_to_nobody_then() {
    everywhere(
        |scene| scene.born(Some(OWNER)).id(),
        |scene, old, what| {
            let mut session = scene.session(&old);
            let mut second = scene.session(&old);
            scene.db.revoke_owner(OWNER).unwrap();
            scene.writes_nothing(what, || {
                second.destroy().unwrap();
                session.flush().unwrap();
            });
            assert_eq!(session.owner().unwrap(), None, "{what}");
            session.set("page", "/").unwrap();
            scene.assert_alive(&session.id(), None, what);
            scene.assert_owns(OWNER, &[], what);
            scene.assert_gone(&old, what);
        },
    );
}
