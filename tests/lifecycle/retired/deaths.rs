//! However a session dies, its ID is retired at once, and whatever happens to
//! the database.

use super::{DEATHS, PERIOD, adjust, is_dead};
use crate::support::{Fate, INSTANT, Scene};

/// Every death before every fate; the session lies in a segment or does not.
fn each(settled: bool) {
    for (name, die) in DEATHS {
        for fate in Fate::ALL {
            let scene = Scene::with(adjust);
            let session = scene.written();
            let id = session.id();
            if settled {
                scene.db.checkpoint().unwrap();
            }
            assert!(!scene.db.is_retired(id).unwrap(), "{name}");
            die(&scene, session);
            let what = format!("{name}, {fate}");
            is_dead(&scene, &id, &what);
            let scene = scene.after(fate);
            is_dead(&scene, &id, &what);
            scene.is_sound();
            is_dead(&scene, &id, &what);
        }
    }
}

#[test]
fn of_a_session_that_never_reached_a_segment() {
    each(false);
}

#[test]
fn of_a_session_in_a_segment() {
    each(true);
}

#[test]
fn over_several_fates_and_to_the_end_of_the_period() {
    for (number, (name, die)) in DEATHS.iter().enumerate() {
        let fate = |nth: usize| Fate::ALL[nth % Fate::ALL.len()];
        let fates = [fate(number), fate(number + 3), fate(2 * number + 5)];
        let what = format!("{name}, {fates:?}");
        let scene = Scene::with(adjust);
        let session = scene.written();
        let id = session.id();
        die(&scene, session);
        let died = scene.now();
        let scene = scene.after(fates[0]);
        scene.wait(PERIOD / 2);
        is_dead(&scene, &id, &what);
        let scene = scene.after(fates[1]);
        scene.clock.set(died + PERIOD - INSTANT);
        is_dead(&scene, &id, &what);
        let scene = scene.after(fates[2]);
        is_dead(&scene, &id, &what);
        scene.is_sound();
    }
}

#[test]
fn the_ids_from_then_on_are_not() {
    for fate in Fate::ALL {
        let scene = Scene::with(adjust);
        let mut flushed = scene.written();
        flushed.flush().unwrap();
        let mut cycled = scene.written();
        cycled.cycle_id().unwrap();
        let mut login = scene.written();
        login.cycle_id_with(|tx| tx.set("login", &1)).unwrap();
        let mut logout = scene.written();
        logout.flush_with(|tx| tx.set("message", &1)).unwrap();
        let alive = [cycled.id(), login.id(), logout.id()];
        let flushed = flushed.id();
        let scene = scene.after(fate);
        for id in &alive {
            assert!(!scene.db.is_retired(*id).unwrap(), "{fate}");
            assert!(scene.is_open(id), "{fate}");
        }
        assert!(!scene.db.is_retired(flushed).unwrap(), "{fate}");
    }
}

#[test]
fn each_id_of_a_session_that_had_many() {
    for fate in Fate::ALL {
        let scene = Scene::with(adjust);
        let mut session = scene.written();
        let mut dead = Vec::new();
        for number in 0..12 {
            dead.push(session.id());
            session.cycle_id().unwrap();
            if number == 6 {
                scene.db.checkpoint().unwrap();
            }
        }
        dead.push(session.id());
        session.destroy().unwrap();
        let scene = scene.after(fate);
        for id in &dead {
            is_dead(&scene, id, "one of many");
        }
        scene.is_sound();
    }
}
