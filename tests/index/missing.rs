//! The index directory deleted, emptied, or replaced by something else.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::directory::copy;
use crate::support::{
    builder, check, check_directory, closed, files, index_of, killed, simulated_without_index,
};

/// Spoils copies of a database that was closed, and of one that was killed.
fn spoil(what: &str, spoil: impl Fn(&Path)) {
    for kept in [closed(), killed()] {
        let copied = kept.copied();
        spoil(&index_of(copied.path()));
        check_directory(copied.path(), &kept.model, what);
    }
}

#[test]
fn without_its_directory_the_index_is_rebuilt() {
    spoil("deleted", |index| fs::remove_dir_all(index).unwrap());
}

#[test]
fn an_emptied_directory_is_filled_again() {
    spoil("emptied", |index| {
        fs::remove_dir_all(index).unwrap();
        fs::create_dir(index).unwrap();
    });
}

#[test]
fn each_file_may_be_missing() {
    let kept = killed();
    let names = files(&index_of(kept.directory.path())).len();
    assert!(names >= 2, "sled has more than one file");
    for number in 0..names {
        spoil("a file is missing", |index| {
            fs::remove_file(&files(index)[number]).unwrap();
        });
    }
}

#[test]
fn a_file_in_the_place_of_the_directory_is_replaced() {
    spoil("a file", |index| {
        fs::remove_dir_all(index).unwrap();
        fs::write(index, b"not a directory").unwrap();
    });
}

#[test]
fn a_directory_in_the_place_of_a_file_is_replaced() {
    spoil("a directory", |index| {
        let file = index.join("db");
        fs::remove_file(&file).unwrap();
        fs::create_dir_all(file.join("deeper")).unwrap();
    });
}

#[test]
fn garbage_in_the_place_of_its_files_is_replaced() {
    for length in [0, 1, 511, 4096, 1 << 20] {
        spoil("garbage", |index| {
            let mut random = fastrand::Rng::with_seed(length);
            for file in files(index) {
                let garbage: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
                fs::write(file, garbage).unwrap();
            }
        });
    }
}

#[test]
fn a_snapshot_that_a_kill_left_unfinished_is_removed() {
    spoil("an unfinished snapshot", |index| {
        fs::write(index.join("snap.0000000000000001.generating"), b"half").unwrap();
        fs::write(index.join("snap.00000000DEADBEEF.generating"), b"").unwrap();
    });
}

#[test]
fn files_that_are_not_its_own_are_no_obstacle() {
    spoil("a foreign file", |index| {
        fs::write(index.join("README"), b"hello").unwrap();
        fs::create_dir(index.join("deeper")).unwrap();
        fs::write(index.join("deeper/file"), b"hello").unwrap();
    });
    // Where the next index would be built.
    spoil("the next name is taken", |index| {
        let next = index.with_file_name("index-0002");
        fs::create_dir(&next).unwrap();
        fs::write(next.join("db"), b"garbage").unwrap();
        fs::remove_dir_all(index).unwrap();
    });
    spoil("the next name is that of a file", |index| {
        fs::write(index.with_file_name("index-0002"), b"garbage").unwrap();
        fs::remove_dir_all(index).unwrap();
    });
    spoil("the next name is that of a copy", |index| {
        copy(index, &index.with_file_name("index-0002"));
        fs::remove_file(index.join("db")).unwrap();
    });
}

#[test]
fn a_simulated_disk_that_has_lost_its_index_loses_nothing_else() {
    let (disk, model) = simulated_without_index(1);
    let db = builder().open_on(Arc::new(disk)).unwrap();
    check(&db, &model, "rebuilt");
    db.verify().unwrap();
    check(&db, &model, "verified");
}
