//! The database: what a server holds.

mod owners;
mod repair;
mod sessions;
mod space;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tempfile::TempDir;

use crate::config::Builder;
use crate::engine::{Durability, Engine};
use crate::error::{Error, Result};
use crate::format::identity::Sequence;
use crate::maintenance::{Stats, Verified};
use crate::session::{Expiry, Session};
use crate::session_id::SessionId;

pub use sessions::Sessions;

/// Closes the engine when the last handle goes.
#[derive(Debug)]
struct Owner {
    engine: Arc<Engine>,
    /// Removed after the engine is closed.
    _temporary: Option<TempDir>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        if let Err(error) = self.engine.close() {
            tracing::error!(%error, "closing the database failed");
        }
    }
}

/// An open database: a cheap handle, `Clone + Send + Sync`.
///
/// ```
/// use sessiondb::Database;
///
/// let db = Database::temporary()?;
/// let session = db.create_session();
/// session.set("user", "ada")?;
/// let again = db.open_session(&session.id())?.expect("it was written");
/// assert_eq!(again.get::<String>("user")?.as_deref(), Some("ada"));
/// # Ok::<(), sessiondb::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Database {
    owner: Arc<Owner>,
    durability: Durability,
}

impl Database {
    pub(crate) fn new(
        engine: Arc<Engine>,
        durability: Durability,
        temporary: Option<TempDir>,
    ) -> Self {
        Self {
            owner: Arc::new(Owner {
                engine,
                _temporary: temporary,
            }),
            durability,
        }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.owner.engine
    }

    pub(crate) fn durable(&self) -> Durability {
        self.durability
    }

    /// Opens the database in a directory with all defaults; see
    /// [`Builder::open`].
    ///
    /// Costs as [`Builder::open`].
    ///
    /// ```no_run
    /// let db = sessiondb::Database::open("data/sessions")?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Builder::open`].
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self> {
        Self::builder().open(directory)
    }

    /// A new database in a temporary directory, removed on drop. For tests.
    ///
    /// Costs the creation of a directory with a few files.
    ///
    /// ```
    /// let db = sessiondb::Database::temporary()?;
    /// db.create_session().set("user", "ada")?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Builder::open`].
    pub fn temporary() -> Result<Self> {
        Self::builder().temporary()
    }

    /// All knobs.
    ///
    /// Costs nothing.
    ///
    /// ```
    /// let db = sessiondb::Database::builder().cache_bytes(16 << 20).temporary()?;
    /// # db.close()?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The same database seen with another durability. Costs nothing.
    ///
    /// ```
    /// use std::time::Duration;
    /// use sessiondb::{Database, Durability};
    ///
    /// let db = Database::temporary()?;
    /// let quick = db.with_durability(Durability::Deferred {
    ///     sync_within: Duration::from_millis(100),
    /// });
    /// let session = quick.create_session();
    /// session.set("page", &1)?;   // returns before it is on disk
    /// session.commit()?;          // now it is
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    #[must_use]
    pub fn with_durability(&self, durability: Durability) -> Self {
        Self {
            owner: Arc::clone(&self.owner),
            durability,
        }
    }

    /// A session with a fresh ID. Nothing is on disk before its first write.
    ///
    /// Should the operating system have no randomness to give, the handle is
    /// dead: everything is `SessionGone`, except that
    /// [`flush`](Session::flush) asks again.
    ///
    /// Costs 16 bytes of randomness; touches no disk.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// assert!(db.open_session(&session.id())?.is_none());
    /// session.set("user", "ada")?;
    /// assert!(db.open_session(&session.id())?.is_some());
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    #[must_use]
    pub fn create_session(&self) -> Session {
        match self.fresh_id() {
            Ok(id) => Session::unborn(self.clone(), id),
            Err(error) => {
                tracing::error!(%error, "a session could not get an ID");
                Session::dead(self.clone(), SessionId::from_bytes([0; 16]))
            }
        }
    }

