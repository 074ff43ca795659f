//! The end of a session, and its new beginnings.

use super::Session;
use super::transaction::Transaction;
use crate::engine::{Engine, Turn};
use crate::error::Result;
use crate::session_id::SessionId;

impl Session {
    /// Removes everything and puts the handle on a new ID: logout.
    ///
    /// All other handles get `SessionGone`. Nothing is written under the new
    /// ID before its first value. Flushing a session that is gone already
    /// succeeds, writes nothing and still changes the ID, and so does flushing
    /// one that was never written.
    ///
    /// Costs one small frame and one fsync, whatever the session holds; what
    /// it held is freed in the background.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let mut session = db.create_session();
    /// session.set("user", "ada")?;
    /// let old = session.id();
    /// let new = session.flush()?;
    /// assert_ne!(old, new);
    /// assert!(db.open_session(&old)?.is_none());
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `StorageFull`, `Poisoned`, `Closed`, `Reentrant`, `Io`: the handle is
    /// still on the old ID then.
    pub fn flush(&mut self) -> Result<SessionId> {
        let id = self.fresh_id()?;
        self.remove()?;
        self.id = id;
        self.bound = Engine::unborn(id.digest());
        Ok(id)
    }

    /// Gives the session a new ID and keeps everything else: login.
    ///
    /// The old ID is dead at once, for every other handle too. Costs one small
    /// frame and one fsync, whatever the session holds; nothing for a session
    /// that was never written.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let mut session = db.create_session();
    /// session.set("cart", &[1, 2])?;
    /// let old = session.id();
    /// let new = session.cycle_id()?;
    /// assert!(db.open_session(&old)?.is_none());
    /// let again = db.open_session(&new)?.expect("it lives on");
    /// assert_eq!(again.get::<Vec<i32>>("cart")?, Some(vec![1, 2]));
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `SessionGone`; `StorageFull`, `Poisoned`, `Closed`, `Reentrant`, `Io`.
    pub fn cycle_id(&mut self) -> Result<SessionId> {
        let id = self.fresh_id()?;
        let digest = id.digest();
        match self.engine().cycle(&self.bound, digest) {
            Ok(sequence) => {
                // Done in memory, whatever the disk says: the old ID is dead.
                self.id = id;
                self.bound.digest = digest;
                sequence.map_or(Ok(()), |sequence| self.settle(sequence))?;
                Ok(id)
            }
            Err(error) => {
                self.observe()?;
                Err(error)
            }
        }
    }

    /// Gives the session a new ID and does all of the closure's writes, in
    /// one frame: login, with what it puts into the session. The new ID and
    /// the writes are there together or not at all, also after a crash.
    ///
    /// An error of the closure leaves everything as it was, the ID too.
    ///
    /// Costs as a [`transaction`](Self::transaction).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let mut session = db.create_session();
    /// session.set("cart", &["apple"])?;
    /// let id = session.cycle_id_with(|tx| {
    ///     tx.set("user", "ada")?;
    ///     tx.set_owner(Some("user:42"))
    /// })?;
    /// let again = db.open_session(&id)?.expect("it lives on");
    /// assert_eq!(again.len()?, 2);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`transaction`](Self::transaction) and of the closure.
    pub fn cycle_id_with(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<()>,
    ) -> Result<SessionId> {
        let id = self.fresh_id()?;
        let admitted = self.admit(self.engine().closure_bytes())?;
        let turn = Turn::Cycles(id.digest());
        let outcome = self.attempt(admitted, &self.bound, turn, None, work);
        if outcome.is_ok() {
            self.id = id;
            self.bound.digest = id.digest();
        }
        self.conclude(outcome)?;
        Ok(id)
    }

    /// Removes everything, puts the handle on a new ID and does the closure's
    /// writes there, in one frame: a logout that leaves a message, or a login
    /// that trusts nothing of what was before. The closure sees an empty
    /// session. Where it writes no key this is [`flush`](Self::flush).
    ///
    /// An error of the closure leaves everything as it was: nobody is logged
    /// out then.
    ///
    /// Costs as a [`transaction`](Self::transaction), whatever the session
    /// held.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let mut session = db.create_session();
    /// session.set("user", "ada")?;
    /// session.flush_with(|tx| tx.set("message", "You are logged out."))?;
    /// assert_eq!(session.len()?, 1);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`transaction`](Self::transaction) and of the closure.
    pub fn flush_with(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<()>,
    ) -> Result<SessionId> {
        let id = self.fresh_id()?;
        let admitted = self.admit(self.engine().closure_bytes())?;
        let fresh = Engine::unborn(id.digest());
        let turn = Turn::Replaces(&self.bound);
        let outcome = self.attempt(admitted, &fresh, turn, None, work);
        if outcome.is_ok() {
            self.id = id;
            self.bound = fresh;
        }
        self.conclude(outcome)?;
        Ok(id)
    }

    /// Removes everything; there is no new ID. The handle is of no further
    /// use: everything but `destroy` and `flush` is `SessionGone`.
    ///
    /// Costs as [`flush`](Self::flush). Destroying a session that is gone
    /// already succeeds and writes nothing.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let mut session = db.create_session();
    /// session.set("user", "ada")?;
    /// session.destroy()?;
    /// session.destroy()?;
    /// assert!(session.get::<String>("user").is_err());
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `StorageFull`, `Poisoned`, `Closed`, `Reentrant`, `Io`.
    pub fn destroy(&mut self) -> Result<()> {
        self.remove()?;
        self.bound = Engine::gone(self.bound.digest);
        Ok(())
    }

    fn remove(&self) -> Result<()> {
        match self.engine().remove_session(&self.bound)? {
            Some(sequence) => self.settle(sequence),
            None => self.observe(),
        }
    }

    fn fresh_id(&self) -> Result<SessionId> {
        self.engine().check()?;
        self.database.fresh_id()
    }
}
