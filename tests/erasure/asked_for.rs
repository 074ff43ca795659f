//! Erasure that somebody asks for.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use sessiondb::{Database, Error, Fault, FaultEffect, Operation, Phase, SimulatedDisk};

use crate::places::{Place, Scene};
use crate::support::{
    BALLAST, WITHIN, assert_erased, assert_there, by_hand, clock, erase_some, places,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_was_never_removed_has_no_age() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let db = by_hand(&clock).open(directory.path()).unwrap();
    assert_eq!(db.stats().erasure_age, None);
    db.create_session().set("key", "value").unwrap();
    clock.advance(5 * SECOND);
    assert_eq!(db.stats().erasure_age, None);
    db.close().unwrap();
    let db = by_hand(&clock).open(directory.path()).unwrap();
    clock.advance(5 * SECOND);
    assert_eq!(db.stats().erasure_age, None);
}

#[test]
fn the_age_grows_from_the_first_removal_on_and_survives_a_close() {
    let scene = Scene::new(Place::Page);
    scene.session.delete("marked-key").unwrap();
    for seconds in 1..4 {
        scene.clock.advance(SECOND);
        scene.session.set("other", &seconds).unwrap();
        assert_eq!(scene.db.stats().erasure_age, Some(seconds * SECOND));
    }
    scene.db.close().unwrap();
    scene.clock.advance(WITHIN);
    let db = by_hand(&scene.clock).open(scene.path()).unwrap();
    assert_eq!(db.stats().erasure_age, Some(WITHIN + 3 * SECOND));
    db.erase().unwrap();
    assert_eq!(db.stats().erasure_age, None);
    db.close().unwrap();
    let db = by_hand(&scene.clock).open(scene.path()).unwrap();
    assert_eq!(db.stats().erasure_age, None);
}

#[test]
fn there_is_an_age_until_the_round_is_over() {
    let scene = Scene::new(Place::Page);
    scene.session.delete("marked-key").unwrap();
    scene.clock.advance(SECOND);
    let is_erased = scene.db.erase_with(|_, _, _| {
        assert_eq!(scene.db.stats().erasure_age, Some(SECOND));
        ControlFlow::Continue(())
    });
    assert!(is_erased.unwrap());
    assert_eq!(scene.db.stats().erasure_age, None);
}

#[test]
fn what_is_removed_within_a_round_has_its_own_age_after_it() {
    let scene = Scene::new(Place::Page);
    scene.session.delete("marked-key").unwrap();
    scene.clock.advance(SECOND);
    let mut calls = 0;
    let outcome = scene.db.erase_with(|_, _, _| {
        calls += 1;
        if calls == 8 {
            scene.clock.advance(SECOND);
            scene.session.delete("a0001").unwrap();
        }
        ControlFlow::Continue(())
    });
    outcome.unwrap();
    assert!(calls > 8);
    scene.clock.advance(SECOND);
    assert_eq!(scene.db.stats().erasure_age, Some(SECOND));
    scene.assert_erases(&["marked-key", "a0001"], "");
}

#[test]
fn it_stops_when_it_is_told_to_and_goes_on_from_there() {
    for steps in 0..14 {
        let scene = Scene::new(Place::Fence);
        scene.session.delete("marked-key").unwrap();
        scene.clock.advance(SECOND);
        if !erase_some(&scene.db, steps) {
            assert_eq!(scene.db.stats().erasure_age, Some(SECOND), "{steps}");
        }
        scene.session.set("a0000", "changed meanwhile").unwrap();
        let what = format!("stopped after {steps} steps");
        scene.assert_erases(&["marked-key", "marked-value"], &what);
    }
}

#[test]
fn it_tells_of_its_phases_in_order_and_of_files_until_none_is_left() {
    let scene = Scene::new(Place::Fence);
    for number in 0..200 {
        let key = format!("b{number:04}");
        scene.session.set_bytes(&key, &[7; 1000]).unwrap();
    }
    scene.db.checkpoint().unwrap();
    scene.session.delete("marked-key").unwrap();
    let mut told: Vec<(Phase, u64, u64)> = Vec::new();
    let outcome = scene.db.erase_with(|phase, done, of| {
        told.push((phase, done, of));
        ControlFlow::Continue(())
    });
    outcome.unwrap();
    let mut phases: Vec<Phase> = told.iter().map(|(phase, ..)| *phase).collect();
    phases.dedup();
    assert_eq!(phases, [Phase::Checkpoint, Phase::Compaction, Phase::Index]);
    let is_file = |told: &&(Phase, u64, u64)| told.0 == Phase::Compaction;
    let files: Vec<_> = told.iter().filter(is_file).collect();
    let (_, first, of) = *files[0];
    assert!(first == 0 && of > 1, "{of} files");
    assert!(files.iter().all(|(_, done, all)| *all == of && *done <= of));
    assert!(files.is_sorted_by_key(|(_, done, _)| *done));
    assert!(files.last().unwrap().1 + 1 >= of);
}

#[test]
fn within_its_own_progress_everything_can_be_done_and_it_again() {
    let scene = Scene::new(Place::Image);
    scene.session.delete("marked-key").unwrap();
    let outcome = scene.db.erase_with(|_, _, _| {
        scene.session.set("key", "as ever").unwrap();
        scene.db.checkpoint().unwrap();
        scene.session.delete("key").unwrap();
        scene.db.erase().unwrap();
        ControlFlow::Continue(())
    });
    assert!(outcome.unwrap());
    assert_erased(scene.path(), "marked-key", "");
}

