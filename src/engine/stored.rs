//! A value as it is held in memory: a piece of a shared buffer.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::format::identity::Timestamp;
use crate::format::page::Page;

/// The bytes of a stored value, tag and payload, shared with the page or the
/// memtable entry they came from.
#[derive(Clone)]
pub(crate) struct Stored {
    buffer: Arc<[u8]>,
    range: Range<usize>,
}

/// Its size alone: values are secrets, and are shown in logs by mistake.
impl fmt::Debug for Stored {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} bytes", self.len())
    }
}

impl Stored {
    /// A piece of a page.
    pub(crate) fn within(buffer: Arc<[u8]>, range: Range<usize>) -> Self {
        Self { buffer, range }
    }

    /// The same bytes without the first `count`.
    pub(crate) fn skip(self, count: usize) -> Self {
        let start = self.range.start.saturating_add(count);
        Self {
            range: start.min(self.range.end)..self.range.end,
            ..self
        }
    }
}

impl From<Vec<u8>> for Stored {
    fn from(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        Self {
            buffer: bytes.into(),
            range,
        }
    }
}

impl From<&[u8]> for Stored {
    fn from(bytes: &[u8]) -> Self {
        Self {
            buffer: bytes.into(),
            range: 0..bytes.len(),
        }
    }
}

impl Deref for Stored {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.buffer.get(self.range.clone()).unwrap_or_default()
    }
}

#[derive(Debug, Clone)]
enum KeyBytes {
    /// So many bytes of the value's buffer, right before the value.
    Before(usize),
    Own(Box<str>),
}

/// An entry as a walk meets it: a key, and its value.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    key: KeyBytes,
    pub(crate) value: Stored,
}

impl Pair {
    /// An entry of a page.
    #[inline]
    pub(crate) fn within(page: &Page, key_length: usize, value: Range<usize>) -> Self {
        Self {
            key: KeyBytes::Before(key_length),
            value: Stored::within(Arc::clone(page.raw()), value),
        }
    }

    /// One that stands for itself.
    pub(crate) fn new(key: &str, value: Stored) -> Self {
        Self {
            key: KeyBytes::Own(key.into()),
            value,
        }
    }

    /// Bytes of both.
    pub(crate) fn bytes(&self) -> usize {
        self.key().len().saturating_add(self.value.len())
    }

    pub(crate) fn key(&self) -> &str {
        match &self.key {
            KeyBytes::Own(key) => key,
            KeyBytes::Before(length) => {
                let Stored { buffer, range } = &self.value;
                let bytes = buffer.get(range.start.saturating_sub(*length)..range.start);
                // A parsed page has keys that are text.
                bytes.map_or("", |bytes| std::str::from_utf8(bytes).unwrap_or_default())
            }
        }
    }
}

/// A key's value, and when the key stops to exist.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// Tag and payload.
    pub(crate) value: Stored,
    /// The key's own deadline.
    pub(crate) deadline: Option<Timestamp>,
}

impl Held {
    /// Whether the key is there at `now`.
    pub(crate) fn is_there(&self, now: Timestamp) -> bool {
        !is_over(self.deadline, now)
    }
}

/// Whether a key with this deadline has stopped to exist at `now`.
pub(crate) fn is_over(deadline: Option<Timestamp>, now: Timestamp) -> bool {
    deadline.is_some_and(|deadline| deadline <= now)
}
