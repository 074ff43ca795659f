//! The README, held to the code: what it shows in bytes and says in numbers.

use super::super::codec::Bytes;
use super::super::page::{TARGET_BYTES, write_body};
use super::super::segment_frame::{ImageHead, Kind};
use super::super::{header, value};
use super::*;
use crate::limits;

const README: &str = include_str!("../README.md");

/// The lines of the fence that begins with `first`, without their offsets.
fn example(first: &str) -> Vec<&'static str> {
    let start = README.find(first).unwrap();
    let fence = README[start..].split("```").next().unwrap();
    fence.lines().collect()
}

/// Compares an example with bytes, and its offsets with where its bytes are.
#[track_caller]
fn assert_shown(first: &str, bytes: &[u8]) {
    let mut shown = Vec::new();
    for line in example(first) {
        let (offset, rest) = line.split_once("  ").unwrap();
        let offset = usize::from_str_radix(offset, 16).unwrap();
        assert_eq!(offset, shown.len(), "the offset of {line:?}");
        shown.extend(pinned(rest));
    }
    assert_eq!(hex(&shown), hex(bytes));
}

/// Whether the README has a row of a table with these cells.
#[track_caller]
fn assert_row(cells: &[&str]) {
    let row = format!("| {} |", cells.join(" | "));
    assert!(README.lines().any(|line| line == row), "no row {row:?}");
}

/// The session of the examples, as it was created.
fn created() -> SessionRecord {
    SessionRecord {
        generation: Generation(1),
        created: THEN,
        last_seen: THEN,
        ..SessionRecord::default()
    }
}

#[test]
fn the_journal_frame_in_the_readme_is_one() {
    let user = value::encode(&42).unwrap();
    let code = value::encode_raw(b"x");
    let payload = Payload::Transaction(vec![
        Effect::PutSession {
            digest: DIGEST,
            record: created(),
            moved_from: None,
        },
        Effect::Change {
            digest: DIGEST,
            generation: Generation(1),
            at: THEN,
            changes: vec![
                Change::Put {
                    key: "user",
                    value: Bytes(&user),
                    deadline: None,
                },
                Change::Put {
                    key: "code",
                    value: Bytes(&code),
                    deadline: Some(LATER),
                },
            ],
        },
    ]);
    let place = journal_frame::Place {
        database: DATABASE,
        number: JournalNumber(1),
        offset: 256,
    };
    let mut bytes = Vec::new();
    let start = journal_frame::begin(&mut bytes);
    payload.encode_into(&mut bytes).unwrap();
    journal_frame::finish(&mut bytes, start, place, Sequence(1), Sequence(0)).unwrap();
    assert_shown("0000  66 00 00 00", &bytes);
    let frame = journal_frame::parse(&bytes, 0, place).unwrap();
    assert_eq!(Payload::decode(frame.payload).unwrap(), payload);
}

#[test]
fn the_image_in_the_readme_is_one() {
    let head = ImageHead {
        digest: DIGEST,
        sequence: Batch(1),
        record: SessionRecord {
            keys: 2,
            bytes: 13,
            ..created()
        },
        table: PageTable {
            next_page: PageNumber(1),
            first_deadline: Some(LATER),
            ..PageTable::default()
        },
        upper: None,
    };
    let code = value::encode_raw(b"x");
    let user = value::encode(&42).unwrap();
    let entries = [
        Entry {
            key: "code",
            value: &code,
            deadline: Some(LATER),
        },
        Entry {
            key: "user",
            value: &user,
            deadline: None,
        },
    ];
    let place = segment_frame::Place {
        database: DATABASE,
        number: SegmentNumber(1),
        offset: 64,
    };
    let mut bytes = Vec::new();
    let length = segment_frame::write(&mut bytes, place, Kind::Image, &head, |buffer| {
        write_body(buffer, &entries)
    });
    assert_eq!(length, Ok(108));
    assert_eq!(segment_frame::frame_bytes(108), 108 + 4);
    assert_shown("0000  5c 00 00 00", &bytes);
    let frame = segment_frame::parse(&bytes, 0, place).unwrap();
    assert_eq!(frame.head::<ImageHead>().unwrap(), head);
}

