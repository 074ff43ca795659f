//! The background erases in time, by the database's clock: when nobody writes,
//! and under load.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sessiondb::{Builder, Database, Expiry, ManualClock, Upkeep};

use crate::support::{AT_LEISURE, WITHIN, assert_erased, assert_there, by_hand, clock};

/// How long the background is waited for, by the wall. It needs far less.
const PATIENCE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

fn by_itself(clock: &Arc<ManualClock>) -> Builder {
    by_hand(clock)
        .background(true)
        .idle_checkpoint_after(Duration::from_millis(20))
}

/// Until nothing is older than that, by a clock that stands still.
fn wait_until_no_older(db: &Database, age: Option<Duration>) {
    let until = Instant::now() + PATIENCE;
    while db.stats().erasure_age > age {
        assert!(Instant::now() < until, "{:?}", db.stats().erasure_age);
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn what_was_removed_is_erased_before_its_time_when_nobody_writes() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let db = by_itself(&clock).open(directory.path()).unwrap();
    let session = db.create_session();
    session.set("kept-key", "kept-value").unwrap();
    session.set("marked-key", "marked-value").unwrap();
    db.checkpoint().unwrap();
    session.delete("marked-key").unwrap();
    clock.advance(WITHIN / 2 + SECOND);
    wait_until_no_older(&db, None);
    assert_erased(directory.path(), "marked", "");
    assert_there(directory.path(), "kept-value");
    db.verify().unwrap();
}

#[test]
fn what_is_over_is_erased_before_its_time_when_nobody_writes() {
    for upkeep in [Upkeep::default(), Upkeep::default().purge(false)] {
        let directory = tempfile::tempdir().unwrap();
        let clock = clock();
        let builder = by_itself(&clock).upkeep(upkeep);
        let db = builder.open(directory.path()).unwrap();
        let session = db.create_session();
        session.set("kept-key", "kept-value").unwrap();
        let value = "marked-value";
        session.set_with_ttl("marked-key", value, SECOND).unwrap();
        let over = db.create_session();
        over.set("marked-key", "marked-value").unwrap();
        over.set_owner(Some("marked-owner")).unwrap();
        over.set_expiry(Expiry::Idle(SECOND)).unwrap();
        db.checkpoint().unwrap();
        clock.advance(WITHIN / 2 + 2 * SECOND);
        let until = Instant::now() + PATIENCE;
        while db.stats().erasure_age.is_some() || db.verify().unwrap().sessions > 1 {
            assert!(Instant::now() < until);
            thread::sleep(Duration::from_millis(5));
        }
        wait_until_no_older(&db, None);
        assert_erased(directory.path(), "marked", &format!("{upkeep:?}"));
        assert_there(directory.path(), "kept-value");
    }
}

/// The time runs on while it is closed, and over many openings.
#[test]
fn openings_that_follow_each_other_closely_do_not_put_it_off() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let upkeep = Upkeep::default().purge(false);
    let open = || {
        let builder = by_itself(&clock).upkeep(upkeep);
        builder.open(directory.path()).unwrap()
    };
    let db = open();
    let over = db.create_session();
    over.set("marked-key", "marked-value").unwrap();
    over.set_expiry(Expiry::Idle(SECOND)).unwrap();
    db.close().unwrap();
    for _ in 0..3 {
        clock.advance(WITHIN / 5);
        open().close().unwrap();
    }
    let db = open();
    let until = Instant::now() + PATIENCE;
    while db.verify().unwrap().sessions > 0 || db.stats().erasure_age.is_some() {
        assert!(Instant::now() < until);
        thread::sleep(Duration::from_millis(5));
    }
    assert_erased(directory.path(), "marked", "");
}

/// Also where an assertion fails, so that nobody waits for the writers.
struct EndsWriting<'a>(&'a AtomicBool);

impl Drop for EndsWriting<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Writes as fast as it can: small sessions, a large one, ends. It holds so
/// much and no more, however long it takes.
fn write_until(db: &Database, is_over: &AtomicBool, writer: usize) {
    let mut held = VecDeque::new();
    let db = db.with_durability(AT_LEISURE);
    let large = db.create_session();
    let mut number = 0;
    while !is_over.load(Ordering::Relaxed) {
        number += 1;
        let mut small = db.create_session();
        small.set("key", &number).unwrap();
        let owner = format!("owner-{writer}-{}", number % 5);
        small.set_owner(Some(&owner)).unwrap();
        let key = format!("key-{}", number % 40);
        large.set_bytes(&key, &vec![7; 1000]).unwrap();
        if number % 3 != 0 {
            small.flush().unwrap();
            continue;
        }
        held.push_back(small);
        if number % 30 == 0 {
            db.revoke_owner(&owner).unwrap();
        }
        let surplus = held.len().saturating_sub(200);
        for mut old in held.drain(..surplus) {
            old.flush().unwrap();
        }
    }
}

#[test]
fn what_was_removed_is_erased_in_time_under_load() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let builder = by_itself(&clock).memtable_bytes(1 << 20);
    let db = builder.open(directory.path()).unwrap();
    let kept = db.create_session();
    kept.set("kept-key", "kept-value").unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in 0..2 {
            let (db, is_over) = (&db, &is_over);
            scope.spawn(move || write_until(db, is_over, writer));
        }
        let _ends = EndsWriting(&is_over);
        for step in 0..12 {
            let mut session = db.create_session();
            let value = format!("marked-value-{step}-");
            session.set("kept", "kept-value").unwrap();
            session.set(&value, &value).unwrap();
            session.set_owner(Some(&value)).unwrap();
            if step % 2 == 0 {
                db.checkpoint().unwrap();
            }
            match step % 3 {
                0 => drop(session.flush().unwrap()),
                1 => session.clear().unwrap(),
                _ => session.delete(&value).unwrap(),
            }
            session.set_owner(None).unwrap();
            clock.advance(WITHIN / 4);
            wait_until_no_older(&db, Some(WITHIN));
            // This one was removed four steps ago, and so all before it.
            for old in 0..(step + 1_usize).saturating_sub(4) {
                let what = format!("{old} in step {step}");
                assert_erased(directory.path(), &format!("marked-value-{old}-"), &what);
            }
        }
    });
    assert_eq!(
        kept.get::<String>("kept-key").unwrap().as_deref(),
        Some("kept-value")
    );
    db.verify().unwrap();
    db.close().unwrap();
}
