//! Reading in a transaction: it sees its own writes.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::Transaction;
use crate::error::Result;
use crate::session::entries::{Iter, Keys, ValueBytes, Walked, collect, count};
use crate::session::stored::{check_key, decode};

impl Transaction<'_> {
    /// The value of a key; `None` when there is none.
    ///
    /// Costs a lookup.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # let session = db.create_session();
    /// session.transaction(|tx| {
    ///     let visits: Option<u32> = tx.get("visits")?;
    ///     assert_eq!(visits, None);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
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
    /// Costs a lookup; the bytes are not copied.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # let session = db.create_session();
    /// session.transaction(|tx| {
    ///     tx.set_bytes("state", b"abc")?;
    ///     assert_eq!(tx.get_bytes("state")?.as_deref(), Some(&b"abc"[..]));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn get_bytes(&self, key: &str) -> Result<Option<ValueBytes>> {
        check_key(key)?;
        let stored = self.stored(key)?;
        stored
            .map(|stored| ValueBytes::from_stored(key, stored))
            .transpose()
    }

    /// Whether there is a value, of any type.
    ///
    /// Costs a lookup.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # let session = db.create_session();
    /// session.transaction(|tx| {
    ///     assert!(!tx.contains_key("visits")?);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidKey`, `Corrupted`, `Io`.
    pub fn contains_key(&self, key: &str) -> Result<bool> {
        check_key(key)?;
        Ok(self.stored(key)?.is_some())
    }

    /// All entries in key order, as this transaction sees them.
    ///
    /// Costs one index row and one page for about 4 KiB of entries.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # let session = db.create_session();
    /// session.transaction(|tx| {
    ///     tx.set("visits", &7)?;
    ///     for entry in tx.iter()? {
    ///         assert_eq!(entry?.decode::<u32>()?, 7);
    ///     }
    ///     Ok(())
    /// })?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
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
    /// Costs as [`iter`](Self::iter).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # let session = db.create_session();
    /// session.transaction(|tx| {
    ///     tx.set("visits", &7)?;
    ///     assert_eq!(tx.keys()?.next().transpose()?.as_deref(), Some("visits"));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`iter`](Self::iter).
    pub fn keys(&self) -> Result<Keys<'_>> {
        self.iter().map(Keys)
    }

    /// How many keys there are. Walks them all.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # let session = db.create_session();
    /// session.transaction(|tx| {
    ///     assert_eq!(tx.len()?, 0);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`iter`](Self::iter).
    pub fn len(&self) -> Result<usize> {
        count(self.iter()?)
    }

    /// Whether there are none. Walks to the first.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # let session = db.create_session();
    /// session.transaction(|tx| {
    ///     assert!(tx.is_empty()?);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`iter`](Self::iter).
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.iter()?.next().transpose()?.is_none())
    }

    /// All entries, decoded.
    ///
    /// Costs as [`iter`](Self::iter), and holds them all.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # let session = db.create_session();
    /// session.transaction(|tx| {
    ///     tx.set("a", &1)?;
    ///     tx.set("b", &2)?;
    ///     assert_eq!(tx.to_map::<u32>()?["b"], 2);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`iter`](Self::iter), and `Decode` when one is of another type.
    pub fn to_map<V: DeserializeOwned>(&self) -> Result<BTreeMap<String, V>> {
        collect(self.iter()?)
    }
}
