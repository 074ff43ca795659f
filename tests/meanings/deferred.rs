//! Deferred: acknowledged means that `commit` returned. A power cut before it
//! may lose a write, and may bring a flushed session back; after it, never.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use sessiondb::{Crash, Database, Durability, IndexFate, Session, SessionId, SimulatedDisk};

use super::support::{
    DEADLOCK, Footprint, NEVER_BY_ITSELF, Stage, block_on, contents, fresh, named, open_on,
    power_cut,
};

/// A fresh database seen as one that defers.
fn deferring() -> (SimulatedDisk, Database) {
    let (disk, db) = fresh();
    (disk, db.with_durability(NEVER_BY_ITSELF))
}

/// The session after a power cut that took everything unsynced.
fn after_power_cut(disk: &SimulatedDisk, id: &SessionId) -> Option<Vec<(String, i64)>> {
    let db = open_on(&power_cut(disk));
    let session = db.open_session(id).unwrap();
    session.map(|session| contents(&session))
}

#[test]
fn a_power_cut_before_the_commit_may_lose_a_write() {
    let (disk, db) = deferring();
    let session = db.create_session();
    let operations = disk.operations();
    session.set("a", &1).unwrap();
    assert_eq!(disk.operations(), operations, "it waited for the disk");
    assert_eq!(contents(&session), named(&[("a", 1)]));
    assert_eq!(after_power_cut(&disk, &session.id()), None);
}

type Commit = fn(&Database, &Session);

const COMMITS: &[(&str, Commit)] = &[
    ("session.commit", |_, session| session.commit().unwrap()),
    ("session.committed", |_, session| {
        block_on(session.committed()).unwrap();
    }),
    ("db.commit", |db, _| db.commit().unwrap()),
    ("db.committed", |db, _| block_on(db.committed()).unwrap()),
    ("db.checkpoint", |db, _| db.checkpoint().unwrap()),
    ("db.close", |db, _| db.close().unwrap()),
    ("a durable write to another session", |db, _| {
        let durable = db.with_durability(Durability::Immediate);
        durable.create_session().set("b", &2).unwrap();
    }),
];

#[test]
fn a_power_cut_after_the_commit_never_loses_a_write() {
    for (name, commit) in COMMITS {
        let (disk, db) = deferring();
        let session = db.create_session();
        session.set("a", &1).unwrap();
        session.set("b", &2).unwrap();
        session.delete("a").unwrap();
        commit(&db, &session);
        let left = after_power_cut(&disk, &session.id());
        assert_eq!(left, Some(named(&[("b", 2)])), "{name}");
    }
}

#[test]
fn a_power_cut_before_the_commit_may_bring_a_flushed_session_back_and_after_it_never() {
    for (name, commit) in COMMITS {
        let (disk, db) = deferring();
        let mut session = db.create_session();
        session.set("a", &1).unwrap();
        session.commit().unwrap();
        let id = session.id();
        session.flush().unwrap();
        assert!(db.open_session(&id).unwrap().is_none(), "gone at once");
        let twin = disk.crash(Crash::KeepNothing, IndexFate::Kept).unwrap();
        let back = open_on(&twin).open_session(&id).unwrap();
        assert_eq!(back.map(|back| contents(&back)), Some(named(&[("a", 1)])));

        let (disk, db) = deferring();
        let mut session = db.create_session();
        session.set("a", &1).unwrap();
        session.commit().unwrap();
        let id = session.id();
        session.flush().unwrap();
        commit(&db, &session);
        assert_eq!(after_power_cut(&disk, &id), None, "{name}");
    }
}

#[test]
fn a_committed_cycle_and_destroy_stay_after_a_power_cut() {
    for stage in Stage::each(|session| session.set("a", &1).unwrap()) {
        let view = stage.db.with_durability(NEVER_BY_ITSELF);
        let old = stage.session.id();
        let mut session = view.open_session(&old).unwrap().unwrap();
        let new = session.cycle_id().unwrap();
        session.commit().unwrap();
        let disk = stage.disk.clone();
        drop((stage, view, session));
        let disk = power_cut(&disk);
        let db = open_on(&disk);
        assert!(db.open_session(&old).unwrap().is_none());
        let view = db.with_durability(NEVER_BY_ITSELF);
        let mut session = view.open_session(&new).unwrap().unwrap();
        assert_eq!(contents(&session), named(&[("a", 1)]));
        session.destroy().unwrap();
        session.commit().unwrap();
        assert_eq!(after_power_cut(&disk, &new), None);
    }
}

#[test]
fn a_commit_of_a_handle_covers_what_that_handle_wrote() {
    let (disk, db) = deferring();
    let session = db.create_session();
    let before = Footprint::of(&disk, &db);
    session.commit().unwrap();
    block_on(session.committed()).unwrap();
    assert_eq!(
        Footprint::of(&disk, &db),
        before,
        "it had nothing to wait for"
    );
    session.set("a", &1).unwrap();
    session.commit().unwrap();
    let committed = disk.operations();
    session.commit().unwrap();
    assert_eq!(disk.operations(), committed, "it was on disk already");
    assert_eq!(disk.unsynced_bytes(), 0);
}

#[test]
fn one_commit_is_one_sync_for_many_writes() {
    let (disk, db) = deferring();
    let session = db.create_session();
    let before = disk.operations();
    for number in 0..50 {
        session.set(&format!("{number:02}"), &number).unwrap();
    }
    assert_eq!(disk.operations(), before);
    session.commit().unwrap();
    assert_eq!(disk.operations(), before + 2, "one write and one sync");
}

