//! A clean stop leaves the mark `CLEAN`, which saves the next open the look at
//! all rows. It is removed before the index is opened, and believed only when
//! every byte of the index is as it says.

use std::fs;

use crate::directory::copy;
use crate::support::{check_directory, closed, fill, index_of, open};

#[test]
fn a_clean_stop_leaves_a_mark_that_open_removes() {
    let kept = closed();
    let mark = kept.directory.path().join("CLEAN");
    assert!(mark.exists(), "a clean stop leaves a mark");
    let db = open(kept.directory.path());
    assert!(!mark.exists(), "open removes it");
    db.close().unwrap();
    assert!(mark.exists(), "and the next clean stop leaves another");
}

#[test]
fn a_drop_leaves_a_mark_as_close_does() {
    let kept = closed();
    let db = open(kept.directory.path());
    let session = db.create_session();
    session.set("user", "ada").unwrap();
    drop((session, db));
    assert!(kept.directory.path().join("CLEAN").exists());
}

#[test]
fn a_mark_with_an_older_index_is_not_believed() {
    let kept = closed();
    let copied = kept.copied();
    let db = open(copied.path());
    let mut model = kept.model.clone();
    model.extend(fill(&db));
    db.close().unwrap();
    // Mark and index belong together, and are both of another time.
    let index = index_of(copied.path());
    fs::remove_dir_all(&index).unwrap();
    copy(&index_of(kept.directory.path()), &index);
    fs::copy(
        kept.directory.path().join("CLEAN"),
        copied.path().join("CLEAN"),
    )
    .unwrap();
    check_directory(copied.path(), &model, "a stale mark and its index");
}

#[test]
fn a_stale_mark_alone_is_not_believed() {
    let kept = closed();
    let copied = kept.copied();
    let db = open(copied.path());
    let mut model = kept.model.clone();
    model.extend(fill(&db));
    db.close().unwrap();
    fs::copy(
        kept.directory.path().join("CLEAN"),
        copied.path().join("CLEAN"),
    )
    .unwrap();
    check_directory(copied.path(), &model, "a stale mark");
}

#[test]
fn a_damaged_mark_is_no_obstacle() {
    let kept = closed();
    let whole = fs::read(kept.directory.path().join("CLEAN")).unwrap();
    for place in 0..6 {
        let copied = kept.copied();
        let mut damaged = whole.clone();
        let offset = place * whole.len() / 6;
        if place % 2 == 0 {
            damaged[offset] ^= 4;
        } else {
            damaged.truncate(offset);
        }
        fs::write(copied.path().join("CLEAN"), damaged).unwrap();
        check_directory(copied.path(), &kept.model, &format!("place {place}"));
    }
}

#[test]
fn a_mark_without_its_index_is_no_obstacle() {
    let kept = closed();
    let copied = kept.copied();
    fs::remove_dir_all(index_of(copied.path())).unwrap();
    check_directory(copied.path(), &kept.model, "a mark and no index");
}
