//! What the public interface does not show of the journal.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use super::{Journal, JournalOptions, Purpose, recover};
use crate::disk::{Disk, Fault, FaultEffect, Operation, SimulatedDisk};
use crate::error::Error;
use crate::format::codec::ALIGNMENT;
use crate::format::codec::Bytes;
use crate::format::effect::{Change, Effect, Payload};
use crate::format::header::JOURNAL_HEADER_BYTES;
use crate::format::identity::{Batch, DatabaseId, Generation, JournalNumber, Sequence, Timestamp};
use crate::format::journal_frame::{self, Place, frame_bytes};
use crate::session_id::SessionDigest;

mod gates;
mod leaving;
mod longer;
mod made_up;
mod recycling;
mod reserve;

const SEGMENT: u64 = 64 << 10;

fn options(disk: Arc<dyn Disk>, segment_bytes: u64) -> JournalOptions {
    JournalOptions {
        disk,
        database: DatabaseId([7; 16]),
        segment_bytes,
        longest_segment_bytes: segment_bytes,
    }
}

fn empty_disk() -> SimulatedDisk {
    let disk = SimulatedDisk::new(1).unwrap();
    disk.create_directory(Path::new("journal")).unwrap();
    disk.sync_directory(Path::new("")).unwrap();
    disk
}

fn missing(batch: Batch) -> Error {
    Error::corrupted(Path::new("segments"), 0, batch)
}

fn start(options: &JournalOptions) -> Arc<Journal> {
    let recovered = recover(options, Sequence(0), Batch(0), &missing, &mut |_, _| Ok(())).unwrap();
    Journal::start(options.clone(), recovered).unwrap()
}

/// A transaction of about this many bytes.
fn payload(bytes: usize) -> Vec<u8> {
    payload_of(&vec![b'v'; bytes])
}

/// A transaction that puts a value.
fn payload_of(value: &[u8]) -> Vec<u8> {
    let changes = vec![Change::Put {
        key: "key",
        value: Bytes(value),
        deadline: None,
    }];
    let payload = Payload::Transaction(vec![Effect::Change {
        digest: SessionDigest::from_bytes([1; 16]),
        generation: Generation(1),
        at: Timestamp(1),
        changes,
    }]);
    let mut buffer = Vec::new();
    payload.encode_into(&mut buffer).unwrap();
    buffer
}

fn append(journal: &Journal, bytes: usize) -> Sequence {
    append_payload(journal, &payload(bytes))
}

fn append_payload(journal: &Journal, payload: &[u8]) -> Sequence {
    let needed = frame_bytes(payload.len()) as u64;
    let mut reservation = journal.reserve(needed, Purpose::Put).unwrap();
    journal.append(&mut reservation, payload).unwrap()
}

fn reserved(journal: &Journal) -> u64 {
    journal.shared.tail.lock().reserved
}

/// Where every frame of every file lies, told from the bytes.
fn frames_on(disk: &SimulatedDisk) -> Vec<(Sequence, JournalNumber)> {
    let mut found = Vec::new();
    for (path, bytes) in disk.snapshot() {
        let Some(name) = path.strip_prefix("journal/") else {
            continue;
        };
        let name = name.trim_end_matches(".log");
        let number = JournalNumber(name.parse().unwrap());
        for offset in (JOURNAL_HEADER_BYTES..bytes.len()).step_by(ALIGNMENT) {
            let place = Place {
                database: DatabaseId([7; 16]),
                number,
                offset: offset as u64,
            };
            if let Some(frame) = journal_frame::parse(&bytes, offset, place) {
                found.push((frame.sequence, number));
            }
        }
    }
    found.sort_unstable();
    found
}

#[test]
fn committers_that_wait_together_share_one_sync() {
    let disk = gates::Gated::new(empty_disk());
    let journal = start(&options(Arc::new(disk.clone()), SEGMENT));
    let sequences: Vec<Sequence> = (0..16).map(|_| append(&journal, 20)).collect();
    thread::scope(|scope| {
        for sequence in &sequences {
            scope.spawn(|| journal.wait(*sequence).unwrap());
        }
    });
    assert_eq!(disk.commits(), 1);
    assert_eq!(journal.synced(), Sequence(16));
    journal.close().unwrap();
}

#[test]
fn committers_that_come_during_a_sync_share_the_next_one() {
    let disk = gates::Gated::new(empty_disk());
    let journal = start(&options(Arc::new(disk.clone()), SEGMENT));
    let first = append(&journal, 20);
    disk.hold_commits();
    thread::scope(|scope| {
        scope.spawn(|| journal.wait(first).unwrap());
        disk.wait_for_a_held_commit();
        let later: Vec<Sequence> = (0..16).map(|_| append(&journal, 20)).collect();
        for sequence in later {
            let journal = &journal;
            scope.spawn(move || journal.wait(sequence).unwrap());
        }
        disk.let_commits_go();
    });
    assert_eq!(disk.commits(), 2);
    assert_eq!(journal.synced(), Sequence(17));
    journal.close().unwrap();
}

