//! Loading a session under an ID that nobody gave out creates nothing: an ID
//! of the visitor's choice is never used.

use sessiondb::SessionId;

use crate::support::Scene;

#[test]
fn loading_an_unknown_id_creates_nothing() {
    let scene = Scene::new();
    let id = SessionId::from_bytes([7; 16]);
    scene.writes_nothing("loading", || {
        assert!(!scene.is_open(&id));
        assert!(scene.db.open_token(&id.to_string()).unwrap().is_none());
        assert!(scene.db.inspect(&id.digest()).unwrap().is_none());
    });
    assert!(!scene.is_open(&id));
    assert_eq!(scene.db.sessions().count(), 0);
    let scene = scene.reopened();
    assert!(!scene.is_open(&id));
}

#[test]
fn a_token_that_is_none_creates_nothing() {
    let scene = Scene::new();
    scene.writes_nothing("loading", || {
        for token in ["", "1", "someunknownkey", "../../etc/passwd", "ÄÖÜ"] {
            assert!(scene.db.open_token(token).unwrap().is_none(), "{token}");
        }
    });
    assert_eq!(scene.db.sessions().count(), 0);
}

#[test]
fn a_visitor_with_an_unknown_id_gets_another_one() {
    let scene = Scene::new();
    let unknown = SessionId::from_bytes([7; 16]);
    let session = match scene.db.open_session(&unknown).unwrap() {
        Some(session) => session,
        None => scene.db.create_session(),
    };
    session.set("user", &1).unwrap();
    assert_ne!(session.id(), unknown);
    assert!(!scene.is_open(&unknown));
}
