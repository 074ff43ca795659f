//! Between a caller's keys and values and what the engine stores.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::Stored;
use crate::error::{Error, Result};
use crate::format::value::{self, ValueError};
use crate::limits::{MAX_KEY_BYTES, MAX_OWNER_BYTES, MAX_VALUE_BYTES};

/// Refuses keys that cannot exist.
pub(crate) fn check_key(key: &str) -> Result<()> {
    check_length(key.len(), 1)
}

/// Refuses prefixes that no key can have; the empty one is every key's.
pub(crate) fn check_prefix(prefix: &str) -> Result<()> {
    check_length(prefix.len(), 0)
}

fn check_length(length: usize, least: usize) -> Result<()> {
    if (least..=MAX_KEY_BYTES).contains(&length) {
        Ok(())
    } else {
        Err(Error::InvalidKey {
            length,
            limit: MAX_KEY_BYTES,
        })
    }
}

/// Refuses owners that cannot exist.
pub(crate) fn check_owner(owner: &str) -> Result<()> {
    if (1..=MAX_OWNER_BYTES).contains(&owner.len()) {
        Ok(())
    } else {
        Err(Error::InvalidOwner {
            length: owner.len(),
            limit: MAX_OWNER_BYTES,
        })
    }
}

/// The stored form of a typed value.
pub(crate) fn encode<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Stored> {
    match value::encode(value) {
        Ok(bytes) => Ok(bytes.into()),
        Err(ValueError::TooLarge { size, limit }) => Err(too_large(size, limit)),
        Err(error) => Err(Error::Encode {
            key: key.to_owned(),
            source: Box::new(error),
        }),
    }
}

/// The stored form of raw bytes.
pub(crate) fn encode_bytes(bytes: &[u8]) -> Result<Stored> {
    let size = bytes.len().saturating_add(1);
    if size > MAX_VALUE_BYTES {
        return Err(too_large(size as u64, MAX_VALUE_BYTES as u64));
    }
    Ok(value::encode_raw(bytes).into())
}

fn too_large(size: u64, limit: u64) -> Error {
    Error::TooLarge {
        what: "a value",
        size,
        limit,
    }
}

/// A stored value as a type.
pub(crate) fn decode<T: DeserializeOwned>(key: &str, stored: &Stored) -> Result<T> {
    value::decode(stored).map_err(|error| undecodable(key, error))
}

/// A stored value as raw bytes.
pub(crate) fn decode_bytes(key: &str, stored: Stored) -> Result<Stored> {
    let raw = value::raw(&stored).map_err(|error| undecodable(key, error))?;
    let tag = stored.len().saturating_sub(raw.len());
    Ok(stored.skip(tag))
}

/// Why a value is not what its reader takes it for.
pub(crate) fn undecodable(key: &str, error: ValueError) -> Error {
    Error::Decode {
        key: key.to_owned(),
        source: Box::new(error),
    }
}
