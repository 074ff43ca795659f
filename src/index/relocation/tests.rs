//! A row is moved once, from the place that was told, with all that follows
//! from it.

use super::*;
use crate::format::identity::{Batch, SegmentNumber, Timestamp};
use crate::format::record::{PageTable, RowContent, SessionRecord};
use crate::index::CopyCursor;
use crate::session_id::SessionDigest;

const DIGEST: SessionDigest = SessionDigest::from_bytes([7; 16]);

fn at(segment: u32) -> Location {
    Location {
        segment: SegmentNumber(segment),
        offset: 64,
        length: 100,
    }
}

fn row(location: Location) -> SessionRow {
    SessionRow {
        location,
        sequence: Batch(3),
        content: RowContent::Whole {
            table: PageTable::default(),
            record: SessionRecord {
                owner: Some("ada".into()),
                hint_at: Some(Timestamp(9)),
                ..SessionRecord::default()
            },
        },
    }
}

struct Scene {
    directory: tempfile::TempDir,
    index: Index,
}

impl Scene {
    /// With a row that leads to the first file.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let index = Index::open(&directory.path().join("index"), 1 << 20).unwrap();
        let index = index.with_places(1 << 20);
        index.put_session(&DIGEST, &row(at(1))).unwrap();
        Self { directory, index }
    }

    fn frames(&self) -> [u64; 3] {
        [1, 2, 3].map(|segment| self.index.frames_in(SegmentNumber(segment)))
    }
}

#[test]
fn all_but_the_place_stays_as_it_was() {
    let Scene { index, .. } = &Scene::new();
    assert!(index.relocate_session(&DIGEST, at(1), at(2)).unwrap());
    assert_eq!(index.session(&DIGEST).unwrap(), Some(row(at(2))));
    assert_eq!(index.image_of(&DIGEST), Some(at(2)));
    assert_eq!(index.owned_by("ada").unwrap(), [DIGEST]);
}

#[test]
fn a_move_that_is_told_again_counts_once() {
    let scene = Scene::new();
    for times in 0..3 {
        let moved = scene.index.relocate_session(&DIGEST, at(1), at(2));
        assert_eq!(moved.unwrap(), times == 0);
        assert_eq!(scene.frames(), [0, 1, 0]);
    }
}

#[test]
fn a_row_that_leads_elsewhere_stays() {
    let scene = Scene::new();
    let moved = scene.index.relocate_session(&DIGEST, at(3), at(2));
    assert!(!moved.unwrap());
    assert_eq!(scene.index.session(&DIGEST).unwrap(), Some(row(at(1))));
    assert_eq!(scene.frames(), [1, 0, 0]);
    assert!(scene.index.leads_to(&DIGEST, at(1)).unwrap());
    assert!(!scene.index.leads_to(&DIGEST, at(2)).unwrap());
}

#[test]
fn a_session_without_a_row_gets_none() {
    let scene = Scene::new();
    let other = SessionDigest::from_bytes([8; 16]);
    let moved = scene.index.relocate_session(&other, at(1), at(2));
    assert!(!moved.unwrap());
    assert_eq!(scene.index.session(&other).unwrap(), None);
    assert_eq!(scene.frames(), [1, 0, 0]);
}

#[test]
fn a_row_that_does_not_decode_is_trouble() {
    let Scene { index, .. } = &Scene::new();
    let key = DIGEST.to_bytes();
    index.put(&index.sessions, &key, vec![0xff; 3]).unwrap();
    index.relocate_session(&DIGEST, at(1), at(2)).unwrap_err();
    let stays = index.get(&index.sessions, &key).unwrap().unwrap();
    assert_eq!(*stays, [0xff; 3]);
}

#[test]
fn a_copy_of_the_index_hears_of_it() {
    let Scene { directory, index } = &Scene::new();
    let copy = directory.path().join("copy");
    let copy = index.begin_renewal(&copy, 1 << 20).unwrap();
    let mut cursor = CopyCursor::default();
    while index.copy_rows(&copy, &mut cursor, 100).unwrap() {}
    index.relocate_session(&DIGEST, at(1), at(2)).unwrap();
    assert_eq!(copy.session(&DIGEST).unwrap(), Some(row(at(2))));
}
