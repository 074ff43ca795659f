//! Writing a session's keys. Each operation is one frame in the journal.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Session;
use super::entries::ValueBytes;
use super::stored::{check_key, check_prefix, decode, encode, encode_bytes};
use super::transaction::Transaction;
use crate::engine::{Stored, Turn};
use crate::error::{Error, Result};

impl Session {
    /// Puts a value. Costs one frame of its size and one fsync, which
    /// concurrent writers share.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set("user", "ada")?;
    /// session.set("cart", &vec![("apple", 3), ("pear", 1)])?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidKey`, `TooLarge`, `Encode`, `SessionGone`, `StorageFull`.
    pub fn set<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<()> {
        check_key(key)?;
        self.put(key, encode(key, value)?)
    }

    /// Puts raw bytes, which no serde format touches. Costs as
    /// [`set`](Self::set).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set_bytes("avatar", &[0x89, b'P', b'N', b'G'])?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn set_bytes(&self, key: &str, bytes: &[u8]) -> Result<()> {
        check_key(key)?;
        self.put(key, encode_bytes(bytes)?)
    }

    fn put(&self, key: &str, value: Stored) -> Result<()> {
        self.write(value.len(), |tx| tx.put(key, value, None))
    }

    /// Puts a value that is there for a limited time only: a code, a
    /// one-time message. From then on the key is absent for every operation,
    /// as though it had been removed; its bytes go when its page is written
    /// again. [`set`](Self::set) and
    /// [`compare_and_set`](Self::compare_and_set) take the limit away,
    /// [`update`](Self::update) keeps it, and the session's own expiry wins.
    /// A time of zero is [`discard`](Self::discard).
    ///
    /// Costs as [`set`](Self::set).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// use std::time::Duration;
    ///
    /// let session = db.create_session();
    /// session.set_with_ttl("otp", &271_828, Duration::from_secs(300))?;
    /// assert!(session.pop_if("otp", &271_828)?);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn set_with_ttl<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
        ttl: Duration,
    ) -> Result<()> {
        check_key(key)?;
        let value = encode(key, value)?;
        self.write(value.len(), |tx| tx.put_with_ttl(key, value, ttl))
    }

    /// Removes a key and returns its value; `None` when there was none. Of
    /// many callers exactly one gets the value, also after a crash. A value
    /// of another type stays where it is.
    ///
    /// Costs a lookup, one small frame and one fsync; nothing is written
    /// where there was no value.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set("flash", "Saved.")?;
    /// assert_eq!(session.pop::<String>("flash")?.as_deref(), Some("Saved."));
    /// assert_eq!(session.pop::<String>("flash")?.unwrap_or_default(), "");
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Decode`, `InvalidKey`, `SessionGone`, `StorageFull`.
    pub fn pop<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        check_key(key)?;
        self.write(0, |tx| tx.pop(key))
    }

    /// Removes a key and returns its raw bytes; see [`pop`](Self::pop).
    ///
    /// Costs as [`pop`](Self::pop).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set_bytes("nonce", &[1, 2, 3])?;
    /// assert_eq!(session.pop_bytes("nonce")?.as_deref(), Some(&[1, 2, 3][..]));
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`pop`](Self::pop).
    pub fn pop_bytes(&self, key: &str) -> Result<Option<ValueBytes>> {
        check_key(key)?;
        self.write(0, |tx| tx.pop_bytes(key))
    }

    /// Removes a key when it has this value, and says whether it did: for
    /// one-time codes. The stored forms are compared in constant time, so
    /// nothing about a secret of known length leaks. Costs as
    /// [`pop`](Self::pop).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set("code", "271828")?;
    /// assert!(!session.pop_if("code", "314159")?);
    /// assert!(session.pop_if("code", "271828")?);
    /// assert!(!session.pop_if("code", "271828")?);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidKey`, `TooLarge`, `Encode`, `SessionGone`, `StorageFull`.
    pub fn pop_if<T: Serialize + ?Sized>(&self, key: &str, expected: &T) -> Result<bool> {
        check_key(key)?;
        let expected = encode(key, expected)?;
        self.write(0, |tx| tx.swap(key, Some(&expected), None))
    }

    /// Removes a key that has to be there. Costs as [`pop`](Self::pop).
    ///
    /// ```
    /// # use sessiondb::Error;
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set("theme", "dark")?;
    /// session.delete("theme")?;
    /// let again = session.delete("theme");
    /// assert!(matches!(again, Err(Error::KeyNotFound { key }) if key == "theme"));
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `KeyNotFound` when it is not; `InvalidKey`, `SessionGone`,
    /// `StorageFull`.
    pub fn delete(&self, key: &str) -> Result<()> {
        check_key(key)?;
        self.write(0, |tx| tx.delete(key))
    }

    /// Removes a key, whatever its value, and says whether it was there.
    /// Costs as [`pop`](Self::pop).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// assert!(!session.discard("cart")?);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidKey`, `SessionGone`, `StorageFull`.
    pub fn discard(&self, key: &str) -> Result<bool> {
        check_key(key)?;
        self.write(0, |tx| tx.discard(key))
    }

    /// The value of a key, put there first when there is none; Django's
    /// `setdefault`. Costs a [`get`](Self::get), or a [`set`](Self::set).
    ///
    /// The closure runs under the session's lock, at most once.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// let visits: u32 = session.get_or_insert_with("visits", || 0)?;
    /// assert_eq!(visits, 0);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get) and [`set`](Self::set).
    pub fn get_or_insert_with<T, F>(&self, key: &str, value: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> T,
    {
        check_key(key)?;
        let now = self.engine().now();
        if let Some(held) = self.find_at(key, now)? {
            return decode(key, &held.value);
        }
        let admitted = self.admit(0)?;
        let insert = |tx: &mut Transaction<'_>| tx.get_or_insert_with(key, value);
        self.conclude(self.attempt(admitted, &self.bound, Turn::Stays, Some(now), insert))
    }

    /// Puts what the closure makes of the value, and returns it; `None` is
    /// absence on either side. Nobody comes in between. Costs a
    /// [`get`](Self::get) and a [`set`](Self::set).
    ///
    /// The closure runs once, under the session's lock.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// let visits = session.update("visits", |n: Option<u32>| Some(n.unwrap_or(0) + 1))?;
    /// assert_eq!(visits, Some(1));
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get) and [`set`](Self::set).
    pub fn update<T, F>(&self, key: &str, change: F) -> Result<Option<T>>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce(Option<T>) -> Option<T>,
    {
        check_key(key)?;
        self.write(0, |tx| tx.update(key, change))
    }

    /// Puts `new` when the key has the value `expected`, and says whether it
    /// did; `None` is absence on either side. Costs as [`set`](Self::set).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// assert!(session.compare_and_set("step", None, Some(&1))?);
    /// assert!(!session.compare_and_set("step", Some(&7), Some(&8))?);
    /// assert!(session.compare_and_set("step", Some(&1), None)?);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidKey`, `TooLarge`, `Encode`, `SessionGone`, `StorageFull`.
    pub fn compare_and_set<T: Serialize + ?Sized>(
        &self,
        key: &str,
        expected: Option<&T>,
        new: Option<&T>,
    ) -> Result<bool> {
        check_key(key)?;
        let expected = expected.map(|value| encode(key, value)).transpose()?;
        let new = new.map(|value| encode(key, value)).transpose()?;
        let bytes = new.as_ref().map_or(0, |new| new.len());
        self.write(bytes, |tx| tx.swap(key, expected.as_ref(), new))
    }

    /// Removes all keys with a prefix; the empty prefix is all keys. A key
    /// set after it stays.
    ///
    /// Costs a look for whether there is any (at some hundred removed keys at
    /// most; among more of them the frame may be written in vain), one small
    /// frame and one fsync, however many there are.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set("cart/apple", &3)?;
    /// session.set("cart/pear", &1)?;
    /// session.set("user", "ada")?;
    /// session.remove_prefix("cart/")?;
    /// assert_eq!(session.len()?, 1);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidKey` for a prefix over 512 bytes, `SessionGone`,
    /// `StorageFull`.
    pub fn remove_prefix(&self, prefix: &str) -> Result<()> {
        check_prefix(prefix)?;
        self.write(0, |tx| tx.remove_prefix(prefix))
    }

    /// Removes all keys and keeps the ID. Costs one small frame and one
    /// fsync, whatever the session holds; nothing when it is found to be empty,
    /// as for [`remove_prefix`](Self::remove_prefix).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set("a", &1)?;
    /// session.clear()?;
    /// assert!(session.is_empty()?);
    /// assert!(db.open_session(&session.id())?.is_some());
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `SessionGone`, `StorageFull`.
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "a method path is not general enough over the lifetime"
    )]
    pub fn clear(&self) -> Result<()> {
        self.transaction(|tx| tx.clear())
    }

    /// Runs a closure whose reads and writes are all or nothing.
    ///
    /// It runs once, under the session's lock, and sees its own writes. On
    /// `Err` or a panic nothing of it is applied. Its writes are one frame and
    /// one fsync; without any, nothing is written. Using this database inside
    /// it other than by its argument is `Reentrant`.
    ///
    /// Costs what its operations look up, one frame and one fsync; nothing of
    /// the latter when it changed nothing.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set("code", "271828")?;
    /// let code = session.transaction(|tx| {
    ///     let code = tx.pop::<String>("code")?;
    ///     tx.set("user", "ada")?;
    ///     Ok(code)
    /// })?;
    /// assert_eq!(code.as_deref(), Some("271828"));
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What the closure returns; `TooLarge` over
    /// [`MAX_TRANSACTION_BYTES`](crate::MAX_TRANSACTION_BYTES),
    /// `SessionGone`, `StorageFull`.
    pub fn transaction<T>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        self.write(self.engine().closure_bytes(), work)
    }

    /// [`transaction`](Self::transaction) with an error type of the caller's.
    ///
    /// Costs as [`transaction`](Self::transaction).
    ///
    /// ```
    /// #[derive(Debug)]
    /// enum Refused {
    ///     SoldOut,
    ///     Storage(sessiondb::Error),
    /// }
    /// impl From<sessiondb::Error> for Refused {
    ///     fn from(error: sessiondb::Error) -> Self {
    ///         Self::Storage(error)
    ///     }
    /// }
    ///
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// let outcome = session.try_transaction::<(), Refused>(|tx| {
    ///     tx.set("ordered", &true)?;
    ///     Err(Refused::SoldOut)
    /// });
    /// assert!(matches!(outcome, Err(Refused::SoldOut)));
    /// assert!(!session.contains_key("ordered")?);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`transaction`](Self::transaction).
    pub fn try_transaction<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.write(self.engine().closure_bytes(), work)
    }
}
