//! Any bytes as anything that stands on disk, and as an ID: what decodes is
//! written and read alike, what does not is an error, and neither takes more
//! memory than a small multiple of the bytes.
//!
//! The first byte of an input says which decoder reads the others.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sessiondb::{SessionDigest, SessionId, decode_anything};
use sessiondb_fuzz::limited;

/// What may be allocated for each byte, in bytes. A null of one byte becomes an
/// element of 32 or 48 bytes of a list that is copied as it grows, and is read
/// twice.
const PER_BYTE: usize = 256;
/// And for none.
const AT_LEAST: usize = 16 << 10;

fuzz_target!(|input: &[u8]| {
    let Some((which, bytes)) = input.split_first() else {
        return;
    };
    limited(AT_LEAST + PER_BYTE * bytes.len(), || {
        let _ = decode_anything(*which, bytes);
    });
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(id) = text.parse::<SessionId>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(digest) = text.parse::<SessionDigest>() {
        assert_eq!(digest.to_string(), text);
    }
});
