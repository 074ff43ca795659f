//! A disk, a clock that stands still, a database on them, and the states in
//! which the sessions of an owner may be met.

use std::sync::Arc;
use std::time::Duration;

use sessiondb::{
    Builder, Crash, Database, Error, IndexFate, ManualClock, Session, SessionDigest, SessionId,
    SessionInfo, SimulatedDisk,
};

use crate::layout;

pub(crate) const OWNER: &str = "user:42";
pub(crate) const OTHER: &str = "user:43";
/// How long a session of these tests lives unseen.
pub(crate) const IDLE: Duration = Duration::from_secs(100_000);

/// A database that does nothing by itself.
pub(crate) fn quiet() -> Builder {
    Database::builder()
        .background(false)
        .cache_bytes(4 << 20)
        .journal_segment_bytes(4 << 20)
        .segment_bytes(64 << 10)
        .idle_timeout(Some(IDLE))
}

/// How everything is at some moment.
pub(crate) struct Scene {
    pub(crate) disk: SimulatedDisk,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) db: Database,
    builder: Builder,
}

/// What has happened to the sessions since they were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nothing: they are in the journal and in memory.
    Memtable,
    /// They are in a segment and known in memory.
    Checkpointed,
    /// They are in a segment only.
    Reopened,
    /// They were replayed from the journal.
    Replayed,
    /// The index was built again from the segments.
    Rebuilt,
}

impl Place {
    pub(crate) const ALL: [Self; 5] = [
        Self::Memtable,
        Self::Checkpointed,
        Self::Reopened,
        Self::Replayed,
        Self::Rebuilt,
    ];
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with(quiet())
    }

    /// With so many sessions per owner at most.
    pub(crate) fn capped(cap: usize) -> Self {
        Self::with(quiet().sessions_per_owner(Some(cap)))
    }

    pub(crate) fn with(builder: Builder) -> Self {
        let disk = SimulatedDisk::new(1).unwrap();
        let clock = Arc::new(ManualClock::default());
        let builder = builder.clock(Arc::<ManualClock>::clone(&clock));
        Self::open(disk, clock, builder)
    }

    /// A second passes, so that no two sessions are seen at the same time.
    pub(crate) fn tick(&self) {
        self.clock.advance(Duration::from_secs(1));
    }

    /// A session with a key and an owner.
    pub(crate) fn born(&self, owner: Option<&str>) -> Session {
        self.tick();
        let session = self.db.create_session();
        session
            .transaction(|tx| {
                tx.set("user", "ada")?;
                tx.set_owner(owner)
            })
            .unwrap();
        session
    }

    /// The IDs of so many sessions.
    pub(crate) fn born_ids(&self, count: usize, owner: Option<&str>) -> Vec<SessionId> {
        (0..count).map(|_| self.born(owner).id()).collect()
    }

    /// A handle of a session that is alive.
    pub(crate) fn session(&self, id: &SessionId) -> Session {
        let found = self.db.open_session(id).unwrap();
        found.expect("the session is there")
    }

    /// Another database with this builder takes over where this one was closed.
    pub(crate) fn reopened_with(mut self, builder: Builder) -> Self {
        self.db.close().unwrap();
        self.builder = builder.clock(Arc::<ManualClock>::clone(&self.clock));
        let disk = self.disk.clone();
        self.on(disk)
    }

    /// The power goes.
    pub(crate) fn crashed(self, how: Crash, index: IndexFate) -> Self {
        let left = self.disk.crash(how, index).unwrap();
        self.on(left)
    }

    fn on(self, disk: SimulatedDisk) -> Self {
        let Self {
            clock, db, builder, ..
        } = self;
        drop(db);
        Self::open(disk, clock, builder)
    }

    /// What is on another disk, at the same time.
    pub(crate) fn beside(&self, disk: SimulatedDisk) -> Self {
        Self::open(disk, Arc::clone(&self.clock), self.builder.clone())
    }

    fn open(disk: SimulatedDisk, clock: Arc<ManualClock>, builder: Builder) -> Self {
        let db = builder.clone().open_on(Arc::new(disk.clone())).unwrap();
        Self {
            disk,
            clock,
            db,
            builder,
        }
    }

    pub(crate) fn at(self, place: Place) -> Self {
        match place {
            Place::Memtable => self,
            Place::Checkpointed => {
                self.db.checkpoint().unwrap();
                self
            }
            Place::Reopened => {
                let builder = self.builder.clone();
                self.reopened_with(builder)
            }
            Place::Replayed => self.crashed(Crash::KeepNothing, IndexFate::Kept),
            Place::Rebuilt => {
                self.db.checkpoint().unwrap();
                self.crashed(Crash::KeepNothing, IndexFate::Lost)
            }
        }
    }

    /// Asserts that `work` writes nothing, neither to disk nor to memory.
    #[track_caller]
    pub(crate) fn writes_nothing<T>(&self, what: &str, work: impl FnOnce() -> T) -> T {
        let look = || {
            let stats = self.db.stats();
            let memory = (stats.journal_live_bytes, stats.memtable_bytes);
            (memory, stats.segment_bytes, self.disk.operations())
        };
        let before = look();
        let outcome = work();
        assert_eq!(look(), before, "{what} wrote something");
        outcome
    }

    /// How many transactions are in the journal.
    pub(crate) fn frames(&self) -> usize {
        let files = self.disk.snapshot().into_iter();
        let journal = files.filter(|(path, _)| path.starts_with("journal/"));
        journal
            .map(|(_, bytes)| {
                let frames = layout::frames(&bytes).into_iter();
                frames.filter(|frame| frame.is_transaction).count()
            })
            .sum()
    }

    /// Asserts that a session is there, and to whom it belongs.
    #[track_caller]
    pub(crate) fn assert_alive(&self, id: &SessionId, owner: Option<&str>, what: &str) {
        let session = self.db.open_session(id).unwrap();
        let session = session.unwrap_or_else(|| panic!("{what}: the session is gone"));
        assert_eq!(session.owner().unwrap().as_deref(), owner, "{what}");
        let info = self.db.inspect(&id.digest()).unwrap();
        let info = info.unwrap_or_else(|| panic!("{what}: the session cannot be inspected"));
        assert_eq!(info.owner.as_deref(), owner, "{what}");
        assert!(!self.db.is_retired(*id).unwrap(), "{what}");
        if let Some(owner) = owner {
            let all = digests(&self.db, owner);
            let count = all.iter().filter(|digest| **digest == id.digest()).count();
            assert_eq!(count, 1, "{what}: among the sessions of {owner:?}");
        }
    }

    /// Asserts that a session is gone and that its ID does not come back.
    #[track_caller]
    pub(crate) fn assert_gone(&self, id: &SessionId, what: &str) {
        assert!(self.db.open_session(id).unwrap().is_none(), "{what}");
        assert_eq!(self.db.inspect(&id.digest()).unwrap(), None, "{what}");
        assert!(self.db.is_retired(*id).unwrap(), "{what}: not retired");
        assert!(!self.db.revoke(*id).unwrap(), "{what}: revoked once more");
    }

    /// Asserts of whom a list tells: exactly of these, whatever the order.
    #[track_caller]
    pub(crate) fn assert_owns(&self, owner: &str, ids: &[SessionId], what: &str) {
        let mut found = digests(&self.db, owner);
        found.sort_unstable();
        let mut expected: Vec<_> = ids.iter().map(SessionId::digest).collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{what}: the sessions of {owner:?}");
    }

    /// Asserts that there are these sessions and no others, and that all that
    /// is on disk is right.
    #[track_caller]
    pub(crate) fn assert_all(&self, ids: &[SessionId], what: &str) {
        let found: Vec<_> = self
            .db
            .sessions()
            .map(|info| info.unwrap().digest)
            .collect();
        let mut expected: Vec<_> = ids.iter().map(SessionId::digest).collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{what}: all sessions");
        let verified = self.db.verify();
        let verified = verified.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(verified.sessions, ids.len() as u64, "{what}: verified");
    }
}

