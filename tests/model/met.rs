//! What random runs have met once, each as small as it can be.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sessiondb::{
    Builder, Clock as _, Crash, Database, Durability, Error, Expiry, IndexFate, ManualClock,
    SessionId, SimulatedDisk,
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

fn disk() -> SimulatedDisk {
    SimulatedDisk::new(1).expect("a temporary directory for the index")
}

fn quiet() -> Builder {
    Database::builder().background(false)
}

fn open(builder: Builder, disk: &SimulatedDisk) -> Database {
    builder.open_on(Arc::new(disk.clone())).expect("it opens")
}

/// More than is set aside for a closure before anybody knows what it writes.
const LARGE: usize = 70_000;

#[test]
fn a_session_with_the_longest_owner_may_be_large() {
    let owner = "o".repeat(sessiondb::MAX_OWNER_BYTES);
    let db = open(quiet().sessions_per_owner(Some(1)), &disk());
    let mut session = db.create_session();
    let joined = session.transaction(|tx| {
        tx.set_bytes("picture", &vec![0; LARGE])?;
        tx.set_owner(Some(&owner))
    });
    assert!(joined.is_ok(), "{joined:?}");
    let renewed = session.flush_with(|tx| {
        tx.set_bytes("picture", &vec![0; LARGE])?;
        tx.set_owner(Some(&owner))
    });
    assert!(renewed.is_ok(), "{renewed:?}");
}

#[test]
fn time_does_not_go_back_behind_the_opening() {
    let clock = Arc::new(ManualClock::default());
    let opened: SystemTime = clock.now();
    let db = open(quiet().clock(clock.clone()), &disk());
    clock.set(UNIX_EPOCH + HOUR);
    let session = db.create_session();
    session.set("user", "ada").expect("a write");
    let info = db.inspect(&session.id().digest()).expect("a lookup");
    assert_eq!(info.map(|info| info.created), Some(opened));
}

#[test]
fn a_clock_behind_that_of_the_opening_before_is_no_damage() {
    let disk = disk();
    let clock = Arc::new(ManualClock::default());
    let builder = || quiet().clock(clock.clone()).retire_ids_for(HOUR);
    let db = open(builder(), &disk);
    let flush = |db: &Database| {
        let mut session = db.create_session();
        session.set("user", "ada").expect("a write");
        session.flush().expect("a flush");
        db.checkpoint().expect("a checkpoint");
    };
    let before = clock.now();
    flush(&db);
    // What is forgotten now is remembered again by an earlier clock.
    clock.advance(DAY);
    flush(&db);
    db.close().expect("it closes");
    drop(db);
    clock.set(before + SECOND);
    let db = open(builder(), &disk);
    db.verify().expect("nothing is damaged");
}

/// The same, where the purge has removed rows of the index.
#[test]
fn a_clock_behind_that_of_the_purge_before_is_no_damage() {
    let disk = disk();
    let clock = Arc::new(ManualClock::default());
    let builder = || quiet().clock(clock.clone()).retire_ids_for(HOUR);
    let db = open(builder(), &disk);
    let before = clock.now();
    let mut session = db.create_session();
    session.set("user", "ada").expect("a write");
    session.flush().expect("a flush");
    db.checkpoint().expect("a checkpoint");
    clock.advance(DAY);
    db.purge_expired().expect("a purge");
    db.close().expect("it closes");
    drop(db);
    clock.set(before + SECOND);
    let db = open(builder(), &disk);
    db.verify().expect("nothing is damaged");
}

#[test]
fn sessions_written_under_other_timeouts_are_purged_under_the_first_ones_again() {
    let disk = disk();
    let clock = Arc::new(ManualClock::default());
    let builder = |absolute| {
        let builder = quiet().clock(clock.clone()).idle_timeout(None);
        builder.absolute_timeout(absolute)
    };
    let db = open(builder(Some(DAY)), &disk);
    db.purge_expired().expect("a purge");
    db.close().expect("it closes");
    drop(db);
    let db = open(builder(None), &disk);
    db.create_session().set("user", "ada").expect("a write");
    db.close().expect("it closes");
    drop(db);
    let db = open(builder(Some(DAY)), &disk);
    db.verify().expect("nothing is damaged");
    clock.advance(2 * DAY);
    assert_eq!(db.purge_expired().expect("a purge"), 1);
    assert_eq!(db.verify().expect("nothing is damaged").sessions, 0);
}

#[test]
fn a_commit_waits_for_the_creation_of_a_session_with_a_chosen_id() {
    let disk = disk();
    let deferred = Durability::Deferred { sync_within: HOUR };
    let db = open(quiet().durability(deferred), &disk);
    let id = SessionId::from_bytes([7; 16]);
    let session = db.create_session_with_id(id, Expiry::Default);
    session.expect("it is new").commit().expect("a commit");
    let disk = disk
        .crash(Crash::KeepNothing, IndexFate::Kept)
        .expect("a copy of the index");
    let db = open(quiet(), &disk);
    assert!(db.open_session(&id).expect("a lookup").is_some());
}

#[test]
fn a_touch_that_finds_a_session_gone_waits_for_what_ended_it() {
    let disk = disk();
    let db = open(quiet(), &disk);
    let session = db.create_session();
    session.set("user", "ada").expect("a write");
    let deferred = db.with_durability(Durability::Deferred { sync_within: HOUR });
    assert!(deferred.revoke(session.id()).expect("a logout"));
    let touched = session.touch();
    assert!(matches!(touched, Err(Error::SessionGone)), "{touched:?}");
    let disk = disk
        .crash(Crash::KeepNothing, IndexFate::Kept)
        .expect("a copy of the index");
    let again = open(quiet(), &disk).open_session(&session.id());
    assert!(again.expect("a lookup").is_none(), "it was seen gone");
}
