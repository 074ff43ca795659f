//! A new ID at login, and the same items.

use crate::support::{Fate, Scene, contents, named};

#[test]
fn cycling_keeps_the_items_under_a_new_id() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let mut session = scene.db.create_session();
        session.set("a", &1).unwrap();
        session.set("b", &2).unwrap();
        let old = session.id();
        let new = session.cycle_id().unwrap();
        assert_ne!(new, old);
        let scene = scene.after(fate);
        assert!(!scene.is_open(&old), "{fate}");
        assert_eq!(
            contents(&scene.handle(&new)),
            named(&[("a", 1), ("b", 2)]),
            "{fate}"
        );
    }
}

#[test]
fn cycling_a_session_that_nobody_has_read_keeps_the_items() {
    let scene = Scene::new();
    let id = scene.written().id();
    let scene = scene.reopened();
    let mut session = scene.handle(&id);
    let new = session.cycle_id().unwrap();
    assert_eq!(contents(&scene.handle(&new)), named(&[("user", 1)]));
}

#[test]
fn cycling_keeps_the_expiry() {
    let scene = Scene::new();
    let mut session = scene.with_expiry(sessiondb::Expiry::BrowserSession);
    let new = session.cycle_id().unwrap();
    let expiry = scene.handle(&new).expiry().unwrap();
    assert_eq!(expiry, sessiondb::Expiry::BrowserSession);
}
