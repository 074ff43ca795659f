//! Segment frames: one of each kind.

use super::super::page::write_body;
use super::super::segment_frame::{
    Footer, FooterEntry, Identity, ImageHead, Kind, PageHead, PageTombstone, RetiredSum,
    Retirement, SealedFile, SessionDamage, SessionTombstone,
};
use super::*;

/// A frame without a body is written as these bytes, and they are read as it.
#[track_caller]
fn frame_is_pinned<T>(kind: Kind, head: &T, text: &str)
where
    T: Serialize + DeserializeOwned + PartialEq + fmt::Debug,
{
    frame_with_body_is_pinned(kind, head, &[], text);
}

/// The same for a frame with a body.
#[track_caller]
fn frame_with_body_is_pinned<T>(kind: Kind, head: &T, body: &[u8], text: &str)
where
    T: Serialize + DeserializeOwned + PartialEq + fmt::Debug,
{
    let mut bytes = Vec::new();
    let length = segment_frame::write(&mut bytes, SEGMENT_PLACE, kind, head, |buffer| {
        buffer.extend_from_slice(body);
        Ok(())
    })
    .unwrap();
    assert_pinned(&bytes, text);
    assert_eq!(length, bytes.len());
    let bytes = pinned(text);
    let frame = segment_frame::parse(&bytes, 0, SEGMENT_PLACE).unwrap();
    assert_eq!(frame.kind, kind);
    assert_eq!(frame.length, bytes.len());
    assert_eq!(&frame.head::<T>().unwrap(), head);
    assert_eq!(hex(&bytes[frame.body..]), hex(body));
    assert_eq!(segment_frame::claimed_kind(&bytes, 0), Some(kind));
    assert_eq!(segment_frame::claimed_length(&bytes, 0), Some(bytes.len()));
}

fn body(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    write_body(&mut body, entries).unwrap();
    body
}

#[test]
fn an_image_never_changes() {
    let head = ImageHead {
        digest: DIGEST,
        sequence: Batch(5),
        record: record(),
        table: PageTable {
            pages: 1,
            next_page: PageNumber(2),
            hash: 0x1234,
            first_deadline: None,
        },
        upper: Some("m".into()),
    };
    let entry = Entry {
        key: "a",
        value: &[1, 2, 42],
        deadline: None,
    };
    frame_with_body_is_pinned(
        Kind::Image,
        &head,
        &body(&[entry]),
        "
        42 00 00 00                                     ; length 66
        16 9b 4e 13                                     ; crc
        01 00 00 00                                     ; kind 1: an image
        00 00 00 00                                     ; zero
        32 00 00 00                                     ; head_length 50
        d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 da db dc dd de df ; digest
        05                                              ; sequence 5
        07                                              ; generation 7
        fd 00 00 2a 36 fe 9c 97 17                      ; created 1700000000000000000
        fd 00 ca c4 71 fe 9c 97 17                      ; last_seen 1700000001000000000
        00                                              ; 0: the database's expiry
        00                                              ; no owner
        00                                              ; no hint_at
        02                                              ; keys 2
        14                                              ; bytes 20
        01                                              ; pages 1
        02                                              ; next_page 2
        fb 34 12                                        ; hash 4660
        00                                              ; no first_deadline
        01                                              ; with upper
        01 6d                                           ; upper `m`
        01 00 00 00                                     ; count 1
        06 00                                           ; place of an entry: 6
        01 00                                           ; key_length 1
        61                                              ; key `a`
        01 02 2a                                        ; value
        ",
    );
}

#[test]
fn a_page_never_changes() {
    let head = PageHead {
        generation: Generation(7),
        number: PageNumber(1),
        sequence: Batch(5),
        lower: "m".into(),
        upper: None,
    };
    let entry = Entry {
        key: "maple",
        value: &[1, 1, 1],
        deadline: Some(LATER),
    };
    frame_with_body_is_pinned(
        Kind::Page,
        &head,
        &body(&[entry]),
        "
        22 00 00 00                                     ; length 34
        e7 7a 05 88                                     ; crc
        02 00 00 00                                     ; kind 2: a page
        00 00 00 00                                     ; zero
        06 00 00 00                                     ; head_length 6
        07                                              ; generation 7
        01                                              ; number 1
        05                                              ; sequence 5
        01 6d                                           ; lower `m`
        00                                              ; no upper
        01 00 00 00                                     ; count 1
        06 00                                           ; place of an entry: 6
        05 80                                           ; key_length 5, with a deadline
        00 ca c4 71 fe 9c 97 17                         ; deadline 1700000001000000000
        6d 61 70 6c 65                                  ; key `maple`
        01 01 01                                        ; value
        ",
    );
}

