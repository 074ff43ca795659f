//! A transaction as its closure sees it.

mod life;
mod reads;

use serde::Serialize;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq as _;

use super::entries::ValueBytes;
use super::stored::{check_key, check_prefix, decode, encode, encode_bytes};
use crate::engine::{Chunk, Draft, Stored};
use crate::error::{Error, Result};
use crate::format::identity::Timestamp;

/// The keys of one session, read and written all or nothing.
///
/// Handed to the closure of
/// [`Session::transaction`](crate::Session::transaction). It sees its own
/// writes; nobody else does before the closure returns `Ok`, and nobody ever
/// does when it returns `Err` or panics. Everything it wrote reaches the disk
/// as one frame of at most [`MAX_TRANSACTION_BYTES`](crate::MAX_TRANSACTION_BYTES).
/// Once a change was refused because it would have been larger, all of it is,
/// whatever the closure returns.
///
/// Every operation costs a lookup in memory, or one index row and one page
/// where the session is not resident.
///
/// ```
/// # let db = sessiondb::Database::temporary()?;
/// let session = db.create_session();
/// session.set("stock", &2)?;
/// let left = session.transaction(|tx| {
///     let stock: u32 = tx.get("stock")?.unwrap_or(0);
///     tx.set("stock", &stock.saturating_sub(1))?;
///     tx.set("ordered", &true)?;
///     tx.get::<u32>("stock")
/// })?;
/// assert_eq!(left, Some(1));
/// # Ok::<(), sessiondb::Error>(())
/// ```
#[derive(Debug)]
pub struct Transaction<'s> {
    draft: Draft<'s>,
}

impl<'s> Transaction<'s> {
    pub(super) fn new(draft: Draft<'s>) -> Self {
        Self { draft }
    }

