//! A value as it is stored: one tag byte and a payload.
//!
//! Owns: the stored form of every value, and the way between it and serde.
//!
//! Promises:
//! - The payload describes itself, so a value may be read as another type than
//!   it was written as: by value, or as an error, never as a wrong value.
//! - Equal values are equal bytes: the entries of a map (structs are maps by
//!   field name) are sorted by their encoded keys, whatever their order was.
//! - No bytes panic, overflow the stack or allocate more than a fixed multiple
//!   of themselves: nesting is limited, and every count is checked against the
//!   bytes that are left before anything is allocated for it.
//! - No error message contains a part of a value.
//!
//! Refuses: values over [`MAX_VALUE_BYTES`], nesting over [`MAX_VALUE_DEPTH`],
//! and maps with two equal keys, at the write, where the mistake is; a typed
//! read of raw bytes, and a raw read of a typed value.
//!
//! The stored form is in the README of `format`. Each head (the first number
//! and what follows it, up to a length or count) is a [`Token`] that bincode
//! encodes; no recursive type ever reaches bincode.

use std::borrow::Cow;
use std::fmt::Display;

use bincode::Options;
use serde::de::{DeserializeOwned, Expected, Unexpected};
use serde::{Deserialize, Serialize};

use crate::limits::{MAX_VALUE_BYTES, MAX_VALUE_DEPTH};

mod reader;
mod writer;

#[cfg(test)]
mod tests;

/// The tag of raw bytes.
const RAW: u8 = 0;
/// The tag of a typed value.
const TYPED: u8 = 1;

/// Whether types such as addresses and UUIDs are text. It is serde's default,
/// and said aloud because it is part of the format: serde reads the parts of
/// flattened and untagged types from a buffer that always calls itself
/// human-readable, so an address in one would not decode had it been written
/// in a binary form.
const HUMAN_READABLE: bool = true;

/// The head of a node. The order of the variants is part of the format.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Token {
    Null,
    Bool(bool),
    /// Any integer that is not negative, so that equal integers are equal bytes.
    Unsigned(u128),
    /// A negative integer.
    Signed(i128),
    Float(f64),
    /// This many bytes of UTF-8 follow.
    Text(u64),
    /// This many bytes follow.
    Bytes(u64),
    /// This many nodes follow.
    Sequence(u64),
    /// This many pairs of nodes follow.
    Map(u64),
}

impl Token {
    /// Appends the head's bytes.
    fn append(self, buffer: &mut Vec<u8>) -> Result<(), ValueError> {
        bincode_options()
            .serialize_into(buffer, &self)
            .map_err(|_| ValueError::Refused("it cannot be encoded"))
    }

    /// Takes a head off the front of `rest`.
    #[inline]
    fn parse(rest: &mut &[u8]) -> Result<Self, ValueError> {
        if let Some((token, behind)) = Self::parse_short(rest) {
            *rest = behind;
            return Ok(token);
        }
        Self::parse_any(rest)
    }

    /// The heads of one or two bytes, which are nearly all there are, as bincode
    /// reads them, in a third of its time. A test compares the two.
    #[inline]
    fn parse_short(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (&kind, behind) = bytes.split_first()?;
        if kind == 0 {
            return Some((Self::Null, behind));
        }
        let (&operand, behind) = behind.split_first()?;
        if operand > LONGEST_SHORT {
            return None;
        }
        let token = match (kind, operand) {
            (1, 0 | 1) => Self::Bool(operand == 1),
            (2, _) => Self::Unsigned(operand.into()),
            (5, _) => Self::Text(operand.into()),
            (6, _) => Self::Bytes(operand.into()),
            (7, _) => Self::Sequence(operand.into()),
            (8, _) => Self::Map(operand.into()),
            _ => return None,
        };
        Some((token, behind))
    }

    /// Any head.
    fn parse_any(rest: &mut &[u8]) -> Result<Self, ValueError> {
        bincode_options()
            .deserialize_from(rest)
            .map_err(|_| ValueError::Malformed("it is cut off or holds an unknown token"))
    }

    /// The word for a message.
    fn kind(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Unsigned(_) | Self::Signed(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Sequence(_) => "a sequence",
            Self::Map(_) => "a map",
        }
    }
}

/// The largest number that bincode's varint writes as one byte.
const LONGEST_SHORT: u8 = 250;

/// Varints, little-endian. No limit is set: a [`Token`] owns nothing, so there is
/// nothing to allocate.
fn bincode_options() -> impl Options {
    bincode::DefaultOptions::new()
}

/// The stored form of a typed value.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, ValueError> {
    let mut writer = writer::Writer::new(TYPED);
    value.serialize(&mut writer)?;
    writer.finish()
}

