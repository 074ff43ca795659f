//! What the background does by itself, and what it leaves when told to.

use std::panic::catch_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::{Background, Chores, REST, STEPS_TO_KEEP_UP};
use crate::{Builder, Clock, Database, Error, Expiry, ManualClock, SimulatedDisk, Upkeep};

const HOUR: Duration = Duration::from_secs(3600);

/// Counts what it is told.
#[derive(Clone, Default)]
struct Listener(Arc<AtomicUsize>);

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn who_listens_in_the_callers_thread_hears_of_an_open() {
    let listener = Listener::default();
    let open = || Database::temporary().unwrap().close().unwrap();
    open();
    assert_eq!(listener.0.load(Ordering::Relaxed), 0);
    // Other threads begin to speak of other things meanwhile: tracing may
    // miss what is said at the very moment.
    let hears = || {
        tracing::subscriber::with_default(listener.clone(), open);
        listener.0.load(Ordering::Relaxed) > 0
    };
    assert!((0..5).any(|_| hears()));
}

fn builder(clock: &Arc<ManualClock>) -> Builder {
    Database::builder()
        .background(false)
        .idle_timeout(Some(HOUR))
        .index_renewal_bytes(0)
        .clock(Arc::<ManualClock>::clone(clock))
}

fn open(builder: Builder, seed: u64) -> Database {
    let disk = SimulatedDisk::new(seed).unwrap();
    builder.open_on(Arc::new(disk)).unwrap()
}

/// Chores of which none has to wait.
fn chores() -> Chores {
    Chores {
        next_purge: Instant::now(),
        next_look: Instant::now(),
        ..Chores::new()
    }
}

/// Goes on until nothing is due.
fn work(db: &Database, quiet: Duration) {
    let mut chores = chores();
    for _ in 0..1000 {
        if chores.step(db.engine(), 0, quiet).unwrap().is_none() {
            return;
        }
    }
    panic!("there comes no end");
}

/// Sessions of so many keys of a kibibyte that do not expire.
fn add(db: &Database, clock: &ManualClock, keys: usize) -> crate::Session {
    let session = db.create_session();
    for key in 0..keys {
        session.set_bytes(&format!("{key:03}"), &[7; 1024]).unwrap();
    }
    let far = crate::Clock::now(clock) + 1000 * HOUR;
    session.set_expiry(Expiry::At(far)).unwrap();
    session
}

/// Whether what had expired, the rows of what was flushed, garbage, and the
/// first index went.
fn done(upkeep: Upkeep) -> [bool; 4] {
    let clock = Arc::new(ManualClock::default());
    let builder = builder(&clock).segment_bytes(256 << 10).upkeep(upkeep);
    let db = open(builder, 1);
    let mut sessions: Vec<_> = (0..30).map(|_| add(&db, &clock, 30)).collect();
    db.create_session().set("user", "ada").unwrap();
    db.checkpoint().unwrap();
    for session in &mut sessions[..10] {
        session.flush().unwrap();
    }
    for session in &sessions[10..20] {
        for key in 0..30 {
            session.set_bytes(&format!("{key:03}"), &[8; 1024]).unwrap();
        }
    }
    db.checkpoint().unwrap();
    clock.advance(2 * HOUR);
    let before = db.stats();
    assert!(before.dead_generations > 0);
    work(&db, Duration::ZERO);
    let after = db.stats();
    db.checkpoint().unwrap();
    [
        db.verify().unwrap().sessions == 20,
        after.dead_generations == 0,
        after.segment_bytes < before.segment_bytes * 3 / 4,
        db.engine().index.name() != "index-0001",
    ]
}

#[test]
fn by_itself_it_does_everything() {
    assert_eq!(done(Upkeep::default()), [true; 4]);
}

