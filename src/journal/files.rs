//! Names, paths and the making of journal files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, is_absent};
use crate::error::{Error, Result};
use crate::format::header::JOURNAL_HEADER_BYTES;
use crate::format::identity::{DatabaseId, JournalNumber};

const DIRECTORY: &str = "journal";

/// What the journal is told.
#[derive(Debug, Clone)]
pub(crate) struct JournalOptions {
    /// Where the files are.
    pub(crate) disk: Arc<dyn Disk>,
    /// Whose they are.
    pub(crate) database: DatabaseId,
    /// Bytes of a usual file.
    pub(crate) segment_bytes: u64,
    /// Bytes of the longest file; a frame has to fit into one.
    pub(crate) longest_segment_bytes: u64,
}

impl JournalOptions {
    /// Bytes of a file that frames of so many bytes fit into: of a usual one
    /// where they do.
    pub(super) fn size_for(&self, bytes: u64) -> u64 {
        let needed = bytes.saturating_add(JOURNAL_HEADER_BYTES as u64);
        let size = needed.max(self.segment_bytes);
        size.min(self.longest_segment_bytes)
    }

    pub(super) fn relative(number: JournalNumber) -> PathBuf {
        Path::new(DIRECTORY).join(format!("{:06}.log", number.0))
    }

    /// The full path of a file, for messages.
    pub(super) fn path(&self, number: JournalNumber) -> PathBuf {
        self.disk.root().join(Self::relative(number))
    }

    /// The numbers of the files there are, ascending.
    pub(super) fn numbers(&self) -> Result<Vec<JournalNumber>> {
        let directory = Path::new(DIRECTORY);
        let names = self
            .disk
            .list(directory)
            .map_err(|error| Error::io("list", &self.disk.root().join(directory), error))?;
        let numbers = names
            .iter()
            .filter_map(|name| name.strip_suffix(".log")?.parse().ok().map(JournalNumber));
        let mut numbers: Vec<JournalNumber> = numbers.collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The same where the directory may be missing, or be none.
    pub(super) fn numbers_if_any(&self) -> Result<Vec<JournalNumber>> {
        match self.numbers() {
            Err(Error::Io { source, .. }) if is_absent(&source) => Ok(Vec::new()),
            numbers => numbers,
        }
    }

    /// Bytes of all files.
    pub(super) fn disk_bytes(&self) -> u64 {
        let numbers = self.numbers().unwrap_or_default().into_iter();
        numbers
            .filter_map(|number| self.open(number).ok()?.length().ok())
            .sum()
    }

    pub(super) fn open(&self, number: JournalNumber) -> Result<Arc<dyn DiskFile>> {
        let opened = self.disk.open(&Self::relative(number));
        opened.map_err(|error| Error::io("open", &self.path(number), error))
    }

    pub(super) fn create(&self, number: JournalNumber) -> Result<Arc<dyn DiskFile>> {
        let created = self.disk.create(&Self::relative(number));
        created.map_err(|error| Error::io("create", &self.path(number), error))
    }

    pub(super) fn rename(&self, from: JournalNumber, to: JournalNumber) -> Result<()> {
        let renamed = self.disk.rename(&Self::relative(from), &Self::relative(to));
        renamed.map_err(|error| Error::io("rename", &self.path(from), error))
    }

    pub(super) fn remove(&self, number: JournalNumber) -> Result<()> {
        let removed = self.disk.remove(&Self::relative(number));
        removed.map_err(|error| Error::io("remove", &self.path(number), error))
    }

    pub(super) fn sync_directory(&self) -> Result<()> {
        let directory = Path::new(DIRECTORY);
        let synced = self.disk.sync_directory(directory);
        synced.map_err(|error| Error::failed_sync(&self.disk.root().join(directory), error))
    }
}
