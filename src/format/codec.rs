//! The bottom of every encoding: bincode's options, checksums, and the seal
//! that headers and small files share.

use std::fmt;
use std::marker::PhantomData;

use bincode::Options;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// Bytes that do not say what they should. The caller knows the file and adds it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// They break the format.
    #[error("{0}")]
    Damaged(&'static str),
    /// They are whole, and of a version this library does not know.
    #[error("format version {0} is newer than this library")]
    Version(u32),
}

/// The version of everything sealed; the version of all frames in a file is
/// that of its header.
pub(crate) const VERSION: u32 = 1;

/// Frames begin at multiples of this, so that a search for the next whole
/// frame behind damage need not look at every byte.
pub(crate) const ALIGNMENT: usize = 8;

/// The next multiple of the alignment.
pub(crate) fn aligned(length: usize) -> usize {
    length.div_ceil(ALIGNMENT).saturating_mul(ALIGNMENT)
}

fn options() -> impl Options {
    bincode::DefaultOptions::new().reject_trailing_bytes()
}

/// Appends the encoding of `value`.
pub(crate) fn encode_into<T: Serialize + ?Sized>(
    buffer: &mut Vec<u8>,
    value: &T,
) -> Result<(), Malformed> {
    options()
        .serialize_into(buffer, value)
        .map_err(|_| Malformed::Damaged("a value cannot be encoded"))
}

/// The encoding of `value`.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Malformed> {
    let mut buffer = Vec::with_capacity(128);
    encode_into(&mut buffer, value)?;
    Ok(buffer)
}

/// Decodes all of `bytes`. Only for bytes whose checksum has passed; even so
/// no input panics, and none allocates more than a small multiple of itself.
pub(crate) fn decode<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    what: &'static str,
) -> Result<T, Malformed> {
    options()
        .with_limit(bytes.len() as u64)
        .deserialize(bytes)
        .map_err(|_| Malformed::Damaged(what))
}

/// CRC-32 (IEEE) of the parts, one after another.
pub(crate) fn checksum(parts: &[&[u8]]) -> u32 {
    let mut sum = Checksum::default();
    for part in parts {
        sum.update(part);
    }
    sum.finish()
}

/// A running checksum.
#[derive(Default)]
pub(crate) struct Checksum(crc32fast::Hasher);

impl Checksum {
    /// Goes on behind bytes of which the checksum is known.
    pub(crate) fn of(sum: u32) -> Self {
        Self(crc32fast::Hasher::new_with_initial(sum))
    }

    /// Adds bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        #[cfg(test)]
        SUMMED.with(|summed| summed.set(summed.get() + bytes.len() as u64));
        self.0.update(bytes);
    }

    /// The checksum once `length` bytes are added, of which nobody looks at
    /// any: that of all before them is known, and that of all with them. Adding
    /// bytes to a checksum is linear, so what was before them cancels out.
    pub(crate) fn add_between(self, before: u32, with: u32, length: usize) -> u32 {
        let mut sum = crc32fast::Hasher::new_with_initial(self.finish() ^ before);
        sum.combine(&crc32fast::Hasher::new_with_initial_len(
            with,
            length as u64,
        ));
        sum.finalize()
    }

    /// The checksum of all bytes added.
    pub(crate) fn finish(self) -> u32 {
        self.0.finalize()
    }
}

#[cfg(test)]
thread_local! {
    static SUMMED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// The bytes that this thread has added to checksums.
#[cfg(test)]
pub(crate) fn summed() -> u64 {
    SUMMED.with(std::cell::Cell::get)
}

/// The little-endian number at `offset`.
pub(crate) fn read_u16(bytes: &[u8], offset: usize) -> Option<u16> {
    let end = offset.checked_add(2)?;
    let field = bytes.get(offset..end)?;
    Some(u16::from_le_bytes(field.try_into().ok()?))
}

/// The little-endian number at `offset`.
pub(crate) fn read_u32(bytes: &[u8], offset: usize) -> Option<u32> {
    let end = offset.checked_add(4)?;
    let field = bytes.get(offset..end)?;
    Some(u32::from_le_bytes(field.try_into().ok()?))
}

/// The little-endian number at `offset`.
pub(crate) fn read_u64(bytes: &[u8], offset: usize) -> Option<u64> {
    let end = offset.checked_add(8)?;
    let field = bytes.get(offset..end)?;
    Some(u64::from_le_bytes(field.try_into().ok()?))
}

/// Bytes before a sealed payload: magic, version, length, checksum.
pub(crate) const SEAL_BYTES: usize = 8 + 4 + 4 + 4;

/// Wraps a payload: magic, version, length, CRC over all of these and the payload.
pub(crate) fn seal<T: Serialize>(magic: [u8; 8], value: &T) -> Result<Vec<u8>, Malformed> {
    let payload = encode(value)?;
    let length = u32::try_from(payload.len())
        .map_err(|_| Malformed::Damaged("a sealed payload is too long"))?;
    let version = VERSION.to_le_bytes();
    let length = length.to_le_bytes();
    let crc = checksum(&[&magic, &version, &length, &payload]).to_le_bytes();
    Ok([magic.as_slice(), &version, &length, &crc, &payload].concat())
}

/// Opens what `seal` wrote, at the start of `bytes`; what follows is ignored.
pub(crate) fn unseal<'a, T: Deserialize<'a>>(
    magic: [u8; 8],
    bytes: &'a [u8],
    what: &'static str,
) -> Result<T, Malformed> {
    let damaged = Malformed::Damaged(what);
    if bytes.get(..8) != Some(magic.as_slice()) {
        return Err(damaged);
    }
    let (Some(version), Some(length), Some(crc)) =
        (read_u32(bytes, 8), read_u32(bytes, 12), read_u32(bytes, 16))
    else {
        return Err(damaged);
    };
    let payload = usize::try_from(length)
        .ok()
        .and_then(|length| bytes.get(SEAL_BYTES..)?.get(..length))
        .ok_or(damaged.clone())?;
    if checksum(&[
        &magic,
        &version.to_le_bytes(),
        &length.to_le_bytes(),
        payload,
    ]) != crc
    {
        return Err(damaged);
    }
    if version != VERSION {
        return Err(Malformed::Version(version));
    }
    decode(payload, what)
}

/// Decodes a list without believing its count: serde would make room for up to
/// a megabyte before it has seen the first element. For every `Vec` on disk.
pub(crate) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct ListVisitor<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
        type Value = Vec<T>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(element) = elements.next_element()? {
                list.push(element);
            }
            Ok(list)
        }
    }

    deserializer.deserialize_seq(ListVisitor(PhantomData))
}

/// Bytes inside an encoded structure, copied as a whole rather than one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Bytes<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&'a [u8]>::deserialize(deserializer).map(Bytes)
    }
}
