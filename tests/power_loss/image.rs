//! What is left after a power cut, as a real directory that is opened.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use sessiondb::{Database, SimulatedDisk};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::child::small;
use crate::expectation::{Expectation, Found};

/// What tells one image from another.
pub(crate) type Fingerprint = [u8; 32];

/// Long zeros are not written: there are many.
const PIECE: usize = 4096;

/// The paths of all directories, and of all files with what is in them.
pub(crate) struct Image {
    directories: Vec<String>,
    files: Vec<(String, Vec<u8>)>,
}

/// A directory, in memory where the system offers that.
pub(crate) fn fresh() -> TempDir {
    let builder = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix("sessiondb-power-loss-");
        builder
    };
    let made = builder().tempdir_in("/dev/shm");
    made.or_else(|_| builder().tempdir()).expect("a directory")
}

impl Image {
    pub(crate) fn of(disk: &SimulatedDisk) -> Self {
        Self {
            directories: disk.directories(),
            files: disk.snapshot(),
        }
    }

    /// The pieces of a file that are not all zeros, and where they begin.
    fn pieces(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
        let pieces = bytes.chunks(PIECE).enumerate();
        let pieces = pieces.filter(|(_, piece)| **piece != [0; PIECE][..piece.len()]);
        pieces.map(|(number, piece)| (number * PIECE, piece))
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let mut digest = Sha256::new();
        for directory in &self.directories {
            digest.update(directory);
            digest.update([0]);
        }
        for (path, bytes) in &self.files {
            digest.update(path);
            digest.update([0]);
            digest.update(bytes.len().to_le_bytes());
            for (place, piece) in Self::pieces(bytes) {
                digest.update(place.to_le_bytes());
                digest.update(piece);
            }
        }
        digest.finalize().into()
    }

    /// What is in a directory.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut image = Self {
            directories: Vec::new(),
            files: Vec::new(),
        };
        image.take_in(root, "")?;
        image.directories.sort_unstable();
        image.files.sort_unstable();
        Ok(image)
    }

    fn take_in(&mut self, root: &Path, under: &str) -> io::Result<()> {
        for entry in fs::read_dir(root.join(under))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if under.is_empty() {
                name
            } else {
                format!("{under}/{name}")
            };
            if entry.file_type()?.is_dir() {
                self.take_in(root, &path)?;
                self.directories.push(path);
            } else {
                let bytes = fs::read(entry.path())?;
                self.files.push((path, bytes));
            }
        }
        Ok(())
    }

    /// Makes a directory that holds it.
    pub(crate) fn write_new(&self, root: &Path) -> io::Result<()> {
        fs::create_dir(root)?;
        self.write(root)
    }

    pub(crate) fn write(&self, root: &Path) -> io::Result<()> {
        for directory in &self.directories {
            fs::create_dir(root.join(directory))?;
        }
        for (path, bytes) in &self.files {
            let file = File::create_new(root.join(path))?;
            for (place, piece) in Self::pieces(bytes) {
                file.write_all_at(piece, place as u64)?;
            }
            file.set_len(bytes.len() as u64)?;
        }
        Ok(())
    }

    /// Opens it and compares: once as it is, again after an end without a
    /// close, and again after one with it. Whether the index was rebuilt.
    /// Panics where anything is not as it may be.
    pub(crate) fn check(&self, expectation: &Expectation) -> bool {
        let root = fresh();
        self.write(root.path()).expect("it can be written down");
        let existed = root.path().join("CURRENT").exists();
        let index = indexes(root.path());
        let database = open(root.path());
        // Others that were there may be gone.
        let is_new = |number: &u64| !index.contains(number);
        let is_rebuilt = existed && indexes(root.path()).iter().any(is_new);
        let found = expectation.check(&database, 0);
        let session = database.create_session();
        session.set("new", "one").expect("it goes on");
        drop(session);
        drop(database);
        check_again(root.path(), expectation, &found);
        check_again(root.path(), expectation, &found);
        is_rebuilt
    }
}

fn open(root: &Path) -> Database {
    let opened = small().background(false).open(root);
    opened.unwrap_or_else(|error| panic!("it does not open: {error}"))
}

fn check_again(root: &Path, expectation: &Expectation, found: &Found) {
    let database = open(root);
    let again = expectation.check(&database, 1);
    assert!(again == *found, "something else is found after {found:?}");
    database.close().expect("it closes");
}

/// The directories of the index, known by more than their names.
fn indexes(root: &Path) -> Vec<u64> {
    let entries = fs::read_dir(root).expect("the directory").flatten();
    let indexes = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("index-"));
    let numbers = indexes.filter_map(|entry| Some(entry.metadata().ok()?.ino()));
    numbers.collect()
}
