//! Random bits of a database of some thousand sessions, several at a time, in
//! our files and in those of the index.

use std::fs;
use std::time::Duration;

use sessiondb::{Crash, Database, Durability, Error, IndexFate, Result, SessionId, SimulatedDisk};

use crate::index;
use crate::place::Flip;
use crate::support::{builder, discard, is_exhaustive, without_hanging};

const SESSIONS: usize = 3000;
/// Of so many sessions one has several pages.
const LARGE: usize = 100;

fn open(disk: &SimulatedDisk) -> Result<Database> {
    let builder = builder().segment_bytes(256 << 10);
    builder
        .journal_segment_bytes(256 << 10)
        .cache_bytes(4 << 20)
        .open_on(std::sync::Arc::new(disk.clone()))
}

fn keys_of(number: usize) -> usize {
    if number.is_multiple_of(LARGE) { 30 } else { 2 }
}

/// A closed database, and its sessions.
fn many() -> (SimulatedDisk, Vec<SessionId>) {
    let disk = SimulatedDisk::new(5).unwrap();
    let db = open(&disk).unwrap();
    let sync_within = Duration::from_secs(3600);
    let quick = db.with_durability(Durability::Deferred { sync_within });
    let made = (0..SESSIONS).map(|number| {
        let session = quick.create_session();
        let filled = session.transaction(|tx| {
            for key in 0..keys_of(number) {
                tx.set(&format!("key-{key:02}"), &value(number, key))?;
            }
            Ok(())
        });
        filled.unwrap();
        if number % 1000 == 999 {
            db.checkpoint().unwrap();
        }
        session.id()
    });
    let made = made.collect();
    db.close().unwrap();
    (disk, made)
}

fn value(number: usize, key: usize) -> String {
    format!("value {key} of session {number} {}", "x".repeat(200))
}

/// Whether a session is as it was written.
fn is_right(db: &Database, number: usize, id: &SessionId) -> Result<bool> {
    let Some(session) = db.open_session(id)? else {
        return Ok(false);
    };
    let found = session.to_map::<String>()?;
    let is_right = |key: usize| found.get(&format!("key-{key:02}")) == Some(&value(number, key));
    Ok(found.len() == keys_of(number) && (0..keys_of(number)).all(is_right))
}

/// How many of the sessions are damaged; panics where one is wrong.
fn damaged(db: &Database, ids: &[SessionId], tells: impl Fn(&Error) -> bool) -> usize {
    let mut damaged = 0;
    for (number, id) in ids.iter().enumerate() {
        match is_right(db, number, id) {
            Ok(true) => {}
            Err(error) if tells(&error) => damaged += 1,
            outcome => panic!("session {number}: {outcome:?}"),
        }
    }
    damaged
}

fn rounds() -> u64 {
    if is_exhaustive() { 2000 } else { 16 }
}

#[test]
fn random_bits_of_the_segments_give_no_wrong_answer() {
    without_hanging(|| {
        let (disk, ids) = many();
        let mut segments = disk.snapshot();
        segments.retain(|(file, _)| file.starts_with("segments/"));
        assert!(segments.len() > 2, "{} files", segments.len());
        let (mut flips, mut refused, mut damaged_sessions) = (0, 0, 0);
        for seed in 0..rounds() {
            let mut random = fastrand::Rng::with_seed(seed);
            let index = [IndexFate::Kept, IndexFate::Lost][random.usize(..2)];
            let copy = disk.copy(Crash::KeepAll, index).unwrap();
            let flip = |_| {
                let (file, bytes) = &segments[random.usize(..segments.len())];
                let (offset, mask) = (random.usize(..bytes.len()), 1 << random.u8(..8));
                let flip = Flip { file, offset, mask };
                // Two may be of one file.
                let seen = copy.read_file(file).unwrap();
                copy.write_file(file, &flip.apply(&seen)).unwrap();
                (flip, bytes)
            };
            let flipped: Vec<_> = (0..4).map(flip).collect();
            flips += flipped.len();
            let tells = |error: &Error| {
                let mut flipped = flipped.iter();
                flipped.any(|(flip, bytes)| flip.is_told_by(error, bytes))
            };
            match open(&copy) {
                Ok(db) => {
                    damaged_sessions += damaged(&db, &ids, tells);
                    discard(&copy, db);
                }
                Err(error) => {
                    assert!(tells(&error), "seed {seed}: {error}");
                    refused += 1;
                }
            }
        }
        println!("{flips} flips, {refused} opens refused, {damaged_sessions} sessions damaged");
        assert!(damaged_sessions > 0);
    });
}

#[test]
fn random_bits_of_the_index_change_no_answer() {
    without_hanging(|| {
        let (disk, ids) = many();
        let mut flips = 0;
        for seed in 0..rounds() {
            let mut random = fastrand::Rng::with_seed(seed);
            let copy = disk.copy(Crash::KeepAll, IndexFate::Kept).unwrap();
            // Without the mark of the clean stop the files are not compared.
            if random.bool() {
                copy.remove_file("CLEAN").unwrap();
            }
            for file in index::files(&copy) {
                let path = copy.index_root().join(file);
                let mut bytes = fs::read(&path).unwrap();
                for _ in 0..1 << random.u32(..8) {
                    let offset = random.usize(..bytes.len().max(1));
                    if let Some(byte) = bytes.get_mut(offset) {
                        *byte ^= 1 << random.u8(..8);
                        flips += 1;
                    }
                }
                fs::write(&path, bytes).unwrap();
            }
            let db = open(&copy).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert_eq!(damaged(&db, &ids, |_| false), 0);
            assert_eq!(db.verify().unwrap().sessions, SESSIONS as u64);
            discard(&copy, db);
        }
        println!("{flips} flips in the index");
    });
}
