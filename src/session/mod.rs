//! A session: what a request handler holds.
//!
//! Owns: the handle, the values it passes in and out, and the waiting.
//! Promises: a write waits for the disk with no lock held; an answer is not
//! given before what it depends on is on disk (7).
//! Refuses: to be used within one of its own closures.

mod entries;
mod expiry;
mod keys;
mod life;
mod reads;
mod stored;
mod transaction;
mod whole;

use crate::database::{Committed, Database};
use crate::engine::{Admitted, Bound, Chunk, Draft, Engine, Held, Inside, Sighted, Turn};
use crate::error::{Error, Result};
use crate::format::identity::{Sequence, Timestamp};
use crate::format::record::SessionRecord;
use crate::session_id::SessionId;
use crate::sync::atomic::{AtomicU64, Ordering};

pub(crate) use stored::check_owner;

pub use entries::{Entry, Iter, Keys, ValueBytes};
pub use expiry::Expiry;
pub use transaction::Transaction;

/// A handle of one session: its keys, and its end.
///
/// Handles of one session, in any number of threads, see each other's writes
/// at once. [`flush`](Self::flush), [`cycle_id`](Self::cycle_id) and
/// [`destroy`](Self::destroy) take `&mut self`, so that nobody who shares a
/// handle follows a logout onto the new ID; every other handle gets
/// [`Error::SessionGone`] from then on.
///
/// Keys have 1 to [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES) bytes, values are
/// what serde can describe, at most
/// [`MAX_VALUE_BYTES`](crate::MAX_VALUE_BYTES) encoded.
///
/// Every operation may fail with `Closed` after a
/// [`Database::close`], with `Reentrant` inside a closure of the same
/// database, with `Poisoned` after a failed write to disk, with `Io` and
/// `Corrupted` where it has to read a file. Writes may also fail with
/// `StorageFull`, and then changed nothing; those that only remove do so only
/// when the space that is kept for them is used up.
///
/// Dropping a handle neither waits for its writes nor discards them.
///
/// ```
/// # let db = sessiondb::Database::temporary()?;
/// let session = db.create_session();
/// session.set("user", "ada")?;
/// let mut other = db.open_session(&session.id())?.expect("it was written");
/// assert_eq!(other.get::<String>("user")?.as_deref(), Some("ada"));
/// other.flush()?;
/// assert!(matches!(session.set("user", "eve"), Err(sessiondb::Error::SessionGone)));
/// # Ok::<(), sessiondb::Error>(())
/// ```
#[derive(Debug)]
pub struct Session {
    database: Database,
    id: SessionId,
    bound: Bound,
    /// The journal frame of the last write of this handle.
    written: AtomicU64,
}

impl Session {
    /// A session that exists nowhere but in its handle.
    pub(crate) fn unborn(database: Database, id: SessionId) -> Self {
        Self::new(database, id, Engine::unborn(id.digest()))
    }

    /// A handle that no operation works on.
    pub(crate) fn dead(database: Database, id: SessionId) -> Self {
        Self::new(database, id, Engine::gone(id.digest()))
    }

    /// A session that this handle has made: its first frame counts as the
    /// handle's.
    pub(crate) fn created(database: Database, id: SessionId, bound: Bound) -> Self {
        let written = bound.cell.last();
        let session = Self::new(database, id, bound);
        session.written.fetch_max(written.0, Ordering::AcqRel);
        session
    }

    /// A handle that has written nothing yet.
    pub(crate) fn new(database: Database, id: SessionId, bound: Bound) -> Self {
        Self {
            database,
            id,
            bound,
            written: AtomicU64::new(0),
        }
    }

    /// The session's ID: the secret for the cookie.
    ///
    /// Costs nothing.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// let cookie = format!("session={}; HttpOnly; Secure; SameSite=Lax", session.id());
    /// # assert_eq!(cookie.len(), 62);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The session in memory.
    #[cfg(test)]
    pub(crate) fn cell(&self) -> &crate::engine::Cell {
        &self.bound.cell
    }

    /// Whose keys the session has.
    #[cfg(test)]
    pub(crate) fn generation(&self) -> crate::format::identity::Generation {
        self.bound.cell.state.read().record.generation
    }

    fn engine(&self) -> &Engine {
        self.database.engine()
    }

