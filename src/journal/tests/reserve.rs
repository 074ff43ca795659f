//! The space that is kept for removals.

use std::path::Path;
use std::sync::Arc;

use super::{SEGMENT, append, empty_disk, missing, options, payload, recover, start};
use crate::disk::{Disk as _, SimulatedDisk};
use crate::error::{Error, Result};
use crate::format::identity::{Batch, Sequence};
use crate::format::journal_frame::frame_bytes;
use crate::journal::{Journal, Purpose};

const RESERVE: &str = "RESERVE";

fn try_append(journal: &Journal, bytes: usize, purpose: Purpose) -> Result<Sequence> {
    let payload = payload(bytes);
    let needed = frame_bytes(payload.len()) as u64;
    let mut reservation = journal.reserve(needed, purpose)?;
    journal.append(&mut reservation, &payload)
}

fn is_full<T: std::fmt::Debug>(outcome: &Result<T>) -> bool {
    matches!(outcome, Err(Error::StorageFull { .. }))
}

/// Appends until there is no space; how many frames there are then.
fn fill(journal: &Journal, bytes: usize, purpose: Purpose) -> u64 {
    loop {
        match try_append(journal, bytes, purpose) {
            Ok(_) => {}
            Err(Error::StorageFull { .. }) => break,
            Err(error) => panic!("not a full disk: {error}"),
        }
    }
    let last = journal.position().sequence;
    journal.wait(last).unwrap();
    last.0
}

/// A journal on a disk that others have filled up, with nothing left for puts.
fn full(disk: &SimulatedDisk, segment_bytes: u64) -> (Arc<Journal>, u64) {
    let journal = start(&options(Arc::new(disk.clone()), segment_bytes));
    append(&journal, 20);
    disk.set_capacity(Some(disk.file_bytes()));
    let frames = fill(&journal, 1000, Purpose::Put);
    (journal, frames)
}

/// How many frames an open finds.
fn frames(disk: &SimulatedDisk, segment_bytes: u64) -> u64 {
    let mut found = 0;
    let options = options(Arc::new(disk.clone()), segment_bytes);
    let recovered = recover(&options, Sequence(0), Batch(0), &missing, &mut |_, _| {
        found += 1;
        Ok(())
    });
    assert_eq!(recovered.unwrap().last, Sequence(found));
    found
}

#[test]
fn a_hundred_thousand_removals_fit_where_nothing_can_be_put() {
    let disk = empty_disk();
    let (journal, puts) = full(&disk, 32 << 20);
    // The removal of a key of 100 bytes.
    let removal = payload(100);
    assert_eq!(frame_bytes(removal.len()), 160);
    let all = fill(&journal, 100, Purpose::Removal);
    assert!(all - puts >= 100_000, "{} removals", all - puts);
    assert!(is_full(&try_append(&journal, 1000, Purpose::Put)));
    journal.close().unwrap();
    assert_eq!(frames(&disk, 32 << 20), all);
}

#[test]
fn puts_and_removals_go_on_once_there_is_space() {
    for used in [0, 10, u64::MAX] {
        let disk = empty_disk();
        let (journal, puts) = full(&disk, SEGMENT);
        for _ in 0..used.min(10) {
            try_append(&journal, 60, Purpose::Removal).unwrap();
        }
        if used == u64::MAX {
            fill(&journal, 60, Purpose::Removal);
        }
        assert!(is_full(&try_append(&journal, 1000, Purpose::Put)));
        disk.set_capacity(None);
        for _ in 0..100 {
            try_append(&journal, 1000, Purpose::Put).unwrap();
            try_append(&journal, 60, Purpose::Removal).unwrap();
        }
        assert_eq!(disk.read_file(RESERVE).unwrap().len() as u64, SEGMENT / 2);
        let last = journal.position().sequence.0;
        assert!(last >= puts + 200);
        journal.close().unwrap();
        assert_eq!(frames(&disk, SEGMENT), last);
    }
}

#[test]
fn nothing_is_put_before_there_is_a_reserve_again() {
    let disk = empty_disk();
    let (journal, _) = full(&disk, SEGMENT);
    // As long as the space that was left is used, the reserve is not.
    while disk.read_file(RESERVE).is_some() {
        try_append(&journal, 60, Purpose::Removal).unwrap();
    }
    for spare in [0, 100, SEGMENT / 2 - 1] {
        disk.set_capacity(Some(disk.file_bytes() + spare));
        let before = disk.file_bytes();
        assert!(is_full(&try_append(&journal, 20, Purpose::Put)), "{spare}");
        assert_eq!(disk.file_bytes(), before, "{spare}");
        try_append(&journal, 60, Purpose::Removal).unwrap();
    }
    disk.set_capacity(Some(disk.file_bytes() + SEGMENT / 2));
    try_append(&journal, 20, Purpose::Put).unwrap();
    journal.close().unwrap();
}

#[test]
fn a_put_with_space_set_aside_does_not_go_into_the_reserve() {
    let disk = empty_disk();
    let journal = start(&options(Arc::new(disk.clone()), SEGMENT));
    append(&journal, 20);
    disk.set_capacity(Some(disk.file_bytes()));
    let large = payload(30_000);
    let needed = frame_bytes(large.len()) as u64;
    let mut early = journal.reserve(needed, Purpose::Put).unwrap();
    // Removals fill up what it was to have, and go on in the reserve.
    while disk.read_file(RESERVE).is_some() {
        try_append(&journal, 1500, Purpose::Removal).unwrap();
    }
    for _ in 0..3 {
        try_append(&journal, 1500, Purpose::Removal).unwrap();
    }
    assert!(is_full(&journal.append(&mut early, &large)));
    drop(early);
    let last = try_append(&journal, 60, Purpose::Removal).unwrap();
    journal.close().unwrap();
    assert_eq!(frames(&disk, SEGMENT), last.0);
}

#[test]
fn a_journal_starts_on_a_full_disk_again_and_again() {
    let disk = empty_disk();
    let (journal, mut last) = full(&disk, SEGMENT);
    drop(journal);
    // Each time others take what is less than a block.
    for round in 0..6 {
        disk.set_capacity(Some(disk.file_bytes()));
        assert_eq!(frames(&disk, SEGMENT), last, "round {round}");
        let options = options(Arc::new(disk.clone()), SEGMENT);
        let journal = start(&options);
        for _ in 0..5 {
            last = try_append(&journal, 60, Purpose::Removal).unwrap().0;
        }
        journal.wait(Sequence(last)).unwrap();
        drop(journal);
    }
    disk.set_capacity(None);
    let journal = start(&options(Arc::new(disk.clone()), SEGMENT));
    let put = try_append(&journal, 1000, Purpose::Put).unwrap();
    journal.close().unwrap();
    assert_eq!(frames(&disk, SEGMENT), put.0);
}

#[test]
fn the_reserve_holds_no_frame() {
    let disk = empty_disk();
    for _ in 0..3 {
        let journal = start(&options(Arc::new(disk.clone()), SEGMENT));
        for _ in 0..100 {
            try_append(&journal, 1000, Purpose::Put).unwrap();
            try_append(&journal, 60, Purpose::Removal).unwrap();
        }
        journal.close().unwrap();
        let reserve = disk.read_file(RESERVE).unwrap();
        assert!(reserve.iter().all(|byte| *byte == 0));
        // One that is missing or too short is made good by the next start.
        disk.write_file(RESERVE, &[0; 100]).unwrap();
        assert!(disk.list(Path::new("")).unwrap().contains(&RESERVE.into()));
    }
}
