//! After its period, and an eighth more, a dead ID is forgotten.

use sessiondb::{Builder, Expiry};

use super::{DEATHS, PERIOD, adjust, is_dead, is_forgotten};
use crate::support::{Fate, INSTANT, SECOND, Scene, contents, named};

/// Nobody expires here, so that there are only the deaths of the test.
fn without_timeouts(builder: Builder) -> Builder {
    builder.idle_timeout(None).retire_ids_for(PERIOD)
}

#[test]
fn whichever_way_it_died() {
    for (name, die) in DEATHS {
        let scene = Scene::with(adjust);
        let session = scene.written();
        let id = session.id();
        die(&scene, session);
        // From the purge on, where it expired.
        scene.db.purge_expired().unwrap();
        is_dead(&scene, &id, name);
        scene.wait(PERIOD + PERIOD / 8 + SECOND);
        scene.db.purge_expired().unwrap();
        is_forgotten(&scene, &id, name);
        scene.is_sound();
    }
}

#[test]
fn whatever_happens_before_and_after() {
    for before in Fate::ALL {
        for after in Fate::ALL {
            for settled in [false, true] {
                let scene = Scene::with(without_timeouts);
                let mut session = scene.written();
                let id = session.id();
                if settled {
                    scene.db.checkpoint().unwrap();
                }
                session.destroy().unwrap();
                let scene = scene.after(before);
                scene.db.checkpoint().unwrap();
                scene.wait(PERIOD - INSTANT);
                let what = format!("{before}, {after}");
                is_dead(&scene, &id, &what);
                scene.wait(PERIOD / 8 + SECOND);
                let scene = scene.after(after);
                scene.db.checkpoint().unwrap();
                is_forgotten(&scene, &id, &what);
                scene.is_sound();
                is_forgotten(&scene, &id, &what);
            }
        }
    }
}

#[test]
fn while_the_database_is_closed_too() {
    for fate in Fate::ALL {
        let scene = Scene::with(without_timeouts);
        let mut session = scene.written();
        let id = session.id();
        session.cycle_id().unwrap();
        let new = session.id();
        scene.db.close().unwrap();
        scene.wait(PERIOD + PERIOD / 8 + SECOND);
        let scene = Scene::on(scene.disk, scene.clock, without_timeouts).after(fate);
        is_forgotten(&scene, &id, "closed meanwhile");
        assert_eq!(
            contents(&scene.handle(&new)),
            named(&[("user", 1)]),
            "{fate}"
        );
        scene.is_sound();
    }
}

#[test]
fn those_that_died_later_are_forgotten_later() {
    for fate in Fate::ALL {
        let scene = Scene::with(without_timeouts);
        let mut dead = Vec::new();
        let mut scene = scene;
        for _ in 0..12 {
            let mut session = scene.written();
            dead.push((session.id(), scene.now()));
            session.destroy().unwrap();
            scene.db.checkpoint().unwrap();
            scene.wait(PERIOD / 4);
            scene = scene.after(fate);
            for (id, died) in &dead {
                let age = scene.now().duration_since(*died).unwrap();
                if age < PERIOD {
                    is_dead(&scene, id, "not yet");
                } else if age > PERIOD + PERIOD / 8 {
                    is_forgotten(&scene, id, "its time is over");
                }
            }
        }
        scene.is_sound();
    }
}

#[test]
fn then_the_id_is_free_again() {
    for fate in Fate::ALL {
        let scene = Scene::with(without_timeouts);
        let mut session = scene.written();
        let id = session.id();
        scene.db.checkpoint().unwrap();
        session.destroy().unwrap();
        scene.db.checkpoint().unwrap();
        scene.wait(PERIOD + PERIOD / 8 + SECOND);
        scene.db.checkpoint().unwrap();
        let made = scene
            .db
            .create_session_with_id(id, Expiry::Default)
            .unwrap();
        made.set("again", &2).unwrap();
        let scene = scene.after(fate);
        assert_eq!(
            contents(&scene.handle(&id)),
            named(&[("again", 2)]),
            "{fate}"
        );
        assert!(!scene.db.is_retired(id).unwrap(), "{fate}");
        scene.is_sound();
        // And may die again.
        scene.handle(&id).destroy().unwrap();
        let scene = scene.after(fate);
        is_dead(&scene, &id, "dead again");
        scene.wait(PERIOD - INSTANT);
        is_dead(&scene, &id, "dead again");
        scene.is_sound();
    }
}

#[test]
fn a_session_that_is_over_stays_retired_until_the_purge_and_a_period_after_it() {
    for fate in Fate::ALL {
        let scene = Scene::with(adjust);
        let id = scene.written().id();
        let scene = scene.after(fate);
        scene.wait(3 * PERIOD);
        is_dead(&scene, &id, "expired long ago");
        assert_eq!(scene.db.purge_expired().unwrap(), 1, "{fate}");
        scene.wait(PERIOD + PERIOD / 8 + SECOND);
        scene.db.checkpoint().unwrap();
        is_forgotten(&scene, &id, "purged long ago");
        scene.is_sound();
    }
}
