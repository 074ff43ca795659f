//! What is remembered of dead IDs is bounded by how many died within a period,
//! not by how many ever did.

use std::time::Duration;

use sessiondb::{Builder, SessionId};

use super::{PERIOD, is_dead, is_forgotten};
use crate::support::{Fate, NEVER_BY_ITSELF, SECOND, Scene};

/// How many die in a round.
const DEATHS: usize = 400;

fn without_timeouts(builder: Builder) -> Builder {
    builder.idle_timeout(None).retire_ids_for(PERIOD)
}

/// Logs visitors in and out; returns the dead IDs.
fn visitors(scene: &Scene, count: usize) -> Vec<SessionId> {
    let quick = scene.db.with_durability(NEVER_BY_ITSELF);
    let mut dead = Vec::new();
    for _ in 0..count {
        let mut session = quick.create_session();
        session.set("user", &1).unwrap();
        dead.push(session.id());
        session.destroy().unwrap();
    }
    quick.commit().unwrap();
    dead
}

/// What the files of the index hold; sled makes them longer than that.
fn index_bytes(scene: &Scene) -> usize {
    let directories = std::fs::read_dir(scene.disk.index_root()).unwrap();
    let files = directories.flat_map(|directory| {
        let directory = directory.unwrap().path();
        std::fs::read_dir(directory).unwrap().map(Result::unwrap)
    });
    let files = files.filter(|file| file.file_type().unwrap().is_file());
    let bytes = files.map(|file| {
        let bytes = std::fs::read(file.path()).unwrap();
        bytes.iter().filter(|byte| **byte != 0).count()
    });
    bytes.sum()
}

#[test]
fn an_index_built_again_holds_none_that_is_forgotten() {
    let scene = Scene::with(without_timeouts);
    let dead = visitors(&scene, 25 * DEATHS);
    // A clean stop puts into the files what the index holds.
    let within = scene.after(Fate::CheckpointedIndexLost);
    let within = within.after(Fate::Reopened);
    let large = index_bytes(&within);
    for id in dead.iter().step_by(997) {
        is_dead(&within, id, "within the period");
    }
    within.wait(PERIOD + PERIOD / 8 + SECOND);
    let after = within.after(Fate::IndexLost).after(Fate::Reopened);
    let small = index_bytes(&after);
    assert!(small < large / 2, "{small} bytes after {large}");
    for id in dead.iter().step_by(997) {
        is_forgotten(&after, id, "after the period");
    }
    after.is_sound();
}

#[test]
fn over_many_periods_an_index_that_is_built_again_holds_those_of_the_last_one() {
    let mut scene = Scene::with(without_timeouts);
    let mut sizes = Vec::new();
    for periods in [2, 10] {
        for _ in 0..4 * periods {
            visitors(&scene, DEATHS);
            scene.wait(PERIOD / 4);
            scene.db.purge_expired().unwrap();
        }
        scene = scene.after(Fate::CheckpointedIndexLost);
        sizes.push(scene.db.stats().index_bytes);
    }
    assert!(sizes[1] < 2 * sizes[0], "{sizes:?}");
    scene.is_sound();
}

#[test]
fn over_many_periods_a_batch_costs_the_same() {
    let scene = Scene::with(without_timeouts);
    let mut costs = Vec::new();
    for _ in 0..60 {
        visitors(&scene, 20);
        let before = scene.db.stats().segment_bytes;
        scene.db.checkpoint().unwrap();
        costs.push(scene.db.stats().segment_bytes - before);
        scene.wait(PERIOD / 10);
    }
    // Places further back in the file take a few bytes more.
    let worst = |costs: &[u64]| costs.iter().copied().max().unwrap();
    let early = worst(&costs[12..24]);
    assert!(worst(&costs[48..]) < early + early / 16, "{costs:?}");
    scene.is_sound();
}

#[test]
fn a_period_of_nothing_remembers_nothing() {
    let scene = Scene::with(|builder| builder.retire_ids_for(Duration::ZERO));
    let session = scene.written();
    let id = session.id();
    scene.handle(&id).destroy().unwrap();
    scene.db.checkpoint().unwrap();
    is_forgotten(&scene, &id, "a period of nothing");
    // What is open stays gone all the same.
    assert!(session.set("user", &2).is_err());
    assert!(!scene.is_open(&id));
    scene.is_sound();
    let scene = scene.after(Fate::CheckpointedIndexLost);
    is_forgotten(&scene, &id, "a period of nothing");
    scene.is_sound();
}
