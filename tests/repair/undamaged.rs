//! Where nothing is damaged nothing is lost.

use sessiondb::Error;

use crate::scene::{Scene, TTL};

fn is_repaired_to_its_equal(scene: &Scene) {
    let outcome = scene.assert_honest();
    assert_eq!(outcome.losses, []);
    outcome.assert_all_but(scene, &[]);
    let db = scene.open();
    for id in &scene.gone {
        assert!(db.is_retired(*id).unwrap());
        let again = db.create_session_with_id(*id, sessiondb::Expiry::Default);
        assert!(matches!(again, Err(Error::SessionGone)), "{again:?}");
    }
    let mut owned: Vec<_> = db.sessions_of("ada").unwrap();
    owned.sort_by_key(|info| info.digest);
    let mut expected = [scene.id("old-1").digest(), scene.id("large-2").digest()];
    expected.sort_unstable();
    let owned: Vec<_> = owned.iter().map(|info| info.digest).collect();
    assert_eq!(owned, expected);
}

#[test]
fn a_database_that_was_killed_is_repaired_to_its_equal() {
    is_repaired_to_its_equal(&Scene::killed());
}

#[test]
fn a_database_that_was_closed_is_repaired_to_its_equal() {
    is_repaired_to_its_equal(&Scene::closed());
}

#[test]
fn a_database_that_was_compacted_is_repaired_to_its_equal() {
    is_repaired_to_its_equal(&Scene::compacted());
}

#[test]
fn keys_keep_the_time_when_they_end() {
    let scene = Scene::killed();
    scene.repair();
    for id in [scene.id("old-3"), scene.id("late-3")] {
        let db = scene.open();
        let session = db.open_session(&id).unwrap().unwrap();
        assert!(session.contains_key("code").unwrap());
    }
    scene.clock.advance(TTL);
    let db = scene.open();
    for id in [scene.id("old-3"), scene.id("late-3")] {
        let session = db.open_session(&id).unwrap().unwrap();
        assert!(!session.contains_key("code").unwrap());
        assert!(session.contains_key("name").unwrap());
    }
}

#[test]
fn what_is_saved_can_be_used_and_repaired_again() {
    let scene = Scene::killed();
    scene.repair();
    let db = scene.open();
    let id = scene.id("large-1");
    let mut session = db.open_session(&id).unwrap().unwrap();
    session.set("key-09", "newer").unwrap();
    db.checkpoint().unwrap();
    db.compact().unwrap();
    session.flush().unwrap();
    db.close().unwrap();
    let third = scene.old().join("../third");
    let repaired = sessiondb::Database::repair(scene.new_directory(), third).unwrap();
    assert_eq!(repaired.losses, []);
    assert_eq!(repaired.saved.sessions, scene.alive.len() as u64 - 1);
}
