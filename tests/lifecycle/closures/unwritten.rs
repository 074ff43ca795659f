//! Logins and logouts through a handle whose session was never written.

use sessiondb::Expiry;

use crate::support::{Fate, SECOND, Scene, contents, named};

#[test]
fn a_login_creates_the_session_under_the_new_id() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let mut session = scene.db.create_session();
        let old = session.id();
        let new = session.cycle_id_with(|tx| {
            assert!(tx.is_empty()?);
            tx.set_owner(Some("user:42"))?;
            tx.set("login", &2)
        });
        let new = new.unwrap();
        assert_ne!(new, old);
        let scene = scene.after(fate);
        assert_eq!(
            contents(&scene.handle(&new)),
            named(&[("login", 2)]),
            "{fate}"
        );
        assert_eq!(scene.db.sessions_of("user:42").unwrap().len(), 1, "{fate}");
        assert!(!scene.is_open(&old), "{fate}");
        assert!(!scene.db.is_retired(old).unwrap(), "it never was, {fate}");
        assert_eq!(scene.db.verify().unwrap().sessions, 1, "{fate}");
    }
}

#[test]
fn a_logout_creates_the_session_under_the_new_id() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let mut session = scene.db.create_session();
        let old = session.id();
        let new = session.flush_with(|tx| tx.set("message", &2)).unwrap();
        assert_ne!(new, old);
        let scene = scene.after(fate);
        assert_eq!(
            contents(&scene.handle(&new)),
            named(&[("message", 2)]),
            "{fate}"
        );
        assert!(!scene.is_open(&old), "{fate}");
        assert!(!scene.db.is_retired(old).unwrap(), "it never was, {fate}");
        assert_eq!(scene.db.verify().unwrap().sessions, 1, "{fate}");
    }
}

#[test]
fn without_a_value_they_touch_no_disk_and_change_the_id() {
    let scene = Scene::new();
    let mut session = scene.db.create_session();
    scene.writes_nothing("no value", || {
        let mut ids = vec![session.id()];
        ids.push(session.cycle_id_with(|_| Ok(())).unwrap());
        ids.push(session.flush_with(|_| Ok(())).unwrap());
        ids.push(
            session
                .cycle_id_with(|tx| tx.set_owner(Some("user:42")))
                .unwrap(),
        );
        let removed = session.cycle_id_with(|tx| {
            tx.set("new", &1)?;
            tx.delete("new")
        });
        ids.push(removed.unwrap());
        let last = *ids.last().unwrap();
        assert_eq!(session.id(), last);
        for id in &ids {
            assert!(!scene.is_open(id));
            assert!(!scene.db.is_retired(*id).unwrap());
        }
        ids.sort_unstable_by_key(|id| id.to_bytes());
        ids.dedup();
        assert_eq!(ids.len(), 5, "each has an ID of its own");
    });
}

#[test]
fn a_login_keeps_what_waits_and_adds_to_it() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let mut session = scene.db.create_session();
        session.set_expiry(Expiry::Idle(9 * SECOND)).unwrap();
        session
            .cycle_id_with(|tx| tx.set_owner(Some("user:42")))
            .unwrap();
        assert_eq!(session.owner().unwrap().as_deref(), Some("user:42"));
        let new = session.cycle_id_with(|tx| tx.set("login", &2)).unwrap();
        let scene = scene.after(fate);
        let session = scene.handle(&new);
        assert_eq!(
            session.expiry().unwrap(),
            Expiry::Idle(9 * SECOND),
            "{fate}"
        );
        assert_eq!(
            session.owner().unwrap().as_deref(),
            Some("user:42"),
            "{fate}"
        );
    }
}

#[test]
fn a_logout_drops_what_waits() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let mut session = scene.db.create_session();
        session.set_expiry(Expiry::Idle(9 * SECOND)).unwrap();
        session.set_owner(Some("user:42")).unwrap();
        let new = session.flush_with(|tx| tx.set("message", &2)).unwrap();
        let scene = scene.after(fate);
        let session = scene.handle(&new);
        assert_eq!(session.expiry().unwrap(), Expiry::Default, "{fate}");
        assert_eq!(session.owner().unwrap(), None, "{fate}");
        assert_eq!(scene.db.sessions_of("user:42").unwrap(), [], "{fate}");
    }
}
