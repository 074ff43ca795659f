//! `flush_with`: everything goes, and only what the closure writes is there,
//! under a new ID.

use sessiondb::Expiry;

use crate::support::{Fate, IDLE, SECOND, Scene, contents, is_gone, named};

#[test]
fn only_what_it_writes_is_left() {
    for fate in Fate::ALL {
        for settled in [false, true] {
            let scene = Scene::new();
            let mut session = scene.written();
            session.set_owner(Some("user:42")).unwrap();
            session.set_expiry(Expiry::Idle(2 * IDLE)).unwrap();
            if settled {
                scene.db.checkpoint().unwrap();
            }
            scene.wait(SECOND);
            let old = session.id();
            let new = session.flush_with(|tx| tx.set("message", &2)).unwrap();
            assert_ne!(new, old);
            assert_eq!(session.id(), new);
            let scene = scene.after(fate);
            let session = scene.handle(&new);
            assert_eq!(contents(&session), named(&[("message", 2)]), "{fate}");
            assert_eq!(session.owner().unwrap(), None, "{fate}");
            assert_eq!(session.expiry().unwrap(), Expiry::Default, "{fate}");
            assert_eq!(scene.info(&new).created, scene.now(), "{fate}");
            assert_eq!(scene.db.sessions_of("user:42").unwrap(), [], "{fate}");
            assert!(!scene.is_open(&old), "{fate}");
            assert!(scene.db.is_retired(old).unwrap(), "{fate}");
            let verified = scene.db.verify().unwrap();
            assert_eq!((verified.sessions, verified.keys), (1, 1), "{fate}");
        }
    }
}

#[test]
fn the_closure_sees_an_empty_session() {
    for settled in [false, true] {
        let scene = Scene::new();
        let mut session = scene.written();
        if settled {
            scene.db.checkpoint().unwrap();
        }
        let done = session.flush_with(|tx| {
            assert_eq!(tx.get::<i64>("user")?, None);
            assert!(!tx.contains_key("user")?);
            assert_eq!(tx.pop::<i64>("user")?, None);
            assert!(tx.delete("user").is_err());
            assert!(tx.is_empty()?);
            assert_eq!(tx.iter()?.count(), 0);
            assert_eq!(tx.get_or_insert_with("message", || 2)?, 2);
            assert_eq!(tx.len()?, 1);
            Ok(())
        });
        done.unwrap();
        assert_eq!(contents(&session), named(&[("message", 2)]));
    }
}

#[test]
fn other_handles_are_gone_at_once() {
    let scene = Scene::new();
    let mut session = scene.written();
    let mut other = scene.handle(&session.id());
    session.flush_with(|tx| tx.set("message", &2)).unwrap();
    is_gone(other.get::<i64>("user"));
    is_gone(other.set("user", &3));
    is_gone(other.get::<i64>("message"));
    // The second click on logout succeeds.
    other.flush().unwrap();
    assert_eq!(session.get("message").unwrap(), Some(2));
}

#[test]
fn owner_and_expiry_of_the_closure_are_those_of_the_new_session() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let mut session = scene.written();
        session.set_owner(Some("user:1")).unwrap();
        let new = session.flush_with(|tx| {
            tx.set_owner(Some("user:2"))?;
            tx.set_expiry(Expiry::BrowserSession);
            tx.set("login", &2)
        });
        let new = new.unwrap();
        let scene = scene.after(fate);
        let session = scene.handle(&new);
        assert_eq!(
            session.owner().unwrap().as_deref(),
            Some("user:2"),
            "{fate}"
        );
        assert_eq!(session.expiry().unwrap(), Expiry::BrowserSession, "{fate}");
        assert_eq!(scene.db.sessions_of("user:1").unwrap(), [], "{fate}");
        assert_eq!(scene.db.sessions_of("user:2").unwrap().len(), 1, "{fate}");
    }
}

#[test]
fn a_closure_that_writes_no_key_is_a_flush() {
    type Nothing = fn(&mut sessiondb::Transaction<'_>) -> sessiondb::Result<()>;
    let closures: [Nothing; 4] = [
        |_| Ok(()),
        |tx| tx.discard("user").map(drop),
        |tx| tx.set("new", &1).and_then(|()| tx.delete("new")),
        |tx| tx.clear(),
    ];
    for closure in closures {
        for fate in Fate::ALL {
            let scene = Scene::new();
            let mut session = scene.written();
            let old = session.id();
            let new = session.flush_with(closure).unwrap();
            assert_ne!(new, old);
            assert!(!scene.is_open(&new));
            assert!(session.is_empty().unwrap());
            let scene = scene.after(fate);
            assert!(!scene.is_open(&old), "{fate}");
            assert!(!scene.is_open(&new), "{fate}");
            assert!(scene.db.is_retired(old).unwrap(), "{fate}");
            assert!(!scene.db.is_retired(new).unwrap(), "{fate}");
            assert_eq!(scene.db.verify().unwrap().sessions, 0, "{fate}");
        }
    }
}

#[test]
fn without_a_key_owner_and_expiry_wait_for_one() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let mut session = scene.written();
        let new = session.flush_with(|tx| {
            tx.set_expiry(Expiry::Idle(9 * SECOND));
            tx.set_owner(Some("user:42"))
        });
        let new = new.unwrap();
        assert!(!scene.is_open(&new));
        assert_eq!(scene.db.sessions_of("user:42").unwrap(), []);
        assert_eq!(session.expiry().unwrap(), Expiry::Idle(9 * SECOND));
        assert_eq!(session.owner().unwrap().as_deref(), Some("user:42"));
        session.set("user", &2).unwrap();
        let scene = scene.after(fate);
        let session = scene.handle(&new);
        assert_eq!(
            session.expiry().unwrap(),
            Expiry::Idle(9 * SECOND),
            "{fate}"
        );
        assert_eq!(scene.db.sessions_of("user:42").unwrap().len(), 1, "{fate}");
        assert_eq!(contents(&session), named(&[("user", 2)]), "{fate}");
    }
}

#[test]
fn it_costs_the_same_whatever_the_session_held() {
    let mut costs = Vec::new();
    for keys in [1, 2000] {
        let scene = Scene::new();
        let mut session = scene.db.create_session();
        let fill = session.transaction(|tx| {
            (0..keys).try_for_each(|number| tx.set(&format!("key {number}"), &"x".repeat(100)))
        });
        fill.unwrap();
        let before = scene.db.stats().journal_live_bytes;
        session.flush_with(|tx| tx.set("message", &2)).unwrap();
        costs.push(scene.db.stats().journal_live_bytes - before);
    }
    assert!(costs[1] <= costs[0] + 16, "{costs:?}");
}