#[test]
fn a_sessions_tombstone_never_changes() {
    frame_is_pinned(
        Kind::SessionTombstone,
        &SessionTombstone {
            digest: DIGEST,
            generation: Generation(7),
            sequence: Batch(6),
            written_in: SegmentNumber(2),
        },
        "
        17 00 00 00                                     ; length 23
        95 31 1e 8b                                     ; crc
        03 00 00 00                                     ; kind 3: a session's tombstone
        00 00 00 00                                     ; zero
        13 00 00 00                                     ; head_length 19
        d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 da db dc dd de df ; digest
        07                                              ; generation 7
        06                                              ; sequence 6
        02                                              ; written_in 2
        ",
    );
}

#[test]
fn a_pages_tombstone_never_changes() {
    frame_is_pinned(
        Kind::PageTombstone,
        &PageTombstone {
            generation: Generation(7),
            number: PageNumber(1),
            sequence: Batch(6),
            written_in: SegmentNumber(2),
        },
        "
        08 00 00 00                                     ; length 8
        48 67 09 ba                                     ; crc
        04 00 00 00                                     ; kind 4: a page's tombstone
        00 00 00 00                                     ; zero
        04 00 00 00                                     ; head_length 4
        07                                              ; generation 7
        01                                              ; number 1
        06                                              ; sequence 6
        02                                              ; written_in 2
        ",
    );
}

#[test]
fn a_sessions_damage_never_changes() {
    frame_is_pinned(
        Kind::SessionDamage,
        &SessionDamage {
            digest: DIGEST,
            generation: Generation(7),
            sequence: Batch(6),
        },
        "
        16 00 00 00                                     ; length 22
        ff b8 22 49                                     ; crc
        06 00 00 00                                     ; kind 6: a session's damage
        00 00 00 00                                     ; zero
        12 00 00 00                                     ; head_length 18
        d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 da db dc dd de df ; digest
        07                                              ; generation 7
        06                                              ; sequence 6
        ",
    );
}

#[test]
fn the_first_footer_never_changes() {
    frame_is_pinned(
        Kind::Footer,
        &Footer {
            batch: Batch(1),
            ends_batch: true,
            journal_through: Sequence(9),
            next_generation: Generation(2),
            erased_through: Timestamp(0),
            index_hash: 0,
            retired: Vec::new(),
            files: Vec::new(),
            previous: None,
            retirements: Vec::new(),
            entries: Vec::new(),
        },
        "
        0f 00 00 00                                     ; length 15
        f4 c9 79 42                                     ; crc
        05 00 00 00                                     ; kind 5: a footer
        00 00 00 00                                     ; zero
        0b 00 00 00                                     ; head_length 11
        01                                              ; batch 1
        01                                              ; it ends here
        09                                              ; journal_through 9
        02                                              ; next_generation 2
        00                                              ; erased_through 0
        00                                              ; index_hash 0
        00                                              ; retired: 0
        00                                              ; files: 0
        00                                              ; no previous
        00                                              ; retirements: 0
        00                                              ; entries: 0
        ",
    );
}