/// Has sessions made, and looks at them in every place.
pub(crate) fn everywhere<T>(prepare: impl Fn(&Scene) -> T, look: impl Fn(Scene, T, &str)) {
    everywhere_with(&quiet(), prepare, look);
}

/// The same with a builder.
pub(crate) fn everywhere_with<T>(
    builder: &Builder,
    prepare: impl Fn(&Scene) -> T,
    look: impl Fn(Scene, T, &str),
) {
    for place in Place::ALL {
        let scene = Scene::with(builder.clone());
        let prepared = prepare(&scene);
        look(scene.at(place), prepared, &format!("{place:?}"));
    }
}

/// The sessions of an owner, by digest, in the order they are told.
#[track_caller]
pub(crate) fn digests(db: &Database, owner: &str) -> Vec<SessionDigest> {
    let sessions = db.sessions_of(owner).unwrap().into_iter();
    sessions.map(|info: SessionInfo| info.digest).collect()
}

/// Asserts that a handle is of no use any more.
#[track_caller]
pub(crate) fn assert_handle_gone(session: &Session, what: &str) {
    let answers = [
        ("get", session.get::<String>("user").map(drop)),
        ("len", session.len().map(drop)),
        ("set", session.set("user", "eve")),
        ("set_owner", session.set_owner(Some(OWNER))),
        ("touch", session.touch()),
        ("owner", session.owner().map(drop)),
        ("expires_at", session.expires_at().map(drop)),
    ];
    for (operation, answer) in answers {
        assert!(
            matches!(answer, Err(Error::SessionGone)),
            "{what}, {operation}: {answer:?}"
        );
    }
}
