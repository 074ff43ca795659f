//! A page begins with its first key, whatever is removed.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::testing::{open, rebuild};
use crate::format::page::{Entry, TARGET_BYTES};
use crate::{Crash, Database, IndexFate, Session, SimulatedDisk};

const KEYS: usize = 400;

fn key(number: usize) -> String {
    format!("marked-key-{number:04}-end")
}

/// A session of many pages.
fn large_session(db: &Database) -> Session {
    let session = db.create_session();
    let filled = session
        .transaction(|tx| (0..KEYS).try_for_each(|number| tx.set_bytes(&key(number), &[7; 300])));
    filled.unwrap();
    db.checkpoint().unwrap();
    session
}

/// The lower fences of a session's pages; each is its page's first key.
fn fences(db: &Database, session: &Session) -> Vec<String> {
    let engine = db.engine();
    let index = engine.index.get().unwrap();
    let row = index.session(&session.id().digest()).unwrap().unwrap();
    let pages = index.pages(row.generation(), "", usize::MAX).unwrap();
    let lowers = pages.iter().map(|(lower, row)| {
        let (_, page) = engine.segments.read_page(row.location).unwrap();
        assert_eq!(page.entry(0).unwrap().key, &**lower);
        lower.to_string()
    });
    lowers.collect()
}

/// Bytes of entries in a session's pages, but for the image.
fn page_bytes(db: &Database, session: &Session) -> Vec<usize> {
    let engine = db.engine();
    let index = engine.index.get().unwrap();
    let row = index.session(&session.id().digest()).unwrap().unwrap();
    let pages = index.pages(row.generation(), "", usize::MAX).unwrap();
    let sizes = pages.iter().map(|(_, row)| {
        let (_, page) = engine.segments.read_page(row.location).unwrap();
        let entries = (0..page.len()).map(|index| page.entry(index).unwrap());
        let sizes = entries.map(|found| {
            let entry = Entry {
                key: found.key,
                value: &page.raw()[found.value],
                deadline: found.deadline,
            };
            entry.size()
        });
        sizes.sum()
    });
    sizes.collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn holds(disk: &SimulatedDisk, text: &str) -> bool {
    let mut segments = disk.files();
    segments.retain(|file| file.starts_with("segments/"));
    segments.iter().any(|file| {
        let bytes = disk.read_file(file).unwrap();
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    })
}

#[test]
fn a_removed_key_that_was_a_fence_is_none_any_more() {
    let disk = SimulatedDisk::new(1).unwrap();
    let db = open(&disk);
    let session = large_session(&db);
    let removed = fences(&db, &session);
    assert!(removed.len() > 10, "{}", removed.len());
    for key in &removed {
        session.delete(key).unwrap();
    }
    db.checkpoint().unwrap();
    let left: BTreeSet<String> = fences(&db, &session).into_iter().collect();
    assert!(!removed.iter().any(|key| left.contains(key)));
    assert_eq!(session.len().unwrap(), KEYS - removed.len());
    db.verify().unwrap();
    assert!(holds(&disk, &removed[0]), "so far");
    db.compact().unwrap();
    for key in &removed {
        assert!(!holds(&disk, key), "{key}");
    }
    db.verify().unwrap();
}

#[test]
fn pages_begin_with_their_first_keys_whatever_is_removed_and_put() {
    let disk = SimulatedDisk::new(2).unwrap();
    let db = open(&disk);
    let session = large_session(&db);
    let mut there: BTreeSet<String> = (0..KEYS).map(key).collect();
    let mut random = fastrand::Rng::with_seed(2);
    for _ in 0..40 {
        for _ in 0..random.usize(1..60) {
            let key = key(random.usize(0..KEYS));
            if random.bool() {
                session.set_bytes(&key, &[8; 300]).unwrap();
                there.insert(key);
            } else {
                assert_eq!(session.discard(&key).unwrap(), there.remove(&key));
            }
        }
        db.checkpoint().unwrap();
        fences(&db, &session);
        let keys: BTreeSet<String> = session.keys().unwrap().map(Result::unwrap).collect();
        assert_eq!(keys, there);
    }
    db.verify().unwrap();
}

/// The tombstones of pages name no keys, and are followed all the same.
#[test]
fn a_session_has_no_more_pages_than_it_fills() {
    const ENTRY: usize = 2 + 2 + 10 + 101;
    let disk = SimulatedDisk::new(4).unwrap();
    let db = open(&disk);
    let session_of = |keys: usize| {
        let session = db.create_session();
        let filled = session.transaction(|tx| {
            (0..keys).try_for_each(|number| tx.set_bytes(&format!("key-{number:06}"), &[7; 100]))
        });
        filled.unwrap();
        session
    };
    let counts = 36..=150;
    let sessions: Vec<Session> = counts.clone().map(session_of).collect();
    db.checkpoint().unwrap();
    for (keys, session) in counts.zip(&sessions) {
        let pages = page_bytes(&db, session);
        let bytes = keys * ENTRY;
        // No page can be filled to its last byte.
        let most = bytes.div_ceil(TARGET_BYTES - ENTRY);
        assert!(pages.len() < most, "{keys} keys: {pages:?}");
        let image = bytes - pages.iter().sum::<usize>();
        for size in pages.iter().copied().chain([image]) {
            let usual = TARGET_BYTES / 2 - ENTRY..=TARGET_BYTES;
            assert!(usual.contains(&size), "{keys} keys: {image}, {pages:?}");
        }
    }
    assert_eq!(page_bytes(&db, &sessions[100 - 36]).len(), 2);
}

#[test]
fn an_index_that_missed_it_removes_the_rows_of_pages_that_are_gone() {
    let disk = SimulatedDisk::new(3).unwrap();
    let db = open(&disk);
    let session = large_session(&db);
    let id = session.id();
    let index = db.engine().index.get().unwrap();
    index.set_watermark(index.watermark().unwrap()).unwrap();
    drop(index);
    // As the index was before.
    let before = tempfile::tempdir().unwrap();
    copy(&disk.index_root(), before.path());
    for number in 0..KEYS / 2 {
        session.delete(&key(number)).unwrap();
    }
    db.checkpoint().unwrap();
    let expected = fences(&db, &session);
    let disk = disk.crash(Crash::KeepAll, IndexFate::Lost).unwrap();
    drop((session, db));
    copy(before.path(), &disk.index_root());
    let db = open(&disk);
    assert_eq!(db.engine().index.name(), "index-0001", "it was not rebuilt");
    let session = db.open_session(&id).unwrap().unwrap();
    assert_eq!(fences(&db, &session), expected);
    assert_eq!(session.len().unwrap(), KEYS / 2);
    db.verify().unwrap();
    rebuild(db.engine());
    assert_eq!(fences(&db, &session), expected);
}
