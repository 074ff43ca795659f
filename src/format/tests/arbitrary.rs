//! Any bytes are decoded or are an error, and nothing else happens: also
//! behind a checksum that is right.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::page::Fences;
use super::super::record::{PageRow, SessionRow, split_page_key};
use super::super::segment_frame::{
    Footer, ImageHead, Kind, PageHead, PageTombstone, SegmentFrame, SessionDamage, SessionTombstone,
};
use super::super::value;
use super::samples::samples;
use super::*;

/// Bytes of any kind, and bytes that are small numbers.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..200),
        vec(0..8_u8, 0..100),
        vec(prop_oneof![0..4_u8, 250..=255_u8], 0..60),
    ]
}

/// Decodes an encoded structure; what it decodes as is written and read alike.
fn read<T>(bytes: &[u8])
where
    T: Serialize + DeserializeOwned + PartialEq + fmt::Debug,
{
    if let Ok(value) = codec::decode::<T>(bytes, "it does not decode") {
        let written = codec::encode(&value).unwrap();
        assert!(written.len() <= bytes.len());
        let again = codec::decode::<T>(&written, "it does not decode");
        assert_eq!(again, Ok(value));
    }
}

fn read_structures(bytes: &[u8]) {
    read::<Current>(bytes);
    read::<CleanMark>(bytes);
    read::<JournalHeader>(bytes);
    read::<SegmentHeader>(bytes);
    read::<SessionRow>(bytes);
    read::<PageRow>(bytes);
    read::<ImageHead>(bytes);
    read::<PageHead>(bytes);
    read::<SessionTombstone>(bytes);
    read::<PageTombstone>(bytes);
    read::<SessionDamage>(bytes);
    read::<Footer>(bytes);
    if let Ok(payload) = Payload::decode(bytes) {
        let mut written = Vec::new();
        payload.encode_into(&mut written).unwrap();
        assert_eq!(Payload::decode(&written), Ok(payload));
    }
}

fn read_sealed(bytes: &[u8]) {
    let _ = Current::decode(bytes);
    let _ = CleanMark::decode(bytes);
    let _ = JournalHeader::decode(bytes);
    let _ = SegmentHeader::decode(bytes);
}

fn read_heads(frame: &SegmentFrame<'_>) {
    let _ = frame.head::<ImageHead>();
    let _ = frame.head::<PageHead>();
    let _ = frame.head::<SessionTombstone>();
    let _ = frame.head::<PageTombstone>();
    let _ = frame.head::<SessionDamage>();
    let _ = frame.head::<Footer>();
}

fn read_page(bytes: &[u8], body: usize) -> Option<Page> {
    let fences = Fences {
        lower: "".into(),
        upper: None,
    };
    let page = Page::parse(Arc::from(bytes), body, fences).ok()?;
    for index in 0..page.len() {
        let entry = entry_of(&page, index).unwrap();
        assert_eq!(page.search(entry.key), Ok(index));
    }
    Some(page)
}

/// Bytes that a serializer passes on as they are.
struct AsTheyAre<'a>(&'a [u8]);

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

proptest! {
    #[test]
    fn any_bytes_as_a_structure(bytes in bytes()) {
        read_structures(&bytes);
    }

    #[test]
    fn any_bytes_as_a_sealed_file(bytes in bytes()) {
        read_sealed(&bytes);
        for magic in [*b"sdbCURRE", *b"sdbCLEAN", *b"sdbJOURN", *b"sdbSEGME"] {
            read_sealed(&[magic.as_slice(), &bytes].concat());
            read_sealed(&codec::seal(magic, &AsTheyAre(&bytes)).unwrap());
        }
    }

    #[test]
    fn any_bytes_as_a_journal_frame(bytes in bytes(), offset in 0..300_usize) {
        for offset in [0, offset, usize::MAX - offset] {
            let _ = journal_frame::parse(&bytes, offset, JOURNAL_PLACE);
            let _ = journal_frame::peek_sequence(&bytes, offset);
        }
    }

    #[test]
    fn any_bytes_as_a_segment_frame(bytes in bytes(), offset in 0..300_usize) {
        for offset in [0, offset, usize::MAX - offset] {
            if let Some(frame) = segment_frame::parse(&bytes, offset, SEGMENT_PLACE) {
                read_heads(&frame);
            }
            let _ = segment_frame::claimed_kind(&bytes, offset);
            let _ = segment_frame::claimed_length(&bytes, offset);
        }
    }

    #[test]
    fn any_bytes_as_the_head_of_a_frame(payload in bytes(), body in 0..300_usize) {
        for body in [body, usize::MAX - body] {
            let length = payload.len() + segment_frame::HEAD_BYTES;
            read_heads(&SegmentFrame { kind: Kind::Image, payload: &payload, body, length });
        }
        let mut bytes = Vec::new();
        segment_frame::write(&mut bytes, SEGMENT_PLACE, Kind::Image, &AsTheyAre(&payload), |_| Ok(()))
            .unwrap();
        let frame = segment_frame::parse(&bytes, 0, SEGMENT_PLACE).unwrap();
        prop_assert_eq!(frame.length, frame.body);
        read_heads(&frame);
    }

    #[test]
    fn any_bytes_as_a_page(bytes in bytes(), count in 0..4_u32, body in 0..300_usize) {
        for body in [0, body, usize::MAX - body] {
            read_page(&bytes, body);
        }
        let counted = [&count.to_le_bytes()[..], &bytes].concat();
        read_page(&counted, 0);
    }

    /// Pages that are nearly right.
    #[test]
    fn a_page_with_changed_bytes(
        changes in vec((any::<prop::sample::Index>(), prop_oneof![0..9_u8, any::<u8>()]), 1..5),
    ) {
        for sample in samples() {
            if sample.name == "the body of a page" {
                let mut bytes = sample.bytes;
                for (place, byte) in &changes {
                    let place = place.index(bytes.len());
                    bytes[place] = *byte;
                }
                read_page(&bytes, 0);
            }
        }
    }

    #[test]
    fn valid_bytes_of_another_kind(
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        for sample in samples() {
            let mut bytes = sample.bytes;
            for (place, byte) in &changes {
                let place = place.index(bytes.len());
                bytes[place] = *byte;
            }
            read_structures(&bytes);
            read_sealed(&bytes);
            read_page(&bytes, 0);
            for other in samples() {
                let _ = (other.read)(&bytes);
            }
        }
    }

    #[test]
    fn any_bytes_as_a_page_key(bytes in bytes()) {
        if let Some((generation, first_key)) = split_page_key(&bytes) {
            prop_assert_eq!(super::super::record::page_key(generation, first_key), bytes);
        }
    }

    #[test]
    fn any_bytes_as_a_stored_value(bytes in bytes()) {
        let raw = value::raw(&bytes).map(<[u8]>::to_vec);
        let typed = value::decode::<serde_json::Value>(&bytes);
        prop_assert!(raw.is_err() || typed.is_err());
        if let Ok(raw) = raw {
            prop_assert_eq!(value::encode_raw(&raw), bytes);
        }
    }
}
