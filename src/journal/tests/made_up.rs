//! Values that somebody made up to be searched for a long time: each place in
//! them looks like the head of a frame that goes on to their end.

use super::*;
use crate::format::codec::summed;
use crate::format::sums::STEP;
use crate::journal::{Found, Salvage};

const FILE: u64 = 1 << 20;
const HEADS: u64 = 32 << 10;

/// Where in the file the value begins is not known: one of them is aligned.
fn made_up_values() -> impl Iterator<Item = Vec<u8>> {
    (0..ALIGNMENT).map(|padding| {
        let mut value = vec![0; padding];
        for left in (1..=HEADS).rev() {
            // A length or a sequence, as one reads it.
            value.extend((left * ALIGNMENT as u64).to_le_bytes());
        }
        value
    })
}

/// A journal of such a value, whose frame is damaged, and of another frame if
/// there is to be one.
fn damaged(value: &[u8], has_another: bool) -> JournalOptions {
    let disk = empty_disk();
    let options = options(Arc::new(disk.clone()), FILE);
    let journal = start(&options);
    let mut last = append_payload(&journal, &payload_of(value));
    if has_another {
        last = append(&journal, 3 * STEP);
    }
    journal.wait(last).unwrap();
    journal.close().unwrap();
    let path = "journal/000001.log";
    let mut bytes = disk.read_file(path).unwrap();
    bytes[JOURNAL_HEADER_BYTES + 4] ^= 1;
    disk.write_file(path, &bytes).unwrap();
    options
}

/// Asserts that each place was looked at so many times, each time with no more
/// work than there is to a sum of any stretch.
#[track_caller]
fn assert_little_work(looked_at: u64, times: u64) {
    let places = FILE / ALIGNMENT as u64;
    let most = 2 * STEP as u64 + 64;
    assert!(looked_at <= times * places * most, "{looked_at} bytes");
}

#[test]
fn a_frame_behind_heads_that_are_made_up_is_found_with_little_work() {
    for value in made_up_values() {
        let options = damaged(&value, true);
        let before = summed();
        let salvage = Salvage::open(options).unwrap();
        let mut found = Vec::new();
        let walked = salvage.walk(Sequence(0), Batch(0), &mut |_, next| {
            found.push(match next {
                Found::Frame(sequence, _) => (sequence, "frame"),
                Found::Gap(gap) => (gap.missing, "gap"),
            });
            Ok(())
        });
        let looked_at = summed() - before;
        walked.unwrap();
        assert_eq!(found, [(Sequence(1), "gap"), (Sequence(2), "frame")]);
        assert_little_work(looked_at, 2);
    }
}

/// Asserts that an open finds no frame, and with no more work than that.
fn assert_cut_with_little_work(options: &JournalOptions) {
    let before = summed();
    let recovered = recover(options, Sequence(0), Batch(0), &missing, &mut |_, _| Ok(()));
    let looked_at = summed() - before;
    assert_eq!(recovered.unwrap().last, Sequence(0));
    assert_little_work(looked_at, 1);
}

#[test]
fn a_torn_end_of_heads_that_are_made_up_is_cut_with_little_work() {
    for value in made_up_values() {
        assert_cut_with_little_work(&damaged(&value, false));
    }
}

/// Nothing says any more what comes after what.
#[test]
fn a_journal_without_a_header_is_searched_with_little_work() {
    for value in made_up_values() {
        let options = damaged(&value, false);
        let file = options.open(JournalNumber(1)).unwrap();
        file.write_all_at(&[0; JOURNAL_HEADER_BYTES], 0).unwrap();
        assert_cut_with_little_work(&options);
    }
}
