//! A value as it is held in memory: a piece of a shared buffer.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::format::identity::Timestamp;

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
    pub(crate) fn within(buffer: &Arc<[u8]>, range: Range<usize>) -> Self {
        Self {
            buffer: Arc::clone(buffer),
            range,
        }
    }

    /// The same bytes without the first `count`.
    pub(crate) fn skip(&self, count: usize) -> Self {
        Self {
            buffer: Arc::clone(&self.buffer),
            range: self.range.start.saturating_add(count).min(self.range.end)..self.range.end,
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
        self.deadline.is_none_or(|deadline| now < deadline)
    }
}
