//! A walk over all sessions.

use sessiondb::{Error, Expiry, SessionDigest, SessionId};

use crate::support::{IDLE, OTHER, OWNER, Place, Scene, everywhere};

fn walk(scene: &Scene) -> Vec<SessionDigest> {
    let infos = scene.db.sessions();
    infos.map(|info| info.unwrap().digest).collect()
}

fn sorted(ids: &[SessionId]) -> Vec<SessionDigest> {
    let mut digests: Vec<_> = ids.iter().map(SessionId::digest).collect();
    digests.sort_unstable();
    digests
}

#[test]
fn a_walk_meets_every_session_once_in_the_order_of_the_digests() {
    everywhere(
        |scene| {
            let mut ids = scene.born_ids(40, Some(OWNER));
            ids.extend(scene.born_ids(40, None));
            ids
        },
        |scene, ids, what| assert_eq!(walk(&scene), sorted(&ids), "{what}"),
    );
}

#[test]
fn a_walk_meets_sessions_in_memory_and_on_disk_once_each() {
    let scene = Scene::new();
    let mut ids = scene.born_ids(2000, Some(OWNER));
    scene.db.checkpoint().unwrap();
    let young = scene.born_ids(1000, Some(OTHER));
    // Some of the old ones are changed, renamed, or gone.
    for (number, id) in ids.iter_mut().enumerate().take(300) {
        let mut session = scene.session(id);
        match number % 3 {
            0 => session.set("page", "/").unwrap(),
            1 => *id = session.cycle_id().unwrap(),
            _ => session.set_owner(Some(OTHER)).unwrap(),
        }
    }
    let gone: Vec<_> = ids.drain(1000..1300).collect();
    for id in &gone {
        scene.session(id).destroy().unwrap();
    }
    ids.extend(young);
    assert_eq!(walk(&scene), sorted(&ids));
    scene.db.checkpoint().unwrap();
    assert_eq!(walk(&scene), sorted(&ids));
    let scene = scene.at(Place::Rebuilt);
    assert_eq!(walk(&scene), sorted(&ids));
}

#[test]
fn a_walk_tells_of_each_session_what_a_look_tells() {
    everywhere(
        |scene| {
            scene.born_ids(5, Some(OWNER));
            scene.born(None).set_expiry(Expiry::BrowserSession).unwrap();
        },
        |scene, (), what| {
            let mut met = 0;
            for info in scene.db.sessions() {
                let info = info.unwrap();
                assert_eq!(
                    scene.db.inspect(&info.digest).unwrap(),
                    Some(info),
                    "{what}"
                );
                met += 1;
            }
            assert_eq!(met, 6, "{what}");
        },
    );
}

#[test]
fn a_walk_passes_by_what_was_not_written_or_is_over() {
    everywhere(
        |scene| {
            let short = scene.born(Some(OWNER));
            short.set_expiry(Expiry::Idle(IDLE / 2)).unwrap();
            scene.born(Some(OWNER)).flush().unwrap();
            let unwritten = scene.db.create_session();
            unwritten.set_owner(Some(OWNER)).unwrap();
            scene.born(Some(OWNER)).id()
        },
        |scene, id, what| {
            scene.clock.advance(IDLE / 2);
            assert_eq!(walk(&scene), [id.digest()], "{what}");
            scene.db.purge_expired().unwrap();
            assert_eq!(walk(&scene), [id.digest()], "{what}");
            scene.clock.advance(IDLE / 2);
            assert_eq!(walk(&scene), [], "{what}");
        },
    );
}

#[test]
fn a_walk_writes_and_renews_nothing() {
    everywhere(
        |scene| scene.born_ids(10, Some(OWNER)),
        |scene, _, what| {
            let before: Vec<_> = scene.db.sessions().map(Result::unwrap).collect();
            scene.clock.advance(IDLE / 2);
            let after = scene.writes_nothing(what, || {
                scene.db.sessions().map(Result::unwrap).collect::<Vec<_>>()
            });
            assert_eq!(after, before, "{what}");
        },
    );
}

#[test]
fn a_walk_begun_before_a_close_ends_with_one_error() {
    let scene = Scene::new();
    scene.born_ids(3000, Some(OWNER));
    let mut walk = scene.db.sessions();
    assert!(walk.next().unwrap().is_ok());
    scene.db.close().unwrap();
    let mut met = 1;
    let end = loop {
        match walk.next() {
            Some(Ok(_)) => met += 1,
            end => break end,
        }
    };
    assert!(met < 3000, "it was not all read in advance");
    assert!(matches!(end, Some(Err(Error::Closed))), "{end:?}");
    assert!(walk.next().is_none());
}

#[test]
fn what_changes_behind_a_walk_does_not_disturb_it() {
    let scene = Scene::new();
    let ids = scene.born_ids(2500, Some(OWNER));
    scene.db.checkpoint().unwrap();
    let mut expected = sorted(&ids);
    let mut walk = scene.db.sessions().map(|info| info.unwrap().digest);
    let mut met: Vec<_> = walk.by_ref().take(100).collect();
    // A checkpoint, an end and a beginning, far away from where it stands.
    let last = expected.pop().unwrap();
    assert!(scene.db.revoke(last).unwrap());
    scene.db.checkpoint().unwrap();
    let gone = expected.remove(0);
    assert!(scene.db.revoke(gone).unwrap());
    met.extend(walk);
    assert_eq!(met.remove(0), gone);
    assert_eq!(met, expected);
}