    pub(crate) fn fresh_id(&self) -> Result<SessionId> {
        SessionId::random()
            .map_err(|error| Error::io("draw an ID for a session of", &self.engine().root(), error))
    }

    /// A session with an ID of the caller's choice, for frameworks that make
    /// the IDs. It is on disk at once, even empty.
    ///
    /// Costs a lookup, one small frame and one fsync.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// use sessiondb::{Error, Expiry, SessionId};
    ///
    /// let id = SessionId::from_bytes([7; 16]); // from the framework
    /// let mut session = db.create_session_with_id(id, Expiry::Default)?;
    /// let again = db.create_session_with_id(id, Expiry::Default);
    /// assert!(matches!(again, Err(Error::SessionExists)));
    /// session.flush()?;
    /// let again = db.create_session_with_id(id, Expiry::Default);
    /// assert!(matches!(again, Err(Error::SessionGone)), "a logout is not undone");
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `SessionExists` when a session has this ID; `SessionGone` when one had
    /// it and the ID is [retired](Self::is_retired), or when the expiry is
    /// past already; `StorageFull`, `Corrupted`, `Poisoned`, `Closed`,
    /// `Reentrant`, `Io`.
    pub fn create_session_with_id(&self, id: SessionId, expiry: Expiry) -> Result<Session> {
        let engine = self.engine();
        let bound = engine.create_session(id.digest(), expiry.into(), self.durability)?;
        Ok(Session::created(self.clone(), id, bound))
    }

