//! Damage in the journal costs what may have ended in it: all that is older.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sessiondb::{Durability, LossKind};

use crate::directory::copy;
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

/// What a power cut tore was cut off by an open, and goes on to lie there.
#[test]
fn frames_that_were_cut_off_do_not_count_again_without_the_next_file_s_header() {
    let directory = tempfile::tempdir().unwrap();
    let [played, torn, old, new] =
        ["played", "torn", "old", "new"].map(|name| directory.path().join(name));
    let clock = Arc::default();
    let db = by_hand(&clock).open(&played).unwrap();
    db.create_session().set("name", "first").unwrap();
    let deferred = db.with_durability(Durability::Deferred {
        sync_within: Duration::from_secs(3600),
    });
    let cut = ["torn-1", "torn-2", "torn-3"].map(|name| {
        let session = deferred.create_session();
        session.set("name", name).unwrap();
        session.id()
    });
    db.commit().unwrap();
    copy(&played, &torn);
    db.close().unwrap();
    change(&torn.join("journal/000001.log"), |bytes| {
        let place = place_of(bytes, b"torn-1");
        bytes[place] ^= 1;
    });

    let db = by_hand(&clock).open(&torn).unwrap();
    for id in &cut {
        assert!(db.open_session(id).unwrap().is_none());
    }
    for name in ["late-1", "late-2", "late-3", "late-4"] {
        db.create_session().set("name", name).unwrap();
    }
    copy(&torn, &old);
    db.close().unwrap();
    let mut files = fs::read_dir(old.join("journal")).unwrap();
    let next = files.find_map(|file| {
        let path = file.unwrap().path();
        find(&fs::read(&path).unwrap(), b"late-4").map(|_| path)
    });
    change(&next.unwrap(), |bytes| {
        let end = place_of(bytes, b"late-3") + b"late-3".len();
        bytes[..end].fill(0);
    });

    by_hand(&clock).repair(&old, &new).unwrap();
    let db = by_hand(&clock).open(&new).unwrap();
    for id in &cut {
        assert!(db.open_session(id).unwrap().is_none(), "{id} came back");
    }
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut windows = bytes.windows(wanted.len());
    windows.position(|window| window == wanted)
}

fn place_of(bytes: &[u8], wanted: &[u8]) -> usize {
    find(bytes, wanted).unwrap()
}
