//! Ten thousand sessions of one owner are logged out in one frame: a crash
//! shows all of it or nothing.

use std::time::Duration;

use sessiondb::{Crash, Durability, IndexFate, SessionId};

use crate::racing::watched;
use crate::support::{OTHER, OWNER, Place, Scene, quiet};

const SESSIONS: usize = 10_000;

const NEVER_BY_ITSELF: Durability = Durability::Deferred {
    sync_within: Duration::from_secs(24 * 3600),
};

/// So many sessions of the owner, and some others.
struct Crowd {
    scene: Scene,
    mine: Vec<SessionId>,
    others: Vec<SessionId>,
}

impl Crowd {
    /// Half of them are in segments, all of them on disk.
    fn new(sessions: usize) -> Self {
        let scene = Scene::with(
            quiet()
                .memtable_bytes(256 << 20)
                .journal_segment_bytes(16 << 20),
        );
        let quick = scene.db.with_durability(NEVER_BY_ITSELF);
        let born = |owner| {
            let session = quick.create_session();
            session.set_owner(Some(owner)).unwrap();
            session.set("user", "ada").unwrap();
            session.id()
        };
        let mut mine: Vec<_> = (0..sessions / 2).map(|_| born(OWNER)).collect();
        let others: Vec<_> = (0..20).map(|_| born(OTHER)).collect();
        quick.checkpoint().unwrap();
        mine.extend((sessions / 2..sessions).map(|_| born(OWNER)));
        quick.commit().unwrap();
        Self {
            scene,
            mine,
            others,
        }
    }

    /// Asserts that the owner's sessions are all there, or all gone; returns
    /// whether they are gone.
    #[track_caller]
    fn assert_all_or_nothing(&self, scene: &Scene, what: &str) -> bool {
        let left = scene.db.sessions_of(OWNER).unwrap().len();
        assert!(
            left == 0 || left == self.mine.len(),
            "{what}: {left} are left"
        );
        let mut expected = self.others.clone();
        if left > 0 {
            expected.extend(&self.mine);
        }
        // The lists tell of all; some are asked one by one, too.
        for id in self.mine.iter().step_by(50) {
            let found = scene.db.open_session(id).unwrap().is_some();
            assert_eq!(found, left > 0, "{what}");
            assert_eq!(scene.db.is_retired(*id).unwrap(), left == 0, "{what}");
        }
        scene.assert_owns(OTHER, &self.others, what);
        scene.assert_all(&expected, what);
        left == 0
    }
}

#[test]
fn ten_thousand_sessions_are_logged_out_in_one_frame() {
    watched(|| {
        let crowd = Crowd::new(SESSIONS);
        let frames = crowd.scene.frames();
        let revoked = crowd.scene.db.revoke_owner(OWNER).unwrap();
        assert_eq!(revoked, SESSIONS as u64);
        assert_eq!(crowd.scene.frames(), frames + 1);
        assert!(crowd.assert_all_or_nothing(&crowd.scene, "at once"));
    });
}

#[test]
fn all_but_one_of_ten_thousand_are_logged_out_in_one_frame() {
    watched(|| {
        let Crowd {
            scene,
            mine,
            others,
        } = Crowd::new(SESSIONS);
        let here = mine[SESSIONS / 3];
        let frames = scene.frames();
        let revoked = scene.db.revoke_owner_except(OWNER, &here).unwrap();
        assert_eq!(revoked, SESSIONS as u64 - 1);
        assert_eq!(scene.frames(), frames + 1);
        let scene = scene.crashed(Crash::KeepNothing, IndexFate::Kept);
        scene.assert_owns(OWNER, &[here], "after the crash");
        scene.assert_all(&[&others[..], &[here]].concat(), "after the crash");
    });
}

#[test]
fn an_acknowledged_revoke_of_ten_thousand_sessions_survives_the_power_cut() {
    watched(|| {
        let crowd = Crowd::new(SESSIONS);
        crowd.scene.db.revoke_owner(OWNER).unwrap();
        for index in [IndexFate::Kept, IndexFate::Lost] {
            let disk = crowd.scene.disk.crash(Crash::KeepNothing, index).unwrap();
            let scene = crowd.scene.beside(disk);
            let what = format!("{index:?}");
            assert!(crowd.assert_all_or_nothing(&scene, &what));
            let scene = scene.at(Place::Rebuilt);
            assert!(crowd.assert_all_or_nothing(&scene, &what));
        }
    });
}

#[test]
fn wherever_the_power_goes_during_a_revoke_all_or_none_are_logged_out() {
    watched(|| {
        let crowd = Crowd::new(SESSIONS);
        let mut cuts = 0;
        let mut outcomes = [0, 0];
        for operations in 0.. {
            let before = crowd.scene.disk.crash(Crash::KeepAll, IndexFate::Kept);
            let scene = crowd.scene.beside(before.unwrap());
            let frames = scene.frames();
            scene.disk.power_off_after(operations);
            let outcome = scene.db.revoke_owner(OWNER);
            let mut crashes = vec![
                (Crash::KeepNothing, IndexFate::Kept),
                (Crash::KeepAll, IndexFate::Lost),
            ];
            // Where the frame is written and not synced it may be torn in many
            // places.
            if outcome.is_err() && scene.frames() > frames {
                cuts += 1;
                crashes.extend((0..6).map(|seed| (Crash::Prefix(seed), IndexFate::Kept)));
                crashes.push((Crash::Random(operations), IndexFate::Lost));
            }
            for (how, index) in crashes {
                let what = format!("after {operations} operations, {how:?}, {index:?}");
                let left = scene.beside(scene.disk.crash(how, index).unwrap());
                let gone = crowd.assert_all_or_nothing(&left, &what);
                outcomes[usize::from(gone)] += 1;
                if let Ok(count) = outcome {
                    assert_eq!(count, SESSIONS as u64, "{what}");
                    assert!(gone, "{what}: acknowledged and undone");
                }
            }
            if outcome.is_ok() {
                break;
            }
        }
        assert!(
            cuts > 0,
            "the power never went between the write and the sync"
        );
        assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
    });
}
