//! A power cut keeps a session with a chosen ID as a whole, or there was none;
//! one that was acknowledged is kept.

use sessiondb::{Expiry, IndexFate};

use super::{id, is_taken};
use crate::support::{CRASHES, IDLE, Scene};

#[test]
fn a_power_cut_at_any_moment_leaves_all_of_it_or_nothing() {
    let mut seen = [false; 2];
    for steps in 0.. {
        let scene = Scene::new();
        let settled = scene.written().id();
        scene.disk.power_off_after(steps);
        let made = scene
            .db
            .create_session_with_id(id(1), Expiry::Idle(2 * IDLE));
        let is_over = !scene.disk.is_off();
        for how in CRASHES {
            let survivor = scene.disk.crash(*how, IndexFate::Kept).unwrap();
            let after = Scene::on(survivor, scene.clock.clone(), |builder| builder);
            assert!(after.is_open(&settled), "{steps}, {how:?}");
            if let Some(session) = after.db.open_session(&id(1)).unwrap() {
                assert_eq!(session.expiry().unwrap(), Expiry::Idle(2 * IDLE));
                assert!(session.is_empty().unwrap());
                is_taken(&after, &id(1));
                seen[1] = true;
            } else {
                assert!(made.is_err(), "it was acknowledged: {steps}, {how:?}");
                assert!(!after.db.is_retired(id(1)).unwrap());
                let again = after.db.create_session_with_id(id(1), Expiry::Default);
                assert!(again.unwrap().is_empty().unwrap());
                seen[0] = true;
            }
            after.is_sound();
        }
        if is_over {
            made.unwrap();
            break;
        }
    }
    assert_eq!(seen, [true; 2], "the power cuts found only one outcome");
}
