//! A session that was logged out elsewhere is not brought back by a request
//! that saves it.

use sessiondb::{Database, Session};

use crate::operations::attempts;
use crate::support::{Fate, Scene, is_gone};

type LogOut = fn(&Database, Session);

const ELSEWHERE: &[(&str, LogOut)] = &[
    ("flush", |_, mut session| {
        session.flush().unwrap();
    }),
    ("destroy", |_, mut session| session.destroy().unwrap()),
    ("cycle_id", |_, mut session| {
        session.cycle_id().unwrap();
    }),
    ("revoke", |db, session| {
        assert!(db.revoke(session.id()).unwrap());
    }),
];

#[test]
fn a_save_does_not_resurrect_it() {
    for (way, log_out) in ELSEWHERE {
        for fate in Fate::ALL {
            let scene = Scene::new();
            let mut first = scene.written();
            let second = scene.handle(&first.id());
            let id = first.id();
            log_out(&scene.db, second);
            is_gone(first.set("user", &2));
            for (name, answer) in attempts(&mut first) {
                assert!(
                    matches!(answer, Err(sessiondb::Error::SessionGone)),
                    "{name} after {way}: {answer:?}"
                );
            }
            assert_eq!(first.id(), id, "{way}");
            let scene = scene.after(fate);
            assert!(!scene.is_open(&id), "{way}, {fate}");
        }
    }
}

#[test]
fn a_login_in_one_frame_does_not_resurrect_it() {
    let scene = Scene::new();
    let mut first = scene.written();
    scene.handle(&first.id()).flush().unwrap();
    is_gone(first.cycle_id_with(|tx| tx.set("user", &2)));
    assert_eq!(scene.db.sessions().count(), 0);
}
