//! Any bytes as anything that stands on disk, for the tests and for fuzzers.
//!
//! Promises: whatever the bytes are, they decode as a thing that is written and
//! read alike, or they do not decode; and nothing else happens, also behind a
//! checksum that is right.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

use super::codec::{self, Malformed};
use super::derived_rows::{
    decode_members, encode_members, owner_key, split_owner_key, split_timed_key, timed_key,
};
use super::effect::Payload;
use super::header::{CleanMark, Current, JournalHeader, SegmentHeader};
use super::identity::{DatabaseId, JournalNumber, SegmentNumber, Sequence};
use super::page::{Entry, Fences, Page, write_body};
use super::record::{PageRow, SessionRow, page_key, split_page_key};
use super::retired_rows::{decode_retired, encode_retired, retired_key, split_retired_key};
use super::segment_frame::{
    Footer, ImageHead, Kind, PageHead, PageTombstone, SegmentFrame, SessionDamage, SessionTombstone,
};
use super::sums::Sums;
use super::{journal_frame, segment_frame, value};

/// Decoders, each with the name of what it reads.
type Decoder = (&'static str, fn(&[u8]) -> bool);

/// All that there are. New ones go to the end: seeds name them by their place.
pub(super) const DECODERS: &[Decoder] = &[
    ("CURRENT", |bytes| {
        sealed(bytes, *b"sdbCURRE", Current::decode, Current::encode)
    }),
    ("CLEAN", |bytes| {
        sealed(bytes, *b"sdbCLEAN", CleanMark::decode, CleanMark::encode)
    }),
    ("a journal header", |bytes| {
        sealed(
            bytes,
            *b"sdbJOURN",
            JournalHeader::decode,
            JournalHeader::encode,
        )
    }),
    ("a segment header", |bytes| {
        sealed(
            bytes,
            *b"sdbSEGME",
            SegmentHeader::decode,
            SegmentHeader::encode,
        )
    }),
    ("a journal frame", journal_frame),
    ("a journal frame's payload", payload),
    ("a segment frame", segment_frame),
    ("an image's head", structure::<ImageHead>),
    ("a page's head", structure::<PageHead>),
    ("a session's tombstone", structure::<SessionTombstone>),
    ("a page's tombstone", structure::<PageTombstone>),
    ("a session's damage", structure::<SessionDamage>),
    ("a footer", structure::<Footer>),
    ("the body of a page", page),
    ("a session row", structure::<SessionRow>),
    ("a page row", structure::<PageRow>),
    ("a row's key", keys),
    ("a group of hints", |bytes| {
        decode_members(bytes)
            .inspect(|members| assert_eq!(encode_members(members), bytes))
            .is_some()
    }),
    ("a row of dead IDs", |bytes| {
        decode_retired(bytes)
            .inspect(|members| assert_eq!(encode_retired(members), bytes))
            .is_some()
    }),
    ("a stored value", stored),
];

/// Reads bytes as one of the things that stand on disk, chosen by a number,
/// and whether they are one.
///
/// Takes as long, and as much memory, as a small multiple of the bytes.
///
/// # Panics
///
/// Where what was decoded is not written and read alike.
#[doc(hidden)]
#[must_use]
pub fn decode_anything(which: u8, bytes: &[u8]) -> bool {
    let mut decoders = DECODERS.iter().cycle();
    decoders
        .nth(which.into())
        .is_some_and(|(_, decode)| decode(bytes))
}

/// Decodes an encoded structure; what it decodes as is written and read alike.
fn structure<T>(bytes: &[u8]) -> bool
where
    T: Serialize + DeserializeOwned + PartialEq + fmt::Debug,
{
    let Ok(value) = codec::decode::<T>(bytes, WHAT) else {
        return false;
    };
    let written = codec::encode(&value);
    let length = written.as_ref().map(Vec::len);
    assert!(length.is_ok_and(|length| length <= bytes.len()));
    let again = written.and_then(|written| codec::decode::<T>(&written, WHAT));
    assert_eq!(again, Ok(value));
    true
}

/// The bytes as a sealed file, and as what is under its seal.
fn sealed<T>(
    bytes: &[u8],
    magic: [u8; 8],
    decode: fn(&[u8]) -> Result<T, Malformed>,
    encode: fn(&T) -> Result<Vec<u8>, Malformed>,
) -> bool
where
    T: Serialize + DeserializeOwned + PartialEq + fmt::Debug,
{
    let mut is_read = structure::<T>(bytes);
    let behind_seal = codec::seal(magic, &AsTheyAre(bytes));
    for bytes in [Some(bytes), behind_seal.as_deref().ok()]
        .into_iter()
        .flatten()
    {
        let Ok(value) = decode(bytes) else {
            continue;
        };
        is_read = true;
        // One that decodes may still be longer than the place of a header.
        if let Ok(written) = encode(&value) {
            assert_eq!(decode(&written), Ok(value));
        }
    }
    is_read
}

/// Bytes that a serializer passes on as they are.
pub(super) struct AsTheyAre<'a>(pub(super) &'a [u8]);

