//! Before a session's first value, what is said of its life waits in the
//! handle.

use sessiondb::{Builder, Expiry, Session};

use crate::support::{Fate, IDLE, SECOND, Scene, contents, is_gone, named};

const OWN: Expiry = Expiry::Idle(SECOND.saturating_mul(90));

/// A session that was never written, with an expiry and an owner waiting.
fn waiting(scene: &Scene) -> Session {
    let session = scene.db.create_session();
    scene.writes_nothing("what waits", || {
        session.set_expiry(OWN).unwrap();
        session.set_owner(Some("user:42")).unwrap();
    });
    session
}

#[track_caller]
fn has_what_waited(scene: &Scene, session: &Session) {
    assert_eq!(session.expiry().unwrap(), OWN);
    assert_eq!(session.owner().unwrap().as_deref(), Some("user:42"));
    let listed = scene.db.sessions_of("user:42").unwrap();
    let listed: Vec<_> = listed.iter().map(|info| info.digest).collect();
    assert_eq!(listed, [session.id().digest()]);
}

#[test]
fn it_is_seen_by_the_handle_and_by_nobody_else() {
    let scene = Scene::new();
    let session = waiting(&scene);
    assert_eq!(session.expiry().unwrap(), OWN);
    assert_eq!(session.owner().unwrap().as_deref(), Some("user:42"));
    assert_eq!(
        session.expires_at().unwrap(),
        Some(scene.now() + 90 * SECOND)
    );
    scene.wait(IDLE);
    // As though it were written now.
    assert_eq!(
        session.expires_at().unwrap(),
        Some(scene.now() + 90 * SECOND)
    );
    assert!(!scene.is_open(&session.id()));
    assert!(scene.db.inspect(&session.id().digest()).unwrap().is_none());
    assert_eq!(scene.db.sessions_of("user:42").unwrap(), []);
    assert!(!scene.db.is_retired(session.id()).unwrap());
}

#[test]
fn the_first_value_takes_it_along() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = waiting(&scene);
        scene.wait(IDLE);
        session.set("user", &1).unwrap();
        assert_eq!(
            session.expires_at().unwrap(),
            Some(scene.now() + 90 * SECOND)
        );
        has_what_waited(&scene, &session);
        let id = session.id();
        let scene = scene.after(fate);
        has_what_waited(&scene, &scene.handle(&id));
        assert_eq!(
            contents(&scene.handle(&id)),
            named(&[("user", 1)]),
            "{fate}"
        );
        scene.is_sound();
    }
}

#[test]
fn any_kind_of_first_value_does() {
    type First = (&'static str, fn(&Session));
    let firsts: [First; 6] = [
        ("set_bytes", |session| session.set_bytes("a", b"1").unwrap()),
        ("set_with_ttl", |session| {
            session.set_with_ttl("a", &1, SECOND).unwrap();
        }),
        ("get_or_insert_with", |session| {
            session.get_or_insert_with("a", || 1).unwrap();
        }),
        ("update", |session| {
            session.update("a", |_: Option<i64>| Some(1)).unwrap();
        }),
        ("compare_and_set", |session| {
            assert!(session.compare_and_set("a", None, Some(&1)).unwrap());
        }),
        ("a transaction", |session| {
            session.transaction(|tx| tx.set("a", &1)).unwrap();
        }),
    ];
    for (name, first) in firsts {
        let scene = Scene::new();
        let session = waiting(&scene);
        first(&session);
        assert!(scene.is_open(&session.id()), "{name}");
        has_what_waited(&scene, &session);
    }
}

#[test]
fn a_transaction_without_a_value_waits_too() {
    let scene = Scene::new();
    let session = scene.db.create_session();
    scene.writes_nothing("no value", || {
        let done = session.transaction(|tx| {
            tx.set_expiry(OWN);
            tx.set_owner(Some("user:42"))
        });
        done.unwrap();
    });
    assert!(!scene.is_open(&session.id()));
    session.set("user", &1).unwrap();
    has_what_waited(&scene, &session);
}

#[test]
fn a_transaction_that_fails_leaves_what_waited_before() {
    let scene = Scene::new();
    let session = waiting(&scene);
    let failed = session.transaction(|tx| {
        tx.set_expiry(Expiry::BrowserSession);
        tx.set_owner(None)?;
        tx.set("user", &1)?;
        tx.delete("absent")
    });
    assert!(failed.is_err());
    session.set("user", &1).unwrap();
    has_what_waited(&scene, &session);
}

#[test]
fn what_is_said_last_counts() {
    let scene = Scene::new();
    let session = waiting(&scene);
    session.set_expiry(Expiry::BrowserSession).unwrap();
    session.set_owner(None).unwrap();
    let done = session.transaction(|tx| {
        tx.set("user", &1)?;
        tx.set_owner(Some("user:43"))
    });
    done.unwrap();
    assert_eq!(session.expiry().unwrap(), Expiry::BrowserSession);
    assert_eq!(session.owner().unwrap().as_deref(), Some("user:43"));
    assert_eq!(scene.db.sessions_of("user:42").unwrap(), []);
}

#[test]
fn a_new_id_keeps_what_waits() {
    let scene = Scene::new();
    let mut session = waiting(&scene);
    scene.writes_nothing("cycling what was never written", || {
        session.cycle_id().unwrap();
        session.cycle_id_with(|_| Ok(())).unwrap();
    });
    session.set("user", &1).unwrap();
    has_what_waited(&scene, &session);
}

#[test]
fn a_flush_drops_what_waits() {
    let scene = Scene::new();
    let mut session = waiting(&scene);
    scene.writes_nothing("flushing what was never written", || {
        session.flush().unwrap()
    });
    session.set("user", &1).unwrap();
    assert_eq!(session.expiry().unwrap(), Expiry::Default);
    assert_eq!(session.owner().unwrap(), None);
    assert_eq!(scene.db.sessions_of("user:42").unwrap(), []);
}

#[test]
fn without_a_value_it_never_reaches_the_disk() {
    let scene = Scene::new();
    let session = waiting(&scene);
    let id = session.id();
    drop(session);
    let scene = scene.reopened();
    assert!(!scene.is_open(&id));
    assert_eq!(scene.db.verify().unwrap().sessions, 0);
    assert_eq!(scene.times_in_segments("user:42"), 0);
}

#[test]
fn a_handle_without_a_session_does_not_age() {
    fn both(builder: Builder) -> Builder {
        builder.absolute_timeout(Some(IDLE))
    }
    let scene = Scene::with(both);
    let session = scene.db.create_session();
    scene.wait(100 * IDLE);
    assert!(session.is_empty().unwrap());
    session.set("user", &1).unwrap();
    assert_eq!(session.expires_at().unwrap(), Some(scene.now() + IDLE));
    assert_eq!(scene.info(&session.id()).created, scene.now());
}

#[test]
fn a_time_that_comes_while_it_waits_ends_the_handle() {
    let scene = Scene::new();
    let session = scene.db.create_session();
    session
        .set_expiry(Expiry::At(scene.now() + SECOND))
        .unwrap();
    scene.wait(SECOND);
    scene.writes_nothing("a first value that is too late", || {
        is_gone(session.set("user", &1));
    });
    assert!(!scene.is_open(&session.id()));
    assert_eq!(scene.db.sessions().count(), 0);
}
