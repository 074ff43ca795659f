//! Any bytes are decoded or are an error, and nothing else happens: also
//! behind a checksum that is right.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::any_bytes::{AsTheyAre, DECODERS, heads, page_within};
use super::super::derived_rows::encode_members;
use super::super::page::Fences;
use super::super::segment_frame::{Kind, SegmentFrame};
use super::super::value;
use super::samples::{Sample, samples};
use super::*;

/// Bytes of any kind, and bytes that are small numbers.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..200),
        vec(0..8_u8, 0..100),
        vec(prop_oneof![0..4_u8, 250..=255_u8], 0..60),
    ]
}

/// Decodes with every decoder, the wrong ones too; tells which could.
fn read(bytes: &[u8]) -> Vec<&'static str> {
    let able = DECODERS.iter().filter(|(_, decode)| decode(bytes));
    able.map(|(name, _)| *name).collect()
}

fn read_page(bytes: &[u8], body: usize) {
    let every = Fences {
        lower: "".into(),
        upper: None,
    };
    page_within(bytes, body, every);
}

proptest! {
    #[test]
    fn any_bytes_as_anything(bytes in bytes()) {
        read(&bytes);
    }

    #[test]
    fn any_bytes_behind_the_magic_of_a_seal(bytes in bytes()) {
        for magic in [b"sdbCURRE", b"sdbCLEAN", b"sdbJOURN", b"sdbSEGME"] {
            read(&[magic.as_slice(), &bytes].concat());
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
                heads(&frame);
            }
            let _ = segment_frame::claimed_kind(&bytes, offset);
            let _ = segment_frame::claimed_length(&bytes, offset);
        }
    }

    #[test]
    fn any_bytes_as_the_head_of_a_frame(payload in bytes(), body in 0..300_usize) {
        for body in [body, usize::MAX - body] {
            let length = payload.len() + segment_frame::HEAD_BYTES;
            heads(&SegmentFrame { kind: Kind::Image, payload: &payload, body, length });
        }
        let mut bytes = Vec::new();
        segment_frame::write(&mut bytes, SEGMENT_PLACE, Kind::Image, &AsTheyAre(&payload), |_| Ok(()))
            .unwrap();
        let frame = segment_frame::parse(&bytes, 0, SEGMENT_PLACE).unwrap();
        prop_assert_eq!(frame.length, frame.body);
        heads(&frame);
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
            read(&bytes);
            for other in samples() {
                let _ = (other.read)(&bytes);
            }
        }
    }
}

/// A sample; and, if it is a frame, its payload and the head of that.
fn parts(sample: &Sample) -> [&[u8]; 4] {
    let guarded = sample.guarded.unwrap_or(sample.bytes.len());
    let bytes = &sample.bytes[..guarded];
    let behind = |head: usize| bytes.get(head..).unwrap_or_default();
    let payload = behind(segment_frame::HEAD_BYTES);
    let length = codec::read_u32(payload, 0).unwrap_or(0) as usize;
    let head = payload.get(4..).and_then(|rest| rest.get(..length));
    let journal = behind(journal_frame::HEAD_BYTES);
    [bytes, journal, payload, head.unwrap_or_default()]
}

/// None of the decoders refuses everything.
#[test]
fn every_decoder_reads_what_is_valid() {
    let samples = samples();
    let mut valid: Vec<Vec<u8>> = samples.iter().flat_map(parts).map(Vec::from).collect();
    valid.push(encode_members(&[DIGEST, OTHER_DIGEST]));
    valid.push(DIGEST.to_bytes().to_vec());
    valid.push(value::encode(&42).unwrap());
    let mut unread: Vec<_> = DECODERS.iter().map(|(name, _)| *name).collect();
    for bytes in valid {
        let able = read(&bytes);
        unread.retain(|name| !able.contains(name));
    }
    assert_eq!(unread, Vec::<&str>::new());
}
