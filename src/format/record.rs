//! A session's record, and the rows that the index keeps.

use serde::{Deserialize, Serialize};

use super::codec::{self, Malformed};
use super::identity::{Batch, Generation, Location, PageNumber, Timestamp};
use crate::session_id::SessionDigest;

/// How a session's own expiry differs from the database's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum ExpiryOverride {
    /// It does not.
    #[default]
    Default,
    /// Idle for so many nanoseconds.
    Idle(u64),
    /// At a fixed time.
    At(Timestamp),
    /// When the browser closes; the idle default on this side.
    BrowserSession,
}

/// What is known of a session besides its keys. In memory, too, what says
/// whether it is over stands together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[repr(C)]
pub(crate) struct SessionRecord {
    /// The keys that are its own.
    pub(crate) generation: Generation,
    /// When it was first written.
    pub(crate) created: Timestamp,
    /// When it was last renewed.
    pub(crate) last_seen: Timestamp,
    /// Its own expiry.
    pub(crate) expiry: ExpiryOverride,
    /// To whom it belongs.
    pub(crate) owner: Option<Box<str>>,
    /// When the purge is to look at it.
    pub(crate) hint_at: Option<Timestamp>,
    /// Keys, as of the last checkpoint.
    pub(crate) keys: u64,
    /// Bytes of keys and values, as of the last checkpoint.
    pub(crate) bytes: u64,
}

/// How the pages of a session hang together: what a merge needs of the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct PageTable {
    /// Pages outside the image.
    pub(crate) pages: u32,
    /// The lowest page number never used in this generation.
    pub(crate) next_page: PageNumber,
    /// Wrapping sum of the hashes of the rows of the pages outside the image.
    pub(crate) hash: u64,
    /// No key of the session ends before this; `None` while none has an end.
    pub(crate) first_deadline: Option<Timestamp>,
}

/// The row of the tree `sessions`: what open and list need, without the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionRow {
    /// The image.
    pub(crate) location: Location,
    /// The batch that made the image.
    pub(crate) sequence: Batch,
    /// What the image says.
    pub(crate) content: RowContent,
}

/// What a session's row repeats of its image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RowContent {
    /// The image was whole when the row was made.
    Whole {
        /// The session's other pages.
        table: PageTable,
        /// The session's record.
        record: SessionRecord,
    },
    /// The image was damaged when the index was rebuilt. The session stays
    /// known, so that reading it is an error and not an absence.
    Damaged {
        /// The generation that the footer names.
        generation: Generation,
    },
}

impl SessionRow {
    /// Whose keys the session has.
    pub(crate) fn generation(&self) -> Generation {
        match &self.content {
            RowContent::Whole { record, .. } => record.generation,
            RowContent::Damaged { generation } => *generation,
        }
    }

    /// The bytes of the row.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Malformed> {
        codec::encode(self)
    }

    /// Reads the bytes of a row.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        codec::decode(bytes, "a session row of the index does not decode")
    }

    /// What the row adds to the hash of the index. Left out are the place,
    /// since compaction moves a frame without changing it, and the purge's
    /// hint, which moves without the session being written.
    pub(crate) fn hash(&self, digest: SessionDigest) -> Result<u64, Malformed> {
        let mut bare = Self {
            location: Location::default(),
            ..self.clone()
        };
        if let RowContent::Whole { record, .. } = &mut bare.content {
            record.hint_at = None;
        }
        Ok(row_hash(&digest.to_bytes(), &bare.encode()?))
    }
}

/// The row of the tree `pages`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PageRow {
    /// The page's frame.
    pub(crate) location: Location,
    /// The batch that made it.
    pub(crate) sequence: Batch,
    /// Its number within the generation.
    pub(crate) number: PageNumber,
}

impl PageRow {
    /// The bytes of the row.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Malformed> {
        codec::encode(self)
    }

    /// Reads the bytes of a row.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        codec::decode(bytes, "a page row of the index does not decode")
    }

    /// What the row adds to its session's page hash. The place is left out:
    /// the image that holds the sum stays when compaction moves a page.
    pub(crate) fn hash(&self, key: &[u8]) -> Result<u64, Malformed> {
        let bare = Self {
            location: Location::default(),
            ..*self
        };
        Ok(row_hash(key, &bare.encode()?))
    }
}

/// The key of a page's row: generations and then first keys sort as bytes.
pub(crate) fn page_key(generation: Generation, first_key: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(8_usize.saturating_add(first_key.len()));
    key.extend_from_slice(&generation.0.to_be_bytes());
    key.extend_from_slice(first_key.as_bytes());
    key
}

/// The generation and the first key of a page's row.
pub(crate) fn split_page_key(key: &[u8]) -> Option<(Generation, &str)> {
    let generation = key.get(..8)?.try_into().ok()?;
    let first_key = std::str::from_utf8(key.get(8..)?).ok()?;
    Some((Generation(u64::from_be_bytes(generation)), first_key))
}

/// SipHash-1-3 under a fixed key: an adder's digest of a row, against damage
/// and not against an attacker.
pub(super) fn row_hash(key: &[u8], row: &[u8]) -> u64 {
    use std::hash::Hasher as _;
    let mut hasher = siphasher::sip::SipHasher13::new_with_keys(0x7365_7373_696f_6e64, 0x62);
    hasher.write(&(key.len() as u64).to_le_bytes());
    hasher.write(key);
    hasher.write(row);
    hasher.finish()
}