#[test]
fn the_database_in_the_readme_is_that_of_the_examples() {
    let digits = hex(&DATABASE.0).replace(' ', "");
    assert!(README.contains(&format!("`{digits}`")));
}

#[test]
fn the_numbers_in_the_readme_are_encoded_so() {
    for number in [0_u64, 250, 251, 65_535, 65_536, 1 << 32] {
        let bytes = hex(&codec::encode(&number).unwrap());
        assert_row(&[&number.to_string(), &format!("`{bytes}`")]);
    }
}

#[test]
fn the_value_in_the_readme_is_encoded_so() {
    let bytes = hex(&value::encode(&[(1_u8, -1_i64)]).unwrap());
    assert!(README.contains(&format!("`{bytes}`")), "{bytes}");
}

#[test]
fn the_kinds_in_the_readme_are_numbered_so() {
    let kinds = [
        (Kind::Image, "image", "a session"),
        (Kind::Page, "page", "a page"),
        (Kind::SessionTombstone, "session-tombstone", "a session"),
        (Kind::SessionDamage, "session-damage", "a session"),
        (Kind::PageTombstone, "page-tombstone", "a page"),
        (Kind::Footer, "footer", "none: it has no entry"),
    ];
    for (kind, name, identity) in kinds {
        let mut bytes = Vec::new();
        segment_frame::write(&mut bytes, SEGMENT_PLACE, kind, &(), |_| Ok(())).unwrap();
        let in_frame = codec::read_u32(&bytes, 8).unwrap().to_string();
        let in_entry = codec::encode(&kind).unwrap()[0].to_string();
        assert_row(&[name, &in_frame, &in_entry, identity]);
    }
}

#[test]
fn the_lengths_in_the_readme_are_those_of_the_code() {
    for (what, bytes) in [
        ("before the payload of a seal", codec::SEAL_BYTES),
        ("a journal header", header::JOURNAL_HEADER_BYTES),
        ("a segment header", header::SEGMENT_HEADER_BYTES),
        (
            "before the payload of a journal frame",
            journal_frame::HEAD_BYTES,
        ),
        (
            "before the payload of a segment frame",
            segment_frame::HEAD_BYTES,
        ),
        ("frames begin at multiples of", codec::ALIGNMENT),
        ("a page should have at most", TARGET_BYTES),
        ("a key has at most", limits::MAX_KEY_BYTES),
        ("a stored value has at most", limits::MAX_VALUE_BYTES),
        (
            "a transaction has at most, about",
            limits::MAX_TRANSACTION_BYTES,
        ),
    ] {
        assert_row(&[what, &bytes.to_string()]);
    }
    assert!(README.contains(&format!("This is version {}.", codec::VERSION)));
    let depth = limits::MAX_VALUE_DEPTH;
    assert!(README.contains(&format!("most {depth} deep")));
}

#[test]
fn the_magics_in_the_readme_are_those_of_the_code() {
    let current = Current {
        database: DATABASE,
        index: "index-0001".to_owned(),
    };
    let mark = CleanMark {
        database: DATABASE,
        batch: Batch(1),
        index_hash: 0,
        files: Vec::new(),
    };
    let journal = JournalHeader {
        database: DATABASE,
        number: JournalNumber(1),
        first: Sequence(1),
        synced_through: Sequence(0),
        previous: None,
        declaration: Declaration::default(),
    };
    let segment = SegmentHeader {
        database: DATABASE,
        number: SegmentNumber(1),
    };
    for (name, bytes) in [
        ("CURRENT ", current.encode()),
        ("CLEAN ", mark.encode()),
        ("journal-header ", journal.encode()),
        ("segment-header ", segment.encode()),
    ] {
        let magic = bytes.unwrap()[..8].to_vec();
        let magic = String::from_utf8(magic).unwrap();
        let shown = format!("= sealed(\"{magic}\") = database ");
        let is_it = |line: &str| line.starts_with(name) && line.contains(&shown);
        assert!(README.lines().any(is_it), "{name} {shown}");
    }
}
