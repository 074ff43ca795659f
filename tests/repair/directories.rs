//! The old directory is only read, and the new one is new.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sessiondb::{Database, Error};

use crate::scene::{Scene, by_hand};

/// Every file below a directory, with its bytes.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.insert(path.clone(), Vec::new());
            files.extend(contents(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    files
}

fn set_mode(directory: &Path, mode: u32) {
    let permissions = fs::Permissions::from_mode(mode);
    fs::set_permissions(directory, permissions).unwrap();
}

#[test]
fn the_old_directory_is_the_same_byte_for_byte_after_it() {
    for scene in [Scene::killed(), Scene::closed()] {
        let places = scene.places("segments", b"large-1");
        scene.flip(&places[0].0, places[0].1);
        let before = contents(&scene.old());
        scene.repair();
        assert!(contents(&scene.old()) == before);
    }
}

#[test]
fn a_directory_that_cannot_be_written_to_is_repaired() {
    let scene = Scene::killed();
    fs::remove_file(scene.old().join("LOCK")).unwrap();
    for directory in ["", "segments", "journal"] {
        set_mode(&scene.old().join(directory), 0o500);
    }
    let outcome = scene.assert_honest();
    for directory in ["", "segments", "journal"] {
        set_mode(&scene.old().join(directory), 0o700);
    }
    assert_eq!(outcome.losses, []);
}

#[test]
fn a_directory_that_is_open_is_locked() {
    let scene = Scene::closed();
    let db = by_hand(&scene.clock).open(scene.old()).unwrap();
    let outcome = Database::repair(scene.old(), scene.new_directory());
    assert!(matches!(outcome, Err(Error::Locked { .. })), "{outcome:?}");
    db.close().unwrap();
    Database::repair(scene.old(), scene.new_directory()).unwrap();
}

#[test]
fn a_directory_that_holds_anything_is_refused_and_left_alone() {
    let scene = Scene::closed();
    let new = scene.new_directory();
    fs::create_dir(&new).unwrap();
    fs::write(new.join("file"), b"kept").unwrap();
    let outcome = Database::repair(scene.old(), &new);
    assert!(matches!(outcome, Err(Error::Io { .. })), "{outcome:?}");
    assert_eq!(contents(&new).len(), 1);
    fs::remove_file(new.join("file")).unwrap();
    Database::repair(scene.old(), &new).unwrap();
}

#[test]
fn a_directory_within_the_old_one_is_refused() {
    let scene = Scene::closed();
    let before = contents(&scene.old());
    for new in [
        scene.old().join("new"),
        scene.old().join("a/b"),
        scene.old().join("../missing/../old/new"),
        scene.old(),
    ] {
        let outcome = Database::repair(scene.old(), new);
        assert!(matches!(outcome, Err(Error::Io { .. })), "{outcome:?}");
    }
    assert!(contents(&scene.old()) == before);
}

#[test]
fn what_is_no_directory_is_told() {
    let scene = Scene::closed();
    let file = scene.old().join("CURRENT");
    let outcome = Database::repair(&file, scene.new_directory());
    assert!(
        matches!(outcome, Err(Error::NotADirectory { .. })),
        "{outcome:?}"
    );
    let missing = scene.old().join("../missing");
    let outcome = Database::repair(missing, scene.new_directory());
    assert!(matches!(outcome, Err(Error::Io { .. })), "{outcome:?}");
}