/// The stored form of raw bytes. The caller checks their length.
pub(crate) fn encode_raw(bytes: &[u8]) -> Vec<u8> {
    [&[RAW], bytes].concat()
}

/// Reads a typed value.
pub(crate) fn decode<T: DeserializeOwned>(stored: &[u8]) -> Result<T, ValueError> {
    match stored.split_first() {
        Some((&TYPED, payload)) => {
            let mut reader = reader::Reader::new(payload);
            let value = T::deserialize(&mut reader)?;
            reader.finish()?;
            Ok(value)
        }
        Some((&RAW, _)) => Err(ValueError::IsRaw),
        _ => Err(ValueError::Malformed("its tag is unknown")),
    }
}

/// Reads raw bytes.
pub(crate) fn raw(stored: &[u8]) -> Result<&[u8], ValueError> {
    match stored.split_first() {
        Some((&RAW, bytes)) => Ok(bytes),
        Some((&TYPED, _)) => Err(ValueError::IsTyped),
        _ => Err(ValueError::Malformed("its tag is unknown")),
    }
}

/// Why a value cannot be stored or read. Says what was expected, which comes
/// from the type, and of what was found only the kind: a session's values are
/// secrets, and messages end up in logs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ValueError {
    /// Encoding stopped at this size.
    #[error("it takes {size} bytes or more, over the limit of {limit}")]
    TooLarge {
        /// Bytes it would have had by then.
        size: u64,
        /// The most it may have.
        limit: u64,
    },
    /// It nests too deep, in the writing or in the reading.
    #[error("it nests deeper than {MAX_VALUE_DEPTH} levels")]
    TooDeep,
    /// A map has two entries of one key.
    #[error("a map in it has two entries with the same key")]
    DuplicateKey,
    /// Raw bytes, read as a type.
    #[error("it holds raw bytes; read it with `get_bytes`")]
    IsRaw,
    /// A typed value, read as raw bytes.
    #[error("it holds a typed value, not raw bytes; read it with `get`")]
    IsTyped,
    /// Another type than was asked for.
    #[error("found {found}, expected {expected}")]
    WrongType {
        /// The kind of what is stored.
        found: &'static str,
        /// What the type wanted.
        expected: Cow<'static, str>,
    },
    /// A field that the type needs.
    #[error("the field `{0}` is missing")]
    MissingField(&'static str),
    /// A field occurs twice, by an alias or by flattening.
    #[error("the field `{0}` occurs twice")]
    DuplicateField(&'static str),
    /// The type's own code said no. What it said is dropped, because it may
    /// quote the value.
    #[error("{0}")]
    Refused(&'static str),
    /// The bytes break the format.
    #[error("its bytes are malformed: {0}")]
    Malformed(&'static str),
}

impl ValueError {
    /// Refuses a size over the limit.
    fn check_size(size: usize) -> Result<(), Self> {
        if size > MAX_VALUE_BYTES {
            return Err(Self::TooLarge {
                size: size as u64,
                limit: MAX_VALUE_BYTES as u64,
            });
        }
        Ok(())
    }

    fn wrong(found: &'static str, expected: impl Display) -> Self {
        Self::WrongType {
            found,
            expected: Cow::Owned(expected.to_string()),
        }
    }
}

impl serde::ser::Error for ValueError {
    fn custom<T: Display>(_: T) -> Self {
        Self::Refused("its `Serialize` implementation refused it")
    }
}

impl serde::de::Error for ValueError {
    fn custom<T: Display>(_: T) -> Self {
        Self::Refused("the `Deserialize` implementation of the requested type refused it")
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::wrong(kind_of(found), expected)
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::wrong(kind_of(found), expected)
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::wrong("another number of elements", expected)
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::wrong("an unknown variant", format_args!("one of {expected:?}"))
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::wrong("an unknown field", format_args!("one of {expected:?}"))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::MissingField(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::DuplicateField(field)
    }
}

/// The kind alone: `Unexpected` carries the value itself, and `Other` a text
/// that may quote it.
fn kind_of(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "an integer",
        Unexpected::Float(_) => "a float",
        Unexpected::Char(_) | Unexpected::Str(_) => "text",
        Unexpected::Bytes(_) => "bytes",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "a sequence",
        Unexpected::Map => "a map",
        Unexpected::NewtypeStruct => "a newtype",
        Unexpected::Enum
        | Unexpected::UnitVariant
        | Unexpected::NewtypeVariant
        | Unexpected::TupleVariant
        | Unexpected::StructVariant => "a variant",
        Unexpected::Other(_) => "something else",
    }
}
