//! A kill, or a power cut, in the middle of a round: what lives is there, what
//! was removed has its age still, and goes.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sessiondb::{Builder, Crash, Database, IndexFate, ManualClock, SessionId, SimulatedDisk};

use crate::directory::copy;
use crate::support::{WITHIN, assert_erased, assert_there, by_hand, clock, places, traces};

const MARKED: [&str; 3] = ["marked-key", "marked-value", "marked-owner"];
const MINUTE: Duration = Duration::from_secs(60);

/// Sessions of all sizes that live, each with something that was removed.
struct Scene {
    ids: Vec<SessionId>,
}

fn prepare(db: &Database, clock: &Arc<ManualClock>) -> Scene {
    let mut ids = Vec::new();
    let padding = "p".repeat(900);
    for keys in [1, 3, 20] {
        let session = db.create_session();
        let filled = session.transaction(|tx| {
            (0..keys).try_for_each(|number| tx.set(&format!("key{number:02}"), &padding))?;
            tx.set("key02-marked-key", "marked-value")?;
            tx.set_with_ttl("key09-marked-key", "marked-value", MINUTE)?;
            tx.set_owner(Some("marked-owner"))
        });
        filled.unwrap();
        ids.push(session.id());
    }
    let mut flushed = db.create_session();
    flushed.set("marked-key", "marked-value").unwrap();
    for number in 0..10 {
        let key = format!("marked-key{number}");
        flushed.set(&key, &padding).unwrap();
    }
    db.checkpoint().unwrap();
    clock.advance(MINUTE);
    flushed.flush().unwrap();
    for id in &ids {
        let session = db.open_session(id).unwrap().unwrap();
        session.delete("key02-marked-key").unwrap();
        session.set_owner(Some("staying-owner")).unwrap();
    }
    Scene { ids }
}

impl Scene {
    fn check(&self, db: &Database, what: &str) {
        for (id, keys) in self.ids.iter().zip([1, 3, 20]) {
            let session = db.open_session(id).unwrap();
            let session = session.unwrap_or_else(|| panic!("{what}: {id} is gone"));
            assert_eq!(session.len().unwrap(), keys, "{what}");
            assert_eq!(session.owner().unwrap().as_deref(), Some("staying-owner"));
        }
        assert_eq!(db.sessions().count(), 3, "{what}");
        db.verify()
            .unwrap_or_else(|error| panic!("{what}: {error}"));
    }

    /// After a kill, with whatever is still there at least so old.
    fn assert_goes_on(&self, directory: &Path, db: &Database, least: Duration, what: &str) {
        if !traces(directory, "marked").is_empty() {
            check_age(db, least, what);
        }
        self.assert_erases(directory, db, what);
    }

    fn assert_erases(&self, directory: &Path, db: &Database, what: &str) {
        self.check(db, what);
        db.erase().unwrap();
        assert_eq!(db.stats().erasure_age, None, "{what}");
        for text in MARKED {
            assert_erased(directory, text, what);
        }
        self.check(db, what);
    }
}

/// What was removed that long ago is not younger.
fn check_age(db: &Database, least: Duration, what: &str) {
    let age = db.stats().erasure_age;
    assert!(age >= Some(least), "{what}: {age:?}");
}

/// A round, and what a kill leaves before each of its steps.
fn killed_at_each_step(db: &Database, directory: &Path) -> Vec<tempfile::TempDir> {
    let mut left = Vec::new();
    let is_erased = db.erase_with(|_, _, _| {
        let image = tempfile::tempdir().unwrap();
        copy(directory, image.path());
        left.push(image);
        ControlFlow::Continue(())
    });
    assert!(is_erased.unwrap());
    left
}

#[test]
fn after_a_kill_before_any_step_of_a_round_all_lives_and_what_was_removed_goes() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let db = by_hand(&clock).open(directory.path()).unwrap();
    let scene = prepare(&db, &clock);
    clock.advance(MINUTE);
    let images = killed_at_each_step(&db, directory.path());
    assert!(images.len() > 10, "{}", images.len());
    for text in MARKED {
        assert_there(images[0].path(), text);
    }
    clock.advance(WITHIN);
    for (step, image) in images.iter().enumerate() {
        let what = format!("before step {step}");
        let db = by_hand(&clock).open(image.path()).unwrap();
        scene.assert_goes_on(image.path(), &db, WITHIN + MINUTE, &what);
    }
}