    /// Waits for this session to be free for a write; a session that takes its
    /// place is known to nobody yet.
    fn admit(&self, bytes: usize) -> Result<Admitted<'_>> {
        self.engine().admit(&self.bound.cell, bytes as u64)
    }

    /// Runs all operations of `work` as one transaction and returns what it
    /// returned, once that is as durable as the handle promises.
    fn write<T, E: From<Error>>(
        &self,
        bytes: usize,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let admitted = self.admit(bytes)?;
        self.conclude(self.attempt(admitted, &self.bound, Turn::Stays, None, work))
    }

    /// Runs `work` on a session, and commits it with what becomes of the
    /// session's ID. `now` is the time where the operation has read it already.
    fn attempt<T, E: From<Error>>(
        &self,
        (_writer, mut reservation): Admitted<'_>,
        bound: &Bound,
        turn: Turn<'_>,
        now: Option<Timestamp>,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<(T, Option<Sequence>), E> {
        let engine = self.engine();
        // Also for our own operations: a value's `Serialize` and
        // `Deserialize` are the caller's code, and so is what becomes of
        // an error of the commit. Ends before the lock does.
        let _inside = Inside::enter(engine);
        let now = now.unwrap_or_else(|| engine.now());
        let draft = Draft::new(engine, &bound.cell, bound.digest, now)?;
        let mut transaction = Transaction::new(draft);
        let value = work(&mut transaction)?;
        let draft = transaction.into_draft();
        let sequence = engine.commit(draft, turn, &mut reservation)?;
        Ok((value, sequence))
    }

    /// Waits for what an attempt wrote, or for what its answer depends on.
    fn conclude<T, E: From<Error>>(
        &self,
        outcome: Result<(T, Option<Sequence>), E>,
    ) -> Result<T, E> {
        match outcome {
            Ok((value, Some(sequence))) => {
                self.settle(sequence)?;
                Ok(value)
            }
            Ok((value, None)) => {
                self.observe()?;
                Ok(value)
            }
            Err(error) => {
                self.observe()?;
                Err(error)
            }
        }
    }

    /// A write of this handle is in the journal.
    fn settle(&self, sequence: Sequence) -> Result<()> {
        self.written.fetch_max(sequence.0, Ordering::AcqRel);
        self.engine().settle(sequence, self.database.durable())
    }

    /// The answer depends on everything that was written to the session.
    fn observe(&self) -> Result<()> {
        let last = self.bound.cell.last();
        self.engine().observe(last, self.database.durable())
    }

    /// A key's value as it stands.
    fn find(&self, key: &str) -> Result<Option<Held>> {
        self.find_at(key, self.engine().glance())
    }

    /// The same at a time that the operation has read already.
    fn find_at(&self, key: &str, now: Timestamp) -> Result<Option<Held>> {
        let engine = self.engine();
        engine.check()?;
        let found = engine.find(&self.bound, key, now);
        self.observe()?;
        found
    }

    /// The next entries from `from` on.
    fn chunk(&self, from: &str) -> Result<Chunk> {
        let engine = self.engine();
        engine.check()?;
        let chunk = engine.entries(&self.bound.cell, self.bound.digest, from);
        self.observe()?;
        chunk
    }

    /// What is known of the session besides its keys.
    fn record(&self) -> Result<SessionRecord> {
        let engine = self.engine();
        engine.check()?;
        let record = engine.record(&self.bound);
        self.observe()?;
        record
    }

    /// Whether an iteration may go on with what it has read already.
    fn check(&self, sighted: &mut Option<Sighted>) -> Result<()> {
        let engine = self.engine();
        engine.check()?;
        let alive = engine.check_alive(&self.bound, sighted);
        if alive.is_err() {
            self.observe()?;
        }
        alive
    }

    fn last_written(&self) -> Sequence {
        Sequence(self.written.load(Ordering::Acquire))
    }

    /// Waits until everything this handle wrote so far is on disk. With
    /// `Immediate` durability it is, and this costs nothing.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use sessiondb::{Database, Durability};
    /// # let db = Database::temporary()?;
    /// let quick = db.with_durability(Durability::Deferred {
    ///     sync_within: Duration::from_millis(100),
    /// });
    /// let session = quick.create_session();
    /// session.set("user", "ada")?;
    /// session.set("role", "admin")?;
    /// session.commit()?;   // one fsync for both, before the cookie is sent
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Poisoned` when it is not known whether they are; `Closed`,
    /// `Reentrant`.
    pub fn commit(&self) -> Result<()> {
        self.engine().check()?;
        self.engine().journal.wait(self.last_written())
    }

    /// The same as a future, `'static` and `Send`: it may outlive the handle.
    /// Dropping it cancels nothing.
    ///
    /// Costs as [`commit`](Self::commit), and blocks no thread.
    ///
    /// ```
    /// async fn request(session: &sessiondb::Session) -> sessiondb::Result<()> {
    ///     session.set("page", "/")?;
    ///     session.committed().await
    /// }
    /// ```
    pub fn committed(&self) -> Committed {
        self.database.committed_through(self.last_written())
    }

    /// Whether a read would do without the disk, as far as can be known
    /// beforehand: for async servers that move what may block elsewhere.
    ///
    /// Costs a look at the caches.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set("user", "ada")?;
    /// assert!(session.is_resident());
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    #[must_use]
    pub fn is_resident(&self) -> bool {
        self.engine().is_resident(&self.bound.cell)
    }
}
