//! Grounds to race on, a start for many threads, and a watch against deadlock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use sessiondb::{Builder, Crash, Database, IndexFate, SimulatedDisk, Upkeep};
use tempfile::TempDir;

/// After this a test is taken to be stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a test, and fails when it does not come to an end.
pub(crate) fn watched(test: impl FnOnce() + Send + 'static) {
    let name = thread::current().name().unwrap_or("a test").to_owned();
    let (ended, end) = channel();
    let running = thread::spawn(move || {
        test();
        // Without a receiver the watch has given up already.
        let _ = ended.send(());
    });
    match end.recv_timeout(PATIENCE) {
        Err(RecvTimeoutError::Timeout) => panic!("{name} is stuck: a deadlock, or a lost wake-up"),
        Ok(()) | Err(RecvTimeoutError::Disconnected) => {
            if let Err(failure) = running.join() {
                std::panic::resume_unwind(failure);
            }
        }
    }
}

/// `usual` times what the environment asks for.
pub(crate) fn rounds(usual: usize) -> usize {
    let factor = std::env::var("SESSIONDB_RACES_ROUNDS");
    usual * factor.map_or(1, |factor| factor.parse().expect("a number of rounds"))
}

/// A seed, another one for each run; it belongs into every assertion.
pub(crate) fn seed() -> u64 {
    std::env::var("SESSIONDB_RACES_SEED").map_or_else(
        |_| fastrand::u64(..),
        |seed| seed.parse().expect("a number as a seed"),
    )
}

/// Runs a closure in `count` threads that start at once.
pub(crate) fn together<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(count);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|number| {
                let (start, work) = (&start, &work);
                scope.spawn(move || {
                    start.wait();
                    work(number)
                })
            })
            .collect();
        let outcomes = threads.into_iter().map(|thread| match thread.join() {
            Ok(outcome) => outcome,
            Err(failure) => std::panic::resume_unwind(failure),
        });
        outcomes.collect()
    })
}

/// The same, each thread with something of its own, made beforehand.
pub(crate) fn together_with<H: Send, T: Send>(
    own: Vec<H>,
    work: impl Fn(usize, H) -> T + Sync,
) -> Vec<T> {
    let own: Vec<_> = own.into_iter().map(|own| Mutex::new(Some(own))).collect();
    together(own.len(), |thread| {
        let mine = own.get(thread).and_then(|own| own.lock().ok()?.take());
        work(thread, mine.expect("each takes its own once"))
    })
}

/// Raised when it is dropped, so that a thread that panics stops the others.
pub(crate) struct Flag(Arc<AtomicBool>);

impl Flag {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Raises the flag at the end of a scope, reached or not.
    pub(crate) fn at_end(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Flag {
    fn drop(&mut self) {
        self.raise();
    }
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came to this: {what}");
        thread::yield_now();
    }
}

/// A builder that checkpoints all the time. The index is not copied into a
/// fresh directory: that is how a rebuild is told.
pub(crate) fn small() -> Builder {
    Database::builder()
        .memtable_bytes(64 << 10)
        .segment_bytes(64 << 10)
        .journal_segment_bytes(1 << 20)
        .cache_bytes(1 << 20)
        .idle_checkpoint_after(Duration::from_millis(20))
        .upkeep(Upkeep::default().index_renewal(false))
}

/// Where a database is.
pub(crate) enum Ground {
    Real(TempDir),
    Simulated(SimulatedDisk),
}

impl Ground {
    pub(crate) fn real() -> Self {
        Self::Real(tempfile::tempdir().expect("a temporary directory"))
    }

    pub(crate) fn simulated(seed: u64) -> Self {
        Self::Simulated(SimulatedDisk::new(seed).expect("a simulated disk"))
    }

    /// One of each.
    pub(crate) fn both(seed: u64) -> [Self; 2] {
        [Self::real(), Self::simulated(seed)]
    }

    pub(crate) fn open(&self) -> Database {
        self.open_with(small())
    }

    pub(crate) fn open_with(&self, builder: Builder) -> Database {
        match self {
            Self::Real(directory) => builder.open(directory.path()),
            Self::Simulated(disk) => builder.open_on(Arc::new(disk.clone())),
        }
        .expect("the database opens")
    }

    /// No race is a reason to doubt the index: who had it rebuilt met a
    /// state that must not be met.
    fn assert_index_was_kept(&self) {
        let root = match self {
            Self::Real(directory) => directory.path().to_owned(),
            Self::Simulated(disk) => disk.index_root(),
        };
        assert!(root.join("index-0001").is_dir(), "the index was rebuilt");
    }

    /// Closes, opens again and looks; on a simulated disk pulls the plug, too,
    /// and looks again.
    pub(crate) fn afterwards(self, database: &Database, look: impl Fn(&Database)) {
        self.assert_index_was_kept();
        match &self {
            Self::Simulated(disk) => {
                let crashed = crash(disk, Crash::KeepNothing);
                look(&crashed);
                verify_and_close(&crashed);
            }
            Self::Real(_) => {
                database.close().expect("the database closes");
                let again = self.open();
                look(&again);
                verify_and_close(&again);
            }
        }
    }
}

/// Pulls the plug and opens what is left.
pub(crate) fn crash(disk: &SimulatedDisk, how: Crash) -> Database {
    let left = disk.crash(how, IndexFate::Kept).expect("a crashed disk");
    let opened = small().open_on(Arc::new(left));
    opened.unwrap_or_else(|error| panic!("after the crash {how:?} it does not open: {error}"))
}

pub(crate) fn verify_and_close(database: &Database) {
    database.verify().expect("all is right");
    database.close().expect("the database closes");
}

/// How many batches were committed; the races are void without any.
pub(crate) fn assert_checkpointed(database: &Database, before: u64) {
    until("a checkpoint happens meanwhile", || {
        database.stats().batches > before
    });
}