#[test]
fn after_a_close_in_its_progress_it_says_so() {
    let scene = Scene::new(Place::Image);
    scene.session.delete("marked-key").unwrap();
    let mut calls = 0;
    let outcome = scene.db.erase_with(|_, _, _| {
        calls += 1;
        if calls == 4 {
            scene.db.close().unwrap();
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(outcome, Err(Error::Closed)), "{outcome:?}");
    let db = by_hand(&scene.clock).open(scene.path()).unwrap();
    db.erase().unwrap();
    assert_erased(scene.path(), "marked-key", "");
}

#[test]
fn beside_the_background_it_erases_what_was_removed_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let builder = by_hand(&clock)
        .background(true)
        .idle_checkpoint_after(Duration::from_millis(1));
    let db = builder.open(directory.path()).unwrap();
    let session = db.create_session();
    session.set("kept-key", "kept-value").unwrap();
    for number in 0..20 {
        let key = format!("marked-key-{number}");
        session.set(&key, "marked-value").unwrap();
        session.delete("kept-key").unwrap();
        // Now the background begins a round.
        clock.advance(WITHIN / 2);
        session.set("kept-key", "kept-value").unwrap();
        session.delete(&key).unwrap();
        db.erase().unwrap();
        assert_erased(directory.path(), &format!("{key}-"), "");
        assert_erased(directory.path(), "marked-value", &key);
    }
    assert_there(directory.path(), "kept-value");
    db.verify().unwrap();
}

#[test]
fn many_who_ask_at_once_are_all_served() {
    let scene = Scene::new(Place::Page);
    let path = scene.path();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (db, session) = (&scene.db, &scene.session);
            scope.spawn(move || {
                for number in 0..4 {
                    let key = format!("marked-{thread}-{number}-");
                    session.set(&key, &key).unwrap();
                    session.delete(&key).unwrap();
                    db.erase().unwrap();
                    assert_erased(path, &key, "");
                }
            });
        }
    });
    scene.session.delete("marked-key").unwrap();
    scene.assert_erases(&["marked-key"], "");
}

/// Whether a file of the disk, or of the index beside it, holds a text.
fn is_on(disk: &SimulatedDisk, text: &str) -> bool {
    let is_in = |(_, bytes): &(String, Vec<u8>)| !places(bytes, text.as_bytes()).is_empty();
    disk.snapshot().iter().any(is_in)
        || !crate::support::traces(&disk.index_root(), text).is_empty()
}

#[test]
fn on_a_full_disk_it_says_so_and_goes_on_when_there_is_space() {
    let disk = SimulatedDisk::new(1).unwrap();
    let clock = clock();
    let builder = by_hand(&clock);
    let db = builder.open_on(Arc::new(disk.clone())).unwrap();
    let session = db.create_session();
    for number in 0..100 {
        let key = format!("key{number:02}");
        session.set_bytes(&key, &[7; 1000]).unwrap();
    }
    session.set("marked-key", "marked-value").unwrap();
    db.checkpoint().unwrap();
    session.delete("marked-key").unwrap();
    clock.advance(SECOND);
    for step in 0..30 {
        assert!(!erase_some(&db, 1));
        // After each step there is no space for those that need some.
        disk.set_capacity(Some(1));
        let outcome = db.erase();
        assert!(
            matches!(outcome, Err(Error::StorageFull { .. })),
            "{outcome:?}"
        );
        assert!(db.stats().erasure_age.is_some());
        assert_eq!(
            session.get_bytes("key50").unwrap().as_deref(),
            Some(&[7; 1000][..])
        );
        session.delete(&format!("key{step:02}")).unwrap();
        disk.set_capacity(None);
    }
    db.erase().unwrap();
    assert!(!is_on(&disk, "marked-"));
    assert_eq!(session.len().unwrap(), 70);
    db.verify().unwrap();
}

/// A database that has written marked values to many files of its journal,
/// once with a fault.
fn written(disk: &SimulatedDisk, fault: Option<Operation>) -> Database {
    let builder = by_hand(&clock()).journal_segment_bytes(64 << 10);
    let db = builder.open_on(Arc::new(disk.clone())).unwrap();
    let session = db.create_session();
    session.set("kept-key", "kept-value").unwrap();
    let value = format!("marked-value-{}", "p".repeat(1000));
    for number in 0..300 {
        if let Some(fault) = fault.filter(|_| number == 150) {
            refuse_once(disk, fault);
        }
        while let Err(error) = session.set("marked-key", &value) {
            assert!(matches!(error, Error::StorageFull { .. }), "{error}");
        }
        if number % 60 == 59 {
            db.checkpoint().unwrap();
        }
    }
    session.delete("marked-key").unwrap();
    db
}

fn refuse_once(disk: &SimulatedDisk, operation: Operation) {
    disk.inject(Fault {
        operation,
        path_contains: "journal".into(),
        after: 0,
        times: 1,
        kind: std::io::ErrorKind::StorageFull,
        effect: FaultEffect::Refuse,
    });
}

#[test]
fn a_file_of_the_journal_that_could_not_be_removed_at_first_goes_later() {
    let disk = SimulatedDisk::new(2).unwrap();
    let db = written(&disk, None);
    refuse_once(&disk, Operation::Remove);
    // A checkpoint that meets it is tried again at once.
    if let Err(error) = db.erase() {
        assert!(matches!(error, Error::StorageFull { .. }), "{error}");
        assert!(db.stats().erasure_age.is_some());
        db.erase().unwrap();
    }
    assert!(!is_on(&disk, "marked-"));
    assert!(is_on(&disk, "kept-value"));
}

#[test]
fn a_file_of_the_journal_that_could_not_be_used_again_goes_too() {
    let disk = SimulatedDisk::new(3).unwrap();
    let db = written(&disk, Some(Operation::Rename));
    db.erase().unwrap();
    assert!(!is_on(&disk, "marked-"));
    assert!(is_on(&disk, "kept-value"));
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