const FOOTER_OF_ALL_KINDS: &str = "
    d4 00 00 00                                     ; length 212
    3b ac a7 2c                                     ; crc
    05 00 00 00                                     ; kind 5: a footer
    00 00 00 00                                     ; zero
    d0 00 00 00                                     ; head_length 208
    06                                              ; batch 6
    01                                              ; it ends here
    fb e8 03                                        ; journal_through 1000
    08                                              ; next_generation 8
    fd 00 ca c4 71 fe 9c 97 17                      ; erased_through 1700000001000000000
    fd ef cd ab 89 67 45 23 01                      ; index_hash 0x0123456789abcdef
    01                                              ; retired: 1
    fd 00 ca c4 71 fe 9c 97 17                      ; until 1700000001000000000
    fb 2c 01                                        ; hash 300
    01                                              ; files: 1
    01                                              ; number 1
    fc b0 11 01 00                                  ; end 70064
    01                                              ; with previous
    01                                              ; segment 1
    fc 70 11 01 00                                  ; offset 70000
    3c                                              ; length 60
    01                                              ; retirements: 1
    fd 00 ca c4 71 fe 9c 97 17                      ; until 1700000001000000000
    02                                              ; digests: 2
    d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 da db dc dd de df ; digest
    e0 e1 e2 e3 e4 e5 e6 e7 e8 e9 ea eb ec ed ee ef ; digest
    06                                              ; entries: 6
    00                                              ; 0: an image
    00                                              ; 0: a session
    d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 da db dc dd de df ; digest
    07                                              ; generation 7
    06                                              ; sequence 6
    02                                              ; segment 2
    40                                              ; offset 64
    08                                              ; length 8
    01                                              ; 1: a page
    01                                              ; 1: a page
    07                                              ; generation 7
    01                                              ; number 1
    01 6d                                           ; first key `m`
    06                                              ; sequence 6
    02                                              ; segment 2
    48                                              ; offset 72
    08                                              ; length 8
    02                                              ; 2: a session's tombstone
    00                                              ; 0: a session
    d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 da db dc dd de df ; digest
    07                                              ; generation 7
    06                                              ; sequence 6
    02                                              ; segment 2
    50                                              ; offset 80
    08                                              ; length 8
    05                                              ; 5: a session's damage
    00                                              ; 0: a session
    d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 da db dc dd de df ; digest
    07                                              ; generation 7
    06                                              ; sequence 6
    02                                              ; segment 2
    58                                              ; offset 88
    08                                              ; length 8
    03                                              ; 3: a page's tombstone
    01                                              ; 1: a page
    07                                              ; generation 7
    01                                              ; number 1
    01 6d                                           ; first key `m`
    06                                              ; sequence 6
    02                                              ; segment 2
    60                                              ; offset 96
    08                                              ; length 8
    04                                              ; 4: a footer
    00                                              ; 0: a session
    e0 e1 e2 e3 e4 e5 e6 e7 e8 e9 ea eb ec ed ee ef ; digest
    07                                              ; generation 7
    06                                              ; sequence 6
    02                                              ; segment 2
    68                                              ; offset 104
    08                                              ; length 8
";

/// An entry of each kind; a footer's own entry is never written, and has a
/// number all the same.
#[test]
fn a_footer_of_all_kinds_never_changes() {
    let session = Identity::Session(DIGEST, Generation(7));
    let page = Identity::Page(Generation(7), PageNumber(1), "m".into());
    let footer = Identity::Session(OTHER_DIGEST, Generation(7));
    let kinds = [
        (Kind::Image, session.clone()),
        (Kind::Page, page.clone()),
        (Kind::SessionTombstone, session.clone()),
        (Kind::SessionDamage, session),
        (Kind::PageTombstone, page),
        (Kind::Footer, footer),
    ];
    let entries = (0..)
        .zip(kinds)
        .map(|(count, (kind, identity))| FooterEntry {
            kind,
            identity,
            sequence: Batch(6),
            location: Location {
                segment: SegmentNumber(2),
                offset: 64 + 8 * count,
                length: 8,
            },
        });
    let footer = Footer {
        batch: Batch(6),
        ends_batch: true,
        journal_through: Sequence(1000),
        next_generation: Generation(8),
        erased_through: LATER,
        index_hash: 0x0123_4567_89ab_cdef,
        retired: vec![RetiredSum {
            until: LATER,
            hash: 300,
        }],
        files: vec![SealedFile {
            number: SegmentNumber(1),
            end: 70_064,
        }],
        previous: Some(Location {
            segment: SegmentNumber(1),
            offset: 70_000,
            length: 60,
        }),
        retirements: vec![Retirement {
            until: LATER,
            digests: vec![DIGEST, OTHER_DIGEST],
        }],
        entries: entries.collect(),
    };
    frame_is_pinned(Kind::Footer, &footer, FOOTER_OF_ALL_KINDS);
}
