//! Damage in the journal costs what may have ended in it: all that is older.

use std::collections::HashSet;
use std::fs;

use sessiondb::LossKind;

use crate::scene::{Scene, by_hand};

/// Where what only the journal knows of a session begins.
fn place(scene: &Scene, name: &str) -> (String, usize) {
    scene.places("journal", name.as_bytes()).remove(0)
}

#[test]
fn behind_damage_in_the_middle_only_what_is_newer_is_saved() {
    let scene = Scene::killed();
    let (file, offset) = place(&scene, "late-1");
    scene.flip(&file, offset);
    let outcome = scene.assert_honest();
    // All older ones may have ended there, for all that can be known.
    let newer: HashSet<_> = ["late-3", "late-4", "old-7"]
        .map(|name| scene.id(name))
        .into();
    assert_eq!(HashSet::from_iter(outcome.saved.clone()), newer);
    let part = outcome.losses.iter().find(|loss| {
        loss.kind == LossKind::Part && loss.session == Some(scene.id("late-3").digest())
    });
    assert!(part.is_some());
    let bytes = outcome
        .losses
        .iter()
        .find(|loss| loss.kind == LossKind::Bytes);
    let bytes = bytes.unwrap();
    assert!(bytes.path.ends_with(&file));
    assert!(bytes.offset < offset as u64 && bytes.offset + 200 > offset as u64);
    let doubts = outcome
        .losses
        .iter()
        .filter(|loss| loss.kind == LossKind::Doubt);
    assert!(doubts.count() > 8);
}

#[test]
fn damage_in_what_is_checkpointed_loses_nothing() {
    let scene = Scene::killed();
    let (file, offset) = place(&scene, "old-1");
    scene.flip(&file, offset);
    let outcome = scene.assert_honest();
    outcome.assert_all_but(&scene, &[]);
    assert_eq!(outcome.losses, []);
}

#[test]
fn a_damaged_header_loses_nothing() {
    let scene = Scene::killed();
    for name in scene.names("journal") {
        scene.flip(&name, 24);
    }
    let outcome = scene.assert_honest();
    outcome.assert_all_but(&scene, &[]);
    assert_eq!(outcome.losses, []);
}

/// It may be a logout that was acknowledged: a torn tail looks the same.
#[test]
fn a_damaged_last_frame_is_no_end() {
    let scene = Scene::killed();
    let mut places = scene.places("journal", b"code");
    let (file, offset) = places.pop().unwrap();
    for (file, offset) in [(file.clone(), offset), (file, offset - 40)] {
        let scene = scene.again();
        scene.flip(&file, offset);
        let outcome = scene.assert_honest();
        assert_eq!(outcome.saved, []);
        assert!(outcome.kinds().contains(&LossKind::Bytes));
    }
}

#[test]
fn without_a_journal_nothing_is_known_to_be_alive() {
    let scene = Scene::killed();
    fs::remove_dir_all(scene.old().join("journal")).unwrap();
    let outcome = scene.assert_honest();
    assert_eq!(outcome.saved, []);
    assert_eq!(outcome.kinds(), [LossKind::Doubt, LossKind::Bytes]);
}

#[test]
fn after_a_clean_stop_the_journal_is_not_needed() {
    let scene = Scene::closed();
    fs::remove_dir_all(scene.old().join("journal")).unwrap();
    let outcome = scene.assert_honest();
    outcome.assert_all_but(&scene, &[]);
    assert_eq!(outcome.losses, []);
}

#[test]
fn an_id_that_was_cycled_and_cleared_in_one_transaction_does_not_come_back() {
    let scene = Scene::killed();
    let outcome = scene.assert_honest();
    outcome.assert_all_but(&scene, &[]);
    assert_eq!(outcome.losses, []);
}

/// As a copy of an older directory over this one would.
#[test]
fn the_mark_of_an_earlier_clean_stop_hides_no_later_logout() {
    let scene = Scene::closed();
    let mark = fs::read(scene.old().join("CLEAN")).unwrap();
    let db = by_hand(&scene.clock).open(scene.old()).unwrap();
    let id = scene.id("new-4");
    db.open_session(&id).unwrap().unwrap().flush().unwrap();
    let killed = scene.again();
    db.close().unwrap();
    fs::write(killed.old().join("CLEAN"), mark).unwrap();
    assert_eq!(killed.repair().losses, []);
    let db = killed.open();
    assert!(db.open_session(&id).unwrap().is_none(), "it came back");
    assert!(db.open_session(&scene.id("new-2")).unwrap().is_some());
}
