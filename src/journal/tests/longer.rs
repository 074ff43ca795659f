//! Files that had to be longer than usual.

use std::time::{Duration, Instant};

use super::*;

const USUAL: u64 = 64 << 10;

fn options_of_two_lengths(disk: &SimulatedDisk) -> JournalOptions {
    JournalOptions {
        segment_bytes: USUAL,
        ..options(Arc::new(disk.clone()), 4 * USUAL)
    }
}

/// The lengths of all files, oldest first.
fn lengths(disk: &SimulatedDisk) -> Vec<u64> {
    let mut files = disk.snapshot();
    files.retain(|(path, _)| path.starts_with("journal/"));
    let lengths = files.iter().map(|(_, bytes)| bytes.len() as u64);
    lengths.collect()
}

/// Everything so far is in a batch.
fn declare(journal: &Journal, batch: u64) {
    let position = journal.position();
    journal.wait(position.sequence).unwrap();
    journal.declare(Batch(batch), position).unwrap();
}

#[test]
fn a_frame_that_no_usual_file_holds_gets_a_longer_one_which_is_not_used_again() {
    let disk = empty_disk();
    let options = options_of_two_lengths(&disk);
    let journal = start(&options);
    append(&journal, 20);
    append(&journal, 150_000);
    append(&journal, 20);
    journal.wait(Sequence(3)).unwrap();
    let long: Vec<u64> = lengths(&disk);
    assert!(long.iter().any(|length| *length > 150_000), "{long:?}");
    // All goes on in usual ones, and the long one is unnecessary.
    for _ in 0..10 {
        append(&journal, 30_000);
    }
    declare(&journal, 1);
    let usual = lengths(&disk);
    let at_most_usual = |length: &u64| *length <= USUAL;
    assert!(usual.iter().all(at_most_usual), "{usual:?}");
    journal.close().unwrap();
    let recovered = recover(&options, Sequence(13), Batch(1), &missing, &mut |_, _| {
        Ok(())
    });
    assert_eq!(recovered.unwrap().last, Sequence(14), "the declaration");
}

#[test]
fn reservations_that_together_need_a_longer_file_need_not_wait_for_each_other() {
    let disk = empty_disk();
    let journal = start(&options_of_two_lengths(&disk));
    let reservations: Vec<_> = (0..5)
        .map(|_| journal.reserve(40_000, Purpose::Put).unwrap())
        .collect();
    assert_eq!(reserved(&journal), 200_000);
    drop(reservations);
    assert_eq!(reserved(&journal), 0);
    // What is reserved then has a usual file, of which there is enough.
    append(&journal, 100);
    journal.close().unwrap();
}

#[test]
fn a_file_kept_for_another_use_is_next_before_anybody_waits_for_it() {
    let disk = empty_disk();
    let journal = start(&options_of_two_lengths(&disk));
    for _ in 0..4 {
        append(&journal, 40_000);
    }
    declare(&journal, 1);
    // The next file begins.
    append(&journal, 40_000);
    let give_up = Instant::now() + Duration::from_secs(60);
    let mut tail = journal.shared.tail.lock();
    while tail.next.is_none() {
        assert!(Instant::now() < give_up, "nobody puts it there");
        let shared = &journal.shared;
        shared
            .allocated
            .wait_for(&mut tail, Duration::from_millis(100));
    }
    assert_eq!(tail.next.as_ref().map(|next| next.allocated), Some(USUAL));
    drop(tail);
    journal.close().unwrap();
}
