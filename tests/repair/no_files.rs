//! Whatever has the name of a file and is none counts as a file of which
//! nothing can be read, and nobody waits for it.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use sessiondb::LossKind;

use crate::scene::{Outcome, Scene};

fn directory(path: &Path) {
    fs::create_dir(path).unwrap();
}

/// To open it is to wait for somebody who writes to it.
fn pipe(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

fn socket(path: &Path) {
    UnixListener::bind(path).unwrap();
}

fn link_to_nowhere(path: &Path) {
    symlink("nowhere", path).unwrap();
}

fn link_to_itself(path: &Path) {
    symlink(path.file_name().unwrap(), path).unwrap();
}

fn link_to_a_directory(path: &Path) {
    symlink("..", path).unwrap();
}

const THINGS: [fn(&Path); 6] = [
    directory,
    pipe,
    socket,
    link_to_nowhere,
    link_to_itself,
    link_to_a_directory,
];

/// Repairs with each thing in the place of a file.
fn in_place_of(whole: &Scene, name: &str, mut check: impl FnMut(&Scene, Outcome)) {
    for thing in THINGS {
        let scene = whole.again();
        let path = scene.old().join(name);
        fs::remove_file(&path).unwrap();
        thing(&path);
        let outcome = scene.assert_honest();
        check(&scene, outcome);
    }
}

#[track_caller]
fn assert_nothing_is_lost(scene: &Scene, outcome: &Outcome) {
    outcome.assert_all_but(scene, &[]);
    assert_eq!(outcome.losses, []);
}

fn has_loss_in(outcome: &Outcome, name: &str) -> bool {
    let mut losses = outcome.losses.iter();
    losses.any(|loss| loss.kind == LossKind::Bytes && loss.path.ends_with(name))
}

#[test]
fn in_place_of_a_segment_file_it_loses_what_is_older_and_keeps_what_is_newer() {
    let whole = Scene::closed();
    let names = whole.names("segments");
    for name in [&names[0], &names[names.len() / 2]] {
        in_place_of(&whole, name, |scene, outcome| {
            assert!(has_loss_in(&outcome, name), "{:?}", outcome.losses);
            assert!(outcome.saved.contains(&scene.id("cleared")));
        });
    }
}

/// The footer that tells of all others was in it.
#[test]
fn in_place_of_the_last_segment_file_after_a_clean_stop_nobody_is_known_to_be_alive() {
    let whole = Scene::closed();
    let name = whole.names("segments").pop().unwrap();
    in_place_of(&whole, &name, |_, outcome| {
        assert_eq!(outcome.saved, []);
        assert!(has_loss_in(&outcome, &name), "{:?}", outcome.losses);
    });
}

#[test]
fn beside_the_segment_files_it_loses_nothing() {
    let scene = Scene::killed();
    for (number, thing) in THINGS.iter().enumerate() {
        thing(&scene.old().join(format!("segments/00009{number}.seg")));
    }
    let outcome = scene.assert_honest();
    assert_nothing_is_lost(&scene, &outcome);
}

/// It may have been the last one, with the end of any session in it.
#[test]
fn in_place_of_the_last_file_of_the_journal_nobody_is_known_to_be_alive() {
    let whole = Scene::killed();
    let (name, _) = whole.places("journal", b"late-3").remove(0);
    in_place_of(&whole, &name, |_, outcome| {
        assert_eq!(outcome.saved, []);
        assert!(has_loss_in(&outcome, &name), "{:?}", outcome.losses);
    });
}

#[test]
fn behind_the_last_file_of_the_journal_it_may_have_been_a_later_one() {
    for thing in THINGS {
        let scene = Scene::killed();
        thing(&scene.old().join("journal/000099.log"));
        let outcome = scene.assert_honest();
        assert_eq!(outcome.saved, []);
        assert!(has_loss_in(&outcome, "000099.log"), "{:?}", outcome.losses);
    }
}

#[test]
fn in_the_journal_it_loses_nothing_after_a_clean_stop() {
    let whole = Scene::closed();
    for name in whole.names("journal") {
        in_place_of(&whole, &name, |scene, outcome| {
            assert_nothing_is_lost(scene, &outcome);
        });
    }
}

#[test]
fn in_place_of_current_or_the_lock_it_loses_nothing() {
    let whole = Scene::killed();
    for name in ["CURRENT", "LOCK"] {
        in_place_of(&whole, name, |scene, outcome| {
            assert_nothing_is_lost(scene, &outcome);
        });
    }
}

#[test]
fn in_place_of_the_mark_of_a_clean_stop_it_loses_nothing() {
    let whole = Scene::closed();
    in_place_of(&whole, "CLEAN", |scene, outcome| {
        assert_nothing_is_lost(scene, &outcome);
    });
}

#[test]
fn the_database_is_known_by_the_files_there_are() {
    let scene = Scene::killed();
    fs::remove_file(scene.old().join("CURRENT")).unwrap();
    for (number, thing) in THINGS.iter().enumerate() {
        thing(&scene.old().join(format!("segments/0000000{number}")));
    }
    let outcome = scene.assert_honest();
    assert_nothing_is_lost(&scene, &outcome);
}

#[test]
fn a_file_in_place_of_a_directory_is_as_good_as_none() {
    let scene = Scene::closed();
    let journal = scene.old().join("journal");
    fs::remove_dir_all(&journal).unwrap();
    fs::write(&journal, b"no directory").unwrap();
    let outcome = scene.assert_honest();
    assert_nothing_is_lost(&scene, &outcome);

    // The journal has all of it still.
    let scene = Scene::killed();
    let segments = scene.old().join("segments");
    fs::remove_dir_all(&segments).unwrap();
    fs::write(&segments, b"no directory").unwrap();
    let outcome = scene.assert_honest();
    assert_nothing_is_lost(&scene, &outcome);
}

/// No file that was ever written has a length of more than 32 bits.
#[test]
fn a_file_that_is_far_too_long_is_as_good_as_none() {
    let lengthen = |scene: &Scene, name: &str| {
        let path = scene.old().join(name);
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_len(5 << 30).unwrap();
    };
    let scene = Scene::closed();
    let name = scene.names("segments").remove(0);
    lengthen(&scene, &name);
    let outcome = scene.assert_honest();
    assert!(has_loss_in(&outcome, &name), "{:?}", outcome.losses);
    assert!(outcome.saved.contains(&scene.id("cleared")));

    let scene = Scene::killed();
    let (name, _) = scene.places("journal", b"late-3").remove(0);
    lengthen(&scene, &name);
    let outcome = scene.assert_honest();
    assert_eq!(outcome.saved, []);
    assert!(has_loss_in(&outcome, &name), "{:?}", outcome.losses);
}

/// Somebody may have put it on another disk.
#[test]
fn a_link_that_leads_to_the_file_is_followed() {
    let scene = Scene::killed();
    for name in [scene.names("segments"), scene.names("journal")].concat() {
        let path = scene.old().join(&name);
        let elsewhere = scene.old().join("..").join(name.replace('/', "-"));
        fs::rename(&path, &elsewhere).unwrap();
        symlink(&elsewhere, &path).unwrap();
    }
    let outcome = scene.assert_honest();
    assert_nothing_is_lost(&scene, &outcome);
}
