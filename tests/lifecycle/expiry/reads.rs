//! Reads do not renew.

use crate::operations::reads;
use crate::support::{Fate, IDLE, INSTANT, SECOND, Scene};

#[test]
fn no_read_through_a_handle_renews_a_session() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.written();
        let (id, end) = (session.id(), scene.now() + IDLE);
        let scene = scene.after(fate);
        let session = scene.handle(&id);
        // Long enough ago for a touch to be worth a write.
        scene.wait(IDLE / 2);
        scene.writes_nothing("reading", || {
            for (name, answer) in reads(&session) {
                assert!(answer.is_ok(), "{name}: {answer:?}");
                assert_eq!(session.expires_at().unwrap(), Some(end), "{name}, {fate}");
            }
        });
        scene.wait(IDLE / 2 - INSTANT);
        assert!(scene.is_open(&id), "{fate}");
        scene.wait(INSTANT);
        assert!(!scene.is_open(&id), "{fate}");
    }
}

#[test]
fn no_look_at_the_database_renews_a_session() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.written();
        session.set_owner(Some("user:42")).unwrap();
        let (id, seen) = (session.id(), scene.now());
        let scene = scene.after(fate);
        scene.wait(IDLE / 2);
        scene.writes_nothing("looking", || {
            assert!(scene.is_open(&id));
            assert!(scene.db.open_token(&id.to_string()).unwrap().is_some());
            assert!(!scene.db.is_retired(id).unwrap());
            assert_eq!(scene.db.sessions_of("user:42").unwrap().len(), 1);
            assert_eq!(scene.db.sessions().count(), 1);
            let info = scene.info(&id);
            assert_eq!(info.last_seen, seen, "{fate}");
            assert_eq!(info.expires_at, Some(seen + IDLE), "{fate}");
        });
        scene.db.checkpoint().unwrap();
        scene.db.verify().unwrap();
        assert_eq!(scene.db.purge_expired().unwrap(), 0, "{fate}");
        assert_eq!(scene.info(&id).last_seen, seen, "{fate}");
    }
}

#[test]
fn reading_in_a_transaction_does_not_renew_either() {
    let scene = Scene::new();
    let session = scene.written();
    let end = scene.now() + IDLE;
    scene.wait(IDLE / 2);
    scene.writes_nothing("a transaction that reads", || {
        let read = session.transaction(|tx| {
            tx.len()?;
            tx.contains_key("user")?;
            tx.get::<i64>("user")
        });
        assert_eq!(read.unwrap(), Some(1));
    });
    assert_eq!(session.expires_at().unwrap(), Some(end));
}

#[test]
fn a_read_after_a_write_elsewhere_sees_the_new_end() {
    let scene = Scene::new();
    let reader = scene.written();
    let writer = scene.handle(&reader.id());
    scene.wait(IDLE - INSTANT);
    writer.set("user", &2).unwrap();
    scene.wait(SECOND);
    assert_eq!(reader.get("user").unwrap(), Some(2));
    let end = scene.now() - SECOND + IDLE;
    assert_eq!(reader.expires_at().unwrap(), Some(end));
}
