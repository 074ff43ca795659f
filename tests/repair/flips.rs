//! Whatever byte is flipped: what is saved is right or listed, and nobody who
//! was flushed is there.

use std::fs;

use crate::scene::Scene;

/// Flips so many bytes at random places of files that hold something, again
/// and again.
fn stays_honest(whole: &Scene, seed: u64, rounds: usize, flips: usize) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut files = whole.names("segments");
    files.extend(whole.names("journal"));
    files.extend(["CURRENT", "CLEAN"].map(str::to_owned));
    files.retain(|name| whole.old().join(name).exists());
    let mut losses = 0;
    for _ in 0..rounds {
        let scene = whole.again();
        for _ in 0..flips {
            let name = random.choice(&files).unwrap();
            let bytes = fs::read(scene.old().join(name)).unwrap();
            let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
            if used > 0 {
                scene.flip(name, random.usize(0..=used));
            }
        }
        losses += usize::from(!scene.assert_honest().losses.is_empty());
    }
    assert!(losses > 0, "nothing was hit");
}

#[test]
fn one_byte_of_a_database_that_was_killed() {
    stays_honest(&Scene::killed(), 1, 25, 1);
}

#[test]
fn one_byte_of_a_database_that_was_closed() {
    stays_honest(&Scene::closed(), 2, 20, 1);
}

#[test]
fn one_byte_of_a_database_that_was_compacted() {
    stays_honest(&Scene::compacted(), 3, 10, 1);
}

#[test]
fn several_bytes() {
    stays_honest(&Scene::killed(), 4, 12, 3);
    stays_honest(&Scene::compacted(), 5, 8, 4);
}
