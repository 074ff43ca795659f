//! The index of another database, or of this one at another time.

use std::fs;
use std::path::Path;

use crate::directory::copy;
use crate::support::{Kept, builder, check, check_directory, closed, fill, index_of, killed, open};

fn replace_index(directory: &Path, from: &Path) {
    let target = index_of(directory);
    fs::remove_dir_all(&target).unwrap();
    copy(from, &target);
}

/// The same database, some batches later: with more sessions, and with fewer.
fn later(kept: &Kept, batches: usize) -> Kept {
    let directory = kept.copied();
    let db = open(directory.path());
    let mut model = kept.model.clone();
    for batch in 0..batches {
        model.extend(fill(&db));
        for (id, expected) in &mut model {
            let session = db.open_session(id).unwrap();
            if let (Some(session), Some(expected)) = (session, expected.as_mut()) {
                session.set("batch", &batch.to_string()).unwrap();
                expected.insert("batch".into(), batch.to_string());
            }
        }
        db.checkpoint().unwrap();
    }
    let gone = model.iter_mut().find(|(_, expected)| expected.is_some());
    let (id, expected) = gone.unwrap();
    db.open_session(id).unwrap().unwrap().destroy().unwrap();
    *expected = None;
    db.close().unwrap();
    Kept { directory, model }
}

#[test]
fn an_older_copy_is_caught_up_with() {
    let kept = closed();
    // Fewer and more batches than lie between two watermarks.
    for batches in [1, 4] {
        let later = later(&kept, batches);
        for clean in [false, true] {
            let copied = later.copied();
            replace_index(copied.path(), &index_of(kept.directory.path()));
            if !clean {
                fs::remove_file(copied.path().join("CLEAN")).unwrap();
            }
            let what = format!("{batches} batches, clean: {clean}");
            check_directory(copied.path(), &later.model, &what);
        }
    }
}

#[test]
fn a_newer_copy_is_not_believed() {
    let kept = killed();
    let later = later(&kept, 2);
    let copied = kept.copied();
    replace_index(copied.path(), &index_of(later.directory.path()));
    check_directory(copied.path(), &kept.model, "a newer index");
}

#[test]
fn the_index_of_another_database_is_not_believed() {
    let (kept, other) = (killed(), killed());
    let copied = kept.copied();
    replace_index(copied.path(), &index_of(other.directory.path()));
    check_directory(copied.path(), &kept.model, "another database");
}

#[test]
fn an_index_without_rows_is_not_believed() {
    let empty = tempfile::tempdir().unwrap();
    open(empty.path()).close().unwrap();
    let kept = killed();
    let copied = kept.copied();
    replace_index(copied.path(), &index_of(empty.path()));
    check_directory(copied.path(), &kept.model, "an index without rows");
}

#[test]
fn an_index_of_two_times_mixed_is_not_believed() {
    let kept = closed();
    let later = later(&kept, 2);
    let copied = later.copied();
    let (old, new) = (index_of(kept.directory.path()), index_of(copied.path()));
    for entry in fs::read_dir(&old).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != "db" && entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), new.join(entry.file_name())).unwrap();
        }
    }
    let db = builder().open(copied.path()).unwrap();
    check(&db, &later.model, "mixed");
    db.verify().unwrap();
}
