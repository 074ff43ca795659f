//! What stands on disk, pinned: each kind of thing byte by byte, and what a
//! decoder makes of bytes that are none of these.
//!
//! The pinned bytes are written as hex digits, and a `;` begins a remark. The
//! remarks are in the words of the README's grammar.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec;
use super::effect::{Change, Effect, Payload};
use super::header::{CleanMark, Current, Declaration, FileMark, JournalHeader, SegmentHeader};
use super::identity::{
    Batch, DatabaseId, Generation, JournalNumber, Location, PageNumber, SegmentNumber, Sequence,
    Timestamp,
};
use super::page::{Entry, Page};
use super::record::{ExpiryOverride, PageTable, SessionRecord};
use super::{journal_frame, segment_frame};
use crate::session_id::SessionDigest;

mod arbitrary;
mod claims;
mod golden_headers;
mod golden_journal;
mod golden_pages;
mod golden_records;
mod golden_segments;
mod mutations;
mod names;
mod page;
mod record;
mod round_trips;
mod samples;
mod strategies;
mod validity;
mod worked_examples;

/// 2023-11-14, in nanoseconds.
const THEN: Timestamp = Timestamp(1_700_000_000_000_000_000);
/// A second later.
const LATER: Timestamp = Timestamp(1_700_000_001_000_000_000);

const DATABASE: DatabaseId = DatabaseId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
const DIGEST: SessionDigest = SessionDigest::from_bytes([
    0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf,
]);
const OTHER_DIGEST: SessionDigest = SessionDigest::from_bytes([
    0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee, 0xef,
]);

/// Where the frames of the tests stand.
const JOURNAL_PLACE: journal_frame::Place = journal_frame::Place {
    database: DATABASE,
    number: JournalNumber(3),
    offset: 256,
};
const SEGMENT_PLACE: segment_frame::Place = segment_frame::Place {
    database: DATABASE,
    number: SegmentNumber(2),
    offset: 64,
};

/// Two keys, nothing out of the ordinary.
fn record() -> SessionRecord {
    SessionRecord {
        generation: Generation(7),
        created: THEN,
        last_seen: LATER,
        expiry: ExpiryOverride::Default,
        owner: None,
        hint_at: None,
        keys: 2,
        bytes: 20,
    }
}

/// An entry of a page, as it would be written again.
fn entry_of(page: &Page, index: usize) -> Option<Entry<'_>> {
    let found = page.entry(index)?;
    Some(Entry {
        key: found.key,
        value: page.raw().get(found.value)?,
        deadline: found.deadline,
    })
}

/// The bytes of pinned text.
fn pinned(text: &str) -> Vec<u8> {
    text.lines()
        .filter_map(|line| line.split(';').next())
        .flat_map(str::split_whitespace)
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

/// Bytes as they are pinned, so that a failure shows what to compare.
fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.join(" ")
}

/// Compares bytes with pinned text.
#[track_caller]
fn assert_pinned(bytes: &[u8], text: &str) {
    assert_eq!(hex(bytes), hex(&pinned(text)));
}

/// A structure is encoded as these bytes, and they decode as it.
#[track_caller]
fn is_pinned<T>(value: &T, text: &str)
where
    T: Serialize + DeserializeOwned + PartialEq + fmt::Debug,
{
    assert_pinned(&codec::encode(value).unwrap(), text);
    assert_eq!(
        &codec::decode::<T>(&pinned(text), "it does not decode").unwrap(),
        value
    );
}
