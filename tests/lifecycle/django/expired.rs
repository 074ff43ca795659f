//! What has expired cannot be loaded, whether it was swept or not.

use sessiondb::Expiry;

use crate::support::{Fate, SECOND, Scene, is_gone};

#[test]
fn an_expired_session_cannot_be_loaded_before_any_sweep() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.with_expiry(Expiry::Idle(10 * SECOND));
        let id = session.id();
        let scene = scene.after(fate);
        // A handle from before the end is worth no more than a new one.
        let handle = scene.handle(&id);
        scene.wait(10 * SECOND);
        assert!(!scene.is_open(&id), "{fate}");
        assert!(
            scene.db.open_token(&id.to_string()).unwrap().is_none(),
            "{fate}"
        );
        is_gone(handle.get::<i64>("user"));
    }
}

#[test]
fn sweeping_removes_the_expired_and_leaves_the_others() {
    let scene = Scene::new();
    let long = scene.written();
    let short = scene.with_expiry(Expiry::Idle(10 * SECOND));
    scene.wait(10 * SECOND);
    assert_eq!(scene.db.purge_expired().unwrap(), 1);
    assert_eq!(scene.db.purge_expired().unwrap(), 0);
    assert!(scene.is_open(&long.id()));
    assert!(!scene.is_open(&short.id()));
    assert_eq!(scene.db.verify().unwrap().sessions, 1);
}
