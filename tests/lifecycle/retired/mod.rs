//! IDs that are dead are known to be, for a while.

mod again;
mod bounded;
mod deaths;
mod forgotten;
mod never;
mod periods;

use std::time::Duration;

use sessiondb::{Builder, Error, Expiry, Session, SessionId};

use crate::support::{DAY, IDLE, Scene};

/// How long dead IDs are remembered here.
const PERIOD: Duration = DAY.saturating_mul(8);

/// Where [`DEATHS`] happen.
fn adjust(builder: Builder) -> Builder {
    builder.retire_ids_for(PERIOD).sessions_per_owner(Some(2))
}

type Die = (&'static str, fn(&Scene, Session));

fn owned(session: &Session) {
    session.set_owner(Some("user:42")).unwrap();
}

/// Every way to die.
const DEATHS: &[Die] = &[
    ("flush", |_, mut session| {
        session.flush().unwrap();
    }),
    ("flush_with", |_, mut session| {
        session.flush_with(|tx| tx.set("message", &1)).unwrap();
    }),
    ("flush_with that writes nothing", |_, mut session| {
        session.flush_with(|_| Ok(())).unwrap();
    }),
    ("destroy", |_, mut session| session.destroy().unwrap()),
    ("cycle_id", |_, mut session| {
        session.cycle_id().unwrap();
    }),
    ("cycle_id_with", |_, mut session| {
        session.cycle_id_with(|tx| tx.set("login", &1)).unwrap();
    }),
    ("an expiry that is past", |scene, session| {
        session.set_expiry(Expiry::At(scene.now())).unwrap();
    }),
    ("an idle time of nothing", |_, session| {
        session.set_expiry(Expiry::Idle(Duration::ZERO)).unwrap();
    }),
    ("revoke by ID", |scene, session| {
        assert!(scene.db.revoke(session.id()).unwrap());
    }),
    ("revoke by digest", |scene, session| {
        assert!(scene.db.revoke(session.id().digest()).unwrap());
    }),
    ("revoke_owner", |scene, session| {
        owned(&session);
        assert_eq!(scene.db.revoke_owner("user:42").unwrap(), 1);
    }),
    ("revoke_owner_except", |scene, session| {
        owned(&session);
        let here = scene.written();
        owned(&here);
        let revoked = scene.db.revoke_owner_except("user:42", &here.id());
        assert_eq!(revoked.unwrap(), 1);
    }),
    ("the cap", |scene, session| {
        owned(&session);
        scene.wait(Duration::from_secs(1));
        for _ in 0..2 {
            owned(&scene.written());
        }
    }),
    ("expiry", |scene, _| scene.wait(IDLE)),
    ("expiry and purge", |scene, _| {
        scene.wait(IDLE);
        assert_eq!(scene.db.purge_expired().unwrap(), 1);
    }),
    ("expiry and flush", |scene, mut session| {
        scene.wait(IDLE);
        session.flush().unwrap();
    }),
];

/// Asserts that an ID is known to be dead, whoever asks.
#[track_caller]
fn is_dead(scene: &Scene, id: &SessionId, what: &str) {
    assert!(
        scene.db.is_retired(*id).unwrap(),
        "{what}: it is not retired"
    );
    assert!(scene.db.is_retired(id.digest()).unwrap(), "{what}");
    assert!(!scene.is_open(id), "{what}: it is open");
    assert_eq!(scene.db.inspect(&id.digest()).unwrap(), None, "{what}");
    let made = scene.db.create_session_with_id(*id, Expiry::Default);
    assert!(matches!(made, Err(Error::SessionGone)), "{what}: {made:?}");
}

/// Asserts that nothing is known of an ID any more.
#[track_caller]
fn is_forgotten(scene: &Scene, id: &SessionId, what: &str) {
    assert!(
        !scene.db.is_retired(*id).unwrap(),
        "{what}: it is still retired"
    );
    assert!(!scene.is_open(id), "{what}: it is open");
}
