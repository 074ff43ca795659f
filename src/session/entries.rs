//! What a session's keys and values look like when they are walked.

use std::collections::BTreeMap;
use std::ops::Deref;

use serde::de::DeserializeOwned;

use super::Session;
use super::stored::{decode, decode_bytes, undecodable};
use super::transaction::Transaction;
use crate::engine::{Chunk, Pair, Sighted, Stored};
use crate::error::Result;
use crate::format::value;

/// Raw bytes of a value, shared with the cache they came from.
///
/// ```
/// # let db = sessiondb::Database::temporary()?;
/// let session = db.create_session();
/// session.set_bytes("state", b"abc")?;
/// let bytes = session.get_bytes("state")?.expect("it was set");
/// assert_eq!(bytes.len(), 3);
/// assert_eq!(&bytes[1..], b"bc");
/// # Ok::<(), sessiondb::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ValueBytes(Stored);

impl ValueBytes {
    /// The raw bytes in a stored value.
    pub(crate) fn from_stored(key: &str, stored: Stored) -> Result<Self> {
        decode_bytes(key, stored).map(Self)
    }
}

impl Deref for ValueBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for ValueBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// A key and its value, as an iteration found them.
///
/// ```
/// # let db = sessiondb::Database::temporary()?;
/// let session = db.create_session();
/// session.set("visits", &7)?;
/// let entry = session.iter()?.next().expect("there is one")?;
/// assert_eq!(entry.key(), "visits");
/// assert_eq!(entry.decode::<u32>()?, 7);
/// assert!(entry.bytes().is_err(), "it was not stored as raw bytes");
/// # Ok::<(), sessiondb::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Entry(Pair);

impl Entry {
    /// The key.
    ///
    /// Costs nothing.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set("visits", &7)?;
    /// for entry in session.iter()? {
    ///     println!("{}", entry?.key());
    /// }
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    #[must_use]
    pub fn key(&self) -> &str {
        self.0.key()
    }

    /// The value as a type.
    ///
    /// Costs the decoding; the bytes are in memory.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set("visits", &7)?;
    /// for entry in session.iter()? {
    ///     assert_eq!(entry?.decode::<u32>()?, 7);
    /// }
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Decode` when it is of another type, or raw bytes.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        decode(self.key(), &self.0.value)
    }

    /// The value as raw bytes.
    ///
    /// Costs nothing; the bytes are not copied. A clone of the entry keeps them.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set_bytes("state", b"abc")?;
    /// for entry in session.iter()? {
    ///     assert_eq!(*entry?.bytes()?, *b"abc");
    /// }
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Decode` when it was not stored as raw bytes.
    pub fn bytes(&self) -> Result<&[u8]> {
        value::raw(&self.0.value).map_err(|error| undecodable(self.key(), error))
    }
}

/// What is walked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Walked<'s> {
    Session(&'s Session),
    Transaction(&'s Transaction<'s>),
}

impl Walked<'_> {
    /// Whether the walk may go on.
    fn check(self, sighted: &mut Option<Sighted>) -> Result<()> {
        match self {
            Self::Session(session) => session.check(sighted),
            // Its session cannot go away meanwhile.
            Self::Transaction(_) => Ok(()),
        }
    }

    fn chunk(self, from: &str) -> Result<Chunk> {
        match self {
            Self::Session(session) => session.chunk(from),
            Self::Transaction(transaction) => transaction.chunk(from),
        }
    }
}

/// An iteration over a session, in UTF-8 byte order of the keys.
///
/// It holds no lock: keys that nobody touches meanwhile come exactly once,
/// changed ones at most once. A flush elsewhere ends it with one
/// [`Error::SessionGone`](crate::Error::SessionGone).
///
/// ```
/// # let db = sessiondb::Database::temporary()?;
/// let session = db.create_session();
/// session.set("b", &2)?;
/// session.set("a", &1)?;
/// let mut iter = session.iter()?;
/// assert_eq!(iter.next().transpose()?.expect("two are there").key(), "a");
/// assert_eq!(iter.next().transpose()?.expect("one is left").key(), "b");
/// assert!(iter.next().is_none());
/// # Ok::<(), sessiondb::Error>(())
/// ```
#[derive(Debug)]
pub struct Iter<'s> {
    walked: Walked<'s>,
    chunk: Chunk,
    sighted: Option<Sighted>,
}

impl<'s> Iter<'s> {
    pub(crate) fn new(walked: Walked<'s>) -> Result<Self> {
        let chunk = walked.chunk("")?;
        Ok(Self {
            walked,
            chunk,
            sighted: None,
        })
    }
}

impl Iterator for Iter<'_> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.chunk.is_over() {
            let from = self.chunk.rest.take()?;
            match self.walked.chunk(&from) {
                Ok(chunk) => self.chunk = chunk,
                Err(error) => return Some(Err(error)),
            }
        }
        // What was read ahead does not outlive the session either.
        if let Err(error) = self.walked.check(&mut self.sighted) {
            self.chunk = Chunk::default();
            return Some(Err(error));
        }
        self.chunk.next().map(|pair| Ok(Entry(pair)))
    }
}

/// An iteration over a session's keys; see [`Iter`].
///
/// ```
/// # let db = sessiondb::Database::temporary()?;
/// let session = db.create_session();
/// session.set("b", &2)?;
/// session.set("a", &1)?;
/// let keys = session.keys()?.collect::<sessiondb::Result<Vec<String>>>()?;
/// assert_eq!(keys, ["a", "b"]);
/// # Ok::<(), sessiondb::Error>(())
/// ```
#[derive(Debug)]
pub struct Keys<'s>(pub(crate) Iter<'s>);

impl Iterator for Keys<'_> {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.0.next()?;
        Some(entry.map(|entry| entry.key().to_owned()))
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