#[test]
fn a_failed_sync_of_the_allocator_does_not_hide_what_a_commit_lost() {
    let inner = empty_disk();
    let disk = gates::Gated::new(inner.clone());
    let journal = start(&options(Arc::new(disk.clone()), 4 << 20));
    let sequence = append(&journal, 20);
    inner.inject(Fault {
        operation: Operation::SyncData,
        path_contains: "000001".into(),
        after: 0,
        times: 1,
        kind: std::io::ErrorKind::Other,
        effect: FaultEffect::LosePages,
    });
    // The allocator's sync fails between the commit's write and its sync, and
    // comes back when the commit's has succeeded.
    disk.let_the_allocator_lose_a_commit();
    let reservation = journal.reserve(600 << 10, Purpose::Put).unwrap();
    let outcome = journal.wait(sequence);
    assert!(
        matches!(&outcome, Err(Error::Poisoned { .. })),
        "{outcome:?}"
    );
    assert_eq!(journal.synced(), Sequence(0));
    drop(reservation);
    journal.close().unwrap_err();
}

#[test]
fn a_reservation_that_is_dropped_gives_its_space_back() {
    let disk = empty_disk();
    let journal = start(&options(Arc::new(disk.clone()), SEGMENT));
    // Far more than there is, one after another.
    for _ in 0..100 {
        let mut reservation = journal.reserve(30_000, Purpose::Put).unwrap();
        assert_eq!(reserved(&journal), 30_000);
        reservation.cover(40_000).unwrap();
        assert_eq!(reserved(&journal), 40_000);
        drop(reservation);
        assert_eq!(reserved(&journal), 0);
    }
    // What a frame takes is taken once.
    let small = payload(20);
    let mut reservation = journal.reserve(1000, Purpose::Put).unwrap();
    journal.append(&mut reservation, &small).unwrap();
    assert_eq!(reserved(&journal), 1000 - frame_bytes(small.len()) as u64);
    drop(reservation);
    assert_eq!(reserved(&journal), 0);
    journal.close().unwrap();
    let numbers = disk.list(Path::new("journal")).unwrap().len();
    assert!(numbers <= 2, "{numbers} files for one frame");
}

#[test]
fn frames_never_straddle_files() {
    for seed in 0..10 {
        let mut random = fastrand::Rng::with_seed(seed);
        let disk = empty_disk();
        let mut options = options(Arc::new(disk.clone()), SEGMENT);
        options.segment_bytes /= [1, 4][random.usize(..2)];
        let journal = start(&options);
        for _ in 0..60 {
            let bytes = match random.u8(..4) {
                0 => random.usize(..100),
                1 => 60_000 + random.usize(..5000),
                _ => random.usize(..20_000),
            };
            append(&journal, bytes);
            if random.u8(..3) == 0 {
                journal.wait(journal.position().sequence).unwrap();
            }
        }
        journal.close().unwrap();
        // Each is whole in one file, and later ones are in later files.
        let found = frames_on(&disk);
        let sequences: Vec<u64> = found.iter().map(|(sequence, _)| sequence.0).collect();
        assert_eq!(sequences, (1..=60).collect::<Vec<_>>(), "seed {seed}");
        assert!(found.is_sorted_by_key(|(_, number)| *number), "seed {seed}");
        let mut next = Sequence(0);
        let recovered = recover(
            &options,
            Sequence(0),
            Batch(0),
            &missing,
            &mut |sequence, _| {
                assert_eq!(sequence, next.next(), "seed {seed}");
                next = sequence;
                Ok(())
            },
        );
        assert_eq!(recovered.unwrap().last, Sequence(60), "seed {seed}");
    }
}

#[test]
fn the_longest_payload_fits_and_a_longer_one_is_too_large() {
    let disk = empty_disk();
    let options = options(Arc::new(disk.clone()), SEGMENT);
    let journal = start(&options);
    let longest = usize::try_from(journal.max_payload()).unwrap();
    let overhead = payload(longest).len() - longest;
    let fitting = payload(longest - overhead);
    assert_eq!(fitting.len(), longest);
    for _ in 0..3 {
        let needed = frame_bytes(fitting.len()) as u64;
        let mut reservation = journal.reserve(needed, Purpose::Put).unwrap();
        let sequence = journal.append(&mut reservation, &fitting).unwrap();
        journal.wait(sequence).unwrap();
    }
    let refused = journal.reserve(SEGMENT, Purpose::Put).map(|_| ());
    assert!(
        matches!(refused, Err(Error::TooLarge { .. })),
        "{refused:?}"
    );
    let mut small = journal.reserve(100, Purpose::Put).unwrap();
    let refused = journal.append(&mut small, &fitting);
    assert!(
        matches!(refused, Err(Error::TooLarge { .. })),
        "{refused:?}"
    );
    let refused = small.cover(SEGMENT);
    assert!(
        matches!(refused, Err(Error::TooLarge { .. })),
        "{refused:?}"
    );
    drop(small);
    assert_eq!(reserved(&journal), 0);
    journal.close().unwrap();
    assert_eq!(frames_on(&disk).len(), 3);
}
