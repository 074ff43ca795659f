//! What a session's keys and values look like when they are walked.

use std::collections::VecDeque;
use std::ops::Deref;

use serde::de::DeserializeOwned;

use crate::engine::Stored;
use crate::error::{Error, Result};
use crate::format::value;
use crate::session::Session;

/// Raw bytes of a value, shared with the cache they came from.
#[derive(Debug, Clone)]
pub struct ValueBytes(Stored);

impl ValueBytes {
    /// The raw bytes in a stored value.
    pub(crate) fn from_stored(key: &str, stored: &Stored) -> Result<Self> {
        match value::raw(stored) {
            Ok(bytes) => Ok(Self(stored.skip(stored.len().saturating_sub(bytes.len())))),
            Err(error) => Err(decode_error(key, error)),
        }
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

/// A stored value as a type.
pub(crate) fn decode<T: DeserializeOwned>(key: &str, stored: &Stored) -> Result<T> {
    value::decode(stored).map_err(|error| decode_error(key, error))
}

fn decode_error(key: &str, error: value::ValueError) -> Error {
    Error::Decode {
        key: key.to_owned(),
        source: Box::new(error),
    }
}

/// A key and its value, as an iteration found them.
#[derive(Debug, Clone)]
pub struct Entry {
    key: Box<str>,
    stored: Stored,
}

impl Entry {
    pub(crate) fn new(key: Box<str>, stored: Stored) -> Self {
        Self { key, stored }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The value as a type.
    ///
    /// # Errors
    ///
    /// `Decode` when it is of another type, or raw bytes.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        decode(&self.key, &self.stored)
    }

    /// The value as raw bytes.
    ///
    /// # Errors
    ///
    /// `Decode` when it was not stored as raw bytes.
    pub fn bytes(&self) -> Result<ValueBytes> {
        ValueBytes::from_stored(&self.key, &self.stored)
    }
}

/// An iteration over a session, in UTF-8 byte order of the keys.
///
/// It holds no lock: keys that nobody touches meanwhile come exactly once,
/// changed ones at most once. A flush elsewhere ends it with one
/// [`Error::SessionGone`].
#[derive(Debug)]
pub struct Iter<'s> {
    session: &'s Session,
    ready: VecDeque<Entry>,
    next: Option<String>,
}

impl<'s> Iter<'s> {
    pub(crate) fn new(session: &'s Session) -> Result<Self> {
        let mut iter = Self {
            session,
            ready: VecDeque::new(),
            next: Some(String::new()),
        };
        iter.fill()?;
        Ok(iter)
    }

    fn fill(&mut self) -> Result<()> {
        while self.ready.is_empty() {
            let Some(from) = self.next.take() else {
                break;
            };
            let chunk = self.session.chunk(&from)?;
            let entries = chunk.entries.into_iter();
            self.ready.extend(entries.map(|(key, held)| Entry::new(key, held.value)));
            self.next = chunk.next;
        }
        Ok(())
    }
}

impl Iterator for Iter<'_> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(error) = self.fill() {
            return Some(Err(error));
        }
        self.ready.pop_front().map(Ok)
    }
}

/// An iteration over a session's keys; see [`Iter`].
#[derive(Debug)]
pub struct Keys<'s>(pub(crate) Iter<'s>);

impl Iterator for Keys<'_> {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.0.next()?;
        Some(entry.map(|entry| entry.key.into()))
    }
}
