//! What the machine itself needs for a durable write: the same bytes, written
//! and synced into a file that was filled with zeros before.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Outcome;

/// As long as a file of the journal.
const FILE_BYTES: u64 = 32 << 20;

/// Writes that do nothing else.
pub(crate) struct Floor {
    file: File,
    offset: u64,
    bytes: Vec<u8>,
}

impl Floor {
    /// Makes the file; each write will have so many bytes.
    pub(crate) fn new(path: &Path, bytes: usize) -> Outcome<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        let zeros = vec![0; 1 << 20];
        for offset in (0..FILE_BYTES).step_by(zeros.len()) {
            file.write_all_at(&zeros, offset)?;
        }
        file.sync_all()?;
        Ok(Self {
            file,
            offset: 0,
            bytes: vec![0xa5; bytes],
        })
    }

    /// Writes behind the last write, as the journal does.
    pub(crate) fn write(&mut self) -> Outcome<Duration> {
        let length = self.bytes.len() as u64;
        if self.offset + length > FILE_BYTES {
            self.offset = 0;
        }
        let start = Instant::now();
        self.file.write_all_at(&self.bytes, self.offset)?;
        self.file.sync_data()?;
        let taken = start.elapsed();
        self.offset += length;
        Ok(taken)
    }
}
