//! The sessions of an owner, and logging them out.

use super::Database;
use crate::error::Result;
use crate::maintenance::SessionInfo;
use crate::session::check_owner;
use crate::session_id::{SessionDigest, SessionId};

impl Database {
    /// All sessions of an owner, the one seen last first: what an account page
    /// shows as the devices that are logged in.
    ///
    /// One that is damaged as a whole is not among them: whose it was is not
    /// known any more. Nobody can read it.
    ///
    /// Costs a range of the index and a lookup for each session.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set("agent", "Firefox")?;
    /// session.set_owner(Some("user:42"))?;
    /// for device in db.sessions_of("user:42")? {
    ///     println!("{} since {:?}", device.digest, device.created);
    /// }
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidOwner`, `Corrupted`, `Poisoned`, `Closed`, `Reentrant`, `Io`.
    pub fn sessions_of(&self, owner: &str) -> Result<Vec<SessionInfo>> {
        check_owner(owner)?;
        let known = self.engine().sessions_of(owner, self.durable())?;
        Ok(known.into_iter().map(SessionInfo::from).collect())
    }

    /// Logs an owner out everywhere. Returns how many sessions that were.
    ///
    /// All or nothing, also after a crash: it is one frame in the journal,
    /// whatever the number of sessions, up to what a file of the journal
    /// holds, half a million; more are removed in several. A session that is
    /// given to the owner after it survives. A transaction that is under way
    /// in one of the sessions gets `SessionGone`.
    ///
    /// Costs a look at each of the owner's sessions, and one fsync.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set("user", "ada")?;
    /// session.set_owner(Some("user:42"))?;
    /// assert_eq!(db.revoke_owner("user:42")?, 1);
    /// assert!(matches!(session.get::<String>("user"), Err(sessiondb::Error::SessionGone)));
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidOwner`, `StorageFull`, `Corrupted`, `Poisoned`, `Closed`,
    /// `Reentrant`, `Io`.
    pub fn revoke_owner(&self, owner: &str) -> Result<u64> {
        check_owner(owner)?;
        self.engine().revoke_owner(owner, None, self.durable())
    }

    /// Logs an owner out everywhere else: all sessions but this one. Returns
    /// how many that were.
    ///
    /// Costs as [`revoke_owner`](Self::revoke_owner).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let (here, there) = (db.create_session(), db.create_session());
    /// for session in [&here, &there] {
    ///     session.set("user", "ada")?;
    ///     session.set_owner(Some("user:42"))?;
    /// }
    /// // The password was changed.
    /// assert_eq!(db.revoke_owner_except("user:42", &here.id())?, 1);
    /// assert!(here.get::<String>("user")?.is_some());
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`revoke_owner`](Self::revoke_owner).
    pub fn revoke_owner_except(&self, owner: &str, except: &SessionId) -> Result<u64> {
        check_owner(owner)?;
        let except = Some(except.digest());
        self.engine().revoke_owner(owner, except, self.durable())
    }

    /// Logs out one session, by its ID or its digest. Returns whether there
    /// was one.
    ///
    /// Costs a lookup, one small frame and one fsync; nothing is written where
    /// there was none.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set("user", "ada")?;
    /// let digest = session.id().digest();
    /// assert!(db.revoke(digest)?);
    /// assert!(!db.revoke(digest)?);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `StorageFull`, `Corrupted`, `Poisoned`, `Closed`, `Reentrant`, `Io`.
    pub fn revoke(&self, session: impl Into<SessionDigest>) -> Result<bool> {
        self.engine().revoke(session.into(), self.durable())
    }

    /// Whether an ID is known to be dead: it was flushed, cycled, destroyed,
    /// revoked or has expired, not longer ago than
    /// [`retire_ids_for`](crate::Builder::retire_ids_for) says. For adapters
    /// that are asked to save under an ID of somebody else's choice: saving
    /// under a dead one would undo a logout. An ID that was never written is
    /// not dead; it is taken for one of N that are remembered with a chance of
    /// N / 2^64, and none of these is ever taken for another.
    ///
    /// Costs a lookup in memory, and about twenty in the index.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let mut session = db.create_session();
    /// session.set("user", "ada")?;
    /// let old = session.id();
    /// let new = session.flush()?;
    /// assert!(db.is_retired(old)?);
    /// assert!(!db.is_retired(new)?);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Corrupted`, `Poisoned`, `Closed`, `Reentrant`, `Io`.
    pub fn is_retired(&self, session: impl Into<SessionDigest>) -> Result<bool> {
        self.engine().is_retired(session.into(), self.durable())
    }
}
