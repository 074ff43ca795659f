//! Owners: who is revoked is out, whatever happens to the sessions meanwhile.

use std::sync::{Arc, Mutex};

use sessiondb::{Database, SessionId};

use crate::support::{act, disk, explore, open, session, together};

fn session_of_ada(database: &Database) -> SessionId {
    let session = database.create_session();
    session.set("cart", &0).expect("it is written");
    session.set_owner(Some("ada")).expect("it is hers");
    session.id()
}

#[test]
fn a_session_that_gets_another_id_while_its_owner_is_revoked_is_revoked() {
    explore(300, || {
        let database = open(&disk());
        let id = session_of_ada(&database);
        let other = session_of_ada(&database);
        database.checkpoint().expect("it is checkpointed");
        let moved = Arc::new(Mutex::new(None));
        let login = act!(database, moved; {
            let Some(mut session) = database.open_session(&id).expect("it is looked for") else {
                return;
            };
            if session.cycle_id().is_ok() {
                *moved.lock().expect("unharmed") = Some(session.id());
            }
        });
        let revoked = Arc::new(Mutex::new(0));
        let revoke = act!(database, revoked; {
            let count = database.revoke_owner("ada").expect("she is revoked");
            *revoked.lock().expect("unharmed") = count;
        });
        let checkpoint = act!(database; database.checkpoint().expect("it is checkpointed"));
        together(vec![login, revoke, checkpoint]);
        assert_eq!(*revoked.lock().expect("unharmed"), 2);
        let moved = *moved.lock().expect("unharmed");
        for id in [id, other].into_iter().chain(moved) {
            let found = database.open_session(&id).expect("it is looked for");
            assert!(found.is_none(), "a session of hers is left");
        }
        assert!(
            database
                .sessions_of("ada")
                .expect("they are listed")
                .is_empty()
        );
        database.verify().expect("it is sound");
        database.close().expect("it closes");
    });
}

#[test]
fn a_session_that_changes_hands_belongs_to_one_of_the_two() {
    explore(300, || {
        let database = open(&disk());
        let id = session_of_ada(&database);
        database.checkpoint().expect("it is checkpointed");
        let changes = act!(database; {
            session(&database, &id).set_owner(Some("bob")).expect("it is his");
        });
        let writes = act!(database; {
            session(&database, &id).set("cart", &1).expect("it is written");
        });
        let checkpoint = act!(database; database.checkpoint().expect("it is checkpointed"));
        together(vec![changes, writes, checkpoint]);
        let of = |owner| database.sessions_of(owner).expect("they are listed").len();
        assert_eq!((of("ada"), of("bob")), (0, 1));
        database.checkpoint().expect("it is checkpointed");
        assert_eq!((of("ada"), of("bob")), (0, 1));
        database.verify().expect("it is sound");
        database.close().expect("it closes");
    });
}