impl Serialize for AsTheyAre<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeTuple as _;
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        for byte in self.0 {
            tuple.serialize_element(byte)?;
        }
        tuple.end()
    }
}

/// A payload whose checksum has passed.
fn payload(bytes: &[u8]) -> bool {
    let Ok(payload) = Payload::decode(bytes) else {
        return false;
    };
    let mut written = Vec::new();
    assert_eq!(payload.encode_into(&mut written), Ok(()));
    assert_eq!(Payload::decode(&written), Ok(payload));
    true
}

/// The bytes as a frame, and as the payload of one.
fn journal_frame(bytes: &[u8]) -> bool {
    let place = |offset: usize| journal_frame::Place {
        database: DATABASE,
        number: JournalNumber(3),
        offset: offset as u64,
    };
    for offset in [0, 8, usize::MAX - 8] {
        let found = journal_frame::search(&mut Sums::of(bytes), offset, place(offset));
        assert_eq!(found, journal_frame::parse(bytes, offset, place(offset)));
        let _ = journal_frame::peek_sequence(bytes, offset);
    }
    let mut framed = Vec::new();
    let start = journal_frame::begin(&mut framed);
    framed.extend_from_slice(bytes);
    let (sequence, synced) = (Sequence(9), Sequence(8));
    let finished = journal_frame::finish(&mut framed, start, place(0), sequence, synced);
    assert_eq!(finished, Ok(()));
    let frame = journal_frame::search(&mut Sums::of(&framed), 0, place(0));
    assert_eq!(frame, journal_frame::parse(&framed, 0, place(0)));
    assert_eq!(frame.is_some(), !bytes.is_empty(), "none is empty");
    frame.is_some_and(|frame| {
        assert_eq!((frame.payload, frame.size), (bytes, framed.len()));
        payload(frame.payload)
    })
}

/// The bytes as a frame, and as the payload of one of each kind.
fn segment_frame(bytes: &[u8]) -> bool {
    let place = segment_frame::Place {
        database: DATABASE,
        number: SegmentNumber(2),
        offset: 64,
    };
    for offset in [0, 8, usize::MAX - 8] {
        let found = segment_frame::search(&mut Sums::of(bytes), offset, place);
        assert_eq!(found, segment_frame::parse(bytes, offset, place));
        if let Some(frame) = found {
            heads(&frame);
        }
        let _ = segment_frame::claimed_kind(bytes, offset);
        let _ = segment_frame::claimed_length(bytes, offset);
    }
    let length = segment_frame::HEAD_BYTES.saturating_add(bytes.len());
    let frame = SegmentFrame {
        kind: Kind::Image,
        payload: bytes,
        body: length,
        length,
    };
    let mut framed = Vec::new();
    let copied = segment_frame::copy(&mut framed, place, &frame);
    assert_eq!(copied, Ok(length));
    segment_frame::parse(&framed, 0, place).is_some_and(|frame| {
        assert_eq!((frame.payload, frame.length), (bytes, length));
        heads(&frame)
    })
}

