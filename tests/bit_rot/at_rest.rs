//! A flipped bit in one of our files, before the database is opened.

use std::ops::Range;

use sessiondb::{Database, Error, IndexFate};

use crate::layout;
use crate::look::Look;
use crate::place::Flip;
use crate::scene::{FILLING, Scene};
use crate::support::{discard, is_exhaustive, masks, open, stride, without_hanging};

/// What came of all flips.
#[derive(Debug, Default)]
struct Tally {
    flips: usize,
    refused: usize,
    /// Opened, and the last transactions are missing.
    torn: usize,
    /// Opened, and something answered that it is damaged.
    damaged: usize,
    whole: usize,
    /// Answers of databases that were opened: right ones, and errors.
    right_answers: usize,
    damaged_answers: usize,
}

/// The bytes of a file that are flipped: of long values not each, and where
/// there is nothing few.
fn places(bytes: &[u8]) -> Vec<usize> {
    let last = bytes.iter().rposition(|byte| *byte != 0);
    let end = last.map_or(0, |last| last + 1).min(16 << 10);
    let is_tried = |at: &usize| bytes[*at] != FILLING || at.is_multiple_of(stride(13));
    let few = if is_exhaustive() { 256 } else { 8 };
    let behind = (end..bytes.len()).step_by(bytes.len() / few + 61);
    (0..end).filter(is_tried).chain(behind).collect()
}

/// Flips every byte of the files whose names begin so.
fn flip_all(scene: &Scene, folder: &str, check: impl Fn(&Trial<'_>) -> Outcome) -> Tally {
    let mut tally = Tally::default();
    for (file, bytes) in scene.files() {
        if !file.starts_with(folder) {
            continue;
        }
        for offset in places(&bytes) {
            for mask in masks(offset) {
                let flip = Flip {
                    file: &file,
                    offset,
                    mask,
                };
                let trial = Trial {
                    scene,
                    bytes: &bytes,
                    flip,
                };
                tally.flips += 1;
                check(&trial).count(&mut tally);
            }
        }
    }
    println!("{folder}: {tally:?}");
    tally
}

/// One flip.
struct Trial<'t> {
    scene: &'t Scene,
    bytes: &'t [u8],
    flip: Flip<'t>,
}

enum Outcome {
    Refused,
    Torn,
    Opened(Look),
}

impl Outcome {
    fn count(self, tally: &mut Tally) {
        match self {
            Self::Refused => tally.refused += 1,
            Self::Torn => tally.torn += 1,
            Self::Opened(look) => {
                let is_damaged = usize::from(look.damaged > 0);
                tally.damaged += is_damaged;
                tally.whole += 1 - is_damaged;
                tally.right_answers += look.right;
                tally.damaged_answers += look.damaged;
            }
        }
    }
}

impl Trial<'_> {
    /// Opens with the bit flipped and, every other time, without an index.
    fn open(&self, then: impl FnOnce(Result<&Database, Error>) -> Outcome) -> Outcome {
        let bit = self.flip.mask.trailing_zeros() as usize;
        let fates = [IndexFate::Kept, IndexFate::Lost];
        let index = fates[(self.flip.offset + bit) % 2];
        let disk = self.scene.copied(index);
        let damaged = self.flip.apply(self.bytes);
        disk.write_file(self.flip.file, &damaged).unwrap();
        match open(&disk) {
            Ok(db) => {
                let outcome = then(Ok(&db));
                discard(&disk, db);
                outcome
            }
            Err(error) => {
                // What cannot be opened is left as it was found.
                let left = disk.read_file(self.flip.file);
                assert!(left == Some(damaged), "{}", self.flip);
                then(Err(error))
            }
        }
    }

    fn is_told_by(&self, error: &Error) -> bool {
        self.flip.is_told_by(error, self.bytes)
    }

    #[track_caller]
    fn assert_told_by(&self, error: &Error) {
        assert!(self.is_told_by(error), "{}: {error}", self.flip);
    }

    /// Everything is as it was last.
    fn assert_whole(&self, db: &Database) -> Outcome {
        let look = Look::at(db, self.scene.last(), |_| false).assert_right(&self.flip);
        let verified = db.verify();
        assert!(verified.is_ok(), "{}: {verified:?}", self.flip);
        Outcome::Opened(look)
    }
}

/// The right answer, or one that tells of the damage, all the time.
fn segments_are_right_or_damaged(trial: &Trial<'_>) -> Outcome {
    trial.open(|opened| match opened {
        Err(error) => {
            trial.assert_told_by(&error);
            Outcome::Refused
        }
        Ok(db) => {
            let tells = |error: &Error| trial.is_told_by(error);
            let look = Look::at(db, trial.scene.last(), tells).assert_right(&trial.flip);
            if let Err(error) = db.verify() {
                trial.assert_told_by(&error);
            }
            Outcome::Opened(look)
        }
    })
}

