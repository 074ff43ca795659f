//! Using the database inside a closure of one of its sessions is `Reentrant`,
//! never a deadlock.

use std::cell::RefCell;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sessiondb::{Database, Error, Result, Session};

use super::operations::{Answer, reads, writes};
use super::support::{NEVER_BY_ITSELF, Stage, State, contents, named, promptly};

fn nothing<T>(result: Result<T>) -> Result<()> {
    result.map(drop)
}

/// Everything that can be asked of a database.
fn of_database(db: &Database, known: &Session) -> Vec<Answer> {
    vec![
        ("open_session", nothing(db.open_session(&known.id()))),
        (
            "open_token",
            nothing(db.open_token(&known.id().to_string())),
        ),
        ("open_token of nonsense", nothing(db.open_token("nonsense"))),
        ("commit", db.commit()),
        ("checkpoint", db.checkpoint()),
        ("verify", nothing(db.verify())),
        ("close", db.close()),
    ]
}

/// Everything that can be asked of a session.
fn of_session(session: &mut Session) -> Vec<Answer> {
    let mut answers = reads(session, "a");
    answers.extend(writes(session, "a"));
    answers.extend([
        ("commit", session.commit()),
        ("flush", nothing(session.flush())),
        ("cycle_id", nothing(session.cycle_id())),
        ("destroy", session.destroy()),
    ]);
    answers
}

/// What a closure of `stage.session` might try.
struct Tries {
    db: Database,
    view: Database,
    same: Session,
    other: Session,
    unwritten: Session,
    deferred: Session,
}

impl Tries {
    fn of(stage: &Stage) -> Self {
        let other = stage.db.create_session();
        other.set("a", &1).unwrap();
        let view = stage.db.with_durability(NEVER_BY_ITSELF);
        Self {
            db: stage.db.clone(),
            same: stage.handle(),
            unwritten: stage.db.create_session(),
            deferred: view.open_session(&stage.session.id()).unwrap().unwrap(),
            view,
            other,
        }
    }

    /// Asserts that all of it is refused.
    fn are_reentrant(&mut self, place: &str) {
        let mut answers = of_database(&self.db, &self.same);
        answers.extend(of_database(&self.view, &self.same));
        for session in [
            &mut self.same,
            &mut self.other,
            &mut self.unwritten,
            &mut self.deferred,
        ] {
            answers.extend(of_session(session));
        }
        answers.extend(of_session(&mut self.db.create_session()));
        for (operation, answer) in answers {
            assert!(
                matches!(answer, Err(Error::Reentrant)),
                "{operation} in {place}: {answer:?}"
            );
        }
        // What cannot fail does not hang.
        let _ = (self.db.stats(), self.same.is_resident(), self.same.id());
        drop((self.db.committed(), self.same.committed()));
    }
}

thread_local! {
    static TRIES: RefCell<Option<Tries>> = const { RefCell::new(None) };
}

fn try_everything(place: &str) {
    TRIES.with_borrow_mut(|tries| {
        if let Some(tries) = tries {
            tries.are_reentrant(place);
        }
    });
}

/// A value whose encoding and decoding use the database.
#[derive(Debug, PartialEq)]
struct Nosy(i64);

impl Serialize for Nosy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        try_everything("a Serialize implementation");
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Nosy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        try_everything("a Deserialize implementation");
        i64::deserialize(deserializer).map(Nosy)
    }
}

/// Runs `work` in every state, with everything there to be tried.
fn with_tries(work: fn(&Session)) {
    for state in State::ALL {
        promptly(move || {
            let stage = Stage::new(state, |session| session.set("a", &1).unwrap());
            let tries = Tries::of(&stage);
            TRIES.with_borrow_mut(|slot| *slot = Some(tries));
            work(&stage.session);
            let mut tries = TRIES.with_borrow_mut(Option::take).unwrap();
            // It was refused, not half done.
            assert_eq!(contents(&tries.other), named(&[("a", 1)]));
            assert!(tries.unwritten.is_empty().unwrap());
            // And outside it works again.
            tries.unwritten.set("a", &1).unwrap();
            tries.other.flush().unwrap();
            drop(tries);
            stage.db.checkpoint().unwrap();
        });
    }
}

#[test]
fn everything_is_reentrant_inside_a_transaction() {
    with_tries(|session| {
        let outcome = session.transaction(|tx| {
            try_everything("a transaction");
            tx.set("b", &2)?;
            try_everything("a transaction that has written");
            Ok(())
        });
        outcome.unwrap();
        assert_eq!(contents(session), named(&[("a", 1), ("b", 2)]));
    });
}

#[test]
fn everything_is_reentrant_inside_a_try_transaction() {
    with_tries(|session| {
        let outcome = session.try_transaction::<(), Error>(|tx| {
            try_everything("a try_transaction");
            tx.delete("absent")
        });
        outcome.unwrap_err();
    });
}

#[test]
fn everything_is_reentrant_inside_an_update() {
    with_tries(|session| {
        let outcome = session.update("a", |a: Option<i64>| {
            try_everything("an update");
            a
        });
        assert_eq!(outcome.unwrap(), Some(1));
    });
}

#[test]
fn everything_is_reentrant_inside_a_get_or_insert_with() {
    with_tries(|session| {
        let outcome = session.get_or_insert_with("b", || {
            try_everything("a get_or_insert_with");
            2
        });
        assert_eq!(outcome.unwrap(), 2);
    });
}

