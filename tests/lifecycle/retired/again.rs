//! An ID that was forgotten may live again, as another session: nothing of the
//! first one reaches it.

use sessiondb::{Builder, Expiry, Session};

use super::{PERIOD, is_dead};
use crate::support::{Fate, SECOND, Scene, contents, is_gone, named};

fn without_timeouts(builder: Builder) -> Builder {
    builder.idle_timeout(None).retire_ids_for(PERIOD)
}

/// Waits until everything that is dead is forgotten.
fn forget(scene: &Scene) {
    scene.db.checkpoint().unwrap();
    scene.wait(PERIOD + PERIOD / 8 + SECOND);
    scene.db.purge_expired().unwrap();
}

#[test]
fn handles_of_the_first_session_do_not_reach_the_second_one() {
    type Die = fn(&Scene, Session);
    let deaths: [Die; 3] = [
        |_, mut session| session.destroy().unwrap(),
        |scene, session| assert!(scene.db.revoke(session.id()).unwrap()),
        |_, mut session| {
            session.cycle_id().unwrap();
        },
    ];
    for die in deaths {
        for settled in [false, true] {
            let scene = Scene::with(without_timeouts);
            let mut first = scene.written();
            let id = first.id();
            if settled {
                scene.db.checkpoint().unwrap();
            }
            die(&scene, scene.handle(&id));
            forget(&scene);
            let second = scene
                .db
                .create_session_with_id(id, Expiry::Default)
                .unwrap();
            second.set("second", &2).unwrap();
            is_gone(first.get::<i64>("user"));
            is_gone(first.set("user", &3));
            is_gone(first.touch());
            is_gone(first.cycle_id_with(|tx| tx.set("user", &3)));
            // A late click on logout logs nobody out.
            first.flush().unwrap();
            assert_eq!(contents(&second), named(&[("second", 2)]));
            assert_eq!(contents(&scene.handle(&id)), named(&[("second", 2)]));
            let scene = scene.after(Fate::CheckpointedIndexLost);
            assert_eq!(contents(&scene.handle(&id)), named(&[("second", 2)]));
            scene.is_sound();
        }
    }
}

#[test]
fn a_session_that_had_the_id_before_lives_on_beside_the_second_one() {
    for fate in Fate::ALL {
        let scene = Scene::with(without_timeouts);
        let mut moved = scene.written();
        let old = moved.id();
        let new = moved.cycle_id().unwrap();
        forget(&scene);
        let second = scene
            .db
            .create_session_with_id(old, Expiry::Default)
            .unwrap();
        second.set("second", &2).unwrap();
        moved.set("moved", &3).unwrap();
        let scene = scene.after(fate);
        let first = named(&[("moved", 3), ("user", 1)]);
        assert_eq!(contents(&scene.handle(&new)), first, "{fate}");
        assert_eq!(
            contents(&scene.handle(&old)),
            named(&[("second", 2)]),
            "{fate}"
        );
        scene.handle(&new).flush().unwrap();
        assert_eq!(
            contents(&scene.handle(&old)),
            named(&[("second", 2)]),
            "{fate}"
        );
        scene.is_sound();
        scene.handle(&old).flush().unwrap();
        let scene = scene.after(fate);
        is_dead(&scene, &new, "flushed");
        is_dead(&scene, &old, "flushed");
        assert_eq!(scene.db.verify().unwrap().sessions, 0, "{fate}");
    }
}

#[test]
fn it_may_live_and_die_many_times() {
    for fate in Fate::ALL {
        let mut scene = Scene::with(without_timeouts);
        let id = scene.db.create_session().id();
        for life in 0..4 {
            let session = scene
                .db
                .create_session_with_id(id, Expiry::Default)
                .unwrap();
            assert!(session.is_empty().unwrap(), "life {life}, {fate}");
            session.set("life", &life).unwrap();
            scene = scene.after(fate);
            let mut session = scene.handle(&id);
            assert_eq!(contents(&session), named(&[("life", life)]), "{fate}");
            session.destroy().unwrap();
            scene = scene.after(fate);
            is_dead(&scene, &id, "between two lives");
            forget(&scene);
        }
        scene.is_sound();
    }
}
