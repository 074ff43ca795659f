//! What the tests share: a database with a clock in the test's hand, what may
//! happen to it, and the ways to see that nothing was written.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sessiondb::{
    Builder, Clock as _, Crash, Database, Durability, Error, Expiry, IndexFate, ManualClock,
    Result, Session, SessionId, SessionInfo, SimulatedDisk,
};

/// The smallest step of the clock.
pub(crate) const INSTANT: Duration = Duration::from_nanos(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// The idle timeout where a test says nothing else; a sixteenth of it is a
/// round number.
pub(crate) const IDLE: Duration = Duration::from_secs(1600);

/// A durability under which nothing reaches the disk by itself while a test runs.
pub(crate) const NEVER_BY_ITSELF: Durability = Durability::Deferred {
    sync_within: Duration::from_secs(24 * 3600),
};

/// How a scene's database is opened.
pub(crate) type Adjust = fn(Builder) -> Builder;

/// A database that does nothing by itself, on a disk and with a clock of its own.
pub(crate) struct Scene {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) disk: SimulatedDisk,
    pub(crate) db: Database,
    adjust: Adjust,
}

/// Power cuts after which unsynced operations survive, each or not.
pub(crate) const CRASHES: &[Crash] = &[
    Crash::KeepNothing,
    Crash::KeepAll,
    Crash::Random(1),
    Crash::Random(2),
    Crash::Random(3),
    Crash::Random(4),
    Crash::Prefix(1),
    Crash::Prefix(2),
    Crash::Prefix(3),
    Crash::Prefix(4),
];

/// What may happen to a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing: all is in the journal and in memory.
    Nothing,
    /// All is in a segment, and known in memory.
    Checkpointed,
    /// Closed and opened again.
    Reopened,
    /// The power is cut, and the journal replayed.
    PowerCut,
    /// The same right after a checkpoint.
    CheckpointedPowerCut,
    /// The power cut takes the index, too: it is built again.
    IndexLost,
    /// The same right after a checkpoint.
    CheckpointedIndexLost,
}

impl Fate {
    pub(crate) const ALL: [Self; 7] = [
        Self::Nothing,
        Self::Checkpointed,
        Self::Reopened,
        Self::PowerCut,
        Self::CheckpointedPowerCut,
        Self::IndexLost,
        Self::CheckpointedIndexLost,
    ];
}

impl fmt::Display for Fate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "after the fate {self:?}")
    }
}

fn quiet(clock: &Arc<ManualClock>) -> Builder {
    Database::builder()
        .background(false)
        .cache_bytes(4 << 20)
        .journal_segment_bytes(1 << 20)
        .segment_bytes(1 << 20)
        .idle_timeout(Some(IDLE))
        .clock(Arc::clone(clock) as Arc<dyn sessiondb::Clock>)
}

impl Scene {
    /// An idle timeout of [`IDLE`], and no other.
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(adjust: Adjust) -> Self {
        Self::on(
            SimulatedDisk::new(1).unwrap(),
            Arc::new(ManualClock::default()),
            adjust,
        )
    }

    pub(crate) fn on(disk: SimulatedDisk, clock: Arc<ManualClock>, adjust: Adjust) -> Self {
        let opened = adjust(quiet(&clock)).open_on(Arc::new(disk.clone()));
        Self {
            clock,
            disk,
            db: opened.unwrap(),
            adjust,
        }
    }

    /// Lets time pass.
    pub(crate) fn wait(&self, time: Duration) {
        self.clock.advance(time);
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// A session that holds one key, `user`.
    pub(crate) fn written(&self) -> Session {
        let session = self.db.create_session();
        session.set("user", &1).unwrap();
        session
    }

    /// The same with an expiry of its own.
    pub(crate) fn with_expiry(&self, expiry: Expiry) -> Session {
        let session = self.written();
        session.set_expiry(expiry).unwrap();
        session
    }

    pub(crate) fn is_open(&self, id: &SessionId) -> bool {
        self.db.open_session(id).unwrap().is_some()
    }

    /// Another handle of a session that has to be there.
    #[track_caller]
    pub(crate) fn handle(&self, id: &SessionId) -> Session {
        let found = self.db.open_session(id).unwrap();
        found.expect("the session is there")
    }

    #[track_caller]
    pub(crate) fn info(&self, id: &SessionId) -> SessionInfo {
        let found = self.db.inspect(&id.digest()).unwrap();
        found.expect("the session is listed")
    }

    /// Lets something happen; handles from before are of no further use where
    /// the database was opened again.
    pub(crate) fn after(self, fate: Fate) -> Self {
        match fate {
            Fate::Nothing => self,
            Fate::Checkpointed => {
                self.db.checkpoint().unwrap();
                self
            }
            Fate::Reopened => self.reopened(),
            Fate::PowerCut => self.after_crash(Crash::KeepNothing, IndexFate::Kept),
            Fate::IndexLost => self.after_crash(Crash::KeepNothing, IndexFate::Lost),
            Fate::CheckpointedPowerCut => self.after(Fate::Checkpointed).after(Fate::PowerCut),
            Fate::CheckpointedIndexLost => self.after(Fate::Checkpointed).after(Fate::IndexLost),
        }
    }

    /// The same database after a clean stop.
    pub(crate) fn reopened(self) -> Self {
        let adjust = self.adjust;
        self.reopened_with(adjust)
    }

    /// After a clean stop, with other timeouts.
    pub(crate) fn reopened_with(self, adjust: Adjust) -> Self {
        self.db.close().unwrap();
        Self::on(self.disk, self.clock, adjust)
    }

    pub(crate) fn after_crash(self, how: Crash, index: IndexFate) -> Self {
        let survivor = self.disk.crash(how, index).unwrap();
        Self::on(survivor, self.clock, self.adjust)
    }

    pub(crate) fn footprint(&self) -> Footprint {
        let stats = self.db.stats();
        Footprint {
            operations: self.disk.operations(),
            journal_bytes: stats.journal_live_bytes,
            memtable_bytes: stats.memtable_bytes,
            segment_bytes: stats.segment_bytes,
            batches: stats.batches,
        }
    }

    /// Asserts that `work` writes nothing, neither to disk nor to memory.
    #[track_caller]
    pub(crate) fn writes_nothing<T>(&self, what: &str, work: impl FnOnce() -> T) -> T {
        let before = self.footprint();
        let outcome = work();
        assert_eq!(self.footprint(), before, "{what} wrote something");
        outcome
    }

    /// Asserts that everything on disk is right.
    #[track_caller]
    pub(crate) fn is_sound(&self) {
        self.db.verify().unwrap();
    }

    /// How often these bytes stand in the segments.
    pub(crate) fn times_in_segments(&self, needle: &str) -> usize {
        let files = self.disk.files().into_iter();
        files
            .filter(|path| path.starts_with("segments/"))
            .map(|path| {
                let bytes = self.disk.read_file(&path).unwrap();
                let windows = bytes.windows(needle.len());
                windows.filter(|found| *found == needle.as_bytes()).count()
            })
            .sum()
    }
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

/// Asserts that a session that was asked is not there any more.
#[track_caller]
pub(crate) fn is_gone<T: fmt::Debug>(answer: Result<T>) {
    match answer {
        Err(Error::SessionGone) => {}
        other => panic!("it is not gone: {other:?}"),
    }
}