#[test]
fn everything_is_reentrant_inside_an_encoding_or_decoding_under_the_lock() {
    with_tries(|session| {
        session
            .update("a", |a: Option<Nosy>| a.map(|a| Nosy(a.0 + 1)))
            .unwrap();
        session.get_or_insert_with("b", || Nosy(3)).unwrap();
        let outcome = session.transaction(|tx| {
            tx.set("c", &Nosy(4))?;
            tx.compare_and_set("d", None, Some(&Nosy(5)))?;
            tx.get::<Nosy>("c")
        });
        assert_eq!(outcome.unwrap(), Some(Nosy(4)));
        assert_eq!(session.pop("c").unwrap(), Some(Nosy(4)));
    });
}

/// Encodes as what the session holds right now.
struct Copied<'s>(&'s Session, &'s str);

impl Serialize for Copied<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.get::<i64>(self.1) {
            Ok(value) => value.serialize(serializer),
            Err(error) => Err(serde::ser::Error::custom(error)),
        }
    }
}

#[test]
fn an_encoding_that_reads_the_session_itself_does_not_deadlock() {
    promptly(|| {
        for stage in Stage::each(|session| session.set("a", &1).unwrap()) {
            let session = &stage.session;
            session.set("b", &Copied(session, "a")).unwrap();
            assert!(session.pop_if("b", &Copied(session, "a")).unwrap());
            let refused = session.transaction(|tx| tx.set("c", &Copied(session, "a")));
            assert!(matches!(refused, Err(Error::Encode { .. })), "{refused:?}");
            stage.holds(&[("a", 1)]);
        }
    });
}

#[test]
fn an_iteration_begun_outside_is_reentrant_inside() {
    for stage in Stage::each(|session| session.set("a", &1).unwrap()) {
        let session = &stage.session;
        let mut iter = session.iter().unwrap();
        let mut keys = session.keys().unwrap();
        let outcome = session.transaction(|tx| {
            assert!(matches!(iter.next(), Some(Err(Error::Reentrant))));
            assert!(matches!(keys.next(), Some(Err(Error::Reentrant))));
            tx.set("b", &2)
        });
        outcome.unwrap();
        assert!(iter.next().is_none());
    }
}

#[test]
fn a_closure_within_a_closure_of_another_database_is_fine() {
    let outer = Database::temporary().unwrap().create_session();
    let inner = Database::temporary().unwrap().create_session();
    let outcome = outer.transaction(|outer_tx| {
        outer_tx.set("a", &1)?;
        inner.transaction(|inner_tx| inner_tx.set("b", &2))?;
        assert!(matches!(outer.get::<i64>("a"), Err(Error::Reentrant)));
        inner.get::<i64>("b")
    });
    assert_eq!(outcome.unwrap(), Some(2));
    assert_eq!(contents(&outer), named(&[("a", 1)]));
}

#[test]
fn other_threads_are_not_inside_the_closure() {
    for stage in Stage::each(|session| session.set("a", &1).unwrap()) {
        let (db, reader) = (stage.db.clone(), stage.handle());
        let outcome = stage.session.transaction(|tx| {
            let seen = promptly(move || {
                let other = db.create_session();
                other.set("b", &2).unwrap();
                reader.get::<i64>("a").unwrap()
            });
            assert_eq!(seen, Some(1));
            tx.set("a", &3)
        });
        outcome.unwrap();
        stage.holds(&[("a", 3)]);
    }
}

#[test]
fn the_progress_of_a_verify_cannot_use_the_database() {
    promptly(|| {
        let stage = Stage::new(State::Checkpointed, |session| session.set("a", &1).unwrap());
        let db = &stage.db;
        let mut calls = 0;
        let verified = db.verify_with(|_, _| {
            calls += 1;
            for (operation, answer) in of_database(db, &stage.session) {
                assert!(
                    matches!(answer, Err(Error::Reentrant)),
                    "{operation}: {answer:?}"
                );
            }
        });
        assert_eq!(verified.unwrap().sessions, 1);
        assert!(calls > 0);
    });
}

/// An error whose conversion uses the session it came from.
#[derive(Debug)]
struct Logged(String);

impl From<Error> for Logged {
    fn from(error: Error) -> Self {
        try_everything("the conversion of an error");
        Self(error.to_string())
    }
}

#[test]
fn the_conversion_of_an_error_of_the_commit_itself_does_not_deadlock() {
    promptly(|| {
        let (disk, db) = super::support::fresh();
        let session = db.create_session();
        session.set("a", &1).unwrap();
        let stage = Stage {
            state: State::Memtable,
            disk,
            db,
            session,
        };
        let tries = Tries::of(&stage);
        let disk = stage.disk.clone();
        let outcome = stage.session.try_transaction::<(), Logged>(|tx| {
            TRIES.with_borrow_mut(|slot| *slot = Some(tries));
            disk.set_capacity(Some(0));
            // More than is allocated already, so that the commit finds no space.
            for key in 0..4 {
                tx.set_bytes(&key.to_string(), &vec![7; 500_000])?;
            }
            Ok(())
        });
        TRIES.with_borrow_mut(Option::take);
        let message = outcome.unwrap_err().0;
        assert!(message.contains("no space left"), "{message}");
        disk.set_capacity(None);
        stage.holds(&[("a", 1)]);
    });
}
