//! The database in numbers: what lives, what is garbage, and where it is.

use std::sync::Arc;
use std::time::Duration;

use sessiondb::{Database, ManualClock, SimulatedDisk, Stats};

fn open(disk: &SimulatedDisk, clock: &Arc<ManualClock>) -> Database {
    let builder = Database::builder()
        .background(false)
        .segment_bytes(64 << 10)
        .clock(Arc::<ManualClock>::clone(clock));
    builder.open_on(Arc::new(disk.clone())).unwrap()
}

/// The totals are the sums of the files.
fn adds_up(stats: &Stats) {
    let live: u64 = stats.segments.iter().map(|file| file.live_bytes).sum();
    assert_eq!(live, stats.live_bytes);
    let bytes: u64 = stats.segments.iter().map(|file| file.bytes).sum();
    assert_eq!(bytes, stats.segment_bytes);
    assert!(live <= bytes);
}

#[test]
fn what_lives_is_told_from_garbage_file_by_file() {
    let disk = SimulatedDisk::new(1).unwrap();
    let clock = Arc::new(ManualClock::default());
    let db = open(&disk, &clock);
    let value = vec![7; 10_000];
    let mut sessions: Vec<_> = (0..20).map(|_| db.create_session()).collect();
    for session in &sessions {
        session.set_bytes("picture", &value).unwrap();
    }
    db.checkpoint().unwrap();
    let full = db.stats();
    adds_up(&full);
    assert!(full.segments.len() > 2, "{full:?}");
    assert!(full.live_bytes >= 200_000);
    for session in &mut sessions[..10] {
        session.flush().unwrap();
    }
    db.checkpoint().unwrap();
    let half = db.stats();
    adds_up(&half);
    assert!(half.segment_bytes > full.segment_bytes);
    assert_eq!(half.dead_generations, 10);
    db.compact().unwrap();
    let compact = db.stats();
    adds_up(&compact);
    assert!(
        compact.live_bytes <= full.live_bytes * 11 / 20,
        "{compact:?}"
    );
    assert!(compact.segment_bytes < half.segment_bytes * 2 / 3);
    assert_eq!(compact.dead_generations, 0);
    assert_eq!((compact.compaction, compact.index_renewal), (None, None));
}

#[test]
fn what_lives_is_known_again_after_each_kind_of_stop() {
    let disk = SimulatedDisk::new(2).unwrap();
    let clock = Arc::new(ManualClock::default());
    let db = open(&disk, &clock);
    for _ in 0..20 {
        let session = db.create_session();
        session.set_bytes("picture", &[7; 10_000]).unwrap();
    }
    db.checkpoint().unwrap();
    let before = db.stats();
    db.close().unwrap();
    let db = open(&disk, &clock);
    assert_eq!(db.stats().segments, before.segments);
    let crash = sessiondb::Crash::KeepNothing;
    for index in [sessiondb::IndexFate::Kept, sessiondb::IndexFate::Lost] {
        let disk = disk.crash(crash, index).unwrap();
        let db = open(&disk, &clock);
        assert_eq!(db.stats().segments, before.segments, "{index:?}");
    }
    drop(db);
}

#[test]
fn the_age_of_the_last_checkpoint_is_that_of_the_clock() {
    let disk = SimulatedDisk::new(3).unwrap();
    let clock = Arc::new(ManualClock::default());
    let db = open(&disk, &clock);
    let age = |db: &Database| db.stats().checkpoint_age;
    assert_eq!(age(&db), Duration::ZERO);
    clock.advance(Duration::from_secs(60));
    assert_eq!(age(&db), Duration::from_secs(60), "since it was opened");
    db.create_session().set("user", "ada").unwrap();
    db.checkpoint().unwrap();
    assert_eq!(age(&db), Duration::ZERO);
    clock.advance(Duration::from_secs(7));
    assert_eq!(age(&db), Duration::from_secs(7));
}

#[test]
fn the_journal_takes_what_it_has_set_aside() {
    let disk = SimulatedDisk::new(4).unwrap();
    let db = open(&disk, &Arc::new(ManualClock::default()));
    let stats = db.stats();
    let files = disk.files().into_iter();
    let journal = files.filter(|file| file.starts_with("journal/"));
    let bytes: usize = journal
        .map(|file| disk.read_file(&file).unwrap().len())
        .sum();
    assert_eq!(stats.journal_bytes, bytes as u64);
    assert!(stats.journal_bytes > stats.journal_live_bytes);
}

#[test]
fn memory_is_told_by_part() {
    let disk = SimulatedDisk::new(7).unwrap();
    let clock = Arc::new(ManualClock::default());
    let db = open(&disk, &clock);
    let parts = |stats: &Stats| {
        [
            stats.resident_bytes,
            stats.memtable_bytes,
            stats.cached_bytes,
        ]
    };
    assert_eq!(parts(&db.stats()), [0; 3]);
    let session = db.create_session();
    session.set_bytes("picture", &[7; 10_000]).unwrap();
    let [resident, memtable, cached] = parts(&db.stats());
    assert!(resident > 0);
    assert!((10_000..20_000).contains(&memtable), "{memtable}");
    assert_eq!(cached, 0);
    db.checkpoint().unwrap();
    assert!(session.get_bytes("picture").unwrap().is_some());
    let [_, memtable, cached] = parts(&db.stats());
    assert_eq!(memtable, 0);
    assert!((10_000..20_000).contains(&cached), "{cached}");
}

#[test]
fn the_directory_is_told_by_part() {
    let disk = SimulatedDisk::new(8).unwrap();
    let clock = Arc::new(ManualClock::default());
    let db = open(&disk, &clock);
    let session = db.create_session();
    session.set_bytes("picture", &vec![7; 100_000]).unwrap();
    db.checkpoint().unwrap();
    let stats = db.stats();
    let parts = stats.journal_bytes + stats.reserve_bytes + stats.segment_bytes;
    // Besides, there are `CURRENT` and `LOCK`, and the index, which is no part
    // of the simulated disk.
    let others = disk.file_bytes() - parts;
    assert!(others < 1000, "{others} bytes of {stats:?}");
    assert!(stats.index_bytes > 0);
    assert_eq!(stats.index_rebuild, None);
}