#[test]
fn each_part_can_be_switched_off_and_the_others_go_on() {
    let all = Upkeep::default();
    assert_eq!(done(all.purge(false)), [false, true, true, true]);
    assert_eq!(done(all.sweep(false)), [true, false, true, true]);
    assert_eq!(done(all.compaction(false)), [true, true, false, true]);
    assert_eq!(done(all.index_renewal(false)), [true, true, true, false]);
}

#[test]
fn a_little_garbage_goes_when_nobody_has_written_for_a_while() {
    let clock = Arc::new(ManualClock::default());
    let builder = builder(&clock).segment_bytes(8 << 20);
    let db = open(builder.upkeep(Upkeep::default().index_renewal(false)), 2);
    let mut sessions: Vec<_> = (0..128).map(|_| add(&db, &clock, 30)).collect();
    db.checkpoint().unwrap();
    // A twentieth.
    for session in &mut sessions[..6] {
        session.flush().unwrap();
    }
    db.checkpoint().unwrap();
    let before = db.stats().segment_bytes;
    work(&db, REST / 2);
    assert_eq!(db.stats().segment_bytes, before);
    work(&db, REST);
    let after = db.stats().segment_bytes;
    assert!(after < before * 31 / 32, "{before} became {after}");
    db.verify().unwrap();
}

#[test]
fn between_checkpoints_garbage_is_kept_from_outgrowing_what_lives() {
    let clock = Arc::new(ManualClock::default());
    let db = open(builder(&clock), 3);
    let session = db.create_session();
    for round in 0..6_u8 {
        for key in 0..12 {
            let value = vec![round; 1_000_000];
            session.set_bytes(&format!("{key}"), &value).unwrap();
        }
        db.checkpoint().unwrap();
    }
    assert!(db.engine().is_bloated());
    let mut chores = chores();
    let mut rounds = 0;
    while db.engine().is_bloated() {
        let before = db.stats().segment_bytes;
        chores.keep_up(db.engine()).unwrap();
        let after = db.stats().segment_bytes;
        // What is copied may come before what it frees.
        let copied = (STEPS_TO_KEEP_UP as u64) << 20;
        assert!(after < before + copied, "{before} became {after}");
        rounds += 1;
        assert!(rounds < 10);
    }
    let before = db.stats();
    chores.keep_up(db.engine()).unwrap();
    assert_eq!(db.stats().batches, before.batches, "there is no need");
    assert_eq!(session.len().unwrap(), 12);
    db.verify().unwrap();
}

/// No checkpoint is due, and nobody asks for anything.
#[test]
fn on_a_full_disk_garbage_makes_room_by_itself() {
    let clock = Arc::new(ManualClock::default());
    let disk = SimulatedDisk::new(4).unwrap();
    let builder = builder(&clock).segment_bytes(1 << 20);
    let db = builder.open_on(Arc::new(disk.clone())).unwrap();
    let mut sessions: Vec<_> = (0..4).map(|_| db.create_session()).collect();
    for session in &sessions {
        for key in 0..10 {
            let value = vec![7; 1_000_000];
            session.set_bytes(&format!("{key}"), &value).unwrap();
        }
    }
    db.checkpoint().unwrap();
    for session in &mut sessions[..3] {
        session.flush().unwrap();
    }
    db.checkpoint().unwrap();
    disk.set_capacity(Some(disk.file_bytes() + (1 << 20)));
    let more = vec![8; 1_000_000];
    let refused = (0..4).find_map(|_| sessions[3].set_bytes("more", &more).err());
    assert!(matches!(refused, Some(Error::StorageFull { .. })));
    work(&db, REST);
    db.engine().regain_unless_busy();
    sessions[3].set_bytes("more", &more).unwrap();
    assert!(db.stats().segment_bytes < 12_000_000);
    db.verify().unwrap();
}

