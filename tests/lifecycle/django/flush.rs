//! Flushing leaves nothing: no items, no session under the old ID, and none
//! under the new one before it holds something.

use crate::support::{Fate, Scene};

#[test]
fn flushing_leaves_nothing() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let mut session = scene.db.create_session();
        session.set("foo", "bar").unwrap();
        let old = session.id();
        let new = session.flush().unwrap();
        assert_ne!(new, old);
        assert!(session.is_empty().unwrap());
        let scene = scene.after(fate);
        assert!(!scene.is_open(&old), "{fate}");
        assert!(!scene.is_open(&new), "{fate}");
        assert_eq!(scene.db.sessions().count(), 0, "{fate}");
        assert_eq!(scene.db.verify().unwrap().sessions, 0, "{fate}");
    }
}

#[test]
fn the_new_session_may_be_used_at_once() {
    let scene = Scene::new();
    let mut session = scene.written();
    let new = session.flush().unwrap();
    session.set("foo", &3).unwrap();
    assert_eq!(scene.handle(&new).get("foo").unwrap(), Some(3));
    assert_eq!(scene.handle(&new).len().unwrap(), 1);
}

#[test]
fn flushing_visitors_without_a_session_fills_no_store() {
    let scene = Scene::new();
    scene.writes_nothing("flushing what was never written", || {
        for _ in 0..100 {
            scene.db.create_session().flush().unwrap();
        }
    });
    assert_eq!(scene.db.sessions().count(), 0);
}
