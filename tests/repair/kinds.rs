//! A frame of which only the kind is damaged is known by its checksum, also
//! where its footer is damaged, which would tell.

use std::fs;

use sessiondb::LossKind;

use crate::scene::Scene;
use crate::segments::{FOOTER, footers, frames};

const IMAGE: u32 = 1;
const SESSION_TOMBSTONE: u32 = 3;

/// Damages the footer of each frame of a kind, and gives the frame the kind of
/// a footer.
fn each_as_a_footer(whole: &Scene, kind: u32, mut check: impl FnMut(Scene)) {
    let mut count = 0;
    for name in whole.names("segments") {
        let bytes = fs::read(whole.old().join(&name)).unwrap();
        for frame in frames(&bytes, kind) {
            let mut footers = frames(&bytes, FOOTER).into_iter();
            let footer = footers.find(|footer| *footer > frame).unwrap();
            let mut bytes = bytes.clone();
            bytes[footer + 40] ^= 1;
            bytes[frame + 8] = FOOTER.to_le_bytes()[0];
            let scene = whole.again();
            fs::write(scene.old().join(&name), bytes).unwrap();
            check(scene);
            count += 1;
        }
    }
    assert!(count > 0, "there is no such frame");
}

#[test]
fn a_tombstone_of_the_kind_of_a_footer_brings_nobody_back() {
    each_as_a_footer(&Scene::closed(), SESSION_TOMBSTONE, |scene| {
        let outcome = scene.assert_honest();
        outcome.assert_all_but(&scene, &[]);
        assert_eq!(outcome.kinds(), [LossKind::DeadIds]);
    });
}

#[test]
fn an_image_of_the_kind_of_a_footer_loses_its_session_alone() {
    let mut lost = 0;
    each_as_a_footer(&Scene::closed(), IMAGE, |scene| {
        let outcome = scene.assert_honest();
        // It may be an older one of its session.
        if outcome.kinds() != [LossKind::DeadIds] {
            assert_eq!(outcome.kinds(), [LossKind::Session, LossKind::DeadIds]);
            assert_eq!(outcome.saved.len(), scene.alive.len() - 1);
            lost += 1;
        }
    });
    assert!(lost >= 10, "{lost}");
}

#[test]
fn a_footer_of_another_kind_loses_nothing() {
    for whole in [Scene::closed(), Scene::killed()] {
        for (file, offset) in footers(&whole) {
            let scene = whole.again();
            scene.flip(&file, offset + 8);
            let outcome = scene.assert_honest();
            outcome.assert_all_but(&scene, &[]);
            assert_eq!(outcome.losses, []);
        }
    }
}
