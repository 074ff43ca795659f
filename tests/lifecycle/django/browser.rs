//! A session that ends with the browser: the cookie says so, the server goes
//! by its idle timeout.

use sessiondb::Expiry;

use crate::support::{Fate, IDLE, INSTANT, SECOND, Scene};

#[test]
fn only_a_session_that_was_told_so_ends_with_the_browser() {
    let scene = Scene::new();
    let session = scene.written();
    assert_ne!(session.expiry().unwrap(), Expiry::BrowserSession);
    session.set_expiry(Expiry::BrowserSession).unwrap();
    assert_eq!(session.expiry().unwrap(), Expiry::BrowserSession);
    session.set_expiry(Expiry::Idle(10 * SECOND)).unwrap();
    assert_ne!(session.expiry().unwrap(), Expiry::BrowserSession);
    session.set_expiry(Expiry::BrowserSession).unwrap();
    session.set_expiry(Expiry::Default).unwrap();
    assert_ne!(session.expiry().unwrap(), Expiry::BrowserSession);
}

#[test]
fn what_the_cookie_needs_to_know_is_there_for_every_request() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let id = scene.with_expiry(Expiry::BrowserSession).id();
        let scene = scene.after(fate);
        let expiry = scene.handle(&id).expiry().unwrap();
        assert_eq!(expiry, Expiry::BrowserSession, "{fate}");
    }
}

#[test]
fn the_server_does_not_keep_it_longer_than_the_idle_timeout() {
    let scene = Scene::new();
    let session = scene.with_expiry(Expiry::BrowserSession);
    assert_eq!(session.expires_at().unwrap(), Some(scene.now() + IDLE));
    scene.wait(IDLE - INSTANT);
    assert!(scene.is_open(&session.id()));
    scene.wait(INSTANT);
    assert!(!scene.is_open(&session.id()));
}
