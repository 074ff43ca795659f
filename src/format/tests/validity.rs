//! What a checksum alone does not make valid: every rule for a frame, broken
//! under a checksum that is right.

use super::super::codec::Malformed;
use super::super::segment_frame::{Footer, Kind};
use super::*;

/// A journal frame with these fields, whatever they are.
fn journal_bytes(length: u32, sequence: u64, synced_through: u64, payload: &[u8]) -> Vec<u8> {
    let length = length.to_le_bytes();
    let sequence = sequence.to_le_bytes();
    let synced_through = synced_through.to_le_bytes();
    let crc = codec::checksum(&[
        &DATABASE.0,
        &JOURNAL_PLACE.number.0.to_le_bytes(),
        &JOURNAL_PLACE.offset.to_le_bytes(),
        &length,
        &sequence,
        &synced_through,
        payload,
    ]);
    [
        &length,
        &crc.to_le_bytes(),
        sequence.as_slice(),
        &synced_through,
        payload,
    ]
    .concat()
}

/// A segment frame with these fields, whatever they are.
fn segment_bytes(kind: u32, zero: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    let kind = kind.to_le_bytes();
    let crc = codec::checksum(&[
        &DATABASE.0,
        &SEGMENT_PLACE.number.0.to_le_bytes(),
        &SEGMENT_PLACE.offset.to_le_bytes(),
        &length,
        &kind,
        payload,
    ]);
    [
        &length,
        &crc.to_le_bytes(),
        &kind,
        &zero.to_le_bytes(),
        payload,
    ]
    .concat()
}

fn journal_frame_is_valid(bytes: &[u8]) -> bool {
    journal_frame::parse(bytes, 0, JOURNAL_PLACE).is_some()
}

fn segment_frame_is_valid(bytes: &[u8]) -> bool {
    segment_frame::parse(bytes, 0, SEGMENT_PLACE).is_some()
}

#[test]
fn the_checksum_is_crc_32_of_ieee() {
    assert_eq!(codec::checksum(&[b"123456789"]), 0xcbf4_3926);
    assert_eq!(codec::checksum(&[b"1234", b"", b"56789"]), 0xcbf4_3926);
    let mut running = codec::Checksum::default();
    running.update(b"12345");
    running.update(b"6789");
    assert_eq!(running.finish(), 0xcbf4_3926);
}

#[test]
fn frames_begin_at_multiples_of_eight() {
    let aligned: Vec<usize> = [0, 1, 7, 8, 9, 16].map(codec::aligned).into();
    assert_eq!(aligned, [0, 8, 8, 8, 16, 16]);
}

#[test]
fn a_journal_frame_without_payload_is_none() {
    assert!(journal_frame_is_valid(&journal_bytes(1, 2, 1, b"p")));
    assert!(!journal_frame_is_valid(&journal_bytes(0, 2, 1, b"")));
}

#[test]
fn a_journal_frame_is_synced_through_less_than_itself() {
    assert!(journal_frame_is_valid(&journal_bytes(1, 2, 0, b"p")));
    assert!(!journal_frame_is_valid(&journal_bytes(1, 2, 2, b"p")));
    assert!(!journal_frame_is_valid(&journal_bytes(1, 2, 3, b"p")));
    assert!(!journal_frame_is_valid(&journal_bytes(1, 0, 0, b"p")));
}

#[test]
fn zeros_are_no_frame() {
    assert!(!journal_frame_is_valid(&[0; 64]));
    assert!(!segment_frame_is_valid(&[0; 64]));
}

#[test]
fn a_journal_frame_is_valid_in_one_place_only() {
    let bytes = journal_bytes(1, 2, 1, b"p");
    let place = JOURNAL_PLACE;
    for elsewhere in [
        journal_frame::Place {
            database: DatabaseId([7; 16]),
            ..place
        },
        journal_frame::Place {
            number: JournalNumber(4),
            ..place
        },
        journal_frame::Place {
            offset: 264,
            ..place
        },
    ] {
        assert_eq!(journal_frame::parse(&bytes, 0, elsewhere), None);
    }
    let shifted = [&[0; 8], bytes.as_slice()].concat();
    assert!(journal_frame::parse(&shifted, 8, place).is_some());
}

#[test]
fn a_segment_frame_is_valid_in_one_place_only() {
    let bytes = segment_bytes(3, 0, &[0; 4]);
    let place = SEGMENT_PLACE;
    assert!(segment_frame_is_valid(&bytes));
    for elsewhere in [
        segment_frame::Place {
            database: DatabaseId([7; 16]),
            ..place
        },
        segment_frame::Place {
            number: SegmentNumber(3),
            ..place
        },
        segment_frame::Place {
            offset: 72,
            ..place
        },
    ] {
        assert_eq!(segment_frame::parse(&bytes, 0, elsewhere), None);
    }
    let shifted = [&[0; 8], bytes.as_slice()].concat();
    assert!(segment_frame::parse(&shifted, 8, place).is_some());
}

