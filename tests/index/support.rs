//! A database directory that is copied and spoiled, and what it has to hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sessiondb::{Builder, Crash, Database, IndexFate, SessionId, SimulatedDisk};
use tempfile::TempDir;

use crate::directory::copy;

/// What sessions hold; `None` for those that are gone.
pub(crate) type Model = Vec<(SessionId, Option<BTreeMap<String, String>>)>;

pub(crate) fn builder() -> Builder {
    Database::builder()
        .background(false)
        .cache_bytes(4 << 20)
        .journal_segment_bytes(64 << 10)
        .segment_bytes(64 << 10)
}

pub(crate) fn open(directory: &Path) -> Database {
    let opened = builder().open(directory);
    opened.unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
}

/// A closed database: its files, and what it holds.
pub(crate) struct Kept {
    pub(crate) directory: TempDir,
    pub(crate) model: Model,
}

/// Sessions of one page and of several, cleared, cycled and flushed ones, in
/// several batches.
pub(crate) fn fill(db: &Database) -> Model {
    let mut model = Model::new();
    let large = db.create_session();
    for number in 0..80 {
        large
            .set(&format!("key-{number:02}"), &"x".repeat(200))
            .unwrap();
    }
    let mut cycled = db.create_session();
    cycled.set("user", "ada").unwrap();
    let mut flushed = db.create_session();
    flushed.set("user", "eve").unwrap();
    let cleared = db.create_session();
    for number in 0..40 {
        cleared
            .set(&format!("key-{number:02}"), &"y".repeat(200))
            .unwrap();
    }
    db.checkpoint().unwrap();
    model.push((cycled.id(), None));
    cycled.cycle_id().unwrap();
    model.push((flushed.id(), None));
    flushed.flush().unwrap();
    cleared.clear().unwrap();
    cleared.set("again", "here").unwrap();
    large.remove_prefix("key-3").unwrap();
    db.checkpoint().unwrap();
    large.set("last", "of all").unwrap();
    for session in [&large, &cycled, &cleared] {
        model.push((session.id(), Some(session.to_map().unwrap())));
    }
    model
}

/// A database that was closed cleanly.
pub(crate) fn closed() -> Kept {
    let directory = tempfile::tempdir().unwrap();
    let db = open(directory.path());
    let model = fill(&db);
    db.close().unwrap();
    Kept { directory, model }
}

/// One that was not: the mark of the clean stop is missing.
pub(crate) fn killed() -> Kept {
    let kept = closed();
    fs::remove_file(kept.directory.path().join("CLEAN")).unwrap();
    kept
}

impl Kept {
    /// A copy to spoil.
    pub(crate) fn copied(&self) -> TempDir {
        let copied = tempfile::tempdir().unwrap();
        copy(self.directory.path(), copied.path());
        copied
    }
}

/// The directory of the index.
pub(crate) fn index_of(directory: &Path) -> PathBuf {
    let entries = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("index-")
        })
        .collect();
    found.sort_unstable();
    found.pop().expect("there is an index")
}

/// All files under a directory.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort_unstable();
    found
}

/// Looks at every session.
pub(crate) fn check(db: &Database, model: &Model, what: &str) {
    for (id, expected) in model {
        let found = db.open_session(id);
        let found = found.unwrap_or_else(|error| panic!("{what}: {error}"));
        let found = found.map(|session| session.to_map().unwrap());
        assert_eq!(found, *expected, "{what}");
    }
}

/// Opens a directory whose index was spoiled: all data is there, all is
/// clean, it can be written to, and it stays so over a reopening.
pub(crate) fn check_directory(directory: &Path, model: &Model, what: &str) {
    let db = builder().open(directory);
    let db = db.unwrap_or_else(|error| panic!("{what}: {error}"));
    check(&db, model, what);
    let session = db.create_session();
    session.set("new", "one").unwrap();
    db.verify()
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    check(&db, model, what);
    let id = session.id();
    drop(session);
    db.close().unwrap_or_else(|error| panic!("{what}: {error}"));
    let db = open(directory);
    check(&db, model, what);
    let again = db.open_session(&id).unwrap().expect("the new session");
    assert_eq!(again.get("new").unwrap(), Some("one".to_owned()), "{what}");
}

/// The same on a simulated disk that has lost its index.
pub(crate) fn simulated_without_index(seed: u64) -> (SimulatedDisk, Model) {
    let disk = SimulatedDisk::new(seed).unwrap();
    let db = builder()
        .open_on(std::sync::Arc::new(disk.clone()))
        .unwrap();
    let model = fill(&db);
    disk.power_off();
    drop(db);
    (
        disk.crash(Crash::KeepNothing, IndexFate::Lost).unwrap(),
        model,
    )
}
