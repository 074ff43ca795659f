//! What says whose files these are, and where the index is, is not needed.

use std::fs;

use sessiondb::{Database, Error};

use crate::scene::Scene;

fn nothing_is_lost(scene: &Scene) {
    let outcome = scene.assert_honest();
    assert_eq!(outcome.losses, []);
    outcome.assert_all_but(scene, &[]);
}

#[test]
fn nothing_is_lost_without_current() {
    let scene = Scene::killed();
    fs::remove_file(scene.old().join("CURRENT")).unwrap();
    nothing_is_lost(&scene);
}

#[test]
fn nothing_is_lost_with_a_current_that_is_damaged() {
    let scene = Scene::killed();
    scene.flip("CURRENT", 30);
    nothing_is_lost(&scene);
}

#[test]
fn nothing_is_lost_without_an_index() {
    for scene in [Scene::killed(), Scene::closed()] {
        fs::remove_dir_all(scene.old().join("index-0001")).unwrap();
        nothing_is_lost(&scene);
    }
}

#[test]
fn nothing_is_lost_with_a_mark_that_is_damaged() {
    let scene = Scene::closed();
    scene.flip("CLEAN", 30);
    nothing_is_lost(&scene);
}

#[test]
fn a_damaged_header_of_any_segment_file_loses_nothing() {
    let scene = Scene::killed();
    for name in scene.names("segments") {
        scene.flip(&name, 20);
    }
    nothing_is_lost(&scene);
}

#[test]
fn a_directory_of_something_else_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (directory.path().join("old"), directory.path().join("new"));
    fs::create_dir_all(old.join("segments")).unwrap();
    fs::write(old.join("segments/000001.seg"), [7; 100]).unwrap();
    let outcome = Database::repair(old, new);
    assert!(
        matches!(outcome, Err(Error::Corrupted { .. })),
        "{outcome:?}"
    );
}
