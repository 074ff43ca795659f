//! The space comes back, and nothing else goes.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::super::testing::{check_hash, locations, rebuild, spoil};
use super::*;
use crate::format::identity::SegmentNumber;
use crate::{Crash, Database, IndexFate, ManualClock, Phase, SessionId, SimulatedDisk};

mod steps;

/// A database of small files, whose background is the test.
fn open(disk: &SimulatedDisk) -> Database {
    let builder = Database::builder()
        .background(false)
        .segment_bytes(64 << 10);
    builder.open_on(Arc::new(disk.clone())).unwrap()
}

/// Sessions of some pages each, and what they hold.
struct Scene {
    disk: SimulatedDisk,
    db: Database,
    held: HashMap<SessionId, BTreeMap<String, Vec<u8>>>,
    written: u8,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let disk = SimulatedDisk::new(seed).unwrap();
        let db = open(&disk);
        Self {
            disk,
            db,
            held: HashMap::new(),
            written: 0,
        }
    }

    /// One more session of so many keys of a kibibyte.
    fn add(&mut self, keys: usize) -> SessionId {
        let session = self.db.create_session();
        self.held.insert(session.id(), BTreeMap::new());
        session.set_bytes("key/000", b"").unwrap();
        let id = session.id();
        self.fill(id, 0..keys);
        id
    }

    /// Writes keys anew.
    fn fill(&mut self, id: SessionId, keys: std::ops::Range<usize>) {
        self.written = self.written.wrapping_add(1);
        let value = vec![self.written; 1024];
        let session = self.db.open_session(&id).unwrap().unwrap();
        let held = self.held.get_mut(&id).unwrap();
        for key in keys {
            let key = format!("key/{key:03}");
            session.set_bytes(&key, &value).unwrap();
            held.insert(key, value.clone());
        }
    }

    fn flush(&mut self, id: SessionId) {
        self.db.open_session(&id).unwrap().unwrap().flush().unwrap();
        self.held.remove(&id);
    }

    /// Everything is what it has to be, and nothing else is there.
    fn check(&self) {
        for (id, held) in &self.held {
            let session = self.db.open_session(id).unwrap().expect("it lives");
            assert_eq!(session.len().unwrap(), held.len());
            for (key, value) in held {
                assert_eq!(
                    &*session.get_bytes(key).unwrap().unwrap(),
                    &value[..],
                    "{key}"
                );
            }
        }
        assert_eq!(self.db.sessions().count(), self.held.len());
        self.db.verify().unwrap();
        check_hash(&self.db);
    }

    fn reopen(&mut self, index: IndexFate) {
        self.reopen_after(Crash::KeepNothing, index);
    }

    fn reopen_after(&mut self, crash: Crash, index: IndexFate) {
        self.disk = self.disk.crash(crash, index).unwrap();
        self.db = open(&self.disk);
    }

    fn files(&self) -> Vec<String> {
        let files = self.disk.files().into_iter();
        files.filter(|file| file.starts_with("segments/")).collect()
    }
}

/// Half of all is garbage, spread over all files.
fn scene_with_garbage(seed: u64) -> Scene {
    let mut scene = Scene::new(seed);
    let ids: Vec<SessionId> = (0..16).map(|_| scene.add(30)).collect();
    scene.db.checkpoint().unwrap();
    for id in ids.iter().step_by(4) {
        scene.fill(*id, 0..30);
    }
    for id in ids.iter().skip(1).step_by(4) {
        scene.flush(*id);
    }
    scene.db.checkpoint().unwrap();
    scene
}

#[test]
fn what_is_garbage_goes_and_what_lives_stays() {
    let scene = scene_with_garbage(1);
    let before = scene.db.stats().segment_bytes;
    let reclaimed = scene.db.compact().unwrap();
    let after = scene.db.stats().segment_bytes;
    assert!(reclaimed.freed_bytes > 0 && !reclaimed.stopped);
    assert!(after < before * 3 / 4, "{before} became {after}");
    // 12 sessions of 30 KiB.
    assert!(after < 12 * 30 * 1024 * 5 / 4, "{after}");
    scene.check();
}

#[test]
fn a_rebuild_finds_the_copies() {
    let scene = scene_with_garbage(2);
    scene.db.compact().unwrap();
    rebuild(scene.db.engine());
    scene.check();
}

#[test]
fn an_open_finds_the_copies_whatever_became_of_the_index() {
    for (seed, index) in [(3, IndexFate::Kept), (4, IndexFate::Lost)] {
        let mut scene = scene_with_garbage(seed);
        scene.db.compact().unwrap();
        scene.reopen(index);
        scene.check();
    }
}

#[test]
fn when_all_is_flushed_hardly_anything_is_left() {
    let mut scene = Scene::new(5);
    let ids: Vec<SessionId> = (0..16).map(|_| scene.add(30)).collect();
    scene.db.checkpoint().unwrap();
    for id in ids {
        scene.flush(id);
    }
    scene.db.compact().unwrap();
    let left = scene.db.stats().segment_bytes;
    assert!(left < 16 << 10, "{left} bytes");
    scene.check();
    scene.reopen(IndexFate::Lost);
    scene.check();
}

