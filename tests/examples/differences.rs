//! The replay's comparison can fail.

use sessiondb::Database;

use crate::replay_example::report;
use crate::replay_example::run::Replay;
use crate::support::sample_log;

/// Replays the sample, lets `tamper` change the database, and gives what the
/// comparison finds.
fn found_after(tamper: impl FnOnce(&Database, &Replay<'_>)) -> Vec<String> {
    let db = Database::temporary().unwrap();
    let mut replay = Replay::new(&db);
    let log = std::fs::read(sample_log()).unwrap();
    replay
        .run(log.as_slice(), |_| ())
        .expect("the sample is replayed");
    assert_eq!(replay.tally.differences, [""; 0]);
    tamper(&db, &replay);
    report::differences(&db, &replay.model, 0).unwrap()
}

#[test]
fn without_a_difference_none_is_found() {
    assert_eq!(found_after(|_, _| ()), [""; 0]);
}

#[test]
fn a_value_that_differs_is_found() {
    let found = found_after(|db, replay| {
        let known = replay.model.visitors.values().next().unwrap();
        let session = db.open_session(&known.id).unwrap().unwrap();
        session.set("flash", "You come from nowhere").unwrap();
    });
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("nowhere"), "{found:?}");
}

#[test]
fn a_key_too_many_is_found() {
    let found = found_after(|db, replay| {
        let known = replay.model.visitors.values().next().unwrap();
        let session = db.open_session(&known.id).unwrap().unwrap();
        session.set("stray", &1).unwrap();
    });
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn a_lost_session_is_found() {
    let found = found_after(|db, replay| {
        let known = replay.model.visitors.values().next().unwrap();
        let mut session = db.open_session(&known.id).unwrap().unwrap();
        session.destroy().unwrap();
    });
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].ends_with("is lost"), "{found:?}");
    assert_eq!(found[1], "4 sessions instead of 5");
}

#[test]
fn a_session_that_nobody_knows_is_found() {
    let found = found_after(|db, _| db.create_session().set("stray", &1).unwrap());
    assert_eq!(found, ["6 sessions instead of 5"]);
}

#[test]
fn a_flushed_session_that_is_back_is_found() {
    let db = Database::temporary().unwrap();
    let session = db.create_session();
    session.set("user", "ada").unwrap();
    let mut replay = Replay::new(&db);
    replay.model.flushed.push(session.id());
    let found = report::differences(&db, &replay.model, 1).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with("is back"), "{found:?}");
}

#[test]
fn a_session_lost_during_the_replay_is_a_difference() {
    let db = Database::temporary().unwrap();
    let mut replay = Replay::new(&db);
    let log = std::fs::read(sample_log()).unwrap();
    replay
        .run(log.as_slice(), |_| ())
        .expect("the sample is replayed");
    for known in replay.model.visitors.values() {
        let mut session = db.open_session(&known.id).unwrap().unwrap();
        session.destroy().unwrap();
    }
    replay
        .run(log.as_slice(), |_| ())
        .expect("what is lost is not fatal");
    assert!(replay.tally.differences.len() >= 5);
}
