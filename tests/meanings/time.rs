//! Time is read once per operation from the clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sessiondb::{Clock, Database, Error, ManualClock, Session, SimulatedDisk};

use super::operations::{reads, writes};
use super::support::{contents, named, quiet};

/// Counts how often it is asked, and goes backwards all the time.
#[derive(Default)]
struct Backwards(AtomicU64);

impl Backwards {
    fn asked(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Clock for Backwards {
    fn now(&self) -> SystemTime {
        let asked = self.0.fetch_add(1, Ordering::Relaxed);
        UNIX_EPOCH + Duration::from_secs(1_000_000_u64.saturating_sub(asked))
    }
}

fn begin() -> (Arc<Backwards>, SimulatedDisk, Database) {
    let clock = Arc::new(Backwards::default());
    let disk = SimulatedDisk::new(1).unwrap();
    let builder = quiet().clock(clock.clone());
    let db = builder.open_on(Arc::new(disk.clone())).unwrap();
    (clock, disk, db)
}

#[test]
fn an_operation_reads_the_clock_at_most_once() {
    type End = fn(&mut Session);
    let ends: [(&str, End); 3] = [
        ("cycle_id", |session| {
            session.cycle_id().unwrap();
        }),
        ("flush", |session| {
            session.flush().unwrap();
        }),
        ("destroy", |session| session.destroy().unwrap()),
    ];
    let (clock, _disk, db) = begin();
    let mut session = db.create_session();
    let before = clock.asked();
    session.set("a", &1).unwrap();
    assert_eq!(clock.asked(), before + 1, "a first write");
    session
        .transaction(|tx| tx.set("b", &2).and_then(|()| tx.set("c", &3)))
        .unwrap();
    assert_eq!(clock.asked(), before + 2, "a transaction of several writes");
    for (name, end) in ends {
        session.set("a", &1).unwrap();
        let before = clock.asked();
        end(&mut session);
        assert_eq!(clock.asked(), before + 1, "{name}");
    }
    let session = db.create_session();
    let before = clock.asked();
    let done = writes(&session, "a").len();
    assert!(clock.asked() <= before + done as u64, "one of the writes");
}

#[test]
fn a_read_asks_for_the_time_once() {
    let (clock, _disk, db) = begin();
    let session = db.create_session();
    session.set("a", &1).unwrap();
    let before = clock.asked();
    let answers = reads(&session, "absent");
    let asked = clock.asked() - before;
    assert!(
        asked <= answers.len() as u64,
        "{asked} for {}",
        answers.len()
    );
    for (name, answer) in answers {
        answer.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let before = clock.asked();
    assert!(db.open_session(&session.id()).unwrap().is_some());
    assert_eq!(clock.asked(), before + 1);
}

#[test]
fn a_clock_that_goes_backwards_harms_nothing() {
    let (clock, disk, db) = begin();
    let session = db.create_session();
    for number in 0..20 {
        session.set("a", &number).unwrap();
        session.set("b", &number).unwrap();
        if number % 5 == 0 {
            db.checkpoint().unwrap();
        }
    }
    let id = session.id();
    db.close().unwrap();
    drop((session, db));
    let db = quiet().clock(clock).open_on(Arc::new(disk)).unwrap();
    let session = db.open_session(&id).unwrap().unwrap();
    assert_eq!(contents(&session), named(&[("a", 19), ("b", 19)]));
}

type Look = fn(&Database, &Session) -> bool;

#[test]
fn what_a_look_found_to_be_over_stays_over_when_the_clock_goes_back() {
    let minute = Duration::from_secs(60);
    let start = UNIX_EPOCH + Duration::from_secs(1_000_000);
    let looks: [(&str, Look); 4] = [
        ("get", |_, session| {
            session.get::<u32>("code").unwrap().is_some()
        }),
        ("contains_key", |_, session| {
            session.contains_key("code").unwrap()
        }),
        ("open_session", |db, session| {
            db.open_session(&session.id()).unwrap().is_some()
        }),
        ("a handle", |_, session| match session.get::<u32>("stays") {
            Ok(value) => value.is_some(),
            Err(error) => {
                assert!(matches!(error, Error::SessionGone), "{error}");
                false
            }
        }),
    ];
    for (name, look) in looks {
        let clock = Arc::new(ManualClock::new(start));
        let timeout = Some(10 * minute);
        let database = quiet().clock(clock.clone()).idle_timeout(timeout);
        let db = database.temporary().unwrap();
        let session = db.create_session();
        session.set("stays", &1).unwrap();
        // A key that ends before the session does, where that is looked for.
        let ttl = if name == "get" || name == "contains_key" {
            minute
        } else {
            20 * minute
        };
        session.set_with_ttl("code", &1, ttl).unwrap();
        assert!(look(&db, &session), "{name}");
        clock.set(start + ttl.min(10 * minute));
        assert!(!look(&db, &session), "{name}: it is over");
        clock.set(start);
        assert!(!look(&db, &session), "{name}: it came back");
    }
}
