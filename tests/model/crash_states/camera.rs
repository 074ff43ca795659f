//! A disk that keeps what it holds before every operation that changes or syncs
//! something, so that the power can go off there later on.

use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use sessiondb::{Crash, Disk, DiskFile, DiskLock, IndexFate, SimulatedDisk};

use super::index::IndexFiles;
use super::steps::Steps;

/// A disk at a moment.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) disk: SimulatedDisk,
    pub(crate) index: Arc<IndexFiles>,
    /// The steps that the thread was in which was about to do something.
    pub(crate) steps: Vec<&'static str>,
    /// What it was about to do.
    pub(crate) about: String,
    /// How many writes beside it were acknowledged.
    pub(crate) beside: usize,
}

impl Picture {
    /// Whether it was taken in one of these steps.
    pub(crate) fn is_in(&self, steps: &[&str]) -> bool {
        self.steps.iter().any(|step| steps.contains(step))
    }

    /// Whether bytes or names wait for a sync.
    pub(crate) fn is_unsynced(&self) -> bool {
        let durable = self.disk.copy(Crash::KeepNothing, IndexFate::Lost);
        durable.expect("a directory").image_hash() != self.disk.image_hash()
    }
}

#[derive(Debug, Default)]
struct Film {
    is_on: bool,
    pictures: Vec<Picture>,
    index: Arc<IndexFiles>,
    beside: usize,
}

/// The disk; clones share the pictures.
#[derive(Debug, Clone)]
pub(crate) struct Camera {
    inner: SimulatedDisk,
    steps: Steps,
    film: Arc<Mutex<Film>>,
}

impl Camera {
    pub(crate) fn new(inner: &SimulatedDisk, steps: &Steps) -> Self {
        Self {
            inner: inner.clone(),
            steps: steps.clone(),
            film: Arc::default(),
        }
    }

    fn film(&self) -> MutexGuard<'_, Film> {
        self.film.lock().expect("nobody panics with it")
    }

    /// From now on a picture is taken before every operation.
    pub(crate) fn begin(&self) {
        let mut film = self.film();
        film.is_on = true;
        film.beside = 0;
    }

    /// What was taken since.
    pub(crate) fn end(&self) -> Vec<Picture> {
        let mut film = self.film();
        film.is_on = false;
        mem::take(&mut film.pictures)
    }

    /// One more write beside is acknowledged.
    pub(crate) fn note_beside(&self, written: usize) {
        self.film().beside = written;
    }

    /// How it is now.
    pub(crate) fn picture(&self, about: String) -> Picture {
        self.shoot(&mut self.film(), about)
    }

    /// Takes a picture, where any are taken.
    pub(crate) fn take(&self, about: impl FnOnce() -> String) {
        let mut film = self.film();
        if film.is_on {
            let picture = self.shoot(&mut film, about());
            film.pictures.push(picture);
        }
    }

    fn shoot(&self, film: &mut Film, about: String) -> Picture {
        let index = IndexFiles::read(&self.inner.index_root());
        if *film.index != index {
            film.index = Arc::new(index);
        }
        Picture {
            disk: self.inner.twin(IndexFate::Lost).expect("a directory"),
            index: Arc::clone(&film.index),
            steps: self.steps.now(),
            about,
            beside: film.beside,
        }
    }

    fn before(&self, operation: &str, path: &Path) {
        self.take(|| format!("{operation} {}", path.display()));
    }

    fn file(&self, path: &Path, inner: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(SeenFile {
            camera: self.clone(),
            path: path.to_owned(),
            inner,
        })
    }
}

impl Disk for Camera {
    fn root(&self) -> &Path {
        self.inner.root()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        self.inner.lock(path)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.before("create directory", path);
        self.inner.create_directory(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.inner.list(path)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.before("create", path);
        Ok(self.file(path, self.inner.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.file(path, self.inner.open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.before("rename to", to);
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.before("remove", path);
        self.inner.remove(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.before("sync directory", path);
        self.inner.sync_directory(path)
    }

    fn free_bytes(&self) -> u64 {
        self.inner.free_bytes()
    }

    fn used_bytes(&self) -> u64 {
        self.inner.used_bytes()
    }

    fn index_directory(&self, name: &str) -> PathBuf {
        self.inner.index_directory(name)
    }
}

#[derive(Debug)]
struct SeenFile {
    camera: Camera,
    path: PathBuf,
    inner: Arc<dyn DiskFile>,
}

impl DiskFile for SeenFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.inner.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.camera.before("write to", &self.path);
        self.inner.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.camera.before("sync data of", &self.path);
        self.inner.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.camera.before("sync all of", &self.path);
        self.inner.sync_all()
    }

    fn length(&self) -> io::Result<u64> {
        self.inner.length()
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.camera.before("set length of", &self.path);
        self.inner.set_length(length)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.camera.before("allocate", &self.path);
        self.inner.allocate(length)
    }
}
