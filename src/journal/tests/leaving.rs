//! Leaving every file that holds old frames.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::{SEGMENT, append, empty_disk, missing, options, payload, recover, reserved, start};
use crate::disk::{Disk as _, SimulatedDisk};
use crate::error::Error;
use crate::format::identity::{Batch, JournalNumber, Sequence};
use crate::format::journal_frame::frame_bytes;
use crate::journal::tail::Leaving;
use crate::journal::{Journal, Purpose};

/// What the engine does: one file behind the old ones, and a checkpoint.
fn leave(journal: &Journal) -> (JournalNumber, JournalNumber) {
    let from = journal.begin_leaving().unwrap();
    loop {
        if let Some(fresh) = journal.leave(from).unwrap() {
            return (from, fresh);
        }
    }
}

/// Returns through which frame it went.
fn checkpoint(journal: &Journal, batch: u64) -> Sequence {
    let position = journal.position();
    journal.wait(position.sequence).unwrap();
    journal.declare(Batch(batch), position).unwrap();
    position.sequence
}

fn numbers(disk: &SimulatedDisk) -> Vec<JournalNumber> {
    let files = disk.files().into_iter();
    let numbers = files.filter_map(|file| {
        let name = file.strip_prefix("journal/")?.strip_suffix(".log")?.parse();
        Some(JournalNumber(name.unwrap()))
    });
    let mut numbers: Vec<JournalNumber> = numbers.collect();
    numbers.sort_unstable();
    numbers
}

fn holds(disk: &SimulatedDisk, byte: u8) -> bool {
    let pattern = [byte; 64];
    let files = disk.snapshot();
    let mut windows = files.iter().flat_map(|(_, bytes)| bytes.windows(64));
    windows.any(|window| window == pattern)
}

/// Files that were filled, recycled and are used again.
fn worn(disk: &SimulatedDisk) -> Arc<Journal> {
    let journal = start(&options(Arc::new(disk.clone()), SEGMENT));
    for batch in 1..8 {
        for _ in 0..5 {
            append(&journal, 20_000);
        }
        checkpoint(&journal, batch);
    }
    journal
}

#[test]
fn no_file_with_an_old_frame_is_left_after_it() {
    let disk = empty_disk();
    let journal = worn(&disk);
    assert!(holds(&disk, b'v'));
    let (from, fresh) = leave(&journal);
    assert!(fresh > from && fresh.0 <= from.0 + 2, "{from:?}, {fresh:?}");
    assert!(!journal.end_leaving(fresh), "no checkpoint has come yet");
    checkpoint(&journal, 8);
    assert!(journal.end_leaving(fresh));
    assert!(numbers(&disk).iter().all(|number| *number >= fresh));
    assert!(!holds(&disk, b'v'));
    // And from then on files are used again.
    for batch in 9..14 {
        for _ in 0..5 {
            append(&journal, 20_000);
        }
        checkpoint(&journal, batch);
    }
    assert!(!journal.shared.tail.lock().spares.is_empty());
    journal.close().unwrap();
}

#[test]
fn a_journal_that_was_never_written_to_leaves_its_file_too() {
    let disk = empty_disk();
    let journal = start(&options(Arc::new(disk.clone()), SEGMENT));
    let mut through = Sequence(0);
    for batch in 1..4 {
        let (_, fresh) = leave(&journal);
        through = checkpoint(&journal, batch);
        assert!(journal.end_leaving(fresh));
        assert!(numbers(&disk).iter().all(|number| *number >= fresh));
    }
    let last = append(&journal, 20);
    journal.close().unwrap();
    let options = options(Arc::new(disk), SEGMENT);
    let recovered = recover(&options, through, Batch(3), &missing, &mut |_, _| Ok(()));
    assert_eq!(recovered.unwrap().last, last);
}

#[test]
fn space_that_was_set_aside_before_is_there_after() {
    for bytes in [1, 1000, 30_000, 60_000] {
        let disk = empty_disk();
        let journal = start(&options(Arc::new(disk.clone()), SEGMENT));
        append(&journal, 1000);
        let payload = payload(bytes);
        let needed = frame_bytes(payload.len()) as u64;
        let mut reservation = journal.reserve(needed, Purpose::Put).unwrap();
        let (_, fresh) = leave(&journal);
        assert_eq!(reserved(&journal), needed);
        let tail = journal.shared.tail.lock();
        assert!(tail.current.free() >= needed);
        drop(tail);
        let sequence = journal.append(&mut reservation, &payload).unwrap();
        drop(reservation);
        assert_eq!(journal.shared.tail.lock().current.number, fresh);
        journal.wait(sequence).unwrap();
        journal.close().unwrap();
    }
}

