//! What happens to a session's owner when something happens to the session.

use sessiondb::{Error, Session, SessionId};

use crate::support::{OTHER, OWNER, Place, Scene, everywhere};

/// Does something to a session of the owner, in every place, and asserts in
/// every place to whom the session belongs afterwards.
fn changes(change: impl Fn(&mut Session) -> Option<&'static str>) {
    for before in Place::ALL {
        for after in Place::ALL {
            let what = format!("{before:?}, then {after:?}");
            let scene = Scene::new();
            let old = scene.born(Some(OWNER)).id();
            let beside = scene.born(Some(OWNER)).id();
            let scene = scene.at(before);
            scene.tick();
            let mut session = scene.session(&old);
            let owner = change(&mut session);
            let new = session.id();
            drop(session);
            assert_belongs(&scene, old, new, beside, owner, &what);
            let scene = scene.at(after);
            assert_belongs(&scene, old, new, beside, owner, &what);
            let scene = scene.at(Place::Rebuilt);
            assert_belongs(&scene, old, new, beside, owner, &what);
        }
    }
}

/// Asserts that the session belongs to this one under its new ID, and the one
/// beside it to whom it did.
#[track_caller]
fn assert_belongs(
    scene: &Scene,
    old: SessionId,
    new: SessionId,
    beside: SessionId,
    owner: Option<&str>,
    what: &str,
) {
    scene.assert_alive(&new, owner, what);
    if old != new {
        scene.assert_gone(&old, what);
    }
    let mut mine = vec![beside];
    let mut theirs = Vec::new();
    match owner {
        Some(OWNER) => mine.push(new),
        Some(_) => theirs.push(new),
        None => {}
    }
    scene.assert_owns(OWNER, &mine, what);
    scene.assert_owns(OTHER, &theirs, what);
    scene.assert_all(&[beside, new], what);
}

#[test]
fn a_session_can_move_from_one_owner_to_another() {
    changes(|session| {
        session.set_owner(Some(OTHER)).unwrap();
        Some(OTHER)
    });
}

#[test]
fn a_session_can_move_away_and_back() {
    changes(|session| {
        session.set_owner(Some(OTHER)).unwrap();
        session.set_owner(None).unwrap();
        session.set_owner(Some(OWNER)).unwrap();
        Some(OWNER)
    });
}

#[test]
fn a_session_can_be_taken_from_its_owner() {
    changes(|session| {
        session.set_owner(None).unwrap();
        assert_eq!(session.owner().unwrap(), None);
        None
    });
}

#[test]
fn a_cleared_session_keeps_its_owner() {
    changes(|session| {
        session.clear().unwrap();
        Some(OWNER)
    });
}

#[test]
fn a_session_that_is_cleared_and_moved_in_one_transaction_belongs_to_the_new_owner() {
    changes(|session| {
        session
            .transaction(|tx| {
                tx.clear()?;
                tx.set_owner(Some(OTHER))?;
                tx.set("user", "eve")
            })
            .unwrap();
        Some(OTHER)
    });
}

#[test]
fn a_cycled_session_keeps_its_owner_under_its_new_id() {
    changes(|session| {
        let old = session.id();
        assert_ne!(session.cycle_id().unwrap(), old);
        Some(OWNER)
    });
}

#[test]
fn a_session_that_is_cycled_twice_and_moved_in_between_is_found_once() {
    changes(|session| {
        session.cycle_id().unwrap();
        session.set_owner(Some(OTHER)).unwrap();
        session.cycle_id().unwrap();
        Some(OTHER)
    });
}

#[test]
fn a_cycle_may_bring_another_owner_with_it() {
    changes(|session| {
        let moved = session.cycle_id_with(|tx| {
            tx.set("user", "eve")?;
            tx.set_owner(Some(OTHER))
        });
        moved.unwrap();
        Some(OTHER)
    });
}

#[test]
fn a_flushed_session_belongs_to_nobody() {
    changes(|session| {
        session.flush().unwrap();
        assert_eq!(session.owner().unwrap(), None);
        session.set("page", "/").unwrap();
        None
    });
}

