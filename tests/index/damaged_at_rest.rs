//! The files of the index cut short and flipped, each in a fresh copy. sled
//! may panic or serve other rows: neither may be seen from outside. Every byte
//! is flipped in `tests/bit_rot`.

use std::fs;
use std::path::Path;

use sessiondb::Database;

use crate::support::{builder, check, check_directory, closed, files, index_of, killed};

/// At how many places a file is cut; more where there is time.
fn places() -> usize {
    let places = std::env::var("SESSIONDB_INDEX_PLACES").ok();
    places.and_then(|places| places.parse().ok()).unwrap_or(8)
}

/// The offset of a place, spread over a file; the odd ones close to its ends,
/// where the heads of sled's structures are.
fn offset(length: usize, place: usize) -> usize {
    let count = places().max(2);
    match place % 4 {
        1 => place.min(length),
        3 => length.saturating_sub(place),
        _ => place * length / count,
    }
}

fn cut(file: &Path, place: usize) {
    let bytes = fs::read(file).unwrap();
    let length = offset(bytes.len(), place);
    fs::write(file, &bytes[..length]).unwrap();
}

fn flip(file: &Path, place: usize) {
    let mut bytes = fs::read(file).unwrap();
    let length = bytes.len();
    if length > 0 {
        bytes[offset(length, place).min(length - 1)] ^= 1 << (place % 8);
    }
    fs::write(file, bytes).unwrap();
}

#[test]
fn whatever_is_cut_off_all_data_is_there() {
    let kept = killed();
    let count = files(&index_of(kept.directory.path())).len();
    for number in 0..count {
        for place in 0..places() {
            let copied = kept.copied();
            let file = &files(&index_of(copied.path()))[number];
            cut(file, place);
            let what = format!("file {}, place {place}", file.display());
            let db = builder().open(copied.path());
            let db = db.unwrap_or_else(|error| panic!("{what}: {error}"));
            check(&db, &kept.model, &what);
            db.verify()
                .unwrap_or_else(|error| panic!("{what}: {error}"));
        }
    }
}

#[test]
fn with_the_mark_of_a_clean_stop_damage_is_noticed_as_well() {
    let kept = closed();
    for place in [1, 6] {
        for spoil in [cut, flip] {
            let copied = kept.copied();
            for file in files(&index_of(copied.path())) {
                spoil(&file, place);
            }
            check_directory(copied.path(), &kept.model, &format!("place {place}"));
        }
    }
}

#[test]
fn damage_of_the_index_is_never_an_error_of_the_default_open() {
    // With a background of its own, as a server opens it.
    let kept = killed();
    let copied = kept.copied();
    for file in files(&index_of(copied.path())) {
        flip(&file, 2);
    }
    let db = Database::open(copied.path()).unwrap();
    check(&db, &kept.model, "the default open");
    db.verify().unwrap();
}
