//! Publishing, one step at a time: after each of them a lookup finds every key
//! where it is, without the help of a rebuild (3).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::super::publish::publish_step;
use super::super::testing::{check_hash, open, rebuild};
use super::{Pending, Plan};
use crate::format::identity::Timestamp;
use crate::index::{HintGroup, hint_of};
use crate::{Database, Error, Expiry, Session, SimulatedDisk};

type Model = BTreeMap<String, usize>;

struct Scene {
    db: Database,
    session: Session,
    model: Model,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let disk = SimulatedDisk::new(seed).unwrap();
        let db = open(&disk);
        let session = db.create_session();
        let model = Model::new();
        Self { db, session, model }
    }

    /// Puts or removes keys, values being their sizes.
    fn change(&mut self, changes: &[(String, Option<usize>)]) {
        let outcome = self.session.transaction(|tx| {
            changes.iter().try_for_each(|(key, size)| match size {
                Some(size) => tx.set_bytes(key, &vec![7; *size]),
                None => tx.discard(key).map(drop),
            })
        });
        outcome.unwrap();
        for (key, size) in changes {
            match size {
                Some(size) => self.model.insert(key.clone(), *size),
                None => self.model.remove(key),
            };
        }
    }

    fn check(&self, moment: &str) {
        for (key, size) in &self.model {
            let found = self.session.get_bytes(key).unwrap();
            let found = found.map(|bytes| bytes.len());
            assert_eq!(found, Some(*size), "{key} {moment}");
        }
        let keys: Vec<String> = self.session.keys().unwrap().map(Result::unwrap).collect();
        assert!(keys.iter().eq(self.model.keys()), "the walk {moment}");
        let rebuilds = self.db.engine().index.generation();
        assert_eq!(rebuilds, 0, "the index had to be rebuilt {moment}");
    }

    /// Commits a batch without publishing it.
    fn commit(&self) -> Plan {
        let engine = self.db.engine();
        let mut checkpointer = engine.checkpointer.lock();
        let freeze = engine.freeze_now();
        engine.write_batch(&mut checkpointer, &freeze).unwrap()
    }

    fn publish_one_by_one(&mut self, moment: &str) {
        let plan = self.commit();
        let index = self.db.engine().index.get().unwrap();
        let engine = self.db.engine();
        engine
            .announce(&mut engine.checkpointer.lock(), &plan)
            .unwrap();
        self.check(&format!("before publishing {moment}"));
        for merged in &plan.merged {
            for (count, step) in merged.steps.iter().enumerate() {
                let mut state = merged.cell.state.write();
                publish_step(&index, &mut state, merged, step, plan.batch).unwrap();
                drop(state);
                self.check(&format!("after step {count} {moment}"));
            }
            merged.cell.state.write().frozen = None;
        }
        self.check(&format!("after publishing {moment}"));
    }
}

fn key(number: usize) -> String {
    format!("key {number:05}")
}

/// About 20 keys a page.
fn many(range: std::ops::Range<usize>, step: usize) -> Vec<(String, Option<usize>)> {
    range.step_by(step).map(|n| (key(n), Some(180))).collect()
}

#[test]
fn a_page_that_splits_is_found_after_every_step() {
    let mut scene = Scene::new(1);
    scene.change(&many(0..1000, 10));
    scene.publish_one_by_one("of a new session");
    // Only between the keys of some pages, so that the others stay.
    scene.change(&many(0..300, 1));
    scene.publish_one_by_one("of the image's split");
    scene.change(&many(600..700, 1));
    scene.publish_one_by_one("of a page's split");
    scene.db.verify().unwrap();
}

#[test]
fn pages_that_join_are_found_after_every_step() {
    let mut scene = Scene::new(2);
    scene.change(&many(0..800, 1));
    scene.publish_one_by_one("of a new session");
    let sparse = (0..800_usize).filter(|number| !number.is_multiple_of(25));
    let removed: Vec<_> = sparse.map(|number| (key(number), None)).collect();
    scene.change(&removed[..200]);
    scene.publish_one_by_one("of the first pages' joining");
    scene.change(&removed[400..]);
    scene.publish_one_by_one("of the last pages' joining");
    scene.db.verify().unwrap();
}

#[test]
fn random_changes_are_found_after_every_step() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut scene = Scene::new(3);
    for round in 0..12 {
        let changes = (0..random.usize(1..250)).map(|_| {
            let size = random.bool().then(|| random.usize(..600));
            (key(random.usize(..400)), size)
        });
        let changes: Vec<_> = changes.collect();
        scene.change(&changes);
        scene.publish_one_by_one(&format!("of round {round}"));
    }
    scene.db.verify().unwrap();
}

/// The index is rebuilt between the commit of a batch and its publishing:
/// when publishing met trouble and the rebuild found no space.
#[test]
fn a_batch_that_waits_to_be_published_looks_like_no_damage() {
    let mut scene = Scene::new(4);
    scene.change(&many(0..60, 1));
    scene.db.checkpoint().unwrap();
    // The second page joins the image.
    let removed: Vec<_> = (0..59).map(|number| (key(number), None)).collect();
    scene.change(&removed);
    let engine = scene.db.engine();
    {
        let mut checkpointer = engine.checkpointer.lock();
        let freeze = engine.freeze_now();
        let plan = engine.write_batch(&mut checkpointer, &freeze).unwrap();
        let plan = Some(plan);
        checkpointer.pending = Some(Pending { freeze, plan });
    }
    rebuild(engine);
    let found = scene.session.get_bytes(&key(59)).unwrap();
    assert_eq!(found.map(|bytes| bytes.len()), Some(180));
    scene.db.verify().unwrap();
}