#[test]
fn it_reaches_the_disk_within_its_time_without_a_commit() {
    let (disk, db) = fresh();
    let soon = db.with_durability(Durability::Deferred {
        sync_within: Duration::from_millis(5),
    });
    let session = soon.create_session();
    let before = disk.operations();
    session.set("a", &1).unwrap();
    wait_until(|| disk.operations() >= before + 2 && disk.unsynced_bytes() == 0);
    assert_eq!(
        after_power_cut(&disk, &session.id()),
        Some(named(&[("a", 1)]))
    );
}

#[track_caller]
fn wait_until(done: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLOCK;
    while !done() {
        assert!(Instant::now() < deadline, "it never happens");
        std::thread::yield_now();
    }
}

#[test]
fn dropping_a_session_neither_waits_nor_discards() {
    let (disk, db) = deferring();
    let session = db.create_session();
    session.set("a", &1).unwrap();
    let id = session.id();
    let before = Footprint::of(&disk, &db);
    drop(session);
    assert_eq!(Footprint::of(&disk, &db), before, "the drop did something");
    let again = db.open_session(&id).unwrap().expect("it is still there");
    assert_eq!(contents(&again), named(&[("a", 1)]));
    drop(again);
    db.commit().unwrap();
    assert_eq!(after_power_cut(&disk, &id), Some(named(&[("a", 1)])));
}

#[test]
fn dropping_a_future_that_was_never_polled_cancels_nothing() {
    let (disk, db) = deferring();
    let session = db.create_session();
    session.set("a", &1).unwrap();
    drop((session.committed(), db.committed()));
    session.commit().unwrap();
    assert_eq!(
        after_power_cut(&disk, &session.id()),
        Some(named(&[("a", 1)]))
    );
}

#[test]
fn dropping_a_future_that_was_polled_cancels_nothing() {
    let (disk, db) = deferring();
    let session = db.create_session();
    session.set("a", &1).unwrap();
    let before = disk.operations();
    {
        let mut future = pin!(session.committed());
        // Whether it is ready at once or not, it has been asked for.
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut context) {
            outcome.unwrap();
        }
    }
    wait_until(|| disk.operations() >= before + 2 && disk.unsynced_bytes() == 0);
    assert_eq!(
        after_power_cut(&disk, &session.id()),
        Some(named(&[("a", 1)]))
    );
}

fn is_send_and_static<T: Send + 'static>(value: T) -> T {
    value
}

#[test]
fn the_future_is_send_and_outlives_its_handle() {
    let (disk, db) = deferring();
    let session = db.create_session();
    session.set("a", &1).unwrap();
    let id = session.id();
    let future = is_send_and_static(session.committed());
    let of_all = is_send_and_static(db.committed());
    drop(session);
    let waiter = std::thread::spawn(move || block_on(future));
    waiter.join().unwrap().unwrap();
    block_on(of_all).unwrap();
    assert_eq!(after_power_cut(&disk, &id), Some(named(&[("a", 1)])));
}

#[test]
fn many_futures_in_flight_are_all_done_after_a_few_syncs() {
    let (disk, db) = deferring();
    let sessions: Vec<Session> = (0..100).map(|_| db.create_session()).collect();
    let futures: Vec<_> = sessions
        .iter()
        .map(|session| {
            session.set("a", &1).unwrap();
            session.committed()
        })
        .collect();
    let before = disk.operations();
    for future in futures {
        block_on(future).unwrap();
    }
    assert!(disk.operations() <= before + 4, "they share a sync");
    let db = open_on(&power_cut(&disk));
    for session in &sessions {
        assert!(db.open_session(&session.id()).unwrap().is_some());
    }
}

#[test]
fn what_an_immediate_handle_has_read_survives_a_power_cut() {
    type Read = fn(&Session);
    let reads: [(&str, Read); 5] = [
        ("get", |session| {
            assert_eq!(session.get::<i64>("a").unwrap(), Some(2));
        }),
        ("absence", |session| {
            assert!(!session.contains_key("b").unwrap());
        }),
        ("len", |session| assert_eq!(session.len().unwrap(), 1)),
        ("a pop of nothing", |session| {
            assert_eq!(session.pop::<i64>("b").unwrap(), None);
        }),
        ("a lost comparison", |session| {
            assert!(!session.pop_if("a", &1).unwrap());
        }),
    ];
    for (name, read) in reads {
        let (disk, db) = fresh();
        let session = db.create_session();
        session.set("a", &1).unwrap();
        session.set("b", &2).unwrap();
        let quick = db.with_durability(NEVER_BY_ITSELF);
        let writer = quick.open_session(&session.id()).unwrap().unwrap();
        writer.set("a", &2).unwrap();
        writer.delete("b").unwrap();
        read(&session);
        let left = after_power_cut(&disk, &session.id());
        assert_eq!(left, Some(named(&[("a", 2)])), "{name}");
    }
}

#[test]
fn a_session_that_an_immediate_handle_found_gone_stays_gone() {
    for find_out in [true, false] {
        let (disk, db) = fresh();
        let session = db.create_session();
        session.set("a", &1).unwrap();
        let id = session.id();
        let quick = db.with_durability(NEVER_BY_ITSELF);
        quick.open_session(&id).unwrap().unwrap().flush().unwrap();
        if find_out {
            assert!(db.open_session(&id).unwrap().is_none());
        } else {
            session.get::<i64>("a").unwrap_err();
        }
        assert_eq!(after_power_cut(&disk, &id), None);
    }
}

#[test]
fn immediate_is_on_disk_when_it_returns() {
    let (disk, db) = fresh();
    let mut session = db.create_session();
    session.set("a", &1).unwrap();
    assert_eq!(disk.unsynced_bytes(), 0);
    let id = session.cycle_id().unwrap();
    session.delete("a").unwrap();
    assert_eq!(disk.unsynced_bytes(), 0);
    assert_eq!(after_power_cut(&disk, &id), Some(vec![]));
}