#[test]
fn a_segment_frame_has_one_of_seven_kinds() {
    let kinds = [
        (1, Kind::Image),
        (2, Kind::Page),
        (3, Kind::SessionTombstone),
        (4, Kind::PageTombstone),
        (5, Kind::Footer),
        (6, Kind::SessionDamage),
    ];
    for (number, kind) in kinds {
        let bytes = segment_bytes(number, 0, &[0; 4]);
        let frame = segment_frame::parse(&bytes, 0, SEGMENT_PLACE).unwrap();
        assert_eq!(frame.kind, kind);
        assert_eq!(segment_frame::claimed_kind(&bytes, 0), Some(kind));
    }
    for number in [0, 7, 256, u32::MAX] {
        let bytes = segment_bytes(number, 0, &[0; 4]);
        assert!(!segment_frame_is_valid(&bytes), "kind {number}");
        assert_eq!(segment_frame::claimed_kind(&bytes, 0), None);
    }
}

/// It is not under the checksum, so that it has to be checked itself.
#[test]
fn the_zero_of_a_segment_frame_is_zero() {
    assert!(segment_frame_is_valid(&segment_bytes(3, 0, &[0; 4])));
    for zero in [1, 1 << 31] {
        assert!(!segment_frame_is_valid(&segment_bytes(3, zero, &[0; 4])));
    }
}

#[test]
fn the_head_of_a_segment_frame_lies_within_it() {
    for length in 0..4 {
        let bytes = segment_bytes(3, 0, &[0; 4][..length]);
        assert!(!segment_frame_is_valid(&bytes), "{length} bytes");
        assert_eq!(segment_frame::claimed_length(&bytes, 0), None);
    }
    let payload = |head: u32| [&head.to_le_bytes()[..], b"head"].concat();
    for head in [0, 3, 4] {
        assert!(segment_frame_is_valid(&segment_bytes(3, 0, &payload(head))));
    }
    for head in [5, 8, u32::MAX] {
        let bytes = segment_bytes(3, 0, &payload(head));
        assert!(!segment_frame_is_valid(&bytes), "head of {head} bytes");
    }
}

#[test]
fn a_head_ends_where_it_says() {
    let footer = [1_u8, 1, 9, 2, 0, 0, 0, 0, 0, 0, 0];
    let frame = |head_length: usize| {
        let head_length = u32::try_from(head_length).unwrap().to_le_bytes();
        segment_bytes(5, 0, &[&head_length, &footer[..], &[0]].concat())
    };
    for (head_length, is_whole) in [(10, false), (11, true), (12, false)] {
        let bytes = frame(head_length);
        let frame = segment_frame::parse(&bytes, 0, SEGMENT_PLACE).unwrap();
        assert_eq!(frame.head::<Footer>().is_ok(), is_whole, "{head_length}");
    }
}

/// Sealed bytes of a version.
fn sealed_version(version: u32) -> Vec<u8> {
    let payload = codec::encode(&(DATABASE, SegmentNumber(2))).unwrap();
    let version = version.to_le_bytes();
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    let crc = codec::checksum(&[b"sdbSEGME", &version, &length, &payload]);
    [
        b"sdbSEGME".as_slice(),
        &version,
        &length,
        &crc.to_le_bytes(),
        &payload,
    ]
    .concat()
}

#[test]
fn a_newer_version_is_told_from_damage() {
    assert!(SegmentHeader::decode(&sealed_version(1)).is_ok());
    for version in [2, 3, u32::MAX] {
        assert_eq!(
            SegmentHeader::decode(&sealed_version(version)),
            Err(Malformed::Version(version))
        );
    }
    let mut damaged = sealed_version(1);
    damaged[8] = 2;
    assert!(matches!(
        SegmentHeader::decode(&damaged),
        Err(Malformed::Damaged(_))
    ));
}

#[test]
fn each_sealed_file_has_its_own_magic() {
    let segment = sealed_version(1);
    assert!(SegmentHeader::decode(&segment).is_ok());
    assert!(Current::decode(&segment).is_err());
    assert!(CleanMark::decode(&segment).is_err());
    assert!(JournalHeader::decode(&segment).is_err());
}

#[test]
fn a_number_may_be_written_longer_than_it_needs_to_be() {
    let written = codec::encode(&Generation(5)).unwrap();
    assert_eq!(written, [5]);
    for longer in [
        &[251, 5, 0][..],
        &[252, 5, 0, 0, 0],
        &[253, 5, 0, 0, 0, 0, 0, 0, 0],
    ] {
        assert_eq!(codec::decode(longer, "a number"), Ok(Generation(5)));
    }
    for wrong in [&[254; 17][..], &[255], &[251, 5]] {
        assert!(codec::decode::<Generation>(wrong, "a number").is_err());
    }
    // A segment's number has 32 bits.
    let large = codec::encode(&(1_u64 << 32)).unwrap();
    assert!(codec::decode::<SegmentNumber>(&large, "a number").is_err());
}
