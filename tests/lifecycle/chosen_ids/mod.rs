//! Sessions whose ID somebody else chose.

mod crash;
mod gone;
mod new;
mod races;
mod taken;

use sessiondb::{Error, Expiry, Result, Session, SessionId};

use crate::support::Scene;

fn id(number: u8) -> SessionId {
    SessionId::from_bytes([number; 16])
}

/// Asserts that nobody can create a session with this ID, whatever the expiry,
/// and that trying writes nothing.
#[track_caller]
fn is_refused(scene: &Scene, id: &SessionId, is_right: fn(&Result<Session>) -> bool) {
    scene.writes_nothing("a creation that is refused", || {
        for expiry in [
            Expiry::Default,
            Expiry::At(scene.now()),
            Expiry::BrowserSession,
        ] {
            let refused = scene.db.create_session_with_id(*id, expiry);
            assert!(is_right(&refused), "{expiry:?}: {refused:?}");
        }
    });
}

#[track_caller]
fn is_taken(scene: &Scene, id: &SessionId) {
    scene.writes_nothing("a creation that is refused", || {
        for expiry in [Expiry::Default, Expiry::BrowserSession] {
            let refused = scene.db.create_session_with_id(*id, expiry);
            assert!(matches!(refused, Err(Error::SessionExists)), "{refused:?}");
        }
    });
}

#[track_caller]
fn is_dead(scene: &Scene, id: &SessionId) {
    is_refused(scene, id, |refused| {
        matches!(refused, Err(Error::SessionGone))
    });
}
