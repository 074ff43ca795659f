//! An owner may have so many sessions: who joins beyond it logs out those
//! that were seen least recently.

use sessiondb::{Expiry, SessionId};

use crate::support::{
    IDLE, OTHER, OWNER, Place, Scene, assert_handle_gone, everywhere_with, quiet,
};

const CAP: usize = 3;

/// Three sessions of the owner, in every place.
fn full_everywhere(look: impl Fn(Scene, Vec<SessionId>, &str)) {
    let capped = quiet().sessions_per_owner(Some(CAP));
    everywhere_with(&capped, |scene| scene.born_ids(CAP, Some(OWNER)), look);
}

/// Asserts who is left, also later.
#[track_caller]
fn assert_left(scene: Scene, gone: &[SessionId], left: &[SessionId], what: &str) {
    let look = |scene: &Scene, what: &str| {
        scene.assert_owns(OWNER, left, what);
        for id in gone {
            scene.assert_gone(id, what);
        }
        for id in left {
            scene.assert_alive(id, Some(OWNER), what);
        }
    };
    look(&scene, what);
    let scene = scene.at(Place::Replayed);
    look(&scene, &format!("{what}, replayed"));
    let scene = scene.at(Place::Rebuilt);
    look(&scene, &format!("{what}, rebuilt"));
    scene.db.verify().unwrap();
}

#[test]
fn the_least_recently_seen_session_goes_when_one_too_many_joins() {
    full_everywhere(|scene, ids, what| {
        let handle = scene.session(&ids[0]);
        let new = scene.born(Some(OWNER)).id();
        assert_handle_gone(&handle, what);
        drop(handle);
        assert_left(scene, &ids[..1], &[ids[1], ids[2], new], what);
    });
}

#[test]
fn a_session_that_was_seen_again_stays() {
    full_everywhere(|scene, ids, what| {
        scene.tick();
        scene.session(&ids[0]).set("page", "/").unwrap();
        // A touch counts, as far as it is not throttled.
        scene.clock.advance(IDLE / 8);
        scene.session(&ids[1]).touch().unwrap();
        let new = scene.born(Some(OWNER)).id();
        assert_left(scene, &[ids[2]], &[ids[0], ids[1], new], what);
    });
}

#[test]
fn a_read_does_not_save_a_session() {
    full_everywhere(|scene, ids, what| {
        scene.tick();
        let oldest = scene.session(&ids[0]);
        assert!(oldest.contains_key("user").unwrap());
        drop(oldest);
        let new = scene.born(Some(OWNER)).id();
        assert_left(scene, &ids[..1], &[ids[1], ids[2], new], what);
    });
}

#[test]
fn the_one_that_joins_is_never_the_one_that_goes() {
    // The clock stands still: all were seen at the same time.
    for cap in [1, 2, 5] {
        let scene = Scene::capped(cap);
        let mut all = Vec::new();
        for _ in 0..20 {
            let session = scene.db.create_session();
            session.set("user", "ada").unwrap();
            session.set_owner(Some(OWNER)).unwrap();
            scene.assert_alive(&session.id(), Some(OWNER), "it has just joined");
            all.push(session.id());
            let owned = scene.db.sessions_of(OWNER).unwrap().len();
            assert_eq!(owned, all.len().min(cap));
        }
        let scene = scene.at(Place::Rebuilt);
        assert_eq!(scene.db.sessions_of(OWNER).unwrap().len(), cap);
        scene.db.verify().unwrap();
    }
}

#[test]
fn an_old_session_of_nobody_may_join_and_stays() {
    let capped = quiet().sessions_per_owner(Some(CAP));
    everywhere_with(
        &capped,
        |scene| (scene.born(None).id(), scene.born_ids(CAP, Some(OWNER))),
        |scene, (oldest, ids), what| {
            scene.session(&oldest).set_owner(Some(OWNER)).unwrap();
            assert_left(scene, &ids[..1], &[ids[1], ids[2], oldest], what);
        },
    );
}

#[test]
fn an_owner_that_comes_with_the_first_write_counts() {
    full_everywhere(|scene, ids, what| {
        scene.tick();
        let session = scene.db.create_session();
        session.set_owner(Some(OWNER)).unwrap();
        scene.assert_owns(OWNER, &ids, "it waits");
        session.set("user", "ada").unwrap();
        let new = session.id();
        drop(session);
        assert_left(scene, &ids[..1], &[ids[1], ids[2], new], what);
    });
}

