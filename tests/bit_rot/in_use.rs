//! A bit of a segment that flips while the database is open: what is read
//! afterwards from the file is right, or tells of it.

use sessiondb::{Error, IndexFate};

use crate::look::Look;
use crate::place::Flip;
use crate::scene::Scene;
use crate::support::{discard, masks, open, stride, without_hanging};

/// What came of all flips.
#[derive(Debug, Default)]
struct Tally {
    flips: usize,
    right: usize,
    damaged: usize,
    told_by_verify: usize,
}

fn flip_under_an_open_database(scene: &Scene, flip: &Flip<'_>, bytes: &[u8], tally: &mut Tally) {
    let disk = scene.copied(IndexFate::Kept);
    // Of nothing that is in the segments it has more than the row by then.
    let db = open(&disk).unwrap();
    disk.write_file(flip.file, &flip.apply(bytes)).unwrap();
    let tells = |error: &Error| flip.is_told_by(error, bytes);
    let look = Look::at(&db, scene.last(), tells).assert_right(flip);
    tally.flips += 1;
    tally.right += look.right;
    tally.damaged += look.damaged;
    if let Err(error) = db.verify() {
        assert!(tells(&error), "{flip}: {error}");
        tally.told_by_verify += 1;
    }
    // Nothing of it stays behind when the file is whole again.
    disk.write_file(flip.file, bytes).unwrap();
    Look::at(&db, scene.last(), |_| false).assert_right(flip);
    discard(&disk, db);
}

#[test]
fn a_bit_that_flips_while_the_database_is_open_gives_no_wrong_answer() {
    without_hanging(|| {
        // Nothing is in the journal alone, so that all is read from the files.
        let scene = Scene::closed();
        let mut tally = Tally::default();
        for (file, bytes) in scene.files() {
            if !file.starts_with("segments/") {
                continue;
            }
            for offset in (0..bytes.len()).step_by(stride(23)) {
                for mask in masks(offset) {
                    let flip = Flip {
                        file: &file,
                        offset,
                        mask,
                    };
                    flip_under_an_open_database(&scene, &flip, &bytes, &mut tally);
                }
            }
        }
        println!("in use: {tally:?}");
        assert!(tally.damaged > 0 && tally.told_by_verify > 0);
    });
}
