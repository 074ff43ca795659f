//! How long dead IDs are remembered where nobody says it: for the longer of
//! both timeouts, and for 14 days without any.

use std::time::Duration;

use sessiondb::{Builder, ManualClock, SimulatedDisk};
use std::sync::Arc;

use super::{is_dead, is_forgotten};
use crate::support::{Adjust, DAY, INSTANT, SECOND, Scene};

#[track_caller]
fn remembers_for(adjust: Adjust, period: Duration) {
    let scene = Scene::with(adjust);
    let mut session = scene.written();
    let id = session.id();
    session.destroy().unwrap();
    scene.db.checkpoint().unwrap();
    scene.wait(period - INSTANT);
    is_dead(&scene, &id, "within the period");
    scene.wait(period / 8 + SECOND);
    scene.db.checkpoint().unwrap();
    is_forgotten(&scene, &id, "after the period");
}

#[test]
fn for_the_idle_timeout_where_it_is_the_longer_one() {
    remembers_for(
        |builder| {
            builder
                .idle_timeout(Some(3 * DAY))
                .absolute_timeout(Some(DAY))
        },
        3 * DAY,
    );
    remembers_for(|builder| builder.idle_timeout(Some(3 * DAY)), 3 * DAY);
}

#[test]
fn for_the_absolute_timeout_where_it_is_the_longer_one() {
    remembers_for(
        |builder| {
            builder
                .idle_timeout(Some(DAY))
                .absolute_timeout(Some(5 * DAY))
        },
        5 * DAY,
    );
    remembers_for(
        |builder| builder.idle_timeout(None).absolute_timeout(Some(5 * DAY)),
        5 * DAY,
    );
}

#[test]
fn for_14_days_without_any() {
    remembers_for(|builder| builder.idle_timeout(None), 14 * DAY);
}

#[test]
fn for_14_days_where_nothing_is_said_at_all() {
    let clock = Arc::new(ManualClock::default());
    let disk = SimulatedDisk::new(1).unwrap();
    let scene = Scene::on(disk, clock, |builder: Builder| {
        builder.idle_timeout(Some(14 * DAY))
    });
    let mut session = scene.written();
    let id = session.id();
    session.destroy().unwrap();
    scene.wait(14 * DAY - INSTANT);
    is_dead(&scene, &id, "within the period");
}

#[test]
fn for_as_long_as_is_said() {
    remembers_for(|builder| builder.retire_ids_for(SECOND * 80), SECOND * 80);
    remembers_for(|builder| builder.retire_ids_for(40 * DAY), 40 * DAY);
}

#[test]
fn for_ever_where_that_is_said() {
    let scene = Scene::with(|builder| builder.retire_ids_for(Duration::MAX));
    let mut session = scene.written();
    let id = session.id();
    session.destroy().unwrap();
    scene.db.checkpoint().unwrap();
    scene.wait(200 * 365 * DAY);
    scene.db.checkpoint().unwrap();
    is_dead(&scene, &id, "for ever");
    let scene = scene.reopened();
    is_dead(&scene, &id, "for ever");
    scene.is_sound();
}
