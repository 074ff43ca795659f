//! A session whose last item was removed is still a session, with its ID, its
//! owner and its expiry.

use sessiondb::Expiry;

use crate::support::{Fate, SECOND, Scene};

#[test]
fn an_emptied_session_persists() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.with_expiry(Expiry::Idle(10 * SECOND));
        session.set_owner(Some("user:42")).unwrap();
        session.delete("user").unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        let session = scene.handle(&id);
        assert!(session.is_empty().unwrap(), "{fate}");
        assert_eq!(
            session.expiry().unwrap(),
            Expiry::Idle(10 * SECOND),
            "{fate}"
        );
        assert_eq!(
            session.owner().unwrap().as_deref(),
            Some("user:42"),
            "{fate}"
        );
        scene.is_sound();
    }
}

#[test]
fn an_emptied_session_expires_like_any_other() {
    let scene = Scene::new();
    let session = scene.with_expiry(Expiry::Idle(10 * SECOND));
    session.clear().unwrap();
    scene.wait(10 * SECOND);
    assert!(!scene.is_open(&session.id()));
}
