//! A transaction as its closure sees it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq as _;

use super::entries::{Iter, Keys, ValueBytes, Walked};
use super::stored::{check_key, check_prefix, decode, encode, encode_bytes};
use crate::engine::{Chunk, Draft, Stored};
use crate::error::{Error, Result};

/// The keys of one session, read and written all or nothing.
///
/// Handed to the closure of
/// [`Session::transaction`](crate::Session::transaction). It sees its own
/// writes; nobody else does before the closure returns `Ok`, and nobody ever
/// does when it returns `Err` or panics. Everything it wrote reaches the disk
/// as one frame of at most [`MAX_TRANSACTION_BYTES`](crate::MAX_TRANSACTION_BYTES).
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

    pub(super) fn put(&mut self, key: &str, value: Stored) -> Result<()> {
        self.draft.put(key, value)
    }

    pub(super) fn chunk(&self, from: &str) -> Result<Chunk> {
        self.draft.entries(from)
    }

    /// The value of a key; `None` when there is none.
    ///
    /// # Errors
    ///
    /// `InvalidKey`, `Decode`, `Corrupted`, `Io`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        check_key(key)?;
        let stored = self.stored(key)?;
        stored.map(|stored| decode(key, &stored)).transpose()
    }

    /// The raw bytes of a key.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn get_bytes(&self, key: &str) -> Result<Option<ValueBytes>> {
        check_key(key)?;
        let stored = self.stored(key)?;
        stored
            .map(|stored| ValueBytes::from_stored(key, &stored))
            .transpose()
    }

    /// Whether there is a value, of any type.
    ///
    /// # Errors
    ///
    /// `InvalidKey`, `Corrupted`, `Io`.
    pub fn contains_key(&self, key: &str) -> Result<bool> {
        check_key(key)?;
        Ok(self.stored(key)?.is_some())
    }

    /// Puts a value.
    ///
    /// # Errors
    ///
    /// `InvalidKey`, `Encode`, `TooLarge`.
    pub fn set<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<()> {
        check_key(key)?;
        self.put(key, encode(key, value)?)
    }

    /// Puts raw bytes.
    ///
    /// # Errors
    ///
    /// `InvalidKey`, `TooLarge`.
    pub fn set_bytes(&mut self, key: &str, bytes: &[u8]) -> Result<()> {
        check_key(key)?;
        self.put(key, encode_bytes(bytes)?)
    }

    /// Removes a key and returns its value. A value of another type stays
    /// where it is.
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
            Some(new) if equal => self.put(key, new)?,
            None if equal && found.is_some() => self.draft.remove(key)?,
            _ => {}
        }
        Ok(equal)
    }

    /// Removes a key that has to be there.
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
    /// side.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get) and [`set`](Self::set).
    pub fn update<T, F>(&mut self, key: &str, change: F) -> Result<Option<T>>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce(Option<T>) -> Option<T>,
    {
        let before = self.get(key)?;
        let was_there = before.is_some();
        let after = change(before);
        match &after {
            Some(value) => self.set(key, value)?,
            None if was_there => self.draft.remove(key)?,
            None => {}
        }
        Ok(after)
    }

    /// Removes all keys with a prefix. A key set after it stays.
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
    /// # Errors
    ///
    /// `Corrupted`, `Io`.
    pub fn clear(&mut self) -> Result<()> {
        self.draft.clear()
    }

    /// All entries in key order, as this transaction sees them.
    ///
    /// # Errors
    ///
    /// `Corrupted`, `Io`; each item may be one.
    #[expect(
        clippy::iter_not_returning_iterator,
        reason = "the first page is read at once, and may not be readable"
    )]
    pub fn iter(&self) -> Result<Iter<'_>> {
        Iter::new(Walked::Transaction(self))
    }

    /// All keys in order.
    ///
    /// # Errors
    ///
    /// As [`iter`](Self::iter).
    pub fn keys(&self) -> Result<Keys<'_>> {
        self.iter().map(Keys)
    }

    /// How many keys there are. Walks them all.
    ///
    /// # Errors
    ///
    /// As [`iter`](Self::iter).
    pub fn len(&self) -> Result<usize> {
        count(self.iter()?)
    }

    /// Whether there are none. Walks to the first.
    ///
    /// # Errors
    ///
    /// As [`iter`](Self::iter).
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.iter()?.next().transpose()?.is_none())
    }

    /// All entries, decoded.
    ///
    /// # Errors
    ///
    /// As [`iter`](Self::iter), and `Decode` when one is of another type.
    pub fn to_map<V: DeserializeOwned>(&self) -> Result<BTreeMap<String, V>> {
        collect(self.iter()?)
    }
}

/// How many entries an iteration yields.
pub(super) fn count(iter: Iter<'_>) -> Result<usize> {
    let mut count = 0_usize;
    for entry in iter {
        entry?;
        count = count.saturating_add(1);
    }
    Ok(count)
}

/// The entries of an iteration, decoded.
pub(super) fn collect<V: DeserializeOwned>(iter: Iter<'_>) -> Result<BTreeMap<String, V>> {
    iter.map(|entry| {
        let entry = entry?;
        Ok((entry.key().to_owned(), entry.decode()?))
    })
    .collect()
}
