//! What is written is read again, whatever it is.

use proptest::prelude::*;

use super::super::page::{Fences, write_body};
use super::super::record::{PageRow, SessionRow, page_key, split_page_key};
use super::super::segment_frame::{Kind, PageTombstone, SessionDamage, SessionTombstone};
use super::strategies;
use super::*;

/// A frame at any place, with this head and some body.
fn frame_round_trips<T>(kind: Kind, head: &T, place: segment_frame::Place, body: &[u8])
where
    T: Serialize + DeserializeOwned + PartialEq + fmt::Debug,
{
    // Something stands before it in the buffer.
    let mut bytes = vec![7; 8];
    let length = segment_frame::write(&mut bytes, place, kind, head, |buffer| {
        buffer.extend_from_slice(body);
        Ok(())
    })
    .unwrap();
    assert_eq!(bytes.len(), 8 + length);
    let frame = segment_frame::parse(&bytes, 8, place).unwrap();
    assert_eq!((frame.kind, frame.length), (kind, length));
    assert_eq!(&frame.head::<T>().unwrap(), head);
    assert_eq!(&bytes[8 + frame.body..], body);
}

fn segment_place() -> impl Strategy<Value = segment_frame::Place> {
    let number = strategies::small_number();
    (strategies::database(), number.clone(), number).prop_map(|(database, number, offset)| {
        segment_frame::Place {
            database,
            number: SegmentNumber(number),
            offset,
        }
    })
}

proptest! {
    #[test]
    fn sealed_files_round_trip(
        current in strategies::current(),
        mark in strategies::clean_mark(),
        journal in strategies::journal_header(),
        segment in strategies::segment_header(),
    ) {
        prop_assert_eq!(Current::decode(&current.encode().unwrap()).unwrap(), current);
        prop_assert_eq!(CleanMark::decode(&mark.encode().unwrap()).unwrap(), mark);
        prop_assert_eq!(JournalHeader::decode(&journal.encode().unwrap()).unwrap(), journal);
        prop_assert_eq!(SegmentHeader::decode(&segment.encode().unwrap()).unwrap(), segment);
    }

    #[test]
    fn payloads_round_trip(owned in strategies::payload()) {
        let payload = owned.borrow();
        let mut bytes = vec![1, 2, 3];
        payload.encode_into(&mut bytes).unwrap();
        prop_assert_eq!(&bytes[..3], &[1, 2, 3]);
        prop_assert_eq!(Payload::decode(&bytes[3..]).unwrap(), payload);
    }

    #[test]
    fn journal_frames_round_trip(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 1..5),
        first in 1..u64::MAX / 2,
        ahead in 1..u64::MAX / 2,
        offset in any::<u32>(),
    ) {
        let synced_through = Sequence(first.saturating_sub(ahead));
        let place = |start: usize| journal_frame::Place {
            offset: u64::from(offset) + start as u64,
            ..JOURNAL_PLACE
        };
        let mut bytes = Vec::new();
        for (sequence, payload) in (first..).zip(&payloads) {
            let start = journal_frame::begin(&mut bytes);
            bytes.extend_from_slice(payload);
            let sequence = Sequence(sequence);
            journal_frame::finish(&mut bytes, start, place(start), sequence, synced_through).unwrap();
        }
        let mut start = 0;
        for (sequence, payload) in (first..).zip(&payloads) {
            prop_assert_eq!(start % codec::ALIGNMENT, 0);
            let frame = journal_frame::parse(&bytes, start, place(start)).unwrap();
            prop_assert_eq!(frame.sequence, Sequence(sequence));
            prop_assert_eq!(frame.synced_through, synced_through);
            prop_assert_eq!(frame.payload, payload.as_slice());
            prop_assert_eq!(frame.size, journal_frame::frame_bytes(payload.len()));
            start += frame.size;
        }
        prop_assert_eq!(start, bytes.len());
    }

    #[test]
    fn images_and_pages_round_trip(
        image in strategies::image_head(),
        page in strategies::page_head(),
        body in prop::collection::vec(any::<u8>(), 0..40),
        place in segment_place(),
    ) {
        frame_round_trips(Kind::Image, &image, place, &body);
        frame_round_trips(Kind::Page, &page, place, &body);
    }

    #[test]
    fn frames_without_a_body_round_trip(
        digest in strategies::digest(),
        numbers in (strategies::number(), strategies::number()),
        small in (strategies::small_number(), strategies::small_number()),
        footer in strategies::footer(),
        place in segment_place(),
    ) {
        let (generation, sequence) = (Generation(numbers.0), Batch(numbers.1));
        let (number, written_in) = (PageNumber(small.0), SegmentNumber(small.1));
        let gone = SessionTombstone { digest, generation, sequence, written_in };
        frame_round_trips(Kind::SessionTombstone, &gone, place, &[]);
        let page = PageTombstone { generation, number, sequence, written_in };
        frame_round_trips(Kind::PageTombstone, &page, place, &[]);
        let damage = SessionDamage { digest, generation, sequence };
        frame_round_trips(Kind::SessionDamage, &damage, place, &[]);
        frame_round_trips(Kind::Footer, &footer, place, &[]);
    }

    #[test]
    fn rows_round_trip(session in strategies::session_row(), page in strategies::page_row()) {
        prop_assert_eq!(SessionRow::decode(&session.encode().unwrap()).unwrap(), session);
        prop_assert_eq!(PageRow::decode(&page.encode().unwrap()).unwrap(), page);
    }

    #[test]
    fn page_keys_round_trip(generation in strategies::number(), first_key in ".{0,9}") {
        let key = page_key(Generation(generation), &first_key);
        prop_assert_eq!(
            split_page_key(&key),
            Some((Generation(generation), first_key.as_str()))
        );
    }

    #[test]
    fn pages_round_trip(entries in strategies::entries(), before in 0..20_usize) {
        let entries: Vec<Entry<'_>> = entries
            .iter()
            .map(|(key, value, deadline)| Entry { key, value, deadline: *deadline })
            .collect();
        let mut bytes = vec![7; before];
        write_body(&mut bytes, &entries).unwrap();
        let sizes: usize = entries.iter().map(Entry::size).sum();
        prop_assert_eq!(bytes.len(), before + 4 + sizes);
        let fences = Fences { lower: "".into(), upper: None };
        let page = Page::parse(&bytes[before..], fences).unwrap();
        prop_assert_eq!(page.len(), entries.len());
        for (index, entry) in entries.iter().enumerate() {
            prop_assert_eq!(entry_of(&page, index), Some(*entry));
            prop_assert_eq!(page.search(entry.key), Ok(index));
            let value = page.find(entry.key).map(|found| found.value);
            prop_assert_eq!(value, page.entry(index).map(|found| found.value));
        }
        prop_assert!(page.entry(entries.len()).is_none());
    }
}
