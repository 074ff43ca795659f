//! A disk on which each operation takes its time: others may go on before it
//! and after it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sessiondb::{Disk, DiskFile, DiskLock, SimulatedDisk};
use shuttle::sync::atomic::{AtomicU64, Ordering};

/// A simulated disk as the scheduler sees it.
#[derive(Debug)]
pub(crate) struct ScheduledDisk {
    disk: SimulatedDisk,
    steps: Arc<AtomicU64>,
}

#[derive(Debug)]
struct ScheduledFile {
    file: Arc<dyn DiskFile>,
    steps: Arc<AtomicU64>,
}

/// Does something between two places at which the scheduler may choose.
fn between<T>(steps: &AtomicU64, act: impl FnOnce() -> T) -> T {
    steps.fetch_add(1, Ordering::Relaxed);
    let outcome = act();
    steps.fetch_add(1, Ordering::Relaxed);
    outcome
}

impl ScheduledDisk {
    pub(crate) fn of(disk: &SimulatedDisk) -> Self {
        Self {
            disk: disk.clone(),
            steps: Arc::default(),
        }
    }

    fn do_it<T>(&self, act: impl FnOnce(&SimulatedDisk) -> T) -> T {
        between(&self.steps, || act(&self.disk))
    }

    fn file(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        let steps = Arc::clone(&self.steps);
        Arc::new(ScheduledFile { file, steps })
    }
}

impl Disk for ScheduledDisk {
    fn root(&self) -> &Path {
        self.disk.root()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        self.disk.lock(path)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.do_it(|disk| disk.create_directory(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.do_it(|disk| disk.list(path))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.do_it(|disk| disk.create(path))?;
        Ok(self.file(file))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.do_it(|disk| disk.open(path))?;
        Ok(self.file(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.do_it(|disk| disk.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.do_it(|disk| disk.remove(path))
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.do_it(|disk| disk.sync_directory(path))
    }

    fn free_bytes(&self) -> u64 {
        self.disk.free_bytes()
    }

    fn used_bytes(&self) -> u64 {
        self.disk.used_bytes()
    }

    fn index_directory(&self, name: &str) -> PathBuf {
        self.disk.index_directory(name)
    }
}

impl DiskFile for ScheduledFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        between(&self.steps, || self.file.read_exact_at(buffer, offset))
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        between(&self.steps, || self.file.write_all_at(bytes, offset))
    }

    fn sync_data(&self) -> io::Result<()> {
        between(&self.steps, || self.file.sync_data())
    }

    fn sync_all(&self) -> io::Result<()> {
        between(&self.steps, || self.file.sync_all())
    }

    fn length(&self) -> io::Result<u64> {
        between(&self.steps, || self.file.length())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        between(&self.steps, || self.file.set_length(length))
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        between(&self.steps, || self.file.allocate(length))
    }
}
