//! What the tests share: a session in each state it can be in, and the ways to
//! see that nothing was written.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use sessiondb::{Builder, Crash, Database, Durability, IndexFate, Session, SimulatedDisk};

/// Far longer than anything here takes: only a deadlock gets there.
pub(crate) const DEADLOCK: Duration = Duration::from_secs(60);

/// A durability under which nothing reaches the disk by itself while a test runs.
pub(crate) const NEVER_BY_ITSELF: Durability = Durability::Deferred {
    sync_within: Duration::from_secs(24 * 3600),
};

/// Where a session is when an operation meets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// In the journal and in memory.
    Memtable,
    /// In a segment, known in memory.
    Checkpointed,
    /// In a segment, and nothing in memory.
    Reopened,
    /// In the journal, replayed after a power cut.
    Replayed,
}

impl State {
    pub(crate) const ALL: [Self; 4] = [
        Self::Memtable,
        Self::Checkpointed,
        Self::Reopened,
        Self::Replayed,
    ];
}

/// A database on a disk of its own with one session in a known state.
pub(crate) struct Stage {
    pub(crate) state: State,
    pub(crate) disk: SimulatedDisk,
    pub(crate) db: Database,
    pub(crate) session: Session,
}

/// Where a failed assertion happened.
impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "in the state {:?}", self.state)
    }
}

/// A builder whose database does nothing by itself.
pub(crate) fn quiet() -> Builder {
    Database::builder()
        .background(false)
        .cache_bytes(4 << 20)
        .journal_segment_bytes(8 << 20)
        .segment_bytes(4 << 20)
}

/// A database on a simulated disk that does nothing by itself.
pub(crate) fn open_on(disk: &SimulatedDisk) -> Database {
    quiet().open_on(Arc::new(disk.clone())).unwrap()
}

/// A fresh disk and a database on it.
pub(crate) fn fresh() -> (SimulatedDisk, Database) {
    let disk = SimulatedDisk::new(1).unwrap();
    let db = open_on(&disk);
    (disk, db)
}

/// The disk after a power cut that took everything unsynced.
pub(crate) fn power_cut(disk: &SimulatedDisk) -> SimulatedDisk {
    disk.crash(Crash::KeepNothing, IndexFate::Kept).unwrap()
}

impl Stage {
    /// A session in every state, written by `prepare`.
    pub(crate) fn each<P: Fn(&Session)>(prepare: P) -> impl Iterator<Item = Self> {
        State::ALL
            .into_iter()
            .map(move |state| Self::new(state, &prepare))
    }

    pub(crate) fn new(state: State, prepare: impl Fn(&Session)) -> Self {
        let (disk, db) = fresh();
        let session = db.create_session();
        prepare(&session);
        let written = Self {
            state,
            disk,
            db,
            session,
        };
        match state {
            State::Memtable => written,
            State::Checkpointed => {
                written.db.checkpoint().unwrap();
                written
            }
            State::Reopened => written.reopened(),
            State::Replayed => written.after_power_cut(),
        }
    }

    /// The same session after a clean stop.
    pub(crate) fn reopened(self) -> Self {
        self.db.close().unwrap();
        let disk = self.disk.clone();
        self.on(disk)
    }

    /// The same session after a power cut.
    pub(crate) fn after_power_cut(self) -> Self {
        let disk = power_cut(&self.disk);
        self.on(disk)
    }

    fn on(self, disk: SimulatedDisk) -> Self {
        let id = self.session.id();
        let state = self.state;
        drop(self);
        let db = open_on(&disk);
        let session = db.open_session(&id).unwrap().expect("the session is there");
        Self {
            state,
            disk,
            db,
            session,
        }
    }

    /// Another handle of the session.
    pub(crate) fn handle(&self) -> Session {
        let found = self.db.open_session(&self.session.id()).unwrap();
        found.expect("the session is there")
    }

    pub(crate) fn footprint(&self) -> Footprint {
        Footprint::of(&self.disk, &self.db)
    }

    /// Asserts that `work` writes nothing, neither to disk nor to memory.
    #[track_caller]
    pub(crate) fn writes_nothing<T>(
        &mut self,
        what: &str,
        work: impl FnOnce(&mut Session) -> T,
    ) -> T {
        let before = self.footprint();
        let outcome = work(&mut self.session);
        assert_eq!(self.footprint(), before, "{what} wrote something, {self}");
        outcome
    }

    /// Asserts what the session holds, now and in every later state.
    #[track_caller]
    pub(crate) fn holds(self, expected: &[(&str, i64)]) {
        assert_eq!(contents(&self.session), named(expected), "{self}");
        self.db.checkpoint().unwrap();
        assert_eq!(
            contents(&self.session),
            named(expected),
            "{self}, then checkpointed"
        );
        let again = self.reopened();
        assert_eq!(
            contents(&again.session),
            named(expected),
            "{again}, then reopened"
        );
        again.db.verify().unwrap();
    }
}

/// What a session of integers holds.
#[track_caller]
pub(crate) fn contents(session: &Session) -> Vec<(String, i64)> {
    session.to_map().unwrap().into_iter().collect()
}

pub(crate) fn named(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    let named = expected
        .iter()
        .map(|(key, value)| ((*key).to_owned(), *value));
    named.collect()
}

/// What writing changes: operations of the disk, bytes in the journal, in
/// memory and in segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Footprint {
    operations: u64,
    journal_bytes: u64,
    memtable_bytes: u64,
    segment_bytes: u64,
    batches: u64,
}

impl Footprint {
    pub(crate) fn of(disk: &SimulatedDisk, db: &Database) -> Self {
        let stats = db.stats();
        Self {
            operations: disk.operations(),
            journal_bytes: stats.journal_live_bytes,
            memtable_bytes: stats.memtable_bytes,
            segment_bytes: stats.segment_bytes,
            batches: stats.batches,
        }
    }
}

/// Runs `work` on a thread and panics when it does not come back.
#[track_caller]
pub(crate) fn promptly<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = channel();
    let thread = thread::spawn(move || sender.send(work()).unwrap());
    match receiver.recv_timeout(DEADLOCK) {
        Ok(value) => {
            thread.join().unwrap();
            value
        }
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => panic!("the thread ended without an answer"),
        },
        Err(RecvTimeoutError::Timeout) => panic!("this never comes back: a deadlock"),
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The smallest executor there is.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
