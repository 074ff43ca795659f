//! Sessions in one ordered map of bytes: a session's row under its ID, and
//! behind it its keys, under the ID and the key. A lookup of both finds them
//! side by side, and a load is one scan.

use crate::Outcome;
use crate::engine::Id;

/// Where a key lies.
pub(crate) fn key_of(id: &Id, key: &str) -> Vec<u8> {
    [id.as_slice(), key.as_bytes()].concat()
}

/// Behind all keys of a session: no text has this byte.
pub(crate) fn end_of(id: &Id) -> Vec<u8> {
    [id.as_slice(), &[0xff]].concat()
}

/// The session's key of what lies there; `None` for its row.
pub(crate) fn text_of(key: &[u8]) -> Outcome<Option<&str>> {
    let (_, text) = key
        .split_at_checked(size_of::<Id>())
        .ok_or("a key is too short")?;
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(std::str::from_utf8(text)?))
}
