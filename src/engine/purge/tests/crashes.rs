//! A crash between two steps leaves a hint too many, never one too few.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{HOUR, Scene, builder};
use crate::engine::testing::check_hash;
use crate::format::identity::Timestamp;
use crate::index::{HintMove, hint_of};
use crate::{IndexFate, SessionDigest};

/// A session whose hint is due, although it lives on.
fn due() -> (Scene, SessionDigest) {
    let scene = Scene::new();
    let session = scene.session();
    scene.db.checkpoint().unwrap();
    scene.clock.advance(HOUR / 2);
    session.touch().unwrap();
    scene.db.checkpoint().unwrap();
    scene.clock.advance(HOUR / 2);
    (scene, session.id().digest())
}

/// Asserts that nothing had to be mended, and that the purge goes on to where
/// it would have come.
fn assert_goes_on(scene: &Scene, digest: SessionDigest) {
    let hints = scene.hints();
    assert!(hints.contains(&scene.hint(digest)), "{hints:?}");
    scene.db.verify().unwrap();
    let scene = scene.after_a_crash(IndexFate::Kept);
    assert_eq!(scene.hints(), hints, "nothing had to be mended");
    assert_eq!(scene.step(), 0);
    let expires_at = scene.later(HOUR / 2);
    assert_eq!(scene.hint(digest), (expires_at, digest));
    let hints = scene.hints();
    assert!(hints.iter().all(|(time, _)| *time == expires_at));
    assert!(hints.contains(&(expires_at, digest)));
    check_hash(&scene.db);
    scene.clock.advance(HOUR / 2);
    assert_eq!(scene.db.purge_expired().unwrap(), 1);
    assert_eq!(scene.step(), 0);
    assert_eq!(scene.hints(), []);
}

#[test]
fn between_the_new_group_and_the_row() {
    let (scene, digest) = due();
    let new = (scene.later(HOUR / 2), digest);
    scene.index().put_hints(vec![new]).unwrap();
    assert_goes_on(&scene, digest);
}

#[test]
fn between_the_row_and_the_end_of_the_old_group() {
    let (scene, digest) = due();
    let one = HintMove {
        digest,
        row: scene.row(digest),
        to: Some(scene.later(HOUR / 2)),
    };
    scene.index().move_hints(vec![one]).unwrap();
    assert_goes_on(&scene, digest);
}

#[test]
fn between_a_groups_announcement_and_the_rows() {
    let (scene, digest) = due();
    let nobody = SessionDigest::from_bytes([7; 16]);
    let hints = [0, 1].map(|hours| (scene.later(hours * HOUR / 2), nobody));
    scene.index().put_hints(hints.to_vec()).unwrap();
    assert_goes_on(&scene, digest);
}

#[test]
fn rows_are_not_put_before_their_groups() {
    // What a move and an announcement write is looked at after each of their
    // steps by whoever reads meanwhile.
    let (scene, digest) = due();
    let old = scene.hint(digest);
    let row = scene.row(digest);
    let is_over = AtomicBool::new(false);
    let missing = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut missing = 0;
            while !is_over.load(Ordering::Relaxed) {
                let row = scene.row(digest);
                let hint = hint_of(digest, &row).unwrap();
                missing += usize::from(!scene.hints().contains(&hint));
            }
            missing
        });
        for second in 1..200 {
            let to = Some(Timestamp(old.0.0 + second * 1_000_000_000));
            let row = row.clone();
            let one = HintMove { digest, row, to };
            scene.index().move_hints(vec![one]).unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        watch.join().unwrap()
    });
    assert_eq!(missing, 0);
}

#[test]
fn hints_that_are_put_again_in_other_groups_change_nothing() {
    let scene = Scene::new();
    let sessions = scene.sessions(200);
    scene.db.checkpoint().unwrap();
    let hints = scene.hints();
    // As they are when an index catches up.
    scene.index().put_hints(hints[50..].to_vec()).unwrap();
    let again = scene.after_a_crash(IndexFate::Kept);
    again.db.verify().unwrap();
    again.clock.advance(HOUR);
    assert_eq!(again.step(), sessions.len() as u64, "each once");
    again.db.checkpoint().unwrap();
    assert_eq!(again.step(), 0);
    assert_eq!(again.hints(), []);
}

#[test]
fn a_group_that_cannot_be_read_costs_a_rebuild_when_it_comes_due() {
    let mut scene = Scene::new();
    let digest = scene.session().id().digest();
    scene.db.checkpoint().unwrap();
    let hint = scene.hint(digest);
    scene.index().spoil_group(hint).unwrap();
    // After a clean stop nobody looks at it before.
    scene.reopen(builder(&scene.clock));
    scene.clock.advance(HOUR);
    assert_eq!(scene.db.purge_expired().unwrap(), 1);
    assert_eq!(scene.db.engine().index.generation(), 1, "rebuilds");
    scene.db.verify().unwrap();
}