/// Whoever has set aside all of a file is waited for.
#[test]
fn it_goes_on_behind_whoever_has_set_aside_a_whole_file() {
    let disk = empty_disk();
    let journal = start(&options(Arc::new(disk.clone()), SEGMENT));
    let mut reservations = Vec::new();
    while let Some(reservation) = journal.try_reserve(10_000, Purpose::Put) {
        reservations.push(reservation);
    }
    assert!(reservations.len() > 3);
    let payload = payload(9000);
    let (_, fresh) = leave(&journal);
    for reservation in &mut reservations {
        journal.append(reservation, &payload).unwrap();
    }
    drop(reservations);
    checkpoint(&journal, 1);
    assert!(journal.end_leaving(fresh));
    journal.close().unwrap();
}

/// Also where an assertion fails, so that nobody waits for the writers.
struct EndsWriting<'a>(&'a AtomicBool);

impl Drop for EndsWriting<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn writers_beside_it_lose_nothing() {
    let disk = empty_disk();
    let journal = start(&options(Arc::new(disk.clone()), SEGMENT));
    let is_over = AtomicBool::new(false);
    let mut through = Sequence(0);
    thread::scope(|scope| {
        for seed in 0..3 {
            let (journal, is_over) = (&journal, &is_over);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed);
                while !is_over.load(Ordering::Relaxed) {
                    let bytes = match random.u8(..8) {
                        0 => random.usize(..60_000),
                        _ => random.usize(..2000),
                    };
                    let sequence = append(journal, bytes);
                    if random.bool() {
                        journal.wait(sequence).unwrap();
                    }
                }
            });
        }
        let _ends = EndsWriting(&is_over);
        for batch in 1..=20 {
            let (from, fresh) = leave(&journal);
            through = checkpoint(&journal, batch);
            assert!(journal.end_leaving(fresh));
            let numbers = numbers(&disk);
            assert!(numbers.iter().all(|number| *number > from), "{numbers:?}");
        }
    });
    let last = journal.position().sequence;
    journal.close().unwrap();
    let mut next = through.next();
    let options = options(Arc::new(disk), SEGMENT);
    let recovered = recover(
        &options,
        through,
        Batch(20),
        &missing,
        &mut |sequence, _| {
            assert_eq!(sequence, next);
            next = sequence.next();
            Ok(())
        },
    );
    assert_eq!(recovered.unwrap().last, last);
}

#[test]
fn on_a_full_disk_it_says_so_and_what_there_is_can_be_written_to() {
    let disk = empty_disk();
    let journal = worn(&disk);
    append(&journal, 20);
    let from = journal.begin_leaving().unwrap();
    disk.set_capacity(Some(1));
    // One may have been made before; the one behind it cannot be.
    let outcome = loop {
        match journal.leave(from) {
            Ok(None) => {}
            outcome => break outcome,
        }
    };
    match outcome {
        Err(Error::StorageFull { .. }) => {
            assert_eq!(journal.shared.tail.lock().leaving, Leaving::Begun);
        }
        Ok(Some(fresh)) => assert!(fresh > from),
        outcome => panic!("{outcome:?}"),
    }
    let sequence = append(&journal, 20);
    journal.wait(sequence).unwrap();
    disk.set_capacity(None);
    let (_, fresh) = leave(&journal);
    checkpoint(&journal, 8);
    assert!(journal.end_leaving(fresh));
    assert!(!holds(&disk, b'v'));
    journal.close().unwrap();
}

#[test]
fn after_a_close_there_is_none_to_leave() {
    let disk = empty_disk();
    let journal = start(&options(Arc::new(disk.clone()), SEGMENT));
    let from = journal.begin_leaving().unwrap();
    journal.close().unwrap();
    let outcome = journal.leave(from);
    assert!(matches!(outcome, Err(Error::Closed)), "{outcome:?}");
    assert!(disk.list(std::path::Path::new("journal")).unwrap().len() <= 2);
}

#[test]
fn a_file_that_cannot_be_removed_when_it_has_become_unnecessary_goes_with_the_next() {
    let disk = empty_disk();
    let journal = worn(&disk);
    let (_, fresh) = leave(&journal);
    disk.inject(crate::Fault {
        operation: crate::Operation::Remove,
        path_contains: "journal".into(),
        after: 0,
        times: 1,
        kind: std::io::ErrorKind::PermissionDenied,
        effect: crate::FaultEffect::Refuse,
    });
    let position = journal.position();
    journal.wait(position.sequence).unwrap();
    assert!(journal.declare(Batch(8), position).is_err());
    assert!(!journal.end_leaving(fresh), "it is still there");
    assert!(holds(&disk, b'v'));
    let (_, fresh) = leave(&journal);
    checkpoint(&journal, 9);
    assert!(journal.end_leaving(fresh));
    assert!(numbers(&disk).iter().all(|number| *number >= fresh));
    assert!(!holds(&disk, b'v'));
}
