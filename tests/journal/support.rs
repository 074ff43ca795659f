//! Opening, cutting the power, and putting bytes in place.

use std::sync::Arc;
use std::time::Duration;

use sessiondb::{Builder, Database, IndexFate, Result, SimulatedDisk};

use crate::patience::within;

pub(crate) const SEGMENT: u64 = 64 << 10;
/// Set to look at every byte where the everyday run looks at some.
const EXHAUSTIVE: &str = "SESSIONDB_EXHAUSTIVE";

pub(crate) fn builder() -> Builder {
    Database::builder()
        .journal_segment_bytes(SEGMENT)
        .cache_bytes(1 << 20)
        .background(false)
}

pub(crate) fn disk(seed: u64) -> SimulatedDisk {
    SimulatedDisk::new(seed).unwrap()
}

pub(crate) fn open(disk: &SimulatedDisk) -> Result<Database> {
    builder().open_on(Arc::new(disk.clone()))
}

/// Ends a database without a close, as a power cut does.
pub(crate) fn cut(
    disk: &SimulatedDisk,
    database: Database,
    how: sessiondb::Crash,
) -> SimulatedDisk {
    let survivor = disk.crash(how, IndexFate::Kept).unwrap();
    drop(database);
    survivor
}

/// Ends a database whose files are of no further interest.
pub(crate) fn discard(disk: &SimulatedDisk, database: Database) {
    disk.power_off();
    drop(database);
}

/// The journal's files, in order.
pub(crate) fn journal_files(disk: &SimulatedDisk) -> Vec<String> {
    let mut files = disk.files();
    files.retain(|path| path.starts_with("journal/"));
    files
}

/// All bytes of a disk, to be put in place again and again.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot(Vec<(String, Vec<u8>)>);

impl Snapshot {
    pub(crate) fn of(disk: &SimulatedDisk) -> Self {
        Self(disk.snapshot())
    }

    pub(crate) fn file(&self, name: &str) -> &[u8] {
        let found = self.0.iter().find(|(path, _)| path == name);
        &found.unwrap().1
    }

    /// A fresh disk with these bytes and no index, one file replaced.
    pub(crate) fn with(&self, name: &str, replacement: &[u8]) -> SimulatedDisk {
        let disk = disk(1);
        disk.write_file("segments/none", &[]).unwrap();
        disk.remove_file("segments/none").unwrap();
        for (path, bytes) in &self.0 {
            let bytes = if path == name { replacement } else { bytes };
            disk.write_file(path, bytes).unwrap();
        }
        disk
    }
}

/// How far to step: 1 where everything is to be looked at.
pub(crate) fn stride(everyday: usize) -> usize {
    if is_exhaustive() { 1 } else { everyday }
}

pub(crate) fn is_exhaustive() -> bool {
    std::env::var_os(EXHAUSTIVE).is_some()
}

/// Runs a test that must not hang, and says where it did.
pub(crate) fn without_hanging(work: impl FnOnce() + Send + 'static) {
    let limit = Duration::from_secs(if is_exhaustive() { 3600 } else { 120 });
    within(limit, work);
}
