//! What stands at the head of each file, and the two small files beside them.

use serde::{Deserialize, Serialize};

use super::codec::{self, Malformed};
use super::identity::{Batch, DatabaseId, JournalNumber, SegmentNumber, Sequence};

const CURRENT_MAGIC: [u8; 8] = *b"sdbCURRE";
const CLEAN_MAGIC: [u8; 8] = *b"sdbCLEAN";
const JOURNAL_MAGIC: [u8; 8] = *b"sdbJOURN";
const SEGMENT_MAGIC: [u8; 8] = *b"sdbSEGME";

/// Bytes of a journal file before its first frame.
pub(crate) const JOURNAL_HEADER_BYTES: usize = 256;
/// Bytes of a segment file before its first frame.
pub(crate) const SEGMENT_HEADER_BYTES: usize = 64;

/// What `CURRENT` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Current {
    /// Whose files these are.
    pub(crate) database: DatabaseId,
    /// The name of the directory that holds the index.
    pub(crate) index: String,
}

/// The length and checksum of one file of the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileMark {
    /// Its path within the index directory.
    pub(crate) name: String,
    /// Its length in bytes.
    pub(crate) length: u64,
    /// CRC-32 of its content.
    pub(crate) checksum: u32,
}

/// What a clean stop leaves behind: how every file of the index looked, and
/// which batch it had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CleanMark {
    /// Whose index it is.
    pub(crate) database: DatabaseId,
    /// The last committed batch, all of it in the index.
    pub(crate) batch: Batch,
    /// The hash of the index that the batch's footer names: of two copies that
    /// went on apart, both have a batch of this number.
    pub(crate) index_hash: u64,
    /// The index's files, sorted by name.
    #[serde(deserialize_with = "codec::list")]
    pub(crate) files: Vec<FileMark>,
}

/// Which batch made which frames of the journal unnecessary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Declaration {
    /// The batch. Opening without it is refused.
    pub(crate) batch: Batch,
    /// Every frame up to this one is in that batch or an earlier one.
    pub(crate) through: Sequence,
}

/// The head of a journal file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JournalHeader {
    /// Whose journal it is.
    pub(crate) database: DatabaseId,
    /// The file's place in the order of files.
    pub(crate) number: JournalNumber,
    /// The sequence of its first frame.
    pub(crate) first: Sequence,
    /// Every frame up to this one was on disk when the header was written.
    pub(crate) synced_through: Sequence,
    /// The file before, and where its frames end: what lies behind that end
    /// was cut and must not revive. None at the start of the journal.
    pub(crate) previous: Option<(JournalNumber, u64)>,
    /// What was known to be checkpointed when the file was begun.
    pub(crate) declaration: Declaration,
}

/// The head of a segment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentHeader {
    /// Whose segment it is.
    pub(crate) database: DatabaseId,
    /// The file's number.
    pub(crate) number: SegmentNumber,
}

impl Current {
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Malformed> {
        codec::seal(CURRENT_MAGIC, self)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        codec::unseal(CURRENT_MAGIC, bytes, "CURRENT is damaged")
    }
}

impl CleanMark {
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Malformed> {
        codec::seal(CLEAN_MAGIC, self)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        codec::unseal(CLEAN_MAGIC, bytes, "the mark of a clean stop is damaged")
    }
}

impl JournalHeader {
    /// The header, padded with zeros to its fixed length.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Malformed> {
        padded(codec::seal(JOURNAL_MAGIC, self)?, JOURNAL_HEADER_BYTES)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        codec::unseal(JOURNAL_MAGIC, bytes, "a journal file's header is damaged")
    }
}

impl SegmentHeader {
    /// The header, padded with zeros to its fixed length.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Malformed> {
        padded(codec::seal(SEGMENT_MAGIC, self)?, SEGMENT_HEADER_BYTES)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        codec::unseal(SEGMENT_MAGIC, bytes, "a segment file's header is damaged")
    }
}

fn padded(mut bytes: Vec<u8>, length: usize) -> Result<Vec<u8>, Malformed> {
    if bytes.len() > length {
        return Err(Malformed::Damaged("a header is too long for its place"));
    }
    bytes.resize(length, 0);
    Ok(bytes)
}
