//! What rows take of the file, and that the largest lie in it.

use super::*;
use crate::format::identity::SegmentNumber;

const GENERATION: Generation = Generation(1);
const PAGES: usize = 12_000;

/// A key of 512 bytes, of which the first are another one's.
fn lower(number: usize) -> String {
    let spread = number.wrapping_mul(7919) % PAGES;
    format!("{spread:06}{}", "k".repeat(506))
}

fn row(number: usize) -> PageRow {
    let number = u32::try_from(number).unwrap();
    PageRow {
        location: Location {
            segment: SegmentNumber(number),
            offset: number,
            length: 4096,
        },
        sequence: Batch(1),
        number: PageNumber(number),
    }
}

fn check(index: &Index, pages: usize) {
    let found = index.pages(GENERATION, "", usize::MAX).unwrap();
    assert_eq!(found.len(), pages);
    for number in 0..pages {
        let found = index.page_row(GENERATION, &lower(number)).unwrap();
        assert_eq!(found, Some(row(number)), "{number}");
    }
}

#[test]
fn pages_with_the_longest_keys_are_found_also_after_a_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("index");
    let index = Index::open(&path, 1 << 20).unwrap();
    for number in 0..PAGES {
        let key = lower(number);
        index.put_page(GENERATION, &key, &row(number)).unwrap();
    }
    index.flush().unwrap();
    check(&index, PAGES);
    let blobs = std::fs::read_dir(path.join("blobs")).map_or(0, Iterator::count);
    assert_eq!(
        blobs, 0,
        "nothing of it lies in a file that sled never syncs"
    );
    drop(index);
    check(&Index::open(&path, 1 << 20).unwrap(), PAGES);
}

/// As checkpoints and compaction do it.
#[test]
fn rows_that_are_put_again_and_again_do_not_swell_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let index = Index::open(&directory.path().join("index"), 1 << 20).unwrap();
    for round in 1..6 {
        for number in 0..PAGES {
            let key = format!("{:06}", number.wrapping_mul(7919) % PAGES);
            let sequence = Batch(round);
            let row = row(number);
            let row = PageRow { sequence, ..row };
            index.put_page(GENERATION, &key, &row).unwrap();
        }
        index.flush().unwrap();
    }
    let each = index.disk_bytes() / PAGES as u64;
    assert!(each < 300, "{each} bytes");
}
