//! The session lock: what ends a session, moves it to another ID or empties
//! it, beside a slow request that writes to it.

use std::sync::{Arc, Mutex};

use sessiondb::{Error, SessionId};

use crate::support::{act, cut, disk, explore, open, session, together};

type Outcome = Arc<Mutex<Option<SessionId>>>;

#[test]
fn a_slow_request_cannot_undo_a_logout() {
    explore(300, || {
        let disk = disk();
        let database = open(&disk);
        let first = database.create_session();
        first.set("user", "ada").expect("it is written");
        let id = first.id();
        database.checkpoint().expect("it is checkpointed");
        let logout = act!(database, disk; {
            let mut session = session(&database, &id);
            session.flush().expect("it is flushed");
            let again = database.open_session(&id).expect("it is looked for");
            assert!(again.is_none(), "a flushed session is gone");
            let disk = cut(&disk);
            let after = open(&disk);
            let found = after.open_session(&id).expect("it is looked for");
            assert!(found.is_none(), "also after a power cut");
            after.close().expect("it closes");
        });
        let slow = act!(database; {
            let Some(session) = database.open_session(&id).expect("it is looked for") else {
                return;
            };
            match session.set("cart", &3) {
                Ok(()) | Err(Error::SessionGone) => {}
                Err(error) => panic!("{error}"),
            }
        });
        let checkpoint = act!(database; database.checkpoint().expect("it is checkpointed"));
        together(vec![logout, slow, checkpoint]);
        assert!(
            database
                .open_session(&id)
                .expect("it is looked for")
                .is_none()
        );
        database.verify().expect("it is sound");
        database.close().expect("it closes");
    });
}

#[test]
fn a_session_that_gets_another_id_keeps_what_is_written_meanwhile() {
    explore(300, || {
        let disk = disk();
        let database = open(&disk);
        let first = database.create_session();
        first.set("count", &0_u32).expect("it is written");
        let id = first.id();
        database.checkpoint().expect("it is checkpointed");
        let moved = Outcome::default();
        let login = act!(database, moved; {
            let mut session = session(&database, &id);
            session.cycle_id().expect("it gets another ID");
            *moved.lock().expect("unharmed") = Some(session.id());
            let old = database.open_session(&id).expect("it is looked for");
            assert!(old.is_none(), "nobody finds it under its old ID");
        });
        let counted = Arc::new(Mutex::new(0_u32));
        let slow = act!(database, counted; {
            let Some(session) = database.open_session(&id).expect("it is looked for") else {
                return;
            };
            for _ in 0..2 {
                match session.update("count", |count: Option<u32>| count.map(|count| count + 1)) {
                    Ok(_) => *counted.lock().expect("unharmed") += 1,
                    Err(Error::SessionGone) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
        let checkpoint = act!(database; database.checkpoint().expect("it is checkpointed"));
        together(vec![login, slow, checkpoint]);
        let id = moved.lock().expect("unharmed").expect("it has another ID");
        let expected = Some(*counted.lock().expect("unharmed"));
        let found = session(&database, &id).get::<u32>("count");
        assert_eq!(found.expect("it is read"), expected);
        let cut = cut(&disk);
        database.verify().expect("it is sound");
        database.close().expect("it closes");
        let again = open(&cut);
        let found = session(&again, &id).get::<u32>("count");
        assert_eq!(found.expect("it is read"), expected, "after a power cut");
        again.close().expect("it closes");
    });
}

#[test]
fn of_a_session_that_is_cleared_beside_a_write_and_a_checkpoint_only_later_keys_are_left() {
    explore(300, || {
        let disk = disk();
        let database = open(&disk);
        let first = database.create_session();
        let filled = first.transaction(|tx| (0..40).try_for_each(|n| tx.set(&format!("k{n}"), &n)));
        filled.expect("it is written");
        let id = first.id();
        database.checkpoint().expect("it is checkpointed");
        let clearer = act!(database; {
            let session = session(&database, &id);
            session.clear().expect("it is cleared");
            let left = session.keys().expect("it is read").map(|key| key.expect("it is read"));
            let left: Vec<String> = left.map(|key| String::from(&*key)).collect();
            assert!(left.iter().all(|key| key == "new"), "{left:?}");
        });
        let writer = act!(database; {
            session(&database, &id).set("new", &1).expect("it is written");
        });
        let checkpoint = act!(database; database.checkpoint().expect("it is checkpointed"));
        together(vec![clearer, writer, checkpoint]);
        let left = session(&database, &id).len().expect("it is counted");
        assert!(left <= 1, "{left} keys are left");
        let cut = cut(&disk);
        database.verify().expect("it is sound");
        database.close().expect("it closes");
        let again = open(&cut);
        assert_eq!(session(&again, &id).len().expect("it is counted"), left);
        again.close().expect("it closes");
    });
}
