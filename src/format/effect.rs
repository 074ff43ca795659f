//! What a transaction did, in a form that can be applied blindly and twice.

use serde::{Deserialize, Serialize};

use super::codec::{self, Bytes, Malformed};
use super::header::Declaration;
use super::identity::{Generation, Timestamp};
use super::record::SessionRecord;
use crate::session_id::SessionDigest;

/// One change of a generation's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change<'a> {
    /// The key has this value now.
    Put {
        /// 1 to 512 bytes.
        key: &'a str,
        /// Tag and payload.
        #[serde(borrow)]
        value: Bytes<'a>,
        /// When the key stops to exist.
        deadline: Option<Timestamp>,
    },
    /// The key is gone.
    Remove {
        /// The key.
        key: &'a str,
    },
    /// All keys with this prefix that were there before are gone.
    RemovePrefix {
        /// May be empty: all keys.
        prefix: &'a str,
    },
}

/// One effect of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Effect<'a> {
    /// The session has this record now: it was created, cycled or cleared.
    /// Keys of another generation than the record's are gone.
    PutSession {
        /// The session.
        digest: SessionDigest,
        /// Its record.
        record: SessionRecord,
        /// The digest whose keys it takes over, when its ID was cycled.
        moved_from: Option<SessionDigest>,
    },
    /// The session is gone, and its generation dead.
    RemoveSession {
        /// The session.
        digest: SessionDigest,
        /// Its generation.
        generation: Generation,
    },
    /// The ID must not come alive again before a time.
    Retire {
        /// The ID's digest.
        digest: SessionDigest,
        /// Until when it is remembered.
        until: Timestamp,
    },
    /// Keys of a session changed.
    Change {
        /// The session.
        digest: SessionDigest,
        /// Its generation.
        generation: Generation,
        /// When: the session was seen then.
        at: Timestamp,
        /// In order.
        #[serde(borrow, deserialize_with = "codec::list")]
        changes: Vec<Change<'a>>,
    },
}

/// What a journal frame carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Payload<'a> {
    /// All or nothing.
    Transaction(#[serde(borrow, deserialize_with = "codec::list")] Vec<Effect<'a>>),
    /// A checkpoint was committed; changes nothing by itself.
    Checkpointed(Declaration),
}

impl<'a> Payload<'a> {
    /// Appends the payload's bytes.
    pub(crate) fn encode_into(&self, buffer: &mut Vec<u8>) -> Result<(), Malformed> {
        codec::encode_into(buffer, self)
    }

    /// Reads a payload whose checksum has passed.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        codec::decode(bytes, "a journal frame's payload does not decode")
    }
}