    /// The session with this ID; `None` when it is unknown, was flushed or
    /// has expired. Costs one lookup in memory, or one in the index.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let id = db.create_session().id();
    /// assert!(db.open_session(&id)?.is_none(), "it was never written");
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Corrupted` when what is stored is damaged, `Poisoned`, `Closed`,
    /// `Reentrant`, `Io`.
    pub fn open_session(&self, id: &SessionId) -> Result<Option<Session>> {
        let found = self.engine().find_session(id.digest(), self.durability)?;
        Ok(found.map(|bound| Session::new(self.clone(), *id, bound)))
    }

    /// The same from untrusted text, a cookie's value: what is malformed is
    /// `None` too.
    ///
    /// Costs as [`open_session`](Self::open_session).
    ///
    /// ```
    /// let db = sessiondb::Database::temporary()?;
    /// assert!(db.open_token("../../etc/passwd")?.is_none());
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`open_session`](Self::open_session).
    pub fn open_token(&self, token: &str) -> Result<Option<Session>> {
        let Ok(id) = token.parse() else {
            self.engine().check()?;
            return Ok(None);
        };
        self.open_session(&id)
    }

    /// Waits until every write of every handle so far is on disk.
    ///
    /// Costs one fsync, which concurrent callers share; nothing when all is on
    /// disk already.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use sessiondb::{Database, Durability};
    /// # let db = Database::temporary()?;
    /// let quick = db.with_durability(Durability::Deferred {
    ///     sync_within: Duration::from_millis(100),
    /// });
    /// quick.create_session().set("page", "/")?;
    /// quick.create_session().set("page", "/about")?;
    /// db.commit()?; // one fsync for both
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Poisoned`, `Closed`, `Reentrant`.
    pub fn commit(&self) -> Result<()> {
        self.engine().check()?;
        let journal = &self.engine().journal;
        journal.wait(journal.position().sequence)
    }

    /// The same as a future, for async servers. Dropping it cancels nothing.
    ///
    /// Costs as [`commit`](Self::commit), and blocks no thread.
    ///
    /// ```
    /// async fn requests(db: &sessiondb::Database) -> sessiondb::Result<()> {
    ///     db.create_session().set("page", "/")?;
    ///     db.create_session().set("page", "/about")?;
    ///     db.committed().await
    /// }
    /// ```
    #[must_use = "a future does nothing until it is awaited"]
    pub fn committed(&self) -> Committed {
        let sequence = self.engine().journal.position().sequence;
        Committed::new(Arc::clone(&self.owner.engine), sequence)
    }

    pub(crate) fn committed_through(&self, sequence: Sequence) -> Committed {
        Committed::new(Arc::clone(&self.owner.engine), sequence)
    }

    /// Moves everything that was written so far from the journal into the
    /// segments. Happens by itself; by hand it bounds the next open.
    ///
    /// Costs a write of the sessions that changed, a few fsyncs, and their
    /// rows in the index; nothing when nothing changed. Readers and writers go
    /// on meanwhile.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// db.create_session().set("user", "ada")?;
    /// db.checkpoint()?;
    /// assert_eq!(db.stats().memtable_bytes, 0);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `StorageFull`, `Poisoned`, `Corrupted`, `Closed`, `Reentrant`, `Io`.
    pub fn checkpoint(&self) -> Result<()> {
        self.engine().check()?;
        self.engine().checkpoint()
    }

    /// Reads all there is and checks every frame, row and reference, and what
    /// of the journal an open would need. Files and pages that nothing leads to
    /// are counted.
    ///
    /// Everything is checkpointed first. Costs two reads of the whole database;
    /// readers and writers go on meanwhile. It holds what is in one file, and
    /// some sums of a million sessions at a time; with more of them the index is
    /// looked at several times. What grows with the sessions is what the index
    /// remembers of where it lies once all of it was read: some 30 bytes for
    /// each session, besides the 50 that an open takes.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// db.create_session().set("user", "ada")?;
    /// let verified = db.verify()?;
    /// assert_eq!((verified.sessions, verified.keys), (1, 1));
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Corrupted` with the file and place of the first damage; the others of
    /// [`checkpoint`](Self::checkpoint).
    pub fn verify(&self) -> Result<Verified> {
        self.verify_with(|_, _| {})
    }

    /// The same, telling how much is done and how much there is, in bytes that
    /// are looked at, some of them several times. Using this database inside
    /// `progress` is `Reentrant`.
    ///
    /// Costs as [`verify`](Self::verify).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// db.verify_with(|read, of| println!("{read} of {of} bytes"))?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    pub fn verify_with(&self, mut progress: impl FnMut(u64, u64)) -> Result<Verified> {
        self.checkpoint()?;
        self.engine().verify(&mut progress).map(Verified::from)
    }

    /// What the database holds and takes, in numbers. Cheap.
    ///
    /// Costs a look at some counters, at the lengths of the files, and at the
    /// list of the flushed sessions that wait for the sweep.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let stats = db.stats();
    /// println!("{} sessions in memory", stats.resident_sessions);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.engine().stats()
    }

    /// Commits, closes every clone and handle (they get
    /// [`Error::Closed`] from then on) and releases the
    /// directory. The last drop does the same and logs errors. Idempotent.
    ///
    /// Costs a [`checkpoint`](Self::checkpoint) and a read of the index, whose
    /// checksums let the next open be quick.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set("user", "ada")?;
    /// db.close()?;
    /// assert!(matches!(session.set("user", "eve"), Err(sessiondb::Error::Closed)));
    /// db.close()?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What the last commit or checkpoint met; `Reentrant`.
    pub fn close(&self) -> Result<()> {
        match self.engine().check() {
            Ok(()) | Err(Error::Closed) => self.engine().close(),
            Err(error) => Err(error),
        }
    }
}

/// A write on its way to disk, as a future.
///
/// ```
/// use std::time::Duration;
/// use sessiondb::{Database, Durability};
///
/// async fn request(db: &Database) -> sessiondb::Result<()> {
///     let session = db.create_session();
///     session.set("page", "/")?;
///     session.committed().await
/// }
/// ```
#[derive(Debug)]
#[must_use = "a future does nothing until it is awaited"]
pub struct Committed {
    engine: Arc<Engine>,
    sequence: Sequence,
}

impl Committed {
    fn new(engine: Arc<Engine>, sequence: Sequence) -> Self {
        Self { engine, sequence }
    }
}

impl Future for Committed {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.engine
            .journal
            .poll_synced(self.sequence, context.waker())
    }
}
