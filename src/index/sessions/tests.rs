//! Which of two rows of a session stays, and what is kept in memory of them.

use super::super::renewal::CopyCursor;
use super::*;
use crate::format::identity::{Generation, SegmentNumber, Timestamp};
use crate::format::record::{PageTable, SessionRecord};

const GENERATION: Generation = Generation(1);

fn session_row(sequence: u64, offset: u32, hint: Option<u64>) -> SessionRow {
    SessionRow {
        location: Location {
            segment: SegmentNumber(1),
            offset,
            length: 100,
        },
        sequence: Batch(sequence),
        content: RowContent::Whole {
            table: PageTable::default(),
            record: SessionRecord {
                generation: GENERATION,
                hint_at: hint.map(Timestamp),
                ..SessionRecord::default()
            },
        },
    }
}

#[test]
fn a_row_takes_the_place_of_an_older_one_and_of_no_newer() {
    let directory = tempfile::tempdir().unwrap();
    let index = Index::open(&directory.path().join("index"), 1 << 20).unwrap();
    let index = index.with_places(1 << 20);
    let digest = SessionDigest::from_bytes([7; 16]);
    let puts = [Index::put_session, Index::put_announced];
    for (round, put) in puts.into_iter().enumerate() {
        let sequence = 10 * (round as u64 + 1);
        let first = session_row(sequence, 64, None);
        let replaced = round > 0;
        let outcome = put(&index, &digest, &first).unwrap();
        assert_eq!(matches!(outcome, Put::Replaced(_)), replaced);
        let newer = session_row(sequence, 640, Some(7));
        let outcome = put(&index, &digest, &newer).unwrap();
        assert_eq!(outcome, Put::Replaced(first.clone()));
        let same = session_row(sequence, 640, Some(8));
        let older = session_row(sequence - 1, 6400, None);
        for refused in [same, older, first] {
            let outcome = put(&index, &digest, &refused).unwrap();
            assert_eq!(outcome, Put::Kept(newer.clone()));
            assert_eq!(index.session(&digest).unwrap(), Some(newer.clone()));
            assert_eq!(index.image_of(&digest), Some(newer.location));
        }
        assert_eq!(index.frames_in(SegmentNumber(1)), 1);
    }
}

#[test]
fn who_reads_an_old_index_tells_the_new_one_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let old = Index::open(&directory.path().join("old"), 1 << 20).unwrap();
    let old = old.with_places(1 << 20);
    let digest = |number| SessionDigest::from_bytes([number; 16]);
    let row = session_row(1, 64, None);
    for number in 0..2 {
        old.put_session(&digest(number), &row).unwrap();
    }
    let new = old
        .begin_renewal(&directory.path().join("new"), 1 << 20)
        .unwrap();
    let mut cursor = CopyCursor::default();
    while old.copy_rows(&new, &mut cursor, 1).unwrap() {}
    old.end_renewal();
    new.take_places(&old);
    assert_eq!(new.image_of(&digest(0)), Some(row.location));
    new.remove_session(&digest(0), Batch(2)).unwrap();
    assert_eq!(old.session_to_read(&digest(0)).unwrap(), Some(row.clone()));
    assert_eq!(new.image_of(&digest(0)), None);
    assert_eq!(new.session_to_read(&digest(0)).unwrap(), None);
    assert_eq!(new.image_of(&digest(1)), Some(row.location));
}
