//! The index damaged under an open database: reads and writes go on being
//! right, and it is rebuilt in use.

use std::fs::{self, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use sessiondb::{Database, Durability};

use crate::support::{builder, check, check_directory, closed, files, fill, index_of, open};

/// Writes garbage over all files, in place: sled's own handles see it.
fn overwrite(index: &Path, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    for path in files(index) {
        let length = fs::metadata(&path).unwrap().len();
        let mut file = OpenOptions::new().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        let garbage: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
        file.write_all(&garbage).unwrap();
    }
}

fn cut(index: &Path) {
    for path in files(index) {
        OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(0)
            .unwrap();
    }
}

#[test]
fn garbage_under_an_open_database_gives_no_wrong_answer() {
    for seed in 0..4 {
        let kept = closed();
        let directory = kept.directory.path();
        let db = open(directory);
        let index = index_of(directory);
        if seed % 2 == 0 {
            overwrite(&index, seed);
        } else {
            cut(&index);
        }
        let what = format!("seed {seed}");
        check(&db, &kept.model, &what);
        let mut model = kept.model.clone();
        model.extend(fill(&db));
        check(&db, &model, &what);
        db.checkpoint().unwrap();
        check(&db, &model, &what);
        db.verify()
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        db.close().unwrap_or_else(|error| panic!("{what}: {error}"));
        check_directory(directory, &model, &what);
    }
}

/// More sessions than the index keeps in memory, so that rows are read from
/// the spoiled file.
fn many(db: &Database, count: usize) -> Vec<sessiondb::SessionId> {
    let sync_within = std::time::Duration::from_secs(3600);
    let quick = db.with_durability(Durability::Deferred { sync_within });
    (0..count)
        .map(|number| {
            let session = quick.create_session();
            session.set("number", &number).unwrap();
            session.id()
        })
        .collect()
}

#[test]
fn the_index_is_rebuilt_in_use_when_its_rows_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let small = || builder().cache_bytes(1 << 20).segment_bytes(1 << 20);
    let db = small().open(directory.path()).unwrap();
    let ids = many(&db, 1500);
    db.close().unwrap();
    let db = small().open(directory.path()).unwrap();
    let before = index_of(directory.path());
    overwrite(&before, 7);
    for (number, id) in ids.iter().enumerate() {
        let session = db
            .open_session(id)
            .unwrap()
            .expect("every session is there");
        assert_eq!(session.get("number").unwrap(), Some(number));
    }
    assert_ne!(index_of(directory.path()), before, "it was rebuilt in use");
    let first = db.open_session(&ids[0]).unwrap().unwrap();
    first.set("number", &1_000_000).unwrap();
    assert_eq!(db.verify().unwrap().sessions, 1500);
}

#[test]
fn readers_and_writers_go_on_while_the_index_is_damaged_again_and_again() {
    let directory = tempfile::tempdir().unwrap();
    let small = || builder().cache_bytes(1 << 20).memtable_bytes(256 << 10);
    let db = small().open(directory.path()).unwrap();
    let ids = many(&db, 300);
    db.close().unwrap();
    let db = small().open(directory.path()).unwrap();
    let before = index_of(directory.path());
    overwrite(&before, 0);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut random = fastrand::Rng::with_seed(1);
            while !stop.load(Ordering::Relaxed) {
                let number = random.usize(..ids.len());
                let session = db.open_session(&ids[number]).unwrap();
                let session = session.expect("every session is there");
                assert_eq!(session.get("number").unwrap(), Some(number));
            }
        });
        for round in 0..4_u64 {
            for id in ids.iter().step_by(10) {
                let session = db.open_session(id).unwrap().unwrap();
                session.set(&format!("round-{round}"), &round).unwrap();
            }
            db.checkpoint().unwrap();
            // What sled has in memory it does not read again.
            overwrite(&index_of(directory.path()), round);
        }
        stop.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    assert_ne!(index_of(directory.path()), before, "it was rebuilt in use");
    let whole = |db: &Database| {
        for id in ids.iter().step_by(10) {
            assert_eq!(db.open_session(id).unwrap().unwrap().len().unwrap(), 5);
        }
    };
    whole(&db);
    db.close().unwrap();
    let db = small().open(directory.path()).unwrap();
    whole(&db);
    assert_eq!(db.verify().unwrap().sessions, 300);
}
