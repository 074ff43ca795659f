//! Whatever concerns owners and other sessions is `Reentrant` inside a closure
//! of the same database, never a deadlock.

use sessiondb::{Database, Error, Expiry, Result, Session, SessionId};

use crate::racing::watched;
use crate::support::{OWNER, Scene, everywhere};

type Answer = (&'static str, Result<()>);

/// All that asks or changes something beyond the session of the closure.
fn of_database(db: &Database, known: &SessionId) -> Vec<Answer> {
    let fresh = SessionId::from_bytes([9; 16]);
    vec![
        ("sessions_of", db.sessions_of(OWNER).map(drop)),
        ("revoke_owner", db.revoke_owner(OWNER).map(drop)),
        (
            "revoke_owner of nobody",
            db.revoke_owner("nobody").map(drop),
        ),
        (
            "revoke_owner_except",
            db.revoke_owner_except(OWNER, known).map(drop),
        ),
        ("revoke by ID", db.revoke(*known).map(drop)),
        ("revoke by digest", db.revoke(known.digest()).map(drop)),
        ("revoke of nothing", db.revoke(fresh).map(drop)),
        ("inspect", db.inspect(&known.digest()).map(drop)),
        ("is_retired", db.is_retired(*known).map(drop)),
        ("purge_expired", db.purge_expired().map(drop)),
        (
            "create_session_with_id",
            db.create_session_with_id(fresh, Expiry::Default).map(drop),
        ),
        (
            "sessions",
            db.sessions().next().expect("an error").map(drop),
        ),
    ]
}

/// The same for handles of this and of another session.
fn of_session(session: &mut Session) -> Vec<Answer> {
    vec![
        ("set_owner", session.set_owner(Some("user:44"))),
        ("set_owner to nobody", session.set_owner(None)),
        ("owner", session.owner().map(drop)),
        ("touch", session.touch()),
        ("set_expiry", session.set_expiry(Expiry::BrowserSession)),
        ("expiry", session.expiry().map(drop)),
        ("expires_at", session.expires_at().map(drop)),
        (
            "cycle_id_with",
            session
                .cycle_id_with(|_| unreachable!("it is refused"))
                .map(drop),
        ),
        (
            "flush_with",
            session
                .flush_with(|_| unreachable!("it is refused"))
                .map(drop),
        ),
    ]
}

/// What a closure tries.
struct Tries {
    db: Database,
    same: Session,
    other: Session,
    unwritten: Session,
}

impl Tries {
    fn new(scene: &Scene, id: &SessionId) -> Self {
        Self {
            db: scene.db.clone(),
            same: scene.session(id),
            other: scene.born(Some(OWNER)),
            unwritten: scene.db.create_session(),
        }
    }

    #[track_caller]
    fn are_reentrant(&mut self, what: &str) {
        let mut answers = of_database(&self.db, &self.same.id());
        answers.extend(of_database(&self.db, &self.other.id()));
        for session in [&mut self.same, &mut self.other, &mut self.unwritten] {
            answers.extend(of_session(session));
        }
        for (operation, answer) in answers {
            assert!(
                matches!(answer, Err(Error::Reentrant)),
                "{operation}, {what}: {answer:?}"
            );
        }
    }
}

/// Runs a closure of a session in every place, and sees that what was tried
/// in it was refused and not half done.
fn refused(work: fn(&mut Session, &mut Tries, &str)) {
    watched(move || {
        everywhere(
            |scene| scene.born(Some(OWNER)).id(),
            |scene, id, what| {
                let mut tries = Tries::new(&scene, &id);
                let mut session = scene.session(&id);
                work(&mut session, &mut tries, what);
                let alive = [session.id(), tries.other.id()];
                scene.assert_owns(OWNER, &alive, what);
                scene.assert_all(&alive, what);
                assert_eq!(tries.unwritten.owner().unwrap(), None, "{what}");
                // Outside it works again.
                assert_eq!(scene.db.revoke_owner(OWNER).unwrap(), 2, "{what}");
                scene.assert_all(&[], what);
            },
        );
    });
}

#[test]
fn it_is_reentrant_inside_a_transaction() {
    refused(|session, tries, what| {
        session
            .transaction(|tx| {
                tries.are_reentrant(what);
                tx.set_owner(Some("user:44"))?;
                tries.are_reentrant(what);
                tx.set_owner(Some(OWNER))
            })
            .unwrap();
    });
}

#[test]
fn it_is_reentrant_inside_an_update() {
    refused(|session, tries, what| {
        let updated = session.update("user", |user: Option<String>| {
            tries.are_reentrant(what);
            user
        });
        assert_eq!(updated.unwrap().as_deref(), Some("ada"));
    });
}

#[test]
fn it_is_reentrant_inside_the_closure_of_a_cycle() {
    refused(|session, tries, what| {
        // A handle on the old ID is of no use afterwards.
        session
            .cycle_id_with(|tx| {
                tries.are_reentrant(what);
                tx.set("page", "/")
            })
            .unwrap();
    });
}

#[test]
fn it_is_reentrant_inside_the_closure_of_a_flush() {
    refused(|session, tries, what| {
        session
            .flush_with(|tx| {
                tries.are_reentrant(what);
                tx.set("page", "/")?;
                tx.set_owner(Some(OWNER))
            })
            .unwrap();
    });
}

#[test]
fn inside_a_closure_of_another_database_it_is_not() {
    watched(|| {
        let (inner, outer) = (Scene::new(), Scene::new());
        let mine = inner.born(Some(OWNER)).id();
        let revoked = outer.born(None).transaction(|tx| {
            tx.set("page", "/")?;
            inner.assert_owns(OWNER, &[mine], "from within");
            inner.db.revoke_owner(OWNER)
        });
        assert_eq!(revoked.unwrap(), 1);
        inner.assert_gone(&mine, "revoked from within");
    });
}
