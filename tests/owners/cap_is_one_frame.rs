//! Who joins, and who has to go for it, is one frame: a crash shows both or
//! neither.

use sessiondb::{Crash, IndexFate, Result, Session, SessionId};

use crate::support::{OWNER, Scene, quiet};

const CAP: usize = 2;
/// So many have to go at once.
const CROWD: usize = 6;

/// More sessions than the cap allows, from a time when there was none.
fn crowded(is_checkpointed: bool) -> (Scene, Vec<SessionId>, SessionId) {
    let scene = Scene::new();
    let ids = scene.born_ids(CROWD, Some(OWNER));
    let joining = scene.born(None).id();
    let scene = scene.reopened_with(quiet().sessions_per_owner(Some(CAP)));
    if !is_checkpointed {
        // Changed since, but not seen in another order.
        for id in &ids {
            scene.tick();
            scene.session(id).set("page", "/").unwrap();
        }
    }
    scene.tick();
    (scene, ids, joining)
}

type Join = fn(&mut Session) -> Result<()>;

const JOINS: [(&str, Join); 4] = [
    ("set_owner", |session| session.set_owner(Some(OWNER))),
    ("a transaction", |session| {
        session.transaction(|tx| {
            tx.set("joined", &true)?;
            tx.set_owner(Some(OWNER))
        })
    }),
    ("a cycle", |session| {
        let cycled = session.cycle_id_with(|tx| tx.set_owner(Some(OWNER)));
        cycled.map(drop)
    }),
    ("a flush", |session| {
        let flushed = session.flush_with(|tx| {
            tx.set("joined", &true)?;
            tx.set_owner(Some(OWNER))
        });
        flushed.map(drop)
    }),
];

/// Asserts that the join happened with all its consequences, or did not;
/// returns whether it did.
#[track_caller]
fn assert_both_or_neither(
    scene: &Scene,
    ids: &[SessionId],
    old: SessionId,
    new: SessionId,
    what: &str,
) -> bool {
    let joined = scene.db.sessions_of(OWNER).unwrap();
    let joined = joined.iter().any(|info| info.digest == new.digest());
    if joined {
        let kept = ids[CROWD + 1 - CAP];
        scene.assert_owns(OWNER, &[kept, new], what);
        for id in ids.iter().filter(|id| **id != kept) {
            scene.assert_gone(id, what);
        }
        if old != new {
            scene.assert_gone(&old, what);
        }
        scene.assert_all(&[kept, new], what);
    } else {
        scene.assert_owns(OWNER, ids, what);
        scene.assert_alive(&old, None, what);
        scene.assert_all(&[ids, &[old]].concat(), what);
    }
    joined
}

#[test]
fn a_join_that_logs_several_out_is_one_frame() {
    for (how, join) in JOINS {
        for is_checkpointed in [true, false] {
            let (scene, ids, old) = crowded(is_checkpointed);
            let frames = scene.frames();
            let mut session = scene.session(&old);
            join(&mut session).unwrap();
            assert_eq!(scene.frames(), frames + 1, "{how}");
            let new = session.id();
            drop(session);
            assert!(assert_both_or_neither(&scene, &ids, old, new, how));
        }
    }
}

#[test]
fn a_crash_during_a_join_shows_all_of_it_or_nothing() {
    for (how, join) in JOINS {
        let mut outcomes = [0, 0];
        for is_checkpointed in [true, false] {
            let (scene, ids, old) = crowded(is_checkpointed);
            let mut session = scene.session(&old);
            // The frame is written, and the power goes before it is synced.
            scene.disk.power_off_after(1);
            join(&mut session).unwrap_err();
            assert!(scene.disk.unsynced_bytes() > 0, "{how}");
            let new = session.id();
            drop(session);
            for seed in 0..16 {
                let crash = match seed % 4 {
                    0 => Crash::Random(seed),
                    1 if seed == 1 => Crash::KeepAll,
                    _ => Crash::Prefix(seed),
                };
                let index = if seed % 8 < 4 {
                    IndexFate::Kept
                } else {
                    IndexFate::Lost
                };
                let what = format!("{how}, {crash:?}, {index:?}");
                let left = scene.beside(scene.disk.crash(crash, index).unwrap());
                let joined = assert_both_or_neither(&left, &ids, old, new, &what);
                outcomes[usize::from(joined)] += 1;
            }
        }
        assert!(
            outcomes.iter().all(|count| *count > 0),
            "{how}: {outcomes:?}"
        );
    }
}

#[test]
fn an_acknowledged_join_survives_the_power_cut_with_all_its_consequences() {
    for (how, join) in JOINS {
        for index in [IndexFate::Kept, IndexFate::Lost] {
            let (scene, ids, old) = crowded(true);
            let mut session = scene.session(&old);
            join(&mut session).unwrap();
            let new = session.id();
            drop(session);
            let scene = scene.crashed(Crash::KeepNothing, index);
            let what = format!("{how}, {index:?}");
            assert!(assert_both_or_neither(&scene, &ids, old, new, &what));
        }
    }
}
