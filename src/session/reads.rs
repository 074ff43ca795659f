//! Reading a session. Nothing here creates, writes or renews.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::Session;
use super::entries::{Iter, Keys, ValueBytes, Walked, collect, count};
use super::stored::{check_key, decode};
use crate::error::Result;

impl Session {
    /// The value of a key; `None` when there is none. Costs a lookup in
    /// memory, or one index row and one page where the session is not
    /// resident.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// assert_eq!(session.get::<u32>("visits")?, None);
    /// session.set("visits", &7)?;
    /// assert_eq!(session.get::<u32>("visits")?, Some(7));
    /// assert!(session.get::<String>("visits").is_err());
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Decode` when the value is of another type, `InvalidKey`,
    /// `SessionGone`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        check_key(key)?;
        let found = self.find(key)?;
        found.map(|held| decode(key, &held.value)).transpose()
    }

    /// The raw bytes of a key that [`set_bytes`](Self::set_bytes) put there,
    /// not copied. Costs as [`get`](Self::get).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set_bytes("state", b"\x00\x01")?;
    /// assert_eq!(session.get_bytes("state")?.as_deref(), Some(&b"\x00\x01"[..]));
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Decode` when the value is not raw bytes, `InvalidKey`, `SessionGone`.
    pub fn get_bytes(&self, key: &str) -> Result<Option<ValueBytes>> {
        check_key(key)?;
        let found = self.find(key)?;
        found
            .map(|held| ValueBytes::from_stored(key, held.value))
            .transpose()
    }

    /// Whether a key has a value, of any type. Costs as [`get`](Self::get).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set("nothing", &None::<u8>)?;
    /// assert!(session.contains_key("nothing")?);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidKey`, `SessionGone`.
    pub fn contains_key(&self, key: &str) -> Result<bool> {
        check_key(key)?;
        Ok(self.find(key)?.is_some())
    }

    /// All entries in UTF-8 byte order of their keys. Costs one index row and
    /// one page for about 4 KiB of entries; holds no lock and one page.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set("b", &2)?;
    /// session.set("a", &1)?;
    /// for entry in session.iter()? {
    ///     let entry = entry?;
    ///     println!("{} = {}", entry.key(), entry.decode::<i32>()?);
    /// }
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `SessionGone`; each item may be an error, and the last one is.
    #[expect(
        clippy::iter_not_returning_iterator,
        reason = "the first page is read at once, and may not be readable"
    )]
    pub fn iter(&self) -> Result<Iter<'_>> {
        Iter::new(Walked::Session(self))
    }

    /// All keys in order; see [`iter`](Self::iter).
    ///
    /// Costs as [`iter`](Self::iter).
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set("a", &1)?;
    /// let keys: Vec<String> = session.keys()?.collect::<Result<_, _>>()?;
    /// assert_eq!(keys, ["a"]);
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
    /// let session = db.create_session();
    /// session.set("a", &1)?;
    /// assert_eq!(session.len()?, 1);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`iter`](Self::iter).
    pub fn len(&self) -> Result<usize> {
        count(self.iter()?)
    }

    /// Whether there are no keys. Walks to the first.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// assert!(db.create_session().is_empty()?);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`iter`](Self::iter).
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.iter()?.next().transpose()?.is_none())
    }

    /// All entries, decoded to one type. Walks them all and holds them all.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set("a", &1)?;
    /// session.set("b", &2)?;
    /// let map = session.to_map::<u32>()?;
    /// assert_eq!(map["b"], 2);
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
