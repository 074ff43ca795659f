//! Erasure that somebody asks for.

use std::time::Duration;

use crate::places::{Place, Scene};
use crate::support::{BALLAST, assert_erased, by_hand, clock};

#[test]
fn what_was_never_removed_has_no_age() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let db = by_hand(&clock).open(directory.path()).unwrap();
    assert_eq!(db.stats().erasure_age, None);
    db.create_session().set("key", "value").unwrap();
    clock.advance(Duration::from_secs(5));
    assert_eq!(db.stats().erasure_age, None);
    assert_erased(directory.path(), "something else", "");
}

#[test]
fn nothing_is_ever_written_to_the_ballast() {
    let scene = Scene::new(Place::Page);
    let path = scene.path().join(BALLAST);
    scene.session.delete("marked-key").unwrap();
    scene.db.erase().unwrap();
    let bytes = std::fs::read(path).unwrap();
    assert!(bytes.len() > 1 << 20);
    assert!(bytes.iter().all(|byte| *byte == 0));
}
