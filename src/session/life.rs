//! How long a session lives, and to whom it belongs.

use std::time::SystemTime;

use super::Session;
use super::expiry::Expiry;
use super::stored::check_owner;
use crate::engine::Turn;
use crate::error::Result;

impl Session {
    /// Says that the visitor is still there: the idle timeout begins anew.
    ///
    /// Throttled, so that it may be called with every request: while less than
    /// a sixteenth of the idle time has passed since the session was last
    /// seen, nothing is written (without an idle timeout: while less than an
    /// hour has), and the session may therefore expire by so much earlier
    /// than the last touch says. Every write of the session renews it exactly.
    /// A session that was never written stays so.
    ///
    /// Costs a look at memory, and once in a while one small frame and one
    /// fsync.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set("user", "ada")?;
    /// session.touch()?;   // at the end of every request
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `SessionGone`, `StorageFull`.
    pub fn touch(&self) -> Result<()> {
        self.engine().check()?;
        let wanted = self.engine().wants_touch(&self.bound);
        let Ok(Some(now)) = wanted else {
            self.observe()?;
            return wanted.map(drop);
        };
        let admitted = self.admit(0)?;
        let touched = self.attempt(admitted, &self.bound, Turn::Stays, Some(now), |tx| {
            tx.touch();
            Ok(())
        });
        self.conclude(touched)
    }

    /// Gives the session an expiry of its own, or the database's again. One
    /// that is past already destroys the session. Before the session's first
    /// write it waits in the handle.
    ///
    /// Costs one small frame and one fsync; nothing where it changes nothing.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// use std::time::{Duration, SystemTime};
    /// use sessiondb::Expiry;
    ///
    /// let session = db.create_session();
    /// session.set("user", "ada")?;
    /// let tonight = SystemTime::now() + Duration::from_secs(6 * 3600);
    /// session.set_expiry(Expiry::At(tonight))?;
    /// session.set_expiry(Expiry::Default)?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `SessionGone`, `StorageFull`.
    pub fn set_expiry(&self, expiry: Expiry) -> Result<()> {
        self.write(0, |tx| {
            tx.set_expiry(expiry);
            Ok(())
        })
    }

    /// The session's own expiry, [`Expiry::Default`] when it has none. For
    /// the cookie: one of a [`Expiry::BrowserSession`] has no `Max-Age`.
    ///
    /// Costs a look at memory.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// use sessiondb::Expiry;
    ///
    /// let session = db.create_session();
    /// assert_eq!(session.expiry()?, Expiry::Default);
    /// session.set_expiry(Expiry::BrowserSession)?;
    /// assert_eq!(session.expiry()?, Expiry::BrowserSession);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `SessionGone`.
    pub fn expiry(&self) -> Result<Expiry> {
        let record = self.record()?;
        Ok(record.expiry.into())
    }

    /// When the session expires unless it is seen again; `None` when never.
    /// Of a session that was never written: if it were written now.
    ///
    /// Costs a look at memory.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// let day = Duration::from_secs(86_400);
    /// let db = sessiondb::Database::builder().idle_timeout(Some(day)).temporary()?;
    /// let session = db.create_session();
    /// session.set("user", "ada")?;
    /// assert!(session.expires_at()? <= Some(SystemTime::now() + day));
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `SessionGone`.
    pub fn expires_at(&self) -> Result<Option<SystemTime>> {
        let record = self.record()?;
        let expires_at = self.engine().options.timeouts.expires_at(&record);
        Ok(expires_at.map(SystemTime::from))
    }

    /// Says to whom the session belongs, so that all sessions of a user can be
    /// [listed](crate::Database::sessions_of) and
    /// [revoked](crate::Database::revoke_owner); `None` for nobody. Before the
    /// session's first write it waits in the handle.
    ///
    /// With a [cap](crate::Builder::sessions_per_owner) it logs out, in the
    /// same frame, those of the owner's other sessions that are too many, the
    /// least recently seen first.
    ///
    /// Costs one small frame and one fsync; nothing where it changes nothing.
    /// With a cap also a look at all of the owner's sessions.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set("user", "ada")?;
    /// session.set_owner(Some("user:42"))?;
    /// assert_eq!(session.owner()?.as_deref(), Some("user:42"));
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidOwner`, `SessionGone`, `StorageFull`.
    pub fn set_owner(&self, owner: Option<&str>) -> Result<()> {
        owner.map_or(Ok(()), check_owner)?;
        self.write(0, |tx| tx.set_owner(owner))
    }

    /// To whom the session belongs.
    ///
    /// Costs a look at memory.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// assert_eq!(session.owner()?, None);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `SessionGone`.
    pub fn owner(&self) -> Result<Option<String>> {
        let record = self.record()?;
        Ok(record.owner.map(String::from))
    }
}
