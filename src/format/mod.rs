//! Bytes: everything that stands on disk, written and read in one place.
//!
//! Owns: journal frames, segment frames, images, pages, records, footers,
//! headers, values and their versions. The only place that names bincode or
//! crc32fast.
//! Promises: a decoder returns an error on any input, and allocates no more
//! than a small multiple of it.
#![doc = include_str!("README.md")]

#[cfg(any(test, feature = "simulation"))]
mod any_bytes;
pub(crate) mod codec;
pub(crate) mod derived_rows;
pub(crate) mod effect;
pub(crate) mod header;
pub(crate) mod identity;
pub(crate) mod journal_frame;
pub(crate) mod page;
pub(crate) mod record;
pub(crate) mod retired_rows;
pub(crate) mod segment_frame;
pub(crate) mod sums;
pub(crate) mod value;

#[cfg(feature = "simulation")]
pub use any_bytes::decode_anything;

#[cfg(test)]
mod tests;
