//! A disk that counts the syncs of commits and can hold them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use crate::disk::{Disk, DiskFile, DiskLock, SimulatedDisk};

#[derive(Debug, Default)]
struct State {
    commits: usize,
    hold: bool,
    held: bool,
    race: Option<Race>,
}

/// How far the allocator and a commit have come in their race.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Race {
    Begun,
    /// The allocator is in its sync.
    Syncing,
    /// The commit has written its frame.
    Written,
    /// The allocator's sync has failed, and says so later.
    Lost,
    /// The commit's sync has come to its end.
    Synced,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// The disk; clones are handles of the same one.
#[derive(Debug, Clone)]
pub(super) struct Gated {
    inner: SimulatedDisk,
    shared: Arc<Shared>,
}

impl Gated {
    pub(super) fn new(inner: SimulatedDisk) -> Self {
        Self {
            inner,
            shared: Arc::default(),
        }
    }

    /// Syncs of anybody but the allocator.
    pub(super) fn commits(&self) -> usize {
        self.shared.state.lock().commits
    }

    pub(super) fn hold_commits(&self) {
        self.shared.state.lock().hold = true;
    }

    pub(super) fn wait_for_a_held_commit(&self) {
        self.shared.wait(|state| state.held);
    }

    pub(super) fn let_commits_go(&self) {
        self.shared.change(|state| state.hold = false);
    }

    pub(super) fn let_the_allocator_lose_a_commit(&self) {
        self.shared.change(|state| state.race = Some(Race::Begun));
    }

    fn file(&self, inner: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        let shared = Arc::clone(&self.shared);
        Arc::new(GatedFile { inner, shared })
    }
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock());
        self.changed.notify_all();
    }

    fn wait(&self, mut condition: impl FnMut(&State) -> bool) {
        let mut state = self.state.lock();
        self.changed
            .wait_while(&mut state, |state| !condition(state));
    }

    /// Waits for a point of the race, where there is one.
    fn await_race(&self, point: Race) {
        self.wait(|state| state.race.is_none_or(|race| race >= point));
    }

    fn reach(&self, point: Race) {
        self.change(|state| {
            state.race = state.race.map(|race| race.max(point));
        });
    }
}

fn is_allocator() -> bool {
    std::thread::current().name() == Some("sessiondb-allocate")
}

#[derive(Debug)]
struct GatedFile {
    inner: Arc<dyn DiskFile>,
    shared: Arc<Shared>,
}

impl DiskFile for GatedFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.inner.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if is_allocator() {
            return self.inner.write_all_at(bytes, offset);
        }
        self.shared.await_race(Race::Syncing);
        let outcome = self.inner.write_all_at(bytes, offset);
        self.shared.reach(Race::Written);
        outcome
    }

    fn sync_data(&self) -> io::Result<()> {
        if is_allocator() {
            self.shared.reach(Race::Syncing);
            self.shared.await_race(Race::Written);
            let outcome = self.inner.sync_data();
            self.shared.reach(Race::Lost);
            self.shared.await_race(Race::Synced);
            return outcome;
        }
        self.shared.await_race(Race::Lost);
        self.shared.change(|state| {
            state.commits += 1;
            state.held = true;
        });
        self.shared.wait(|state| !state.hold);
        let outcome = self.inner.sync_data();
        self.shared.reach(Race::Synced);
        outcome
    }

    fn sync_all(&self) -> io::Result<()> {
        self.inner.sync_all()
    }

    fn length(&self) -> io::Result<u64> {
        self.inner.length()
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.inner.set_length(length)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.inner.allocate(length)
    }
}

impl Disk for Gated {
    fn root(&self) -> &Path {
        self.inner.root()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        self.inner.lock(path)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.inner.create_directory(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.inner.list(path)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.inner.create(path).map(|file| self.file(file))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.inner.open(path).map(|file| self.file(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.inner.remove(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.inner.sync_directory(path)
    }

    fn free_bytes(&self) -> u64 {
        self.inner.free_bytes()
    }

    fn index_directory(&self, name: &str) -> PathBuf {
        self.inner.index_directory(name)
    }
}
