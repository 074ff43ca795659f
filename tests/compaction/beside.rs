//! Readers and writers go on beside compaction and the renewal of the index.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use sessiondb::{Builder, Crash, Database, Durability, IndexFate, SessionId, SimulatedDisk};

use crate::support::{builder, check_session};

const QUICK: Durability = Durability::Deferred {
    sync_within: Duration::from_secs(3600),
};

/// What one thread's sessions hold.
type Own = BTreeMap<String, (SessionId, BTreeMap<String, Vec<u8>>)>;

/// Rounds of each thread, and after how many it waits for the other one.
const ROUNDS: usize = 1200;
const TOGETHER: usize = 100;

/// Makes, fills, reads and flushes sessions of its own; not so fast that what
/// happens `meanwhile` is left behind.
fn live(db: &Database, seed: u64, meanwhile: &AtomicUsize) -> (Own, Vec<SessionId>) {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut own, mut dead) = (Own::new(), Vec::new());
    let mut ids: Vec<SessionId> = Vec::new();
    for round in 0..ROUNDS {
        if round % TOGETHER == 0 {
            let before = meanwhile.load(Ordering::Relaxed);
            while meanwhile.load(Ordering::Relaxed) == before {
                pause();
            }
        }
        match random.u32(..10) {
            0..=1 => {
                let session = db.create_session();
                session.set_bytes("key/00", b"").unwrap();
                let held = BTreeMap::from([("key/00".to_owned(), Vec::new())]);
                ids.push(session.id());
                own.insert(session.id().to_string(), (session.id(), held));
            }
            2 if ids.len() > 8 => {
                let id = ids.swap_remove(random.usize(..ids.len()));
                db.open_session(&id).unwrap().unwrap().flush().unwrap();
                own.remove(&id.to_string());
                dead.push(id);
            }
            3..=6 if !ids.is_empty() => {
                let id = *random.choice(&ids).unwrap();
                let (_, held) = own.get_mut(&id.to_string()).unwrap();
                let session = db.open_session(&id).unwrap().unwrap();
                for _ in 0..8 {
                    let key = format!("key/{:02}", random.u32(..24));
                    let value = vec![random.u8(..); random.usize(100..900)];
                    session.set_bytes(&key, &value).unwrap();
                    held.insert(key, value);
                }
            }
            _ if !ids.is_empty() => {
                let id = *random.choice(&ids).unwrap();
                let (_, held) = own.get(&id.to_string()).unwrap();
                let session = db.open_session(&id).unwrap().unwrap();
                check_session(&session, held, &format!("round {round}"));
            }
            _ => {}
        }
    }
    (own, dead)
}

/// Four threads beside whatever `meanwhile` does again and again; then
/// `afterwards` has to be true, or become so.
fn race(
    builder: Builder,
    seed: u64,
    meanwhile: impl Fn(&Database) + Sync,
    afterwards: impl Fn(&SimulatedDisk) -> bool,
) {
    let disk = SimulatedDisk::new(seed).unwrap();
    let db = builder.open_on(Arc::new(disk.clone())).unwrap();
    let stop = AtomicBool::new(false);
    let turns = AtomicUsize::new(0);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                meanwhile(&db);
                turns.fetch_add(1, Ordering::Relaxed);
            }
        });
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let quick = db.with_durability(QUICK);
                let turns = &turns;
                scope.spawn(move || live(&quick, seed * 10 + thread, turns))
            })
            .collect();
        let outcomes = threads.into_iter().map(ScopedJoinHandle::join);
        let outcomes: Vec<_> = outcomes.collect();
        stop.store(true, Ordering::Relaxed);
        other.join().unwrap();
        outcomes.into_iter().map(Result::unwrap).collect()
    });
    let deadline = Instant::now() + Duration::from_secs(60);
    while !afterwards(&disk) {
        assert!(Instant::now() < deadline, "nothing was raced");
        pause();
    }
    db.compact().unwrap();
    let check = |db: &Database| {
        let mut sessions = 0;
        for (own, dead) in &outcomes {
            for (id, held) in own.values() {
                let session = db.open_session(id).unwrap().expect("it lives");
                check_session(&session, held, "at the end");
                sessions += 1;
            }
            for id in dead {
                assert!(db.open_session(id).unwrap().is_none(), "{id} lives");
            }
        }
        assert_eq!(db.verify().unwrap().sessions, sessions);
    };
    check(&db);
    db.close().unwrap();
    drop(db);
    let disk = disk.crash(Crash::KeepAll, IndexFate::Lost).unwrap();
    check(&crate::support::open(&disk));
}

/// Leaves the processor to the others.
fn pause() {
    std::thread::sleep(Duration::from_millis(5));
}

/// The first file is gone.
fn has_compacted(disk: &SimulatedDisk) -> bool {
    let files = crate::support::files(disk);
    files
        .first()
        .is_some_and(|first| first != "segments/000001.seg")
}

#[test]
fn readers_and_writers_go_on_while_somebody_compacts() {
    let builder = builder().memtable_bytes(256 << 10);
    let compact = |db: &Database| {
        db.compact().unwrap();
    };
    race(builder, 1, compact, has_compacted);
}

#[test]
fn readers_and_writers_go_on_while_the_background_compacts() {
    let builder = builder()
        .memtable_bytes(256 << 10)
        .segment_bytes(128 << 10)
        .idle_checkpoint_after(Duration::from_millis(20))
        .background(true);
    race(builder, 2, |_| pause(), has_compacted);
}

#[test]
fn lists_and_checks_go_on_while_somebody_compacts() {
    let look = |db: &Database| {
        std::thread::scope(|scope| {
            scope.spawn(|| db.compact().unwrap());
            db.verify().unwrap();
            for found in db.sessions() {
                found.unwrap();
            }
            db.purge_expired().unwrap();
        });
    };
    let builder = builder().memtable_bytes(256 << 10);
    race(builder, 3, look, has_compacted);
}

/// The index is copied whenever somebody compacts.
#[test]
fn readers_and_writers_go_on_while_the_index_is_renewed() {
    let builder = builder().memtable_bytes(256 << 10);
    let compact = |db: &Database| {
        db.compact().unwrap();
    };
    let is_renewed = |disk: &SimulatedDisk| !disk.index_root().join("index-0001").exists();
    race(builder.index_renewal_bytes(0), 4, compact, is_renewed);
}