    pub(super) fn into_draft(self) -> Draft<'s> {
        self.draft
    }

    fn stored(&self, key: &str) -> Result<Option<Stored>> {
        Ok(self.draft.find(key)?.map(|held| held.value))
    }

    pub(super) fn put(
        &mut self,
        key: &str,
        value: Stored,
        deadline: Option<Timestamp>,
    ) -> Result<()> {
        self.draft.put(key, value, deadline)
    }

    pub(super) fn chunk(&self, from: &str) -> Result<Chunk> {
        self.draft.entries(from)
    }

    /// Puts a value.
    ///
    /// Costs its share of the one frame that the transaction writes.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # let session = db.create_session();
    /// session.transaction(|tx| {
    ///     tx.set("user", "ada")?;
    ///     assert_eq!(tx.get::<String>("user")?.as_deref(), Some("ada"));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidKey`, `Encode`, `TooLarge`.
    pub fn set<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<()> {
        check_key(key)?;
        self.put(key, encode(key, value)?, None)
    }

    /// Puts raw bytes.
    ///
    /// Costs as [`set`](Self::set).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # let session = db.create_session();
    /// session.transaction(|tx| {
    ///     tx.set_bytes("state", b"abc")?;
    ///     Ok(())
    /// })?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidKey`, `TooLarge`.
    pub fn set_bytes(&mut self, key: &str, bytes: &[u8]) -> Result<()> {
        check_key(key)?;
        self.put(key, encode_bytes(bytes)?, None)
    }

    /// Removes a key and returns its value. A value of another type stays
    /// where it is.
    ///
    /// Costs a lookup, and its share of the one frame that the transaction
    /// writes.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # let session = db.create_session();
    /// session.transaction(|tx| {
    ///     tx.set("flash", "Saved.")?;
    ///     assert_eq!(tx.pop::<String>("flash")?.as_deref(), Some("Saved."));
    ///     assert_eq!(tx.pop::<String>("flash")?, None);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), and `TooLarge`.
    pub fn pop<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>> {
        let value = self.get(key)?;
        if value.is_some() {
            self.draft.remove(key)?;
        }
        Ok(value)
    }

    /// Removes a key and returns its raw bytes.
    ///
    /// Costs as [`pop`](Self::pop).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # let session = db.create_session();
    /// session.transaction(|tx| {
    ///     assert!(tx.pop_bytes("state")?.is_none());
    ///     Ok(())
    /// })?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`pop`](Self::pop).
    pub fn pop_bytes(&mut self, key: &str) -> Result<Option<ValueBytes>> {
        let value = self.get_bytes(key)?;
        if value.is_some() {
            self.draft.remove(key)?;
        }
        Ok(value)
    }

    /// Removes a key when it has this value, compared in constant time.
    ///
    /// Costs as [`pop`](Self::pop).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # let session = db.create_session();
    /// session.transaction(|tx| {
    ///     tx.set("code", "271828")?;
    ///     assert!(!tx.pop_if("code", "314159")?);
    ///     assert!(tx.pop_if("code", "271828")?);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidKey`, `Encode`, `TooLarge`, `Corrupted`, `Io`.
    pub fn pop_if<T: Serialize + ?Sized>(&mut self, key: &str, expected: &T) -> Result<bool> {
        check_key(key)?;
        self.swap(key, Some(&encode(key, expected)?), None)
    }

    /// Puts `new` when the key has the value `expected`; `None` is absence on
    /// either side.
    ///
    /// Costs as [`pop`](Self::pop).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # let session = db.create_session();
    /// session.transaction(|tx| {
    ///     assert!(tx.compare_and_set("step", None, Some(&1))?);
    ///     assert!(!tx.compare_and_set("step", Some(&7), Some(&8))?);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`pop_if`](Self::pop_if).
    pub fn compare_and_set<T: Serialize + ?Sized>(
        &mut self,
        key: &str,
        expected: Option<&T>,
        new: Option<&T>,
    ) -> Result<bool> {
        check_key(key)?;
        let expected = expected.map(|value| encode(key, value)).transpose()?;
        let new = new.map(|value| encode(key, value)).transpose()?;
        self.swap(key, expected.as_ref(), new)
    }

    pub(super) fn swap(
        &mut self,
        key: &str,
        expected: Option<&Stored>,
        new: Option<Stored>,
    ) -> Result<bool> {
        let found = self.stored(key)?;
        let equal = match (&found, expected) {
            (None, None) => true,
            (Some(found), Some(expected)) => bool::from(found.ct_eq(expected)),
            _ => false,
        };
        match new {
            Some(new) if equal => self.put(key, new, None)?,
            None if equal && found.is_some() => self.draft.remove(key)?,
            _ => {}
        }
        Ok(equal)
    }

    /// Removes a key that has to be there.
    ///
    /// Costs as [`pop`](Self::pop).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # let session = db.create_session();
    /// session.transaction(|tx| {
    ///     tx.set("theme", "dark")?;
    ///     tx.delete("theme")?;
    ///     assert!(tx.delete("theme").is_err());
    ///     Ok(())
    /// })?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `KeyNotFound` when it is not; `InvalidKey`, `TooLarge`, `Corrupted`,
    /// `Io`.
    pub fn delete(&mut self, key: &str) -> Result<()> {
        if self.discard(key)? {
            Ok(())
        } else {
            Err(Error::KeyNotFound {
                key: key.to_owned(),
            })
        }
    }

    /// Removes a key, whatever its value, and says whether it was there.
    ///
    /// Costs as [`pop`](Self::pop).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # let session = db.create_session();
    /// session.transaction(|tx| {
    ///     assert!(!tx.discard("cart")?);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidKey`, `TooLarge`, `Corrupted`, `Io`.
    pub fn discard(&mut self, key: &str) -> Result<bool> {
        let here = self.contains_key(key)?;
        if here {
            self.draft.remove(key)?;
        }
        Ok(here)
    }

    /// The value of a key, put there first when there is none.
    ///
    /// Costs as [`pop`](Self::pop).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # let session = db.create_session();
    /// session.transaction(|tx| {
    ///     let visits: u32 = tx.get_or_insert_with("visits", || 0)?;
    ///     assert_eq!(visits, 0);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get) and [`set`](Self::set).
    pub fn get_or_insert_with<T, F>(&mut self, key: &str, value: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> T,
    {
        if let Some(found) = self.get(key)? {
            return Ok(found);
        }
        let value = value();
        self.set(key, &value)?;
        Ok(value)
    }

    /// Puts what the closure makes of the value; `None` is absence on either
    /// side. A key that is there for a limited time stays so.
    ///
    /// Costs as [`pop`](Self::pop).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # let session = db.create_session();
    /// session.transaction(|tx| {
    ///     let visits = tx.update("visits", |n: Option<u32>| Some(n.unwrap_or(0) + 1))?;
    ///     assert_eq!(visits, Some(1));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get) and [`set`](Self::set).
    pub fn update<T, F>(&mut self, key: &str, change: F) -> Result<Option<T>>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce(Option<T>) -> Option<T>,
    {
        check_key(key)?;
        let before = self.draft.find(key)?;
        let was_there = before.is_some();
        let deadline = before.as_ref().and_then(|held| held.deadline);
        let value = before.map(|held| decode(key, &held.value)).transpose()?;
        let after = change(value);
        match &after {
            Some(value) => self.put(key, encode(key, value)?, deadline)?,
            None if was_there => self.draft.remove(key)?,
            None => {}
        }
        Ok(after)
    }

    /// Removes all keys with a prefix. A key set after it stays.
    ///
    /// Costs a lookup for whether there is any, and its share of the one
    /// frame, however many there are.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # let session = db.create_session();
    /// session.transaction(|tx| {
    ///     tx.set("cart/apple", &3)?;
    ///     tx.set("user", "ada")?;
    ///     tx.remove_prefix("cart/")?;
    ///     assert_eq!(tx.len()?, 1);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidKey` for a prefix over 512 bytes, `TooLarge`, `Corrupted`,
    /// `Io`.
    pub fn remove_prefix(&mut self, prefix: &str) -> Result<()> {
        check_prefix(prefix)?;
        self.draft.remove_prefix(prefix)
    }

    /// Removes all keys. Costs the same for one key and for a million.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # let session = db.create_session();
    /// session.set("user", "ada")?;
    /// session.transaction(|tx| {
    ///     tx.clear()?;
    ///     tx.set("theme", "dark")?;
    ///     assert_eq!(tx.len()?, 1);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Corrupted`, `Io`.
    pub fn clear(&mut self) -> Result<()> {
        self.draft.clear()
    }
}