#[test]
fn what_was_flushed_between_checkpoints_counts_as_garbage() {
    let clock = Arc::new(ManualClock::default());
    let db = open(builder(&clock), 4);
    for _ in 0..4 {
        let sessions: Vec<_> = (0..10).map(|_| add(&db, &clock, 400)).collect();
        db.checkpoint().unwrap();
        for mut session in sessions {
            session.flush().unwrap();
        }
    }
    db.checkpoint().unwrap();
    let before = db.stats();
    assert!(before.dead_generations > 0);
    assert!(!db.engine().is_bloated(), "nobody has swept");
    let mut chores = chores();
    chores.keep_up(db.engine()).unwrap();
    chores.keep_up(db.engine()).unwrap();
    let after = db.stats();
    assert_eq!(after.dead_generations, 0);
    assert!(after.segment_bytes < before.segment_bytes / 2);
    assert!(!db.engine().is_bloated());
}

#[test]
fn the_journal_is_small_when_nobody_has_written_for_a_while() {
    let clock = Arc::new(ManualClock::default());
    let db = open(builder(&clock), 5);
    let session = add(&db, &clock, 8000);
    db.checkpoint().unwrap();
    let journal = || db.engine().journal.disk_bytes();
    let before = journal();
    assert!(before > 8 << 20, "{before}");
    work(&db, REST / 2);
    assert!(journal() >= before);
    work(&db, REST);
    assert!(journal() <= 4 << 20, "{}", journal());
    assert_eq!(session.len().unwrap(), 8000);
}

#[test]
fn an_erasure_that_finds_no_space_keeps_nothing_else_waiting() {
    let clock = Arc::new(ManualClock::default());
    let disk = SimulatedDisk::new(7).unwrap();
    let builder = builder(&clock).segment_bytes(256 << 10);
    let builder = builder.erase_within(Some(2 * HOUR));
    let db = builder.open_on(Arc::new(disk.clone())).unwrap();
    let session = add(&db, &clock, 200);
    db.checkpoint().unwrap();
    session.remove_prefix("1").unwrap();
    db.checkpoint().unwrap();
    clock.advance(HOUR);
    assert!(db.engine().wants_erasure());
    let before = db.stats().segment_bytes;
    disk.inject(crate::Fault {
        operation: crate::Operation::Create,
        path_contains: "journal".into(),
        after: 0,
        times: u64::MAX,
        kind: std::io::ErrorKind::StorageFull,
        effect: crate::FaultEffect::Refuse,
    });
    work(&db, Duration::ZERO);
    assert!(db.stats().segment_bytes < before * 3 / 4);
    assert!(db.stats().erasure_age >= Some(HOUR));
    disk.clear_faults();
    work(&db, Duration::ZERO);
    assert_eq!(db.stats().erasure_age, None);
}

/// Remembers which thread was the first to ask for the time.
#[derive(Debug, Default)]
struct FirstThread(Mutex<Option<thread::ThreadId>>);

impl Clock for FirstThread {
    fn now(&self) -> SystemTime {
        let mut first = self.0.lock().unwrap();
        first.get_or_insert_with(|| thread::current().id());
        SystemTime::now()
    }
}

#[test]
fn the_thread_that_works_has_opened_the_database_where_there_is_one() {
    for background in [true, false] {
        let clock = Arc::new(FirstThread::default());
        let builder = Database::builder().background(background);
        let db = open(builder.clock(clock.clone()), 7);
        let working = db.engine().background.thread.lock();
        let working = working.as_ref().map(|working| working.thread().id());
        assert_eq!(working.is_some(), background);
        let expected = working.unwrap_or_else(|| thread::current().id());
        assert_eq!(*clock.0.lock().unwrap(), Some(expected));
    }
}

#[test]
fn a_panic_of_an_open_reaches_who_has_asked_for_it() {
    let panicked = catch_unwind(|| {
        let opened = Background::start(Path::new("nowhere"), || panic!("it cannot be opened"));
        opened.map(drop)
    });
    let panic = panicked.unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"it cannot be opened"));
}
