//! Damage in the segments costs what it hit, and what it may have hit.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use sessiondb::{LossKind, ManualClock, Session, SessionId};
use tempfile::TempDir;

use crate::directory::copy;
use crate::scene::{Scene, by_hand};

/// The kind of a footer's frame.
pub(crate) const FOOTER: u32 = 5;

/// Where the frames of a kind begin in a file.
pub(crate) fn frames(bytes: &[u8], kind: u32) -> Vec<usize> {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut found = Vec::new();
    let mut offset = 64;
    while offset + 16 <= bytes.len() {
        if word(offset + 8) == kind {
            found.push(offset);
        }
        offset += (16 + word(offset) as usize).next_multiple_of(8);
    }
    found
}

/// The footers of all files, in order.
pub(crate) fn footers(scene: &Scene) -> Vec<(String, usize)> {
    let mut footers = Vec::new();
    for name in scene.names("segments") {
        let bytes = fs::read(scene.old().join(&name)).unwrap();
        let found = frames(&bytes, FOOTER).into_iter();
        footers.extend(found.map(|offset| (name.clone(), offset)));
    }
    footers
}

#[test]
fn a_damaged_image_loses_its_session_alone() {
    let scene = Scene::killed();
    let (file, offset) = scene.places("segments", b"old-1").remove(0);
    scene.flip(&file, offset);
    let outcome = scene.assert_honest();
    let id = scene.id("old-1");
    outcome.assert_all_but(&scene, &[id]);
    let [loss] = outcome.losses.as_slice() else {
        panic!("{:?}", outcome.losses);
    };
    assert_eq!(
        (loss.kind, loss.session),
        (LossKind::Session, Some(id.digest()))
    );
    assert!(loss.path.ends_with(&file), "{}", loss.path.display());
    assert!(loss.offset <= offset as u64 && loss.offset + 200 > offset as u64);
    assert!(!loss.reason.is_empty());
}

#[test]
fn a_damaged_page_loses_its_session_alone() {
    let scene = Scene::closed();
    let (file, offset) = scene.places("segments", b"key-39").pop().unwrap();
    scene.flip(&file, offset + 20);
    let outcome = scene.assert_honest();
    assert_eq!(outcome.losses.len(), 1, "{:?}", outcome.losses);
    assert_eq!(outcome.losses[0].kind, LossKind::Session);
    assert_eq!(outcome.saved.len(), scene.alive.len() - 1);
}

/// It was written again since: an older version of it would be there.
#[test]
fn a_damaged_image_does_not_bring_an_older_version_back() {
    let scene = Scene::closed();
    let versions = scene.places("segments", b"new-4");
    assert_eq!(versions.len(), 2, "{versions:?}");
    let (file, offset) = &versions[1];
    scene.flip(file, *offset);
    let outcome = scene.assert_honest();
    outcome.assert_all_but(&scene, &[scene.id("new-4")]);
}

#[test]
fn damage_to_what_is_dead_loses_nothing() {
    let scene = Scene::closed();
    let (file, offset) = scene.places("segments", b"old-4").remove(0);
    scene.flip(&file, offset);
    let outcome = scene.assert_honest();
    outcome.assert_all_but(&scene, &[]);
    assert_eq!(outcome.losses, []);
}

#[test]
fn a_damaged_footer_loses_the_memory_of_dead_ids_alone() {
    let whole = Scene::killed();
    let footers = footers(&whole);
    assert!(footers.len() > 2, "{footers:?}");
    for (file, offset) in &footers[..footers.len() - 1] {
        let scene = whole.again();
        scene.flip(file, offset + 40);
        let outcome = scene.assert_honest();
        outcome.assert_all_but(&scene, &[]);
        assert_eq!(outcome.kinds(), [LossKind::DeadIds], "{file}, {offset}");
    }
}

/// All that it knew is in the journal still.
#[test]
fn a_damaged_last_footer_loses_nothing_while_the_journal_is_there() {
    let scene = Scene::killed();
    let (file, offset) = footers(&scene).pop().unwrap();
    scene.flip(&file, offset + 40);
    let outcome = scene.assert_honest();
    outcome.assert_all_but(&scene, &[]);
    assert_eq!(outcome.losses, []);
}

#[test]
fn a_damaged_last_footer_after_a_clean_stop_loses_the_memory_of_dead_ids_alone() {
    let scene = Scene::closed();
    let (file, offset) = footers(&scene).pop().unwrap();
    scene.flip(&file, offset + 40);
    let outcome = scene.assert_honest();
    outcome.assert_all_but(&scene, &[]);
    assert_eq!(outcome.kinds(), [LossKind::DeadIds]);
}