/// The head of a frame as that of each kind; whether it is one, with a body
/// that is a page where there has to be one.
pub(super) fn heads(frame: &SegmentFrame<'_>) -> bool {
    let body = |fences| {
        let start = frame.body.saturating_sub(segment_frame::HEAD_BYTES);
        frame
            .payload
            .get(start..)
            .is_some_and(|body| page_within(body, 0, fences))
    };
    let image = frame.head::<ImageHead>().is_ok_and(|head| {
        body(Fences {
            lower: "".into(),
            upper: head.upper,
        })
    });
    let page = frame.head::<PageHead>().is_ok_and(|head| {
        body(Fences {
            lower: head.lower,
            upper: head.upper,
        })
    });
    image
        | page
        | frame.head::<SessionTombstone>().is_ok()
        | frame.head::<PageTombstone>().is_ok()
        | frame.head::<SessionDamage>().is_ok()
        | frame.head::<Footer>().is_ok()
}

fn page(bytes: &[u8]) -> bool {
    let every = Fences {
        lower: "".into(),
        upper: None,
    };
    page_within(bytes, 0, every)
}

/// A page whose entries are found, and are written as they were.
pub(super) fn page_within(bytes: &[u8], body: usize, fences: Fences) -> bool {
    let Some(bytes) = bytes.get(body..) else {
        return false;
    };
    let Ok(page) = Page::parse(bytes, fences) else {
        return false;
    };
    let entries: Vec<Entry<'_>> = (0..page.len())
        .filter_map(|index| {
            let found = page.entry(index)?;
            assert_eq!(page.search(found.key), Ok(index));
            let looked_up = page.find(found.key).map(|found| found.value);
            assert_eq!(looked_up, Some(found.value.clone()));
            assert!(page.fences().contain(found.key));
            Some(Entry {
                key: found.key,
                value: page.raw().get(found.value)?,
                deadline: found.deadline,
            })
        })
        .collect();
    assert_eq!(entries.len(), page.len());
    let mut written = Vec::new();
    assert_eq!(write_body(&mut written, &entries), Ok(()));
    assert_eq!(bytes, written);
    true
}

/// The keys of all trees of the index.
fn keys(bytes: &[u8]) -> bool {
    let page = split_page_key(bytes)
        .map(|(generation, first)| assert_eq!(page_key(generation, first), bytes));
    let timed =
        split_timed_key(bytes).map(|(time, digest)| assert_eq!(timed_key(time, digest), bytes));
    let owner =
        split_owner_key(bytes).map(|(owner, digest)| assert_eq!(owner_key(owner, digest), bytes));
    let retired = split_retired_key(bytes).map(|id| assert_eq!(retired_key(id), bytes));
    page.or(timed).or(owner).or(retired).is_some()
}

/// A value as a user reads it: raw, and as types of many shapes.
fn stored(bytes: &[u8]) -> bool {
    let raw = value::raw(bytes);
    let is_raw = raw.is_ok();
    if let Ok(raw) = raw {
        assert_eq!(value::encode_raw(raw), bytes);
    }
    let is_typed = typed::<Tree>(bytes)
        | typed::<Whatever>(bytes)
        | typed::<(u8, i64, Option<char>)>(bytes)
        | typed::<Vec<i128>>(bytes)
        | typed::<BTreeMap<u16, f32>>(bytes)
        | typed::<String>(bytes)
        | typed::<f64>(bytes)
        | typed::<u128>(bytes)
        | typed::<()>(bytes)
        | value::decode::<serde::de::IgnoredAny>(bytes).is_ok();
    assert!(!is_raw || !is_typed, "raw bytes are no typed value");
    is_raw || is_typed
}

/// Compares bytes, since a float need not equal itself.
fn typed<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> bool {
    let Ok(read) = value::decode::<T>(bytes) else {
        return false;
    };
    let written = value::encode(&read).unwrap_or_default();
    let again = value::decode::<T>(&written).and_then(|again| value::encode(&again));
    assert!(again.is_ok_and(|again| again == written), "a value changes");
    true
}

/// A type that calls itself, by names.
#[derive(Serialize, Deserialize)]
enum Tree {
    Leaf,
    Number(i64),
    List(Vec<Tree>),
    Pair {
        name: String,
        next: Option<Box<Tree>>,
    },
    Map(BTreeMap<String, Tree>),
}

/// A type that takes what is there. It does not nest: serde copies all that an
/// untagged value holds once for each level of it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Whatever {
    Null(()),
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    List(Vec<f64>),
    Map(BTreeMap<String, Option<u64>>),
}

const WHAT: &str = "it does not decode";

/// Whose frames they are.
const DATABASE: DatabaseId = DatabaseId([7; 16]);
