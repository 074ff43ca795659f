//! A session that was flushed, destroyed or cycled meanwhile is gone for
//! every other handle; `flush` and `destroy` are idempotent.

use sessiondb::{Database, Error, Session, SessionId};

use super::operations::{reads, writes};
use super::support::{Stage, State, contents, named, open_on};

type End = fn(&mut Session);

/// The ways in which an ID dies.
const ENDS: &[(&str, End)] = &[
    ("flush", |session| {
        session.flush().unwrap();
    }),
    ("destroy", |session| session.destroy().unwrap()),
    ("cycle_id", |session| {
        session.cycle_id().unwrap();
    }),
];

fn one_key(session: &Session) {
    session.set("a", &1).unwrap();
}

/// A stage in every state, each with each end, and a handle that was opened before.
fn ended() -> impl Iterator<Item = (&'static str, Stage, Session)> {
    ENDS.iter().flat_map(|(name, end)| {
        Stage::each(one_key).map(move |mut stage| {
            let other = stage.handle();
            end(&mut stage.session);
            (*name, stage, other)
        })
    })
}

#[test]
fn every_read_and_write_through_another_handle_is_session_gone() {
    for (end, mut stage, other) in ended() {
        let answers = stage.writes_nothing("a gone handle", |_| {
            let mut answers = reads(&other, "a");
            answers.extend(reads(&other, "absent"));
            answers.extend(writes(&other, "a"));
            answers.extend(writes(&other, "absent"));
            answers
        });
        for (operation, answer) in answers {
            assert!(
                matches!(answer, Err(Error::SessionGone)),
                "{operation} after {end}, {stage}: {answer:?}"
            );
        }
    }
}

#[test]
fn it_stays_gone_for_a_handle_after_a_checkpoint() {
    for (end, stage, other) in ended() {
        stage.db.checkpoint().unwrap();
        for (operation, answer) in [reads(&other, "a"), writes(&other, "a")].concat_answers() {
            assert!(
                matches!(answer, Err(Error::SessionGone)),
                "{operation} after {end}, {stage}: {answer:?}"
            );
        }
    }
}

trait ConcatAnswers {
    fn concat_answers(self) -> Vec<super::operations::Answer>;
}

impl ConcatAnswers for [Vec<super::operations::Answer>; 2] {
    fn concat_answers(self) -> Vec<super::operations::Answer> {
        self.into_iter().flatten().collect()
    }
}

#[test]
fn cycling_a_gone_session_is_session_gone_and_writes_nothing() {
    for (end, mut stage, mut other) in ended() {
        let id = other.id();
        let outcome = stage.writes_nothing("cycling", |_| other.cycle_id());
        assert!(matches!(outcome, Err(Error::SessionGone)), "{end}, {stage}");
        assert_eq!(other.id(), id, "{end}, {stage}");
    }
}

#[test]
fn the_second_click_on_logout_succeeds_and_writes_nothing() {
    for (end, mut stage, mut other) in ended() {
        let old = other.id();
        let new = stage.writes_nothing("flushing again", |_| other.flush().unwrap());
        assert_ne!(new, old, "{end}, {stage}");
        assert_eq!(other.id(), new, "{end}, {stage}");
        stage.writes_nothing("and again", |_| {
            assert_ne!(other.flush().unwrap(), new);
            other.destroy().unwrap();
            other.destroy().unwrap();
        });
    }
}

#[test]
fn destroying_a_gone_session_succeeds_and_writes_nothing() {
    for (end, mut stage, mut other) in ended() {
        stage.writes_nothing("destroying", |_| {
            other.destroy().unwrap();
            other.destroy().unwrap();
        });
        assert!(
            matches!(other.get::<i64>("a"), Err(Error::SessionGone)),
            "{end}, {stage}"
        );
    }
}

#[test]
fn a_late_logout_does_not_end_the_session_that_was_cycled() {
    for mut stage in Stage::each(one_key) {
        let (mut flushes, mut destroys) = (stage.handle(), stage.handle());
        stage.session.cycle_id().unwrap();
        flushes.flush().unwrap();
        destroys.destroy().unwrap();
        stage.holds(&[("a", 1)]);
    }
}

#[test]
fn after_destroy_the_handle_itself_is_session_gone() {
    for mut stage in Stage::each(one_key) {
        stage.session.destroy().unwrap();
        let session = &stage.session;
        for (operation, answer) in [reads(session, "a"), writes(session, "a")].concat_answers() {
            assert!(
                matches!(answer, Err(Error::SessionGone)),
                "{operation}, {stage}: {answer:?}"
            );
        }
        assert!(matches!(stage.session.cycle_id(), Err(Error::SessionGone)));
    }
}

#[test]
fn a_flush_after_a_destroy_gives_the_handle_a_new_session() {
    for mut stage in Stage::each(one_key) {
        let old = stage.session.id();
        stage.session.destroy().unwrap();
        let new = stage.session.flush().unwrap();
        assert_ne!(old, new);
        stage.session.set("b", &2).unwrap();
        assert!(stage.db.open_session(&old).unwrap().is_none());
        stage.holds(&[("b", 2)]);
    }
}

#[track_caller]
fn is_unknown(db: &Database, id: &SessionId, context: &str) {
    assert!(db.open_session(id).unwrap().is_none(), "{context}");
    let token = id.to_string();
    assert!(db.open_token(&token).unwrap().is_none(), "{context}");
}

#[test]
fn an_ended_session_cannot_be_opened_again() {
    for (end, stage, other) in ended() {
        let id = other.id();
        let context = format!("{end}, {stage}");
        is_unknown(&stage.db, &id, &context);
        stage.db.checkpoint().unwrap();
        is_unknown(&stage.db, &id, &context);
        let disk = stage.disk.clone();
        stage.db.close().unwrap();
        drop((stage, other));
        let db = open_on(&disk);
        is_unknown(&db, &id, &context);
        db.verify().unwrap();
    }
}

#[test]
fn an_ended_session_stays_ended_after_a_power_cut() {
    for (end, stage, other) in ended() {
        let disk = super::support::power_cut(&stage.disk);
        let id = other.id();
        let context = format!("{end}, {stage}");
        drop((stage, other));
        is_unknown(&open_on(&disk), &id, &context);
    }
}

#[test]
fn a_slow_request_cannot_undo_a_logout() {
    for mut stage in Stage::each(one_key) {
        let slow = stage.handle();
        let id = slow.id();
        stage.session.flush().unwrap();
        assert!(matches!(slow.set("a", &9), Err(Error::SessionGone)));
        drop(slow);
        is_unknown(&stage.db, &id, &stage.to_string());
        stage.db.checkpoint().unwrap();
        is_unknown(&stage.db, &id, &stage.to_string());
    }
}

#[test]
fn an_end_of_one_session_leaves_the_others_alone() {
    for (end_name, end) in ENDS {
        for state in State::ALL {
            let mut stage = Stage::new(state, one_key);
            let neighbour = stage.db.create_session();
            neighbour.set("b", &2).unwrap();
            end(&mut stage.session);
            assert_eq!(
                contents(&neighbour),
                named(&[("b", 2)]),
                "{end_name}, {stage}"
            );
        }
    }
}
