//! Rows of the index: what their hashes cover, and how their keys sort.

use proptest::prelude::*;

use super::super::record::{PageRow, RowContent, SessionRow, page_key, split_page_key};
use super::strategies;
use super::*;

fn whole(record: SessionRecord) -> SessionRow {
    SessionRow {
        location: Location {
            segment: SegmentNumber(2),
            offset: 64,
            length: 300,
        },
        sequence: Batch(5),
        content: RowContent::Whole {
            table: PageTable {
                pages: 1,
                next_page: PageNumber(2),
                hash: 3,
                first_deadline: None,
            },
            record,
        },
    }
}

fn hash(row: &SessionRow) -> u64 {
    row.hash(DIGEST).unwrap()
}

#[test]
fn the_purges_hint_is_not_in_the_hash_of_a_session_row() {
    let hinted = |hint_at| {
        whole(SessionRecord {
            hint_at,
            ..record()
        })
    };
    let row = hinted(None);
    for hint_at in [Some(Timestamp(0)), Some(THEN), Some(LATER)] {
        assert_ne!(hinted(hint_at), row);
        assert_eq!(hash(&hinted(hint_at)), hash(&row));
    }
}

/// The row with one thing changed, for each thing that there is.
fn changed_records() -> Vec<SessionRecord> {
    let record = record();
    vec![
        SessionRecord {
            generation: Generation(8),
            ..record.clone()
        },
        SessionRecord {
            created: LATER,
            ..record.clone()
        },
        SessionRecord {
            last_seen: THEN,
            ..record.clone()
        },
        SessionRecord {
            expiry: ExpiryOverride::Idle(0),
            ..record.clone()
        },
        SessionRecord {
            expiry: ExpiryOverride::At(LATER),
            ..record.clone()
        },
        SessionRecord {
            expiry: ExpiryOverride::BrowserSession,
            ..record.clone()
        },
        SessionRecord {
            owner: Some("".into()),
            ..record.clone()
        },
        SessionRecord {
            owner: Some("user:42".into()),
            ..record.clone()
        },
        SessionRecord {
            keys: 3,
            ..record.clone()
        },
        SessionRecord {
            bytes: 21,
            ..record
        },
    ]
}

/// Compaction moves frames.
#[test]
fn the_place_is_not_in_the_hash_of_a_row() {
    let row = whole(record());
    let page = |location| PageRow {
        location,
        sequence: Batch(5),
        number: PageNumber(1),
    };
    let page_hash = |location| page(location).hash(b"key").unwrap();
    for (segment, offset, length) in [(3, 64, 300), (2, 72, 300), (2, 64, 301)] {
        let location = Location {
            segment: SegmentNumber(segment),
            offset,
            length,
        };
        assert_ne!(location, row.location);
        let moved = SessionRow {
            location,
            ..row.clone()
        };
        assert_eq!(hash(&moved), hash(&row));
        assert_eq!(page_hash(location), page_hash(row.location));
    }
}

#[test]
fn everything_else_is_in_the_hash_of_a_session_row() {
    let row = whole(record());
    let mut rows: Vec<SessionRow> = changed_records().into_iter().map(whole).collect();
    let tables = [
        (2, 2, 3, None),
        (1, 3, 3, None),
        (1, 2, 4, None),
        (1, 2, 3, Some(LATER)),
    ];
    let tables = tables.map(|(pages, next_page, hash, first_deadline)| SessionRow {
        content: RowContent::Whole {
            table: PageTable {
                pages,
                next_page: PageNumber(next_page),
                hash,
                first_deadline,
            },
            record: record(),
        },
        ..row.clone()
    });
    rows.extend(tables);
    rows.push(SessionRow {
        sequence: Batch(6),
        ..row.clone()
    });
    rows.extend([7, 8].map(|generation| SessionRow {
        content: RowContent::Damaged {
            generation: Generation(generation),
        },
        ..row.clone()
    }));
    rows.push(row);
    let mut hashes: Vec<u64> = rows.iter().map(hash).collect();
    let count = hashes.len();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), count, "each row has a hash of its own");
}