#[test]
fn a_flipped_bit_in_a_segment_is_a_right_answer_or_tells_of_the_damage() {
    without_hanging(|| {
        let tally = flip_all(&Scene::cut(), "segments/", segments_are_right_or_damaged);
        assert!(tally.refused > 0 && tally.damaged > 0 && tally.torn == 0);
    });
}

#[test]
fn the_same_after_a_clean_stop() {
    without_hanging(|| {
        let tally = flip_all(&Scene::closed(), "segments/", segments_are_right_or_damaged);
        assert!(tally.refused > 0 && tally.damaged > 0 && tally.torn == 0);
    });
}

/// What nobody reads, or nobody has to.
fn is_whole(trial: &Trial<'_>) -> Outcome {
    trial.open(|opened| match opened {
        Err(error) => panic!("{}: {error}", trial.flip),
        Ok(db) => trial.assert_whole(db),
    })
}

#[test]
fn a_flipped_bit_in_the_mark_the_reserve_or_the_ballast_changes_nothing() {
    without_hanging(|| {
        let scene = Scene::closed();
        assert!(flip_all(&scene, "CLEAN", is_whole).flips > 40);
        flip_all(&scene, "RESERVE", is_whole);
        flip_all(&scene, "BALLAST", is_whole);
    });
}

#[test]
fn a_flipped_bit_in_current_is_refused() {
    without_hanging(|| {
        let tally = flip_all(&Scene::cut(), "CURRENT", |trial| {
            trial.open(|opened| {
                trial.assert_told_by(&opened.expect_err("it is the only place of the ID"));
                Outcome::Refused
            })
        });
        assert!(tally.refused > 40);
    });
}

/// Up to where the other frames and headers say that all was synced.
fn declared_by_others(scene: &Scene, flip: &Flip<'_>) -> u64 {
    let mut declared = 0;
    for (file, bytes) in scene.files() {
        if !file.starts_with("journal/") {
            continue;
        }
        let is_it = |place: &Range<usize>| file == flip.file && place.contains(&flip.offset);
        if !is_it(&layout::sealed_header(&bytes)) {
            declared = declared.max(header_declares(&bytes));
        }
        let frames = layout::frames(&bytes).into_iter();
        let others = frames.filter(|frame| !is_it(&frame.bytes));
        declared = others.fold(declared, |most, frame| most.max(frame.synced_through));
    }
    declared
}

/// Behind the seal, the database, the number of the file and that of its first
/// frame; all numbers are small here.
fn header_declares(bytes: &[u8]) -> u64 {
    let byte = bytes[20 + 16 + 2];
    assert!(byte <= 250);
    byte.into()
}

/// A frame that counts, or the header, or what does not matter.
fn journal_is_right_or_torn(trial: &Trial<'_>) -> Outcome {
    let Trial { scene, flip, .. } = trial;
    let frames = layout::frames(trial.bytes);
    let in_header = layout::sealed_header(trial.bytes).contains(&flip.offset);
    // Without its header no frame of a file counts.
    let hit = frames
        .iter()
        .find(|frame| in_header || frame.bytes.contains(&flip.offset));
    let declared = declared_by_others(scene, flip);
    trial.open(|opened| match (opened, hit) {
        (Err(error), _) => {
            trial.assert_told_by(&error);
            let is_declared = hit.is_some_and(|frame| frame.sequence <= declared);
            assert!(is_declared, "{flip}: a torn tail is no damage: {error}");
            Outcome::Refused
        }
        (Ok(db), Some(frame)) => {
            assert!(frame.sequence > declared, "{flip}: it was synced");
            let lost = frames.iter().filter(|later| later.is_transaction);
            let lost = lost
                .filter(|later| later.sequence >= frame.sequence)
                .count();
            let found = scene.transactions_missing(db);
            assert_eq!(found, Some(lost), "{flip}: transactions missing");
            assert!(db.verify().is_ok(), "{flip}");
            Outcome::Torn
        }
        (Ok(db), None) => trial.assert_whole(db),
    })
}

#[test]
fn a_flipped_bit_in_the_journal_is_damage_or_a_torn_tail() {
    without_hanging(|| {
        let tally = flip_all(&Scene::cut(), "journal/", journal_is_right_or_torn);
        assert!(tally.refused > 0 && tally.torn > 0 && tally.damaged == 0);
    });
}

/// The header of the last file may go with them.
#[test]
fn a_flipped_bit_in_a_file_of_the_journal_that_was_never_synced_is_a_torn_tail() {
    without_hanging(|| {
        let scene = Scene::cut_right_after_an_opening();
        let tally = flip_all(&scene, "journal/", journal_is_right_or_torn);
        assert!(tally.refused > 0 && tally.torn > 0 && tally.damaged == 0);
    });
}

#[test]
fn a_flipped_bit_in_the_journal_is_refused_or_changes_nothing_after_a_clean_stop() {
    without_hanging(|| {
        flip_all(&Scene::closed(), "journal/", |trial| {
            trial.open(|opened| match opened {
                Err(error) => {
                    trial.assert_told_by(&error);
                    Outcome::Refused
                }
                Ok(db) => trial.assert_whole(db),
            })
        });
    });
}