#[test]
fn an_owner_that_comes_with_a_cycle_counts() {
    full_everywhere(|scene, ids, what| {
        let mut session = scene.born(None);
        session
            .cycle_id_with(|tx| tx.set_owner(Some(OWNER)))
            .unwrap();
        let new = session.id();
        drop(session);
        assert_left(scene, &ids[..1], &[ids[1], ids[2], new], what);
    });
}

#[test]
fn an_owner_that_comes_with_a_flush_counts_and_the_flushed_session_does_not() {
    full_everywhere(|scene, ids, what| {
        let mut session = scene.born(None);
        let again = |tx: &mut sessiondb::Transaction<'_>| {
            tx.set("user", "ada")?;
            tx.set_owner(Some(OWNER))
        };
        let first = session.flush_with(again).unwrap();
        scene.assert_owns(OWNER, &[ids[1], ids[2], first], what);
        // One of the owner's own is replaced: nobody else has to go.
        scene.tick();
        let second = session.flush_with(again).unwrap();
        drop(session);
        assert_left(scene, &[ids[0], first], &[ids[1], ids[2], second], what);
    });
}

#[test]
fn what_happens_within_the_cap_logs_nobody_out() {
    full_everywhere(|scene, ids, what| {
        scene.tick();
        scene.session(&ids[0]).set_owner(Some(OWNER)).unwrap();
        scene.session(&ids[0]).clear().unwrap();
        scene.session(&ids[0]).set("page", "/").unwrap();
        scene
            .session(&ids[1])
            .set_expiry(Expiry::Idle(IDLE / 2))
            .unwrap();
        let cycled = scene.session(&ids[2]).cycle_id().unwrap();
        let with = scene
            .session(&ids[1])
            .cycle_id_with(|tx| tx.set_owner(Some(OWNER)));
        let left = [ids[0], with.unwrap(), cycled];
        assert_left(scene, &ids[1..], &left, what);
    });
}

#[test]
fn a_session_that_leaves_makes_room() {
    full_everywhere(|scene, ids, what| {
        scene.session(&ids[2]).set_owner(Some(OTHER)).unwrap();
        let new = scene.born(Some(OWNER)).id();
        scene.assert_alive(&ids[2], Some(OTHER), what);
        scene.session(&ids[1]).destroy().unwrap();
        let last = scene.born(Some(OWNER)).id();
        assert_left(scene, &ids[1..2], &[ids[0], new, last], what);
    });
}

#[test]
fn a_session_that_has_expired_does_not_count() {
    let capped = quiet().sessions_per_owner(Some(CAP));
    everywhere_with(
        &capped,
        |scene| {
            let old = scene.born_ids(CAP - 1, Some(OWNER));
            scene.clock.advance(IDLE / 2);
            (old, scene.born(Some(OWNER)).id())
        },
        |scene, (old, kept), what| {
            scene.clock.advance(IDLE / 2);
            let new = scene.born_ids(CAP - 1, Some(OWNER));
            assert_left(scene, &old, &[kept, new[0], new[1]], what);
        },
    );
}

#[test]
fn owners_do_not_count_for_each_other() {
    full_everywhere(|scene, ids, what| {
        let others = scene.born_ids(CAP, Some(OTHER));
        let similar = scene.born_ids(CAP, Some("user:4"));
        let nobodys = scene.born_ids(2 * CAP, None);
        scene.assert_owns(OTHER, &others, what);
        scene.assert_owns("user:4", &similar, what);
        let all = [ids.clone(), others, similar, nobodys].concat();
        scene.assert_all(&all, what);
        assert_left(scene, &[], &ids, what);
    });
}

#[test]
fn a_cap_that_was_lowered_takes_effect_when_the_next_one_joins() {
    for place in Place::ALL {
        let what = format!("{place:?}");
        let scene = Scene::new();
        let ids = scene.born_ids(7, Some(OWNER));
        let scene = scene.at(place);
        let scene = scene.reopened_with(quiet().sessions_per_owner(Some(CAP)));
        scene.tick();
        scene.session(&ids[3]).set("page", "/").unwrap();
        scene.assert_owns(OWNER, &ids, &what);
        let new = scene.born(Some(OWNER)).id();
        let gone = [ids[0], ids[1], ids[2], ids[4], ids[5]];
        assert_left(scene, &gone, &[ids[6], ids[3], new], &what);
    }
}