/// Who was flushed is known by the tombstone.
#[test]
fn who_has_a_tombstone_stays_retired_without_the_footer() {
    let scene = Scene::closed();
    for (file, offset) in footers(&scene) {
        scene.flip(&file, offset + 40);
    }
    scene.assert_honest();
    let db = scene.open();
    let known = scene.gone.iter().filter(|id| db.is_retired(**id).unwrap());
    assert!(known.count() > 2);
}

/// It may have held the end of whatever was written before it.
#[test]
fn a_missing_file_loses_what_is_older_and_keeps_what_is_newer() {
    let whole = Scene::closed();
    let names = whole.names("segments");
    assert!(names.len() > 3, "{names:?}");
    let last = names.len() - 1;
    for (number, name) in names.iter().enumerate() {
        let scene = whole.again();
        fs::remove_file(scene.old().join(name)).unwrap();
        let outcome = scene.assert_honest();
        assert!(outcome.kinds().contains(&LossKind::Bytes), "{name}");
        if number == last {
            assert_eq!(outcome.saved, []);
        } else {
            assert!(outcome.saved.contains(&scene.id("cleared")), "{name}");
        }
    }
}

#[test]
fn a_file_that_is_cut_loses_what_may_have_ended_behind_the_cut() {
    let whole = Scene::closed();
    let names = whole.names("segments");
    for name in &names {
        let scene = whole.again();
        let path = scene.old().join(name);
        let length = fs::metadata(&path).unwrap().len();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_len(length / 2).unwrap();
        let outcome = scene.assert_honest();
        assert!(outcome.kinds().contains(&LossKind::Bytes), "{name}");
    }
}

#[test]
fn bytes_that_are_zeroed_are_told() {
    let whole = Scene::closed();
    let (file, offset) = footers(&whole).remove(0);
    let path = whole.old().join(&file);
    let mut bytes = fs::read(&path).unwrap();
    // The footer, and what lies before it.
    bytes[offset - 600..offset + 60].fill(0);
    fs::write(&path, bytes).unwrap();
    let outcome = whole.assert_honest();
    assert!(outcome.kinds().contains(&LossKind::Bytes));
    assert!(outcome.saved.contains(&whole.id("cleared")));
}

