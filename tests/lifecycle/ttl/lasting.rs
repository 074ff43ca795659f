//! A limit lasts as its value does: over checkpoints, opens, power cuts and
//! the loss of the index.

use sessiondb::Crash;
use sessiondb::IndexFate;

use super::{TTL, expires_in, holds, limited};
use crate::support::{Fate, INSTANT, NEVER_BY_ITSELF, Scene};

#[test]
fn it_lasts_over_any_two_fates() {
    for first in Fate::ALL {
        for second in Fate::ALL {
            let scene = Scene::new();
            let id = limited(&scene).id();
            let scene = scene.after(first);
            scene.wait(TTL / 2);
            let scene = scene.after(second);
            let session = scene.handle(&id);
            scene.wait(TTL / 2 - INSTANT);
            holds(&session, &[("otp", 7), ("user", 1)]);
            scene.wait(INSTANT);
            holds(&session, &[("user", 1)]);
            scene.is_sound();
        }
    }
}

#[test]
fn a_key_may_expire_while_the_database_is_closed() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let id = limited(&scene).id();
        scene.wait(TTL);
        let scene = scene.after(fate).reopened();
        let session = scene.handle(&id);
        holds(&session, &[("user", 1)]);
        session.set("user", &2).unwrap();
        scene.is_sound();
        holds(&session, &[("user", 2)]);
    }
}

#[test]
fn a_new_value_over_an_expired_one_lasts() {
    for first in Fate::ALL {
        for second in Fate::ALL {
            let scene = Scene::new();
            let id = limited(&scene).id();
            let scene = scene.after(first);
            scene.wait(TTL);
            scene.handle(&id).set("otp", &8).unwrap();
            let scene = scene.after(second);
            scene.wait(TTL);
            holds(&scene.handle(&id), &[("otp", 8), ("user", 1)]);
            scene.is_sound();
        }
    }
}

#[test]
fn a_power_cut_keeps_value_and_limit_together_or_loses_both() {
    let mut outcomes = Vec::new();
    for steps in 0..3 {
        let scene = Scene::new();
        let id = limited(&scene).id();
        let quick = scene.db.with_durability(NEVER_BY_ITSELF);
        let session = quick.open_session(&id).unwrap().unwrap();
        session.set_with_ttl("otp", &8, 2 * TTL).unwrap();
        session.set_bytes("raw", &[1; 3000]).unwrap();
        session.set_with_ttl("user", &2, TTL / 2).unwrap();
        scene.disk.power_off_after(steps);
        let _ = quick.commit();
        for seed in 0..20 {
            let how = Crash::Random(seed);
            let survivor = scene.disk.crash(how, IndexFate::Kept).unwrap();
            let clock = sessiondb::ManualClock::new(scene.now());
            let after = Scene::on(survivor, clock.into(), |builder| builder);
            let session = after.handle(&id);
            let otp = session.get::<i64>("otp").unwrap();
            let user = session.get::<i64>("user").unwrap();
            outcomes.push((otp, user));
            after.wait(TTL / 2);
            let left = (user == Some(1)).then_some(1);
            assert_eq!(session.get::<i64>("user").unwrap(), left, "seed {seed}");
            let time = if otp == Some(8) { 2 * TTL } else { TTL };
            expires_in(&after, &session, "otp", time - TTL / 2);
        }
    }
    // One frame after the other, and each of them as a whole.
    let possible = [(Some(7), Some(1)), (Some(8), Some(1)), (Some(8), Some(2))];
    assert!(outcomes.iter().all(|outcome| possible.contains(outcome)));
    for outcome in possible {
        assert!(outcomes.contains(&outcome), "it never came to {outcome:?}");
    }
}