#[test]
fn a_flush_may_bring_an_owner_with_it() {
    changes(|session| {
        let flushed = session.flush_with(|tx| {
            tx.set("user", "eve")?;
            tx.set_owner(Some(OTHER))
        });
        flushed.unwrap();
        Some(OTHER)
    });
}

#[test]
fn an_owner_that_a_flush_without_a_key_brings_waits_for_the_first_one() {
    changes(|session| {
        session.flush_with(|tx| tx.set_owner(Some(OTHER))).unwrap();
        session.set("user", "eve").unwrap();
        Some(OTHER)
    });
}

#[test]
fn of_several_owners_in_one_transaction_the_last_counts() {
    changes(|session| {
        session
            .transaction(|tx| {
                tx.set_owner(None)?;
                tx.set_owner(Some("nobody else"))?;
                tx.set_owner(Some(OTHER))
            })
            .unwrap();
        Some(OTHER)
    });
}

#[test]
fn a_closure_that_fails_leaves_the_owner_as_it_was() {
    let fail = || {
        Err::<(), _>(Error::KeyNotFound {
            key: "of the test".into(),
        })
    };
    changes(|session| {
        let id = session.id();
        let outcomes = [
            session.transaction(|tx| {
                tx.set_owner(Some(OTHER))?;
                fail()
            }),
            session
                .cycle_id_with(|tx| {
                    tx.set_owner(None)?;
                    fail()
                })
                .map(drop),
            session
                .flush_with(|tx| {
                    tx.set("user", "eve")?;
                    tx.set_owner(Some(OTHER))?;
                    fail()
                })
                .map(drop),
        ];
        for outcome in outcomes {
            assert!(matches!(outcome, Err(Error::KeyNotFound { .. })));
        }
        assert_eq!(session.id(), id);
        assert_eq!(session.get("user").unwrap(), Some("ada".to_owned()));
        Some(OWNER)
    });
}

#[test]
fn the_same_owner_once_more_writes_nothing() {
    everywhere(
        |scene| (scene.born(Some(OWNER)).id(), scene.born(None).id()),
        |scene, (owned, unowned), what| {
            scene.tick();
            let owned = scene.session(&owned);
            let unowned = scene.session(&unowned);
            let before = owned.expires_at().unwrap();
            scene.writes_nothing(what, || {
                owned.set_owner(Some(OWNER)).unwrap();
                owned.transaction(|tx| tx.set_owner(Some(OWNER))).unwrap();
                unowned.set_owner(None).unwrap();
            });
            assert_eq!(
                owned.expires_at().unwrap(),
                before,
                "{what}: it was renewed"
            );
        },
    );
}

#[test]
fn a_new_owner_renews_the_session() {
    everywhere(
        |scene| scene.born(Some(OWNER)).id(),
        |scene, id, what| {
            scene.tick();
            let session = scene.session(&id);
            let before = session.expires_at().unwrap();
            session.set_owner(Some(OTHER)).unwrap();
            assert!(session.expires_at().unwrap() > before, "{what}");
        },
    );
}

#[test]
fn a_destroyed_session_is_in_no_list() {
    everywhere(
        |scene| scene.born_ids(2, Some(OWNER)),
        |scene, ids, what| {
            scene.session(&ids[0]).destroy().unwrap();
            let scene = scene.at(Place::Replayed);
            scene.assert_owns(OWNER, &ids[1..], what);
            let scene = scene.at(Place::Rebuilt);
            scene.assert_owns(OWNER, &ids[1..], what);
            scene.assert_gone(&ids[0], what);
            scene.assert_all(&ids[1..], what);
        },
    );
}

#[test]
fn a_session_emptied_of_its_keys_stays_with_its_owner() {
    everywhere(
        |scene| {
            let session = scene.born(Some(OWNER));
            session.delete("user").unwrap();
            session.id()
        },
        |scene, id, what| {
            scene.assert_alive(&id, Some(OWNER), what);
            assert!(scene.session(&id).is_empty().unwrap(), "{what}");
            assert_eq!(scene.db.revoke_owner(OWNER).unwrap(), 1, "{what}");
            scene.assert_gone(&id, what);
            scene.assert_all(&[], what);
        },
    );
}