#[test]
fn a_session_in_memory_follows_its_image() {
    let mut scene = Scene::new(6);
    let id = scene.add(1);
    let other = scene.add(60);
    scene.db.checkpoint().unwrap();
    let session = scene.db.open_session(&id).unwrap().unwrap();
    assert!(session.contains_key("key/000").unwrap());
    scene.flush(other);
    scene.db.compact().unwrap();
    assert!(!scene.files().contains(&"segments/000001.seg".to_owned()));
    assert_eq!(session.get_bytes("key/000").unwrap().unwrap()[0], 1);
    scene.fill(id, 0..3);
    scene.check();
}

#[test]
fn a_session_that_is_flushed_in_memory_only_is_copied_and_dies_all_the_same() {
    let mut scene = scene_with_garbage(7);
    let id = *scene.held.keys().next().unwrap();
    scene.flush(id);
    while scene
        .db
        .engine()
        .compact_step(Worth::ASKED_FOR)
        .unwrap()
        .more
    {}
    scene.check();
    rebuild(scene.db.engine());
    scene.check();
    scene.reopen(IndexFate::Lost);
    scene.check();
}

#[test]
fn it_stops_between_two_steps_when_it_is_told_to() {
    let scene = scene_with_garbage(8);
    let mut seen = Vec::new();
    let reclaimed = scene.db.compact_with(|phase, done, of| {
        assert!(done <= of);
        seen.push(phase);
        if phase == Phase::Compaction {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    let reclaimed = reclaimed.unwrap();
    assert!(reclaimed.stopped);
    assert_eq!((reclaimed.freed_bytes, reclaimed.copied_bytes), (0, 0));
    seen.dedup();
    assert_eq!(seen, [Phase::Checkpoint, Phase::Sweep, Phase::Compaction]);
    scene.check();
    assert!(scene.db.compact().unwrap().freed_bytes > 0);
    scene.check();
}

#[test]
fn a_second_one_finds_nothing_to_do() {
    let scene = scene_with_garbage(9);
    scene.db.compact().unwrap();
    let files = scene.files();
    let again = scene.db.compact().unwrap();
    assert_eq!((again.freed_bytes, again.copied_bytes), (0, 0));
    assert_eq!(scene.files(), files);
}

#[test]
fn a_file_with_a_damaged_frame_that_lives_stays() {
    let mut scene = scene_with_garbage(10);
    let live = scene.db.engine().index.get().unwrap();
    let id = *scene.held.keys().next().unwrap();
    let image = live.session(&id.digest()).unwrap().unwrap().location;
    spoil(&scene.disk, image);
    scene.db.compact().unwrap();
    let file = format!("segments/{:06}.seg", image.segment.0);
    assert!(scene.files().contains(&file), "{file}");
    scene.held.remove(&id);
    for (id, held) in &scene.held {
        let session = scene.db.open_session(id).unwrap().expect("it lives");
        assert_eq!(session.len().unwrap(), held.len());
    }
}

#[test]
fn a_cached_page_follows_its_frame_and_is_kept_once() {
    let scene = scene_with_garbage(12);
    scene.check();
    let before = scene.db.stats().cached_bytes;
    assert!(before > 0);
    assert!(scene.db.compact().unwrap().copied_bytes > 0);
    assert_eq!(scene.db.stats().cached_bytes, before);
    let index = scene.db.engine().index.get().unwrap();
    for id in scene.held.keys() {
        let row = index.session(&id.digest()).unwrap().unwrap();
        let cached = scene
            .db
            .engine()
            .cache
            .get((row.location, row.generation()));
        assert!(cached.is_some(), "it is in its new place");
    }
}

#[test]
fn a_tombstone_stays_while_an_older_file_may_hold_what_it_hides() {
    let mut scene = Scene::new(11);
    let first = scene.add(30);
    let dead = scene.add(3);
    let second = scene.add(60);
    scene.db.checkpoint().unwrap();
    scene.flush(dead);
    scene.fill(second, 0..60);
    scene.db.checkpoint().unwrap();
    let tombstones = || locations(&scene.db, Kind::SessionTombstone);
    assert_eq!(tombstones().len(), 1);
    let (image, grave) = (locations(&scene.db, Kind::Image), tombstones());
    assert!(image[0].segment < grave[0].segment);
    scene.db.compact().unwrap();
    // The first session lives in the first file, whose garbage is little.
    let index = scene.db.engine().index.get().unwrap();
    let oldest = index.session(&first.digest()).unwrap().unwrap().location;
    let left = tombstones();
    assert_eq!(left.is_empty(), oldest.segment > grave[0].segment);
    rebuild(scene.db.engine());
    scene.check();
}

/// With each of the disk's operations the power fails once.
#[test]
fn a_crash_at_any_step_loses_nothing_and_leaves_nothing_behind() {
    let mut crashes = 0;
    for step in 0.. {
        let mut scene = scene_with_garbage(100 + step);
        scene.disk.power_off_after(step);
        let outcome = scene.db.compact();
        if !scene.disk.is_off() {
            outcome.unwrap();
            break;
        }
        let crash = match step % 4 {
            0 => Crash::KeepNothing,
            1 => Crash::KeepAll,
            2 => Crash::Random(step),
            _ => Crash::Prefix(step),
        };
        let index = match step % 3 {
            0 => IndexFate::Lost,
            _ => IndexFate::Kept,
        };
        scene.reopen_after(crash, index);
        scene.check();
        scene.db.compact().unwrap();
        let bytes = scene.db.stats().segment_bytes;
        assert!(bytes < 12 * 30 * 1024 * 5 / 4, "step {step}: {bytes}");
        scene.check();
        crashes += 1;
    }
    assert!(crashes > 20, "{crashes}");
}

/// What a footer names is not known without it.
#[test]
fn a_file_with_a_damaged_footer_stays() {
    let scene = scene_with_garbage(13);
    let footers = scene.db.engine().segments.scan(&mut |_, _| {}).unwrap();
    let (location, _) = *footers
        .iter()
        .find(|(location, _)| location.segment == SegmentNumber(1))
        .as_ref()
        .unwrap();
    spoil(&scene.disk, *location);
    scene.db.compact().unwrap();
    assert!(scene.files().contains(&"segments/000001.seg".to_owned()));
    for (id, held) in &scene.held {
        let session = scene.db.open_session(id).unwrap().expect("it lives");
        assert_eq!(session.len().unwrap(), held.len());
        assert!(session.get_bytes("key/000").unwrap().is_some());
    }
}

/// Of a small session the footer's entry is a large part.
#[test]
fn what_footers_say_of_what_lives_is_no_garbage() {
    let scene = Scene::new(12);
    for number in 0..3000 {
        let session = scene.db.create_session();
        session.set("k", &number).unwrap();
        if number % 1000 == 999 {
            scene.db.checkpoint().unwrap();
        }
    }
    let mut steps = 0;
    let reclaimed = scene.db.compact_with(|phase, _, _| {
        steps += usize::from(phase == Phase::Compaction);
        if steps > 100 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    let reclaimed = reclaimed.unwrap();
    assert!(!reclaimed.stopped, "{reclaimed:?}");
    assert_eq!(reclaimed.freed_bytes, 0, "{reclaimed:?}");
}

#[test]
fn a_small_file_that_is_not_worth_it_is_in_no_larger_ones_way() {
    let mut scene = Scene::new(14);
    let id = scene.add(1);
    scene.db.checkpoint().unwrap();
    scene.flush(id);
    scene.db.checkpoint().unwrap();
    let mut checkpointer = scene.db.engine().checkpointer.lock();
    scene.db.engine().leave_tail(&mut checkpointer).unwrap();
    drop(checkpointer);
    let ids: Vec<SessionId> = (0..16).map(|_| scene.add(30)).collect();
    scene.db.checkpoint().unwrap();
    for id in ids.iter().step_by(3) {
        scene.flush(*id);
    }
    assert!(scene.db.compact().unwrap().freed_bytes > 100 << 10);
    scene.check();
}

/// They are weighed again though nothing else has changed.
#[test]
fn ids_that_are_remembered_no_longer_are_garbage_without_another_look() {
    let hour = Duration::from_secs(3600);
    let clock = Arc::new(ManualClock::default());
    let builder = Database::builder()
        .background(false)
        .segment_bytes(64 << 10)
        .retire_ids_for(hour)
        .clock(Arc::<ManualClock>::clone(&clock));
    let disk = SimulatedDisk::new(40).unwrap();
    let db = builder.open_on(Arc::new(disk)).unwrap();
    let live = db.create_session();
    live.set_bytes("key", &vec![7; 30_000]).unwrap();
    db.checkpoint().unwrap();
    for _ in 0..6000 {
        let mut session = db.create_session();
        session.set("user", "ada").unwrap();
        session.destroy().unwrap();
    }
    db.checkpoint().unwrap();
    db.compact().unwrap();
    let before = db.stats().segment_bytes;
    assert!(before > 6000 * 16);
    clock.advance(2 * hour);
    db.compact().unwrap();
    let after = db.stats().segment_bytes;
    assert!(after < 40_000, "{before} became {after}");
}

/// Batches of compaction take numbers, too.
#[test]
fn the_watermark_is_never_far_behind_a_checkpoint() {
    let mut scene = Scene::new(41);
    for _ in 0..12 {
        scene.add(1);
        scene.db.checkpoint().unwrap();
        let engine = scene.db.engine();
        let mut checkpointer = engine.checkpointer.lock();
        let watermark = engine.index.get().unwrap().watermark().unwrap();
        let batch = checkpointer.batch;
        assert!(batch.0 < watermark.0 + 8, "{watermark} at {batch}");
        engine.leave_tail(&mut checkpointer).unwrap();
    }
    scene.check();
}