/// Its first keys went with the batch, and the journal has what came since.
#[test]
fn a_session_of_a_batch_that_is_lost_is_not_saved_without_its_older_keys() {
    let directory = tempfile::tempdir().unwrap();
    let [played, old, new] = ["played", "old", "new"].map(|name| directory.path().join(name));
    let clock = Arc::default();
    let builder = || by_hand(&clock).journal_segment_bytes(16 << 10);
    let db = builder().open(&played).unwrap();
    db.create_session().set("name", "first").unwrap();
    db.checkpoint().unwrap();
    let segment = played.join("segments/000001.seg");
    let length = fs::metadata(&segment).unwrap().len();
    let session = db.create_session();
    session.set("name", "second").unwrap();
    let other = db.create_session();
    for number in 0..64 {
        other
            .set(&format!("key-{number}"), &"v".repeat(1000))
            .unwrap();
    }
    db.checkpoint().unwrap();
    session.set_owner(Some("ada")).unwrap();
    copy(&played, &old);
    db.close().unwrap();
    for entry in fs::read_dir(old.join("segments")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let bytes = fs::read(&segment).unwrap();
    fs::write(
        old.join("segments/000001.seg"),
        &bytes[..usize::try_from(length).unwrap()],
    )
    .unwrap();

    for number in 1..=4 {
        fs::remove_file(old.join(format!("journal/{number:06}.log"))).unwrap();
    }

    let repaired = builder().repair(&old, &new).unwrap();
    let db = builder().open(&new).unwrap();
    let digest = session.id().digest();
    assert!(
        repaired
            .losses
            .iter()
            .any(|loss| loss.session == Some(digest))
    );
    assert!(db.open_session(&session.id()).unwrap().is_none());
}

/// Flips a bit of all footers from one on.
fn damage_footers(scene: &Scene, footers: &[(String, usize)]) {
    for (file, offset) in footers {
        scene.flip(file, offset + 40);
    }
}

/// A frame of the last batch says that none before it is missing.
#[test]
fn several_damaged_footers_at_the_end_lose_the_memory_of_dead_ids_alone() {
    let whole = Scene::closed();
    let footers = footers(&whole);
    assert!(footers.len() > 4, "{footers:?}");
    for first in 0..footers.len() {
        let scene = whole.again();
        damage_footers(&scene, &footers[first..]);
        let outcome = scene.assert_honest();
        outcome.assert_all_but(&scene, &[]);
        assert_eq!(outcome.kinds(), [LossKind::DeadIds], "{first}");
    }
}

/// One that names no frames follows another one.
#[test]
fn damaged_footers_side_by_side_are_footers() {
    let whole = Scene::forgetting();
    let footers = footers(&whole);
    let are_side_by_side = |pair: &[(String, usize)]| {
        let (file, offset) = &pair[0];
        let bytes = fs::read(whole.old().join(file)).unwrap();
        let length = u32::from_le_bytes(bytes[*offset..offset + 4].try_into().unwrap());
        let behind = offset + (16 + length as usize).next_multiple_of(8);
        pair[1] == (file.clone(), behind)
    };
    let first = footers.windows(2).position(are_side_by_side).unwrap();
    damage_footers(&whole, &footers[first..]);
    let outcome = whole.assert_honest();
    outcome.assert_all_but(&whole, &[]);
}

/// A batch of several files that ends sessions, by the directory and the names
/// of its files.
struct LongBatch {
    directory: TempDir,
    clock: Arc<ManualClock>,
    gone: Vec<SessionId>,
    files: Vec<OsString>,
}

impl LongBatch {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let played = directory.path().join("played");
        let clock = Arc::default();
        let db = by_hand(&clock).open(&played).unwrap();
        let mut flushed: Vec<_> = (0..6).map(|_| db.create_session()).collect();
        for session in &flushed {
            session.set("name", "flushed").unwrap();
        }
        db.checkpoint().unwrap();
        let gone = flushed.iter().map(Session::id).collect();
        for session in &mut flushed {
            session.flush().unwrap();
            for number in 0..40 {
                session
                    .set(&format!("key-{number}"), &"v".repeat(400))
                    .unwrap();
            }
        }
        db.close().unwrap();
        let files = fs::read_dir(played.join("segments")).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        files.sort();
        assert!(files.len() > 3, "the batch has several files");
        Self {
            directory,
            clock,
            gone,
            files,
        }
    }

    /// Damages a copy, and asserts that nobody comes back from it.
    fn brings_nobody_back(&self, case: &OsStr, damage: impl FnOnce(&Path)) {
        let case = self.directory.path().join(case);
        let (old, new) = (case.join("old"), case.join("new"));
        copy(&self.directory.path().join("played"), &old);
        damage(&old.join("segments"));
        by_hand(&self.clock).repair(&old, &new).unwrap();
        let db = by_hand(&self.clock).open(&new).unwrap();
        for id in &self.gone {
            let found = db.open_session(id).unwrap();
            assert!(found.is_none(), "{id} came back in {}", case.display());
        }
    }
}

/// Damages the last footer of a file, and tells where it is.
fn damage_last_footer(path: &Path) -> usize {
    let mut bytes = fs::read(path).unwrap();
    let end = frames(&bytes, FOOTER).pop().unwrap();
    bytes[end + 20] ^= 1;
    fs::write(path, bytes).unwrap();
    end
}

/// Its end is damaged: each of the others may be missing, too, with the end of
/// a session in it.
#[test]
fn a_file_that_is_missing_of_a_batch_without_its_end_brings_nobody_back() {
    let batch = LongBatch::new();
    let (last, others) = batch.files.split_last().unwrap();
    for missing in others {
        batch.brings_nobody_back(missing, |segments| {
            damage_last_footer(&segments.join(last));
            fs::remove_file(segments.join(missing)).unwrap();
        });
    }
}

/// The others hold frames of the batch, which say that none before it is
/// missing, and nothing of it itself.
#[test]
fn a_batch_whose_footers_are_damaged_and_whose_end_is_cut_off_brings_nobody_back() {
    let batch = LongBatch::new();
    let (last, others) = batch.files.split_last().unwrap();
    let end = OsStr::new("end");
    batch.brings_nobody_back(end, |segments| {
        for file in others {
            damage_last_footer(&segments.join(file));
        }
        let path = segments.join(last);
        let end = damage_last_footer(&path);
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_len(end as u64 + 8).unwrap();
    });
}
