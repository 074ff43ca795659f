//! Where the session is gone already, a login fails and a logout succeeds.

use sessiondb::{Database, Session};

use crate::support::{Fate, Scene, contents, is_gone, named};

type LogOut = fn(&Database, Session);

const ELSEWHERE: &[LogOut] = &[
    |_, mut session| {
        session.flush().unwrap();
    },
    |_, mut session| session.destroy().unwrap(),
    |_, mut session| {
        session.cycle_id().unwrap();
    },
    |db, session| assert!(db.revoke(session.id()).unwrap()),
];

#[test]
fn a_login_fails_and_its_closure_does_not_begin() {
    for log_out in ELSEWHERE {
        let scene = Scene::new();
        let mut session = scene.written();
        let id = session.id();
        log_out(&scene.db, scene.handle(&id));
        scene.writes_nothing("a login that comes too late", || {
            is_gone(session.cycle_id_with(|_| panic!("it began")));
        });
        assert_eq!(session.id(), id);
        is_gone(session.get::<i64>("user"));
    }
}

#[test]
fn a_logout_with_a_message_succeeds() {
    for log_out in ELSEWHERE {
        for fate in Fate::ALL {
            let scene = Scene::new();
            let mut session = scene.written();
            let id = session.id();
            log_out(&scene.db, scene.handle(&id));
            let new = session.flush_with(|tx| {
                assert!(tx.is_empty()?);
                tx.set("message", &2)
            });
            let new = new.unwrap();
            let scene = scene.after(fate);
            assert_eq!(
                contents(&scene.handle(&new)),
                named(&[("message", 2)]),
                "{fate}"
            );
            assert!(scene.db.is_retired(id).unwrap(), "{fate}");
            scene.is_sound();
        }
    }
}

#[test]
fn a_logout_without_a_message_writes_nothing() {
    for log_out in ELSEWHERE {
        let scene = Scene::new();
        let mut session = scene.written();
        let id = session.id();
        log_out(&scene.db, scene.handle(&id));
        let new = scene.writes_nothing("the second click", || session.flush_with(|_| Ok(())));
        assert_ne!(new.unwrap(), id);
    }
}
