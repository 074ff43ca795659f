//! What may happen between two steps.

use std::path::Path;
use std::thread;

use super::super::super::ballast::INDEX_ROOM;
use super::super::super::stops::Actor;
use super::*;
use crate::disk::Disk as _;
use crate::{Error, Fault, FaultEffect, Operation};

/// Sessions of one page each, the first of which is in memory and not its
/// page, and garbage beside them.
fn scene_in_memory(seed: u64) -> (Scene, SessionId, crate::Session) {
    let mut scene = Scene::new(seed);
    let ids = [scene.add(1), scene.add(1)];
    let dead = scene.add(60);
    scene.db.checkpoint().unwrap();
    scene.flush(dead);
    scene.db.checkpoint().unwrap();
    while scene.db.engine().sweep_slice() {}
    scene.reopen(IndexFate::Kept);
    let session = scene.db.open_session(&ids[0]).unwrap().unwrap();
    (scene, ids[0], session)
}

fn index_name(scene: &Scene) -> String {
    scene.db.engine().index.name()
}

/// The index fails before the first, the second... row of a copy is put.
#[test]
fn a_session_in_memory_follows_its_image_when_the_index_fails_meanwhile() {
    for stops in 0..2 {
        let (mut scene, id, session) = scene_in_memory(20 + stops);
        let engine = scene.db.engine();
        let index = engine.index.get().unwrap();
        thread::scope(|scope| {
            let actor = Actor::new(scope, || {
                scene.db.compact().unwrap();
            });
            for _ in 0..=stops {
                assert!(actor.step());
            }
            index.fail();
            actor.finish();
        });
        assert_ne!(index_name(&scene), "index-0001", "it was rebuilt");
        assert!(!scene.files().contains(&"segments/000001.seg".to_owned()));
        assert_eq!(session.get_bytes("key/000").unwrap().unwrap()[0], 1);
        scene.fill(id, 0..3);
        scene.db.checkpoint().unwrap();
        scene.check();
    }
}

#[test]
fn an_open_after_a_crash_does_not_look_in_files_that_went() {
    let (mut scene, ..) = scene_in_memory(30);
    assert!(scene.db.compact().unwrap().freed_bytes > 0);
    assert!(!scene.files().contains(&"segments/000001.seg".to_owned()));
    scene.reopen_after(Crash::KeepAll, IndexFate::Kept);
    assert_eq!(index_name(&scene), "index-0001", "it was rebuilt");
    scene.check();
}

/// The last file is longer than a file should be, so that the next batch
/// begins in a new one anyway.
#[test]
fn a_last_file_that_is_full_is_left_once() {
    let scene = (0..10)
        .map(|less| {
            let mut scene = Scene::new(31);
            let dead = scene.add(30);
            scene.db.checkpoint().unwrap();
            let bytes = scene.disk.read_file(&scene.files()[0]).unwrap().len();
            scene.flush(dead);
            let id = scene.add(1);
            let session = scene.db.open_session(&id).unwrap().unwrap();
            let value = vec![7; (64 << 10) - bytes - 1200 - less * 100];
            session.set_bytes("large", &value).unwrap();
            let held = scene.held.get_mut(&id).unwrap();
            held.insert("large".into(), value);
            scene.db.checkpoint().unwrap();
            scene
        })
        .find(|scene| {
            let files = scene.files();
            let bytes = scene.disk.read_file(&files[0]).unwrap().len();
            files.len() == 1 && bytes >= 64 << 10
        })
        .expect("one that fills a file");
    scene.db.compact().unwrap();
    for file in scene.files() {
        let bytes = scene.disk.read_file(&file).unwrap();
        assert!(bytes.len() > 64, "{file} holds nothing");
    }
    scene.check();
}

#[test]
fn a_file_that_goes_is_not_kept_open() {
    let (scene, ..) = scene_in_memory(32);
    let segments = &scene.db.engine().segments;
    let number = SegmentNumber(1);
    scene.disk.inject(Fault {
        operation: Operation::Remove,
        path_contains: "000001.seg".into(),
        after: 0,
        times: 1,
        kind: std::io::ErrorKind::Other,
        effect: FaultEffect::Refuse,
    });
    let outcome = scene.db.compact();
    assert!(matches!(outcome, Err(Error::Io { .. })), "{outcome:?}");
    // A reader that is late.
    assert!(segments.length(number).unwrap() > 0);
    assert!(!segments.keeps_open(number));
    scene.db.compact().unwrap();
    assert!(scene.disk.open(Path::new("segments/000001.seg")).is_err());
    scene.check();
}

/// The power goes when all is copied and committed, and nothing removed yet.
fn crashed_before_the_removal(seed: u64) -> Scene {
    let (mut scene, ..) = scene_in_memory(seed);
    let index = scene.db.engine().index.get().unwrap();
    let mut crashed = None;
    thread::scope(|scope| {
        let actor = Actor::new(scope, || drop(scene.db.compact()));
        for _ in 0..2 {
            assert!(actor.step());
        }
        crashed = Some(scene.disk.crash(Crash::KeepAll, IndexFate::Kept).unwrap());
        index.fail();
        actor.finish();
    });
    scene.disk = crashed.unwrap();
    assert!(scene.files().contains(&"segments/000001.seg".to_owned()));
    scene
}

#[test]
fn an_open_removes_what_does_not_count_and_the_next_one_does_not_look_for_it() {
    let mut scene = crashed_before_the_removal(34);
    for _ in 0..2 {
        scene.db = open(&scene.disk);
        assert_eq!(index_name(&scene), "index-0001", "it was rebuilt");
        assert!(!scene.files().contains(&"segments/000001.seg".to_owned()));
        scene.check();
        scene.disk = scene.disk.crash(Crash::KeepAll, IndexFate::Kept).unwrap();
    }
}