#[test]
fn with_little_room_left_the_index_is_not_written_to() {
    let disk = SimulatedDisk::new(5).unwrap();
    let db = open(&disk);
    let session = db.create_session();
    session.set("a", &1).unwrap();
    disk.remove_file("BALLAST").unwrap();
    disk.set_capacity(Some(disk.file_bytes() + (1 << 20)));
    let refused = db.checkpoint();
    assert!(matches!(refused, Err(Error::StorageFull { .. })));
    assert_eq!(db.stats().batches, 0);
    disk.set_capacity(None);
    db.checkpoint().unwrap();
    assert_eq!(db.stats().batches, 1);
    db.verify().unwrap();
}

#[test]
fn memory_is_not_counted_that_is_not_held() {
    let disk = SimulatedDisk::new(6).unwrap();
    let db = open(&disk);
    let session = db.create_session();
    session.set("a", &1).unwrap();
    let before = db.stats().memtable_bytes;
    for _ in 0..20 {
        session.set("a", &"x".repeat(100_000)).unwrap();
        session.set("a", &1).unwrap();
    }
    assert_eq!(db.stats().memtable_bytes, before);
}

#[test]
fn hints_are_in_their_groups_before_their_rows() {
    let scene = Scene::new(9);
    let sessions: Vec<_> = (0..300).map(|_| scene.db.create_session()).collect();
    for session in &sessions {
        let expiry = Expiry::Idle(Duration::from_secs(3600));
        session.set_expiry(expiry).unwrap();
        session.set("a", &1).unwrap();
    }
    let plan = scene.commit();
    let engine = scene.db.engine();
    let index = engine.index.get().unwrap();
    let members = || {
        let (groups, _) = index
            .due_groups(None, Timestamp(u64::MAX), usize::MAX)
            .unwrap();
        let hints: Vec<_> = groups.iter().flat_map(HintGroup::hints).collect();
        hints
    };
    assert_eq!(members(), []);
    let announce = || engine.announce(&mut engine.checkpointer.lock(), &plan);
    announce().unwrap();
    let announced = members();
    assert_eq!(announced.len(), sessions.len());
    assert!(index.sessions_after(None, 1).unwrap().is_empty());
    announce().unwrap();
    assert_eq!(members(), announced, "once more is once");
    for merged in &plan.merged {
        engine.publish(merged, plan.batch).unwrap();
    }
    let rows = index.sessions_after(None, 1000).unwrap();
    let named = rows
        .iter()
        .filter_map(|(digest, row)| hint_of(*digest, row));
    assert_eq!(
        named.collect::<BTreeSet<_>>(),
        announced.into_iter().collect()
    );
}

#[test]
fn publishing_over_a_rebuilt_index_changes_no_row() {
    let scene = Scene::new(10);
    for _ in 0..3 {
        let session = scene.db.create_session();
        let expiry = Expiry::Idle(Duration::from_secs(3600));
        session.set_expiry(expiry).unwrap();
        session.set_owner(Some("somebody")).unwrap();
        session.set("a", &1).unwrap();
    }
    let plan = scene.commit();
    let engine = scene.db.engine();
    rebuild(engine);
    let index = engine.index.get().unwrap();
    let rows = index.sessions_after(None, 10).unwrap();
    assert_eq!(rows.len(), 3);
    for _ in 0..2 {
        for merged in &plan.merged {
            engine.publish(merged, plan.batch).unwrap();
        }
        assert_eq!(index.sessions_after(None, 10).unwrap(), rows);
        check_hash(&scene.db);
    }
}

#[test]
fn what_is_published_is_let_go_of() {
    let scene = Scene::new(12);
    let others: Vec<_> = (0..200).map(|_| scene.db.create_session()).collect();
    for session in &others {
        session.set("a", &1).unwrap();
    }
    let engine = scene.db.engine();
    let mut checkpointer = engine.checkpointer.lock();
    let freeze = engine.freeze_now();
    let mut plan = engine.write_batch(&mut checkpointer, &freeze).unwrap();
    let merged = plan.merged.iter();
    let frozen: Vec<_> = merged
        .map(|merged| Arc::downgrade(&merged.frozen))
        .collect();
    assert_eq!(frozen.len(), others.len());
    engine
        .publish_all(&mut checkpointer, &mut plan, &freeze)
        .unwrap();
    assert!(frozen.iter().all(|frozen| frozen.upgrade().is_none()));
    // Once more is for nothing, as when the step that follows has failed.
    engine
        .publish_all(&mut checkpointer, &mut plan, &freeze)
        .unwrap();
    drop(checkpointer);
    scene.db.verify().unwrap();
}

#[test]
fn an_image_that_is_replaced_does_not_stay_in_the_cache() {
    let mut scene = Scene::new(11);
    let cached = |scene: &Scene| scene.db.stats().cached_bytes;
    scene.change(&many(0..10, 1));
    scene.db.checkpoint().unwrap();
    scene.change(&many(0..1, 1));
    scene.db.checkpoint().unwrap();
    assert_eq!(cached(&scene), 0, "only the checkpoint has read it");
    scene.check("before the change");
    assert!(cached(&scene) > 0);
    scene.change(&many(1..2, 1));
    scene.db.checkpoint().unwrap();
    assert_eq!(cached(&scene), 0, "nobody reads it any more");
    scene.check("after the change");
}
