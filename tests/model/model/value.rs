//! Values that are told apart by what they hold.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// Which of the interface's functions stores and reads a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Bytes,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(Arc<str>),
    Number(u64),
    Bytes(Arc<[u8]>),
}

impl Value {
    /// A value of about this size that no other stamp gives.
    pub(crate) fn stamped(kind: Kind, size: usize, stamp: u64) -> Self {
        let mark = format!("{stamp:010}/");
        let text: String = mark.chars().cycle().take(size).collect();
        match kind {
            Kind::Text => Self::Text(text.into()),
            Kind::Number => Self::Number(stamp),
            Kind::Bytes => Self::Bytes(text.into_bytes().into()),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Number(_) => Kind::Number,
            Self::Bytes(_) => Kind::Bytes,
        }
    }

    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Number(_) => 8,
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether its content says which stamp it has.
    pub(crate) fn is_unique(&self) -> bool {
        self.size() >= 11 || self.kind() == Kind::Number
    }

    /// What tells it from all other values, when [`is_unique`](Self::is_unique).
    pub(crate) fn mark(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.bytes().take(11).collect(),
            Self::Number(number) => format!("{number:010}/").into_bytes(),
            Self::Bytes(bytes) => bytes.iter().take(11).copied().collect(),
        }
    }
}

impl fmt::Debug for Value {
    // A hundred kilobytes help nobody who reads a failure.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = String::from_utf8_lossy(&self.mark()).into_owned();
        let kind = self.kind();
        write!(formatter, "{kind:?}({mark} of {} bytes)", self.size())
    }
}

/// As the interface's typed functions store it; raw bytes have their own.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
        }
    }
}
