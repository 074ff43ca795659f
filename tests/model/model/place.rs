//! Where a run's database is.

use std::ffi::OsString;
use std::sync::Arc;

use sessiondb::{Clock, Database, Disk, Error, SimulatedDisk};
use tempfile::TempDir;

use super::config::Config;
use super::time::Watch;

#[derive(Debug)]
pub(crate) enum Place {
    Simulated(SimulatedDisk),
    /// The same, which the database sees through somebody's eyes.
    Behind(SimulatedDisk, Arc<dyn Disk>),
    /// A directory, which does not crash.
    Real(TempDir),
}

impl Place {
    pub(crate) fn open(&self, config: &Config, watch: &Arc<Watch>) -> Result<Database, Error> {
        let builder = config.builder().clock(Arc::clone(watch) as Arc<dyn Clock>);
        match self {
            Self::Simulated(disk) => builder.open_on(Arc::new(disk.clone())),
            Self::Behind(_, front) => builder.open_on(Arc::clone(front)),
            Self::Real(directory) => builder.open(directory.path()),
        }
    }

    pub(crate) fn is_off(&self) -> bool {
        self.disk().is_some_and(SimulatedDisk::is_off)
    }

    pub(crate) fn disk(&self) -> Option<&SimulatedDisk> {
        match self {
            Self::Simulated(disk) | Self::Behind(disk, _) => Some(disk),
            Self::Real(_) => None,
        }
    }

    /// The directories of the index.
    pub(crate) fn indexes(&self) -> Vec<OsString> {
        let root = self.disk().map(SimulatedDisk::index_root);
        let entries = root.and_then(|root| std::fs::read_dir(root).ok());
        let names = entries.into_iter().flatten().flatten();
        names.map(|entry| entry.file_name()).collect()
    }

    /// The number of segment files, and the highest of a journal file.
    pub(crate) fn files(&self) -> (u64, u64) {
        let files = self.disk().map(SimulatedDisk::files).unwrap_or_default();
        let segments = files.iter().filter(|path| path.starts_with("segments/"));
        let segments = segments.count();
        let journal = files
            .iter()
            .filter_map(|path| path.strip_prefix("journal/")?.strip_suffix(".log"))
            .filter_map(|number| number.parse().ok())
            .max();
        (segments as u64, journal.unwrap_or(0))
    }
}
