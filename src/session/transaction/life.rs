//! Time and ownership in a transaction.

use std::time::Duration;

use serde::Serialize;

use super::Transaction;
use crate::engine::Stored;
use crate::error::Result;
use crate::session::expiry::Expiry;
use crate::session::stored::{check_key, check_owner, encode};

impl Transaction<'_> {
    pub(in crate::session) fn put_with_ttl(
        &mut self,
        key: &str,
        value: Stored,
        ttl: Duration,
    ) -> Result<()> {
        if ttl.is_zero() {
            return self.discard(key).map(drop);
        }
        let deadline = self.draft.now().plus(ttl);
        self.put(key, value, Some(deadline))
    }

    pub(in crate::session) fn touch(&mut self) {
        self.draft.touch();
    }

    /// Puts a value that is there for a limited time only; see
    /// [`Session::set_with_ttl`](crate::Session::set_with_ttl).
    ///
    /// Costs as [`set`](Self::set).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # let session = db.create_session();
    /// use std::time::Duration;
    ///
    /// session.transaction(|tx| {
    ///     tx.set("user", "ada")?;
    ///     tx.set_with_ttl("welcome", "Hello, Ada!", Duration::from_secs(60))
    /// })?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn set_with_ttl<T: Serialize + ?Sized>(
        &mut self,
        key: &str,
        value: &T,
        ttl: Duration,
    ) -> Result<()> {
        check_key(key)?;
        self.put_with_ttl(key, encode(key, value)?, ttl)
    }

    /// Says to whom the session belongs; see
    /// [`Session::set_owner`](crate::Session::set_owner).
    ///
    /// Costs a look at memory.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let mut session = db.create_session();
    /// session.set("cart", &["apple"])?;
    /// // Login: a new ID, the user and the owner in one frame.
    /// session.cycle_id_with(|tx| {
    ///     tx.set("user", "ada")?;
    ///     tx.set_owner(Some("user:42"))
    /// })?;
    /// assert_eq!(db.sessions_of("user:42")?.len(), 1);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidOwner`.
    pub fn set_owner(&mut self, owner: Option<&str>) -> Result<()> {
        owner.map_or(Ok(()), check_owner)?;
        self.draft.set_owner(owner);
        Ok(())
    }

    /// Gives the session an expiry of its own; see
    /// [`Session::set_expiry`](crate::Session::set_expiry). One that is past
    /// already destroys the session instead of all else.
    ///
    /// Costs nothing.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # let session = db.create_session();
    /// use std::time::Duration;
    /// use sessiondb::Expiry;
    ///
    /// session.transaction(|tx| {
    ///     tx.set("remember_me", &true)?;
    ///     tx.set_expiry(Expiry::Idle(Duration::from_secs(90 * 86_400)));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    pub fn set_expiry(&mut self, expiry: Expiry) {
        self.draft.set_expiry(expiry.into());
    }
}
