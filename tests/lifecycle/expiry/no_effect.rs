//! A write without a net effect writes nothing, and does not renew.

use std::time::Duration;

use sessiondb::{Expiry, Session};

use crate::support::{Fate, IDLE, SECOND, Scene};

type Attempt = (&'static str, fn(&Session));

const WITHOUT_EFFECT: &[Attempt] = &[
    ("set_owner to the same owner", |session| {
        session.set_owner(Some("user:42")).unwrap();
    }),
    ("set_expiry to the same expiry", |session| {
        session.set_expiry(Expiry::Idle(IDLE)).unwrap();
    }),
    ("both in a transaction", |session| {
        let done = session.transaction(|tx| {
            tx.set_expiry(Expiry::Idle(IDLE));
            tx.set_owner(Some("user:42"))
        });
        done.unwrap();
    }),
    ("there and back in a transaction", |session| {
        let done = session.transaction(|tx| {
            tx.set_expiry(Expiry::Idle(SECOND));
            tx.set_owner(None)?;
            tx.set_owner(Some("user:43"))?;
            tx.set("new", &1)?;
            tx.delete("new")?;
            tx.set_with_ttl("new", &1, SECOND)?;
            tx.discard("new")?;
            tx.set_expiry(Expiry::Idle(IDLE));
            tx.set_owner(Some("user:42"))
        });
        done.unwrap();
    }),
    ("discard of a missing key", |session| {
        assert!(!session.discard("absent").unwrap());
    }),
    ("delete of a missing key", |session| {
        assert!(session.delete("absent").is_err());
    }),
    ("pop of a missing key", |session| {
        assert_eq!(session.pop::<i64>("absent").unwrap(), None);
    }),
    ("pop_if of another value", |session| {
        assert!(!session.pop_if("user", &2).unwrap());
    }),
    ("a TTL of zero for a missing key", |session| {
        session.set_with_ttl("absent", &1, Duration::ZERO).unwrap();
    }),
    ("remove_prefix of nothing", |session| {
        session.remove_prefix("absent").unwrap();
    }),
    ("a lost compare_and_set", |session| {
        assert!(!session.compare_and_set("user", Some(&2), Some(&3)).unwrap());
    }),
    ("get_or_insert_with of a present key", |session| {
        assert_eq!(session.get_or_insert_with("user", || 2).unwrap(), 1);
    }),
    ("an update of nothing to nothing", |session| {
        session.update("absent", |_: Option<i64>| None).unwrap();
    }),
    ("an empty transaction", |session| {
        session.transaction(|_| Ok(())).unwrap();
    }),
];

#[test]
fn what_changes_nothing_is_no_write() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.with_expiry(Expiry::Idle(IDLE));
        session.set_owner(Some("user:42")).unwrap();
        let (id, seen) = (session.id(), scene.now());
        let scene = scene.after(fate);
        let session = scene.handle(&id);
        scene.wait(IDLE / 2);
        for (name, attempt) in WITHOUT_EFFECT {
            scene.writes_nothing(name, || attempt(&session));
            assert_eq!(
                session.expires_at().unwrap(),
                Some(seen + IDLE),
                "{name}, {fate}"
            );
        }
        assert_eq!(scene.info(&id).last_seen, seen, "{fate}");
    }
}

#[test]
fn nobody_as_the_owner_of_what_is_nobodys_is_no_write() {
    let scene = Scene::new();
    let session = scene.written();
    scene.wait(IDLE / 2);
    scene.writes_nothing("no owner, no expiry", || {
        session.set_owner(None).unwrap();
        session.set_expiry(Expiry::Default).unwrap();
    });
    assert_eq!(session.expires_at().unwrap(), Some(scene.now() + IDLE / 2));
}