/// An open on a full disk does not touch the index; what is left over goes
/// once there is room, whatever else there is to do.
#[test]
fn what_an_open_finds_no_room_to_remove_goes_later() {
    let mut scene = crashed_before_the_removal(33);
    scene.disk.set_capacity(Some(10 << 20));
    scene.db = open(&scene.disk);
    let first = "segments/000001.seg".to_owned();
    assert!(scene.files().contains(&first));
    scene.disk.set_capacity(None);
    scene.db.compact().unwrap();
    assert!(!scene.files().contains(&first));
    scene.check();
}

/// There is room for what is copied, and none for what changed: that is
/// written once the garbage is gone.
#[test]
fn a_checkpoint_that_finds_no_room_does_not_keep_garbage_from_going() {
    let mut scene = Scene::new(35);
    let fill = |db: &Database, megabytes: usize| {
        let session = db.create_session();
        for number in 0..megabytes {
            let key = format!("{number}");
            session.set_bytes(&key, &vec![7; 1_000_000]).unwrap();
        }
        session
    };
    let mut dead = fill(&scene.db, 25);
    scene.add(3);
    scene.db.checkpoint().unwrap();
    dead.flush().unwrap();
    scene.db.checkpoint().unwrap();
    let session = fill(&scene.db, 18);
    // Else there is room enough, once it is let go of.
    scene.db.engine().ballast.release();
    let files = scene.disk.files().into_iter();
    let used = files.map(|file| scene.disk.read_file(&file).unwrap().len() as u64);
    // Sixteen mebibytes are for the index.
    let used: u64 = used.sum();
    scene.disk.set_capacity(Some(used + (17 << 20)));
    let outcome = scene.db.checkpoint();
    assert!(
        matches!(outcome, Err(Error::StorageFull { .. })),
        "{outcome:?}"
    );
    scene.db.compact().unwrap();
    scene.db.checkpoint().unwrap();
    assert_eq!(session.len().unwrap(), 18);
    assert_eq!(scene.db.verify().unwrap().sessions, 2);
}

/// What is committed and not published has other places than its rows say.
#[test]
fn nothing_is_compacted_between_the_commit_of_a_batch_and_its_publishing() {
    let mut scene = scene_with_garbage(36);
    let ids: Vec<SessionId> = scene.held.keys().copied().collect();
    for id in &ids {
        scene.fill(*id, 0..20);
    }
    // Else there is room enough, once it is let go of.
    scene.db.engine().ballast.release();
    let files = scene.disk.files().into_iter();
    let used = files.map(|file| scene.disk.read_file(&file).unwrap().len() as u64);
    let used: u64 = used.sum();
    scene
        .disk
        .set_capacity(Some(used + INDEX_ROOM + (64 << 10)));
    let outcome = scene.db.checkpoint();
    assert!(
        matches!(outcome, Err(Error::StorageFull { .. })),
        "{outcome:?}"
    );
    assert!(scene.db.engine().checkpointer.lock().has_plan());
    scene.disk.set_capacity(None);
    let engine = scene.db.engine();
    let done = engine.compact_step(Worth::ASKED_FOR).unwrap();
    assert_eq!(done, Compacted::default());
    scene.db.compact().unwrap();
    scene.check();
}

#[test]
fn a_file_stays_while_rows_that_led_there_are_missing() {
    for lost in 0..4 {
        let mut scene = Scene::new(40 + lost as u64);
        let id = scene.add(30);
        let dead = scene.add(30);
        scene.db.checkpoint().unwrap();
        scene.flush(dead);
        scene.db.checkpoint().unwrap();
        while scene.db.engine().sweep_slice() {}
        let index = scene.db.engine().index.get().unwrap();
        let row = index.session(&id.digest()).unwrap().unwrap();
        let pages = index.pages(row.generation(), "", usize::MAX).unwrap();
        let (lower, _) = &pages[lost * pages.len() / 4];
        index.lose_page(row.generation(), lower).unwrap();
        drop(index);
        assert!(scene.db.compact().unwrap().freed_bytes > 0);
        assert_ne!(index_name(&scene), "index-0001", "it was rebuilt");
        scene.check();
        scene.reopen(IndexFate::Lost);
        scene.check();
    }
}

/// Memory knows where the image is, and sled does not any more.
#[test]
fn a_session_that_has_lost_its_row_is_not_lost_with_the_file() {
    for is_revived in [false, true] {
        let mut scene = Scene::new(50);
        let id = scene.add(1);
        let dead = scene.add(60);
        scene.db.checkpoint().unwrap();
        let digest = id.digest();
        let older = scene.db.engine().index.get().unwrap().session(&digest);
        scene.fill(id, 0..1);
        scene.flush(dead);
        scene.db.checkpoint().unwrap();
        while scene.db.engine().sweep_slice() {}
        let index = scene.db.engine().index.get().unwrap();
        assert!(index.image_of(&digest).is_some());
        if is_revived {
            index
                .revive_session(&digest, &older.unwrap().unwrap())
                .unwrap();
        } else {
            index.lose_session(&digest).unwrap();
        }
        drop(index);
        for _ in 0..2 {
            scene.db.compact().unwrap();
            scene.check();
        }
        assert_ne!(index_name(&scene), "index-0001", "it was rebuilt");
        scene.reopen(IndexFate::Lost);
        scene.check();
    }
}
