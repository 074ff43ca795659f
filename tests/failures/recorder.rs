//! A disk that writes down what it is asked for and how that went, and can be
//! told to panic.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use sessiondb::{Disk, DiskFile, DiskLock, Operation, SimulatedDisk};

/// One operation that changes or syncs something, or reads.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) operation: Operation,
    pub(crate) path: String,
    pub(crate) failed: bool,
}

#[derive(Debug, Default)]
struct Log {
    asked: Vec<Asked>,
    /// A write to a path with this part panics, by a thread of this name.
    panic_at: Option<(&'static str, Option<&'static str>)>,
}

/// The disk; clones share the log.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    inner: SimulatedDisk,
    log: Arc<Mutex<Log>>,
}

impl Recorder {
    pub(crate) fn new(inner: &SimulatedDisk) -> Self {
        Self {
            inner: inner.clone(),
            log: Arc::default(),
        }
    }

    /// Everything so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.log.lock().unwrap().asked.clone()
    }

    /// Whether anything failed so far.
    pub(crate) fn met_a_fault(&self) -> bool {
        self.asked().iter().any(|asked| asked.failed)
    }

    /// The next write to such a path panics, once.
    pub(crate) fn panic_at(&self, path: &'static str) {
        self.log.lock().unwrap().panic_at = Some((path, None));
    }

    /// The same for the writes of one thread.
    pub(crate) fn panic_in(&self, thread: &'static str, path: &'static str) {
        self.log.lock().unwrap().panic_at = Some((path, Some(thread)));
    }

    fn note<T>(&self, operation: Operation, path: &Path, outcome: io::Result<T>) -> io::Result<T> {
        let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        let asked = Asked {
            operation,
            path: path.to_string_lossy().into_owned(),
            failed: outcome.as_ref().is_err_and(|error| !missing(error)),
        };
        self.log.lock().unwrap().asked.push(asked);
        outcome
    }

    fn file(&self, path: &Path, inner: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(RecordedFile {
            recorder: self.clone(),
            path: path.to_owned(),
            inner,
        })
    }
}

impl Disk for Recorder {
    fn root(&self) -> &Path {
        self.inner.root()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        self.inner.lock(path)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        let outcome = self.inner.create_directory(path);
        self.note(Operation::Create, path, outcome)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let outcome = self.inner.list(path);
        self.note(Operation::List, path, outcome)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let outcome = self.inner.create(path);
        let file = self.note(Operation::Create, path, outcome)?;
        Ok(self.file(path, file))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let outcome = self.inner.open(path);
        let file = self.note(Operation::Open, path, outcome)?;
        Ok(self.file(path, file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let outcome = self.inner.rename(from, to);
        self.note(Operation::Rename, to, outcome)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let outcome = self.inner.remove(path);
        self.note(Operation::Remove, path, outcome)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let outcome = self.inner.sync_directory(path);
        self.note(Operation::SyncDirectory, path, outcome)
    }

    fn free_bytes(&self) -> u64 {
        self.inner.free_bytes()
    }

    fn index_directory(&self, name: &str) -> PathBuf {
        self.inner.index_directory(name)
    }
}

#[derive(Debug)]
struct RecordedFile {
    recorder: Recorder,
    path: PathBuf,
    inner: Arc<dyn DiskFile>,
}

impl RecordedFile {
    fn note<T>(&self, operation: Operation, outcome: io::Result<T>) -> io::Result<T> {
        self.recorder.note(operation, &self.path, outcome)
    }

    fn panic_when_told(&self) {
        let mut log = self.recorder.log.lock().unwrap();
        let path = self.path.to_string_lossy();
        let current = std::thread::current();
        let is_meant = log.panic_at.is_some_and(|(part, thread)| {
            path.contains(part) && thread.is_none_or(|name| current.name() == Some(name))
        });
        if is_meant {
            log.panic_at = None;
            drop(log);
            panic!("a panic that a test asked for");
        }
    }
}

impl DiskFile for RecordedFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let outcome = self.inner.read_exact_at(buffer, offset);
        self.note(Operation::Read, outcome)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.panic_when_told();
        let outcome = self.inner.write_all_at(bytes, offset);
        self.note(Operation::Write, outcome)
    }

    fn sync_data(&self) -> io::Result<()> {
        let outcome = self.inner.sync_data();
        self.note(Operation::SyncData, outcome)
    }

    fn sync_all(&self) -> io::Result<()> {
        let outcome = self.inner.sync_all();
        self.note(Operation::SyncAll, outcome)
    }

    fn length(&self) -> io::Result<u64> {
        self.inner.length()
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let outcome = self.inner.set_length(length);
        self.note(Operation::SetLength, outcome)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let outcome = self.inner.allocate(length);
        self.note(Operation::SetLength, outcome)
    }
}
