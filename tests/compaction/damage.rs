//! Damage in a file keeps it, and is told of by the session it is in alone.

use std::ops::ControlFlow;
use std::sync::Arc;

use sessiondb::{Crash, Error, IndexFate, SimulatedDisk};

use crate::support::{Model, begun, builder, check_session, files, open, prepared, session};

/// Where a session's values stand in the segments; the last place counts.
fn last_place(disk: &SimulatedDisk, needle: &[u8]) -> (String, usize) {
    let mut last = None;
    for file in files(disk) {
        let bytes = disk.read_file(&file).unwrap();
        let place = bytes
            .windows(needle.len())
            .rposition(|window| window == needle);
        last = place.map(|place| (file, place)).or(last);
    }
    last.expect("it is in some file")
}

fn flip(disk: &SimulatedDisk, (file, offset): &(String, usize)) {
    let mut bytes = disk.read_file(file).unwrap();
    *bytes.get_mut(*offset).unwrap() ^= 0x20;
    disk.write_file(file, &bytes).unwrap();
}

#[test]
fn a_damaged_frame_that_lives_keeps_its_file_and_no_other() {
    let disk = SimulatedDisk::new(5).unwrap();
    let db = open(&disk);
    let mut model = Model::default();
    let broken = db.create_session();
    broken.set("name", "the broken one").unwrap();
    let dead: Vec<_> = (0..6).map(|_| model.add(&db, 12)).collect();
    let alive: Vec<_> = (0..3).map(|_| model.add(&db, 12)).collect();
    db.checkpoint().unwrap();
    for id in dead {
        model.flush(&db, id);
    }
    db.checkpoint().unwrap();
    let place = last_place(&disk, b"the broken one");
    let before = files(&disk);
    flip(&disk, &place);
    db.compact().unwrap();
    let after = files(&disk);
    assert!(after.contains(&place.0), "{} is gone", place.0);
    let gone = before.iter().filter(|file| !after.contains(file));
    assert!(gone.count() > 0, "{before:?} became {after:?}");
    let outcome = broken.get::<String>("name");
    assert!(
        matches!(outcome, Err(Error::Corrupted { .. })),
        "{outcome:?}"
    );
    for id in alive {
        let (_, held) = &model.live[&id.to_string()];
        check_session(&session(&db, &id), held, "another one");
    }
}

/// They cannot go while it is there, however much is copied.
#[test]
fn tombstones_that_wait_for_a_damaged_file_do_not_keep_compaction_going() {
    let disk = SimulatedDisk::new(15).unwrap();
    let db = builder()
        .retire_ids_for(std::time::Duration::ZERO)
        .open_on(Arc::new(disk.clone()))
        .unwrap();
    let mut model = Model::default();
    let broken = db.create_session();
    broken.set("name", "the broken one").unwrap();
    model.add(&db, 40);
    db.checkpoint().unwrap();
    let dead: Vec<_> = (0..600).map(|_| model.add(&db, 1)).collect();
    db.checkpoint().unwrap();
    for id in dead {
        model.flush(&db, id);
    }
    db.checkpoint().unwrap();
    flip(&disk, &last_place(&disk, b"the broken one"));
    let mut calls = 0;
    let reclaimed = db.compact_with(|_, _, _| {
        calls += 1;
        match calls {
            ..1000 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    });
    assert!(!reclaimed.unwrap().stopped, "it comes to no end");
}

#[test]
fn a_file_that_counts_and_is_missing_refuses_the_open_by_its_name() {
    let (prepared, _) = prepared(6);
    let (disk, db) = begun(&prepared);
    db.compact().unwrap();
    db.close().unwrap();
    drop(db);
    let files = files(&disk);
    for file in &files[..files.len() - 1] {
        let disk = disk.crash(Crash::KeepAll, IndexFate::Kept).unwrap();
        disk.remove_file(file).unwrap();
        let before = disk.files();
        let outcome = builder().open_on(Arc::new(disk.clone()));
        match outcome {
            Err(Error::Corrupted { path, .. }) => {
                assert!(path.ends_with(file), "{file}: {}", path.display());
            }
            Err(error) => panic!("{file}: {error}"),
            Ok(_) => panic!("{file}: it was opened"),
        }
        let mut after = disk.files();
        after.push("CLEAN".into());
        assert!(before.iter().all(|file| after.contains(file)));
    }
}

#[test]
fn a_file_that_does_not_count_is_removed_by_an_open() {
    let (prepared, model) = prepared(7);
    let (disk, db) = begun(&prepared);
    let before = files(&disk).into_iter();
    let before = before.map(|file| (disk.read_file(&file).unwrap(), file));
    let mut before: Vec<_> = before.collect();
    db.compact().unwrap();
    let after = files(&disk);
    // IDs are drawn: not every file has something dead.
    before.retain(|(_, file)| !after.contains(file));
    let (bytes, gone) = before.first().expect("some file went");
    drop(db);
    for index in [IndexFate::Kept, IndexFate::Lost] {
        let disk = disk.crash(Crash::KeepAll, index).unwrap();
        disk.write_file(gone, bytes).unwrap();
        let db = open(&disk);
        assert!(!files(&disk).contains(gone), "{index:?}");
        model.check(&db, &format!("{index:?}"));
    }
}