#[test]
fn the_key_is_in_the_hash_of_a_row() {
    let row = whole(record());
    assert_ne!(row.hash(OTHER_DIGEST).unwrap(), hash(&row));
    let page = PageRow {
        location: row.location,
        sequence: Batch(5),
        number: PageNumber(1),
    };
    let hash = |generation, first_key| page.hash(&page_key(Generation(generation), first_key));
    assert_ne!(hash(7, "m"), hash(7, "n"));
    assert_ne!(hash(7, "m"), hash(8, "m"));
    assert_ne!(hash(7, "m"), hash(7, ""));
}

/// Key and row are the same bytes one behind the other, cut at another place.
#[test]
fn the_length_of_the_key_is_in_the_hash_of_a_row() {
    let row = |sequence| PageRow {
        location: Location::default(),
        sequence: Batch(sequence),
        number: PageNumber(2),
    };
    let (short, long) = (row(2), row(2 << 24));
    let whole = |key: &[u8], row: &PageRow| [key, &row.encode().unwrap()].concat();
    let (short_key, long_key) = ([1], [1, 0, 0, 0, 252]);
    assert_eq!(whole(&long_key, &short), whole(&short_key, &long));
    let hashes = (
        short.hash(&long_key).unwrap(),
        long.hash(&short_key).unwrap(),
    );
    assert_ne!(hashes.0, hashes.1);
}

#[test]
fn everything_else_is_in_the_hash_of_a_page_row() {
    let hash = |sequence, number| {
        let row = PageRow {
            location: Location::default(),
            sequence: Batch(sequence),
            number: PageNumber(number),
        };
        row.hash(b"key").unwrap()
    };
    let hashes = [hash(5, 9), hash(6, 9), hash(5, 8)];
    for (index, hash) in hashes.iter().enumerate() {
        assert!(!hashes[..index].contains(hash));
    }
}

#[test]
fn a_row_names_the_generation_of_its_session() {
    let row = whole(record());
    assert_eq!(row.generation(), Generation(7));
    let damaged = SessionRow {
        content: RowContent::Damaged {
            generation: Generation(9),
        },
        ..row
    };
    assert_eq!(damaged.generation(), Generation(9));
}

#[test]
fn what_is_no_page_key_is_refused() {
    assert_eq!(split_page_key(&[0; 7]), None);
    assert_eq!(split_page_key(&[0; 8]), Some((Generation(0), "")));
    assert_eq!(split_page_key(&[0, 0, 0, 0, 0, 0, 0, 1, 0xff]), None);
}

proptest! {
    #[test]
    fn page_keys_sort_by_generation_and_then_by_first_key(
        one in (strategies::number(), ".{0,4}"),
        other in (strategies::number(), ".{0,4}"),
        same_generation in any::<bool>(),
    ) {
        let other = if same_generation { (one.0, other.1) } else { other };
        let key = |(generation, first_key): &(u64, String)| {
            page_key(Generation(*generation), first_key)
        };
        prop_assert_eq!(key(&one).cmp(&key(&other)), one.cmp(&other));
    }

    #[test]
    fn hints_never_change_a_hash(
        mut row in strategies::session_row(),
        digest in strategies::digest(),
        hint in proptest::option::of(strategies::time()),
    ) {
        let before = row.hash(digest).unwrap();
        if let RowContent::Whole { record, .. } = &mut row.content {
            record.hint_at = hint;
        }
        prop_assert_eq!(row.hash(digest).unwrap(), before);
    }

    #[test]
    fn two_rows_of_one_hash_are_one_row(
        one in strategies::session_row(),
        other in strategies::session_row(),
        digest in strategies::digest(),
    ) {
        let bare = |row: &SessionRow| {
            let mut row = row.clone();
            if let RowContent::Whole { record, .. } = &mut row.content {
                record.hint_at = None;
            }
            row
        };
        let same = one.hash(digest).unwrap() == other.hash(digest).unwrap();
        prop_assert_eq!(same, bare(&one) == bare(&other));
    }
}