#[test]
fn after_a_second_kill_in_the_round_that_follows_it_is_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let db = by_hand(&clock).open(directory.path()).unwrap();
    let scene = prepare(&db, &clock);
    clock.advance(MINUTE);
    let images = killed_at_each_step(&db, directory.path());
    for (step, image) in images.iter().enumerate().skip(2).step_by(5) {
        let db = by_hand(&clock).open(image.path()).unwrap();
        let again = killed_at_each_step(&db, image.path());
        for (second, image) in again.iter().enumerate().skip(1).step_by(5) {
            let what = format!("before steps {step} and {second}");
            let db = by_hand(&clock).open(image.path()).unwrap();
            scene.assert_goes_on(image.path(), &db, MINUTE, &what);
        }
    }
}

/// Nothing in the segments says then since when anything can lie there.
#[test]
fn what_was_removed_before_the_first_checkpoint_of_all_has_its_age_after_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let db = by_hand(&clock).open(directory.path()).unwrap();
    let session = db.create_session();
    session.set("marked-key", "marked-value").unwrap();
    session.set("kept-key", "kept-value").unwrap();
    clock.advance(MINUTE);
    session.delete("marked-key").unwrap();
    let mut image = tempfile::tempdir().unwrap();
    copy(directory.path(), image.path());
    for kills in 1..4 {
        clock.advance(MINUTE);
        let db = by_hand(&clock).open(image.path()).unwrap();
        check_age(&db, kills * MINUTE, &format!("{kills} kills"));
        // The checkpoint knows it, too.
        if kills == 2 {
            db.checkpoint().unwrap();
        }
        let next = tempfile::tempdir().unwrap();
        copy(image.path(), next.path());
        image = next;
    }
    let db = by_hand(&clock).open(image.path()).unwrap();
    db.erase().unwrap();
    assert_eq!(db.stats().erasure_age, None);
    for text in MARKED {
        assert_erased(image.path(), text, "");
    }
    assert_there(image.path(), "kept-value");
}

fn builder(clock: &Arc<ManualClock>) -> Builder {
    let builder = by_hand(clock).segment_bytes(16 << 10);
    builder.journal_segment_bytes(64 << 10)
}

fn open(disk: &SimulatedDisk, clock: &Arc<ManualClock>) -> Database {
    let disk = Arc::new(disk.clone());
    builder(clock).open_on(disk).unwrap()
}

/// The files of the disk and those of the index, which is beside it.
fn assert_erased_on(disk: &SimulatedDisk, what: &str) {
    for text in MARKED {
        for (file, bytes) in disk.snapshot() {
            let found = places(&bytes, text.as_bytes());
            assert!(found.is_empty(), "{what}: {text} in {file}");
        }
        assert_erased(&disk.index_root(), text, what);
    }
}

fn crashes(step: u64) -> [(Crash, IndexFate); 2] {
    let fates = [IndexFate::Kept, IndexFate::Lost];
    let fate = fates[usize::from(step % 4 < 2)];
    match step % 2 {
        0 => [(Crash::KeepNothing, fate), (Crash::Random(step), fate)],
        _ => [(Crash::KeepAll, fate), (Crash::Prefix(step), fate)],
    }
}

#[test]
fn a_power_cut_with_any_operation_of_a_round_loses_nothing() {
    let clock = clock();
    let prepared = SimulatedDisk::new(1).unwrap();
    let db = open(&prepared, &clock);
    let scene = prepare(&db, &clock);
    clock.advance(MINUTE);
    prepared.power_off();
    drop(db);
    let mut steps = 0;
    for step in (0..).step_by(2) {
        let disk = prepared.crash(Crash::KeepAll, IndexFate::Kept).unwrap();
        let db = open(&disk, &clock);
        disk.power_off_after(step);
        let outcome = db.erase();
        if !disk.is_off() {
            outcome.unwrap();
            break;
        }
        drop(db);
        for (crash, index) in crashes(step / 2) {
            let what = format!("step {step}, {crash:?}, {index:?}");
            let disk = disk.crash(crash, index).unwrap();
            let db = open(&disk, &clock);
            scene.check(&db, &what);
            db.erase().unwrap();
            assert_eq!(db.stats().erasure_age, None, "{what}");
            assert_erased_on(&disk, &what);
            scene.check(&db, &what);
        }
        steps += 1;
    }
    assert!(steps > 10, "{steps}");
}
