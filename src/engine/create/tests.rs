use std::sync::{Barrier, mpsc};
use std::time::Duration;

use crate::{Database, Durability, Error, Expiry, SessionId};

fn quiet() -> Database {
    Database::builder().background(false).temporary().unwrap()
}

#[test]
fn a_drawn_id_that_was_chosen_is_refused_under_a_cap_too() {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let builder = Database::builder().background(false);
        let db = builder.sessions_per_owner(Some(5)).temporary().unwrap();
        let drawn = db.create_session();
        let chosen = db.create_session_with_id(drawn.id(), Expiry::Default);
        chosen.unwrap().set_owner(Some("ann")).unwrap();
        drawn.set_owner(Some("ann")).unwrap();
        let refused = drawn.set("a", &1);
        let refused = matches!(refused, Err(Error::SessionGone));
        sender.send(refused).unwrap();
    });
    let answer = receiver.recv_timeout(Duration::from_secs(60));
    assert_eq!(answer, Ok(true), "it waits for ever");
}

#[test]
fn a_drawn_id_that_was_chosen_and_died_stays_dead() {
    let db = quiet();
    let drawn = db.create_session();
    let chosen = db.create_session_with_id(drawn.id(), Expiry::Default);
    chosen.unwrap().destroy().unwrap();
    db.checkpoint().unwrap();
    let written = drawn.set("a", &1);
    assert!(matches!(written, Err(Error::SessionGone)), "{written:?}");
    assert!(db.is_retired(drawn.id()).unwrap());
}

#[test]
fn a_drawn_id_whose_first_write_is_refused_stays_free() {
    let db = quiet();
    let other = SessionId::from_bytes([9; 16]);
    for chosen_before in [false, true] {
        if chosen_before {
            db.create_session_with_id(other, Expiry::Default).unwrap();
        }
        let drawn = db.create_session();
        let refused = drawn.transaction(|tx| {
            let part = vec![0; 1 << 19];
            (0..40).try_for_each(|number| tx.set_bytes(&format!("{number}"), &part))
        });
        assert!(matches!(refused, Err(Error::TooLarge { .. })));
        assert!(!db.is_retired(drawn.id()).unwrap());
        let chosen = db.create_session_with_id(drawn.id(), Expiry::Default);
        chosen.unwrap().set("a", &1).unwrap();
        db.checkpoint().unwrap();
        db.verify().unwrap();
    }
}

#[test]
fn of_a_first_write_and_a_choice_of_the_same_id_one_wins() {
    let deferred = Durability::Deferred {
        sync_within: Duration::from_secs(3600),
    };
    for round in 0..150 {
        // The first choice of a database is a moment of its own.
        let db = quiet().with_durability(deferred);
        for _ in 0..2 {
            let drawn = db.create_session();
            let id = drawn.id();
            let barrier = Barrier::new(2);
            let (written, chosen) = std::thread::scope(|scope| {
                let written = scope.spawn(|| {
                    barrier.wait();
                    drawn.set("a", &1)
                });
                barrier.wait();
                let chosen = db.create_session_with_id(id, Expiry::Default);
                (written.join().unwrap(), chosen.map(drop))
            });
            assert_ne!(written.is_ok(), chosen.is_ok(), "round {round}");
            assert!(db.open_session(&id).unwrap().is_some());
        }
        if round % 50 == 0 {
            db.verify().unwrap();
        }
    }
}
