//! What the tests of the rules share: a disk with gates that a test closes, a
//! database whose background is still, and looks at raw bytes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use sessiondb::{
    Builder, Crash, Database, Disk, DiskFile, DiskLock, Durability, Error, IndexFate, Result,
    Session, SessionId, SimulatedDisk,
};
use tempfile::TempDir;

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Nothing reaches the disk before somebody asks for it.
pub(crate) const DEFERRED: Durability = Durability::Deferred {
    sync_within: Duration::from_secs(3600),
};

/// A database without a background, in small files.
pub(crate) fn builder() -> Builder {
    Database::builder()
        .background(false)
        .cache_bytes(4 << 20)
        .journal_segment_bytes(64 << 10)
        .segment_bytes(64 << 10)
}

pub(crate) fn simulated(seed: u64) -> SimulatedDisk {
    SimulatedDisk::new(seed).expect("a temporary directory")
}

pub(crate) fn open(disk: &SimulatedDisk) -> Result<Database> {
    builder().open_on(Arc::new(disk.clone()))
}

/// Cuts the power under an open database and lets go of its handles.
pub(crate) fn cut(
    db: Database,
    disk: &SimulatedDisk,
    how: Crash,
    index: IndexFate,
) -> SimulatedDisk {
    disk.power_off();
    drop(db);
    disk.crash(how, index).expect("a copy of the index")
}

/// The error of an open that has to fail. An open database prints a great
/// deal, so it is not part of the message.
pub(crate) fn refusal(outcome: Result<Database>, what: &str) -> Error {
    match outcome {
        Ok(_) => panic!("{what}: it was opened"),
        Err(error) => error,
    }
}

pub(crate) fn session(db: &Database, id: &SessionId) -> Session {
    let found = db.open_session(id).expect("the session can be looked up");
    found.expect("the session exists")
}

/// All bytes of the segments, one file after the other.
pub(crate) fn segment_bytes(disk: &SimulatedDisk) -> Vec<u8> {
    let files = disk.files().into_iter();
    files
        .filter(|path| path.starts_with("segments/"))
        .flat_map(|path| disk.read_file(&path).unwrap_or_default())
        .collect()
}

/// Where in which segment these bytes stand, every time.
pub(crate) fn places(disk: &SimulatedDisk, needle: &[u8]) -> Vec<(String, usize)> {
    let mut places = Vec::new();
    for path in disk.files() {
        if path.starts_with("segments/") {
            let bytes = disk.read_file(&path).unwrap_or_default();
            let found = bytes.windows(needle.len()).enumerate();
            let found = found.filter(|(_, window)| *window == needle);
            places.extend(found.map(|(offset, _)| (path.clone(), offset)));
        }
    }
    places
}

pub(crate) fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// Changes one byte of a file behind the database's back.
pub(crate) fn flip(disk: &SimulatedDisk, path: &str, offset: usize) {
    let mut bytes = disk.read_file(path).expect("the file exists");
    *bytes.get_mut(offset).expect("within the file") ^= 0x20;
    disk.write_file(path, &bytes).expect("a path of the disk");
}

/// The names of the index directories: a rebuild makes another one.
pub(crate) fn index_names(disk: &SimulatedDisk) -> Vec<String> {
    let entries = std::fs::read_dir(disk.index_root()).expect("the index root");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort_unstable();
    names
}

/// Runs something that must come to its end although others are stalled.
pub(crate) fn within_patience<T: Send>(what: &str, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let (sender, receiver) = channel();
        scope.spawn(move || {
            let _ = sender.send(work());
        });
        expect_soon(what, &receiver)
    })
}

/// What a thread sends, within patience. The process ends when it does not
/// come: a thread that waits for ever cannot be joined.
pub(crate) fn expect_soon<T>(what: &str, receiver: &Receiver<T>) -> T {
    match receiver.recv_timeout(PATIENCE) {
        Ok(value) => value,
        Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => panic!("{what}: the thread failed"),
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
            eprintln!("{what}: it waits for something that is stalled");
            std::process::exit(101);
        }
    }
}

/// Where a gate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// `sync_data` and `sync_all` of a file.
    Sync,
    /// Syncing a directory.
    SyncDirectory,
    /// Creating a file.
    Create,
    /// Opening a file.
    Open,
    /// Reading from a file.
    Read,
}

#[derive(Debug)]
struct Gate {
    number: u64,
    point: Point,
    part: String,
    /// How many may still pass.
    passes: usize,
    /// How many stand before it.
    waiting: usize,
}

#[derive(Debug, Default)]
struct Gates {
    closed: Vec<Gate>,
    made: u64,
}

impl Gates {
    fn gate(&mut self, number: u64) -> Option<&mut Gate> {
        self.closed.iter_mut().find(|gate| gate.number == number)
    }

    fn count(&mut self, number: Option<u64>, by: isize) {
        if let Some(gate) = number.and_then(|number| self.gate(number)) {
            gate.waiting = gate.waiting.saturating_add_signed(by);
        }
    }

    /// The gate that nobody may pass here now.
    fn blocking(&mut self, point: Point, path: &str) -> Option<u64> {
        let mut closed = self.closed.iter_mut();
        let gate = closed.find(|gate| gate.point == point && path.contains(&*gate.part))?;
        if gate.passes == 0 {
            return Some(gate.number);
        }
        gate.passes -= 1;
        None
    }
}

#[derive(Debug, Default)]
struct Gatekeeper {
    gates: Mutex<Gates>,
    changed: Condvar,
}

impl Gatekeeper {
    fn pass(&self, point: Point, path: &Path) {
        let path = path.to_string_lossy();
        let mut gates = self.gates.lock();
        let mut before = None;
        while let Some(number) = gates.blocking(point, &path) {
            if before != Some(number) {
                gates.count(before, -1);
                gates.count(Some(number), 1);
                before = Some(number);
                self.changed.notify_all();
            }
            self.changed.wait(&mut gates);
        }
        gates.count(before, -1);
        self.changed.notify_all();
    }
}

/// A simulated disk with gates.
#[derive(Debug, Clone)]
pub(crate) struct GatedDisk {
    pub(crate) disk: SimulatedDisk,
    keeper: Arc<Gatekeeper>,
    /// Where the index is, when not beside the disk.
    index: Option<Arc<TempDir>>,
}

/// A closed gate; dropping it opens the gate.
#[derive(Debug)]
pub(crate) struct Closed {
    number: u64,
    keeper: Arc<Gatekeeper>,
}

impl GatedDisk {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            disk: simulated(seed),
            keeper: Arc::default(),
            index: None,
        }
    }

    /// The same disk for another process, which finds no index and no gates.
    pub(crate) fn for_another_process(&self) -> Self {
        let index = tempfile::tempdir().expect("a temporary directory");
        Self {
            disk: self.disk.clone(),
            keeper: Arc::default(),
            index: Some(Arc::new(index)),
        }
    }

    pub(crate) fn try_open(&self) -> Result<Database> {
        builder().open_on(Arc::new(self.clone()))
    }

    pub(crate) fn open(&self) -> Database {
        self.try_open().expect("the database opens")
    }

    /// Closes a gate for paths with this part.
    pub(crate) fn close(&self, point: Point, part: &str) -> Closed {
        let mut gates = self.keeper.gates.lock();
        gates.made += 1;
        let number = gates.made;
        gates.closed.push(Gate {
            number,
            point,
            part: part.into(),
            passes: 0,
            waiting: 0,
        });
        Closed {
            number,
            keeper: Arc::clone(&self.keeper),
        }
    }
}

impl Closed {
    /// Waits until somebody stands before a closed gate.
    pub(crate) fn wait_for_somebody(&self) {
        let deadline = Instant::now() + PATIENCE;
        let mut gates = self.keeper.gates.lock();
        while gates.gate(self.number).is_none_or(|gate| gate.waiting == 0) {
            let timed_out = self
                .keeper
                .changed
                .wait_until(&mut gates, deadline)
                .timed_out();
            assert!(!timed_out, "nobody came to the closed gate");
        }
    }
}

impl Closed {
    /// Lets the one who stands before the gate pass, and nobody else.
    pub(crate) fn let_one_pass(&self) {
        let mut gates = self.keeper.gates.lock();
        if let Some(gate) = gates.gate(self.number) {
            gate.passes = 1;
        }
        self.keeper.changed.notify_all();
        while gates.gate(self.number).is_some_and(|gate| gate.passes > 0) {
            self.keeper.changed.wait(&mut gates);
        }
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        let mut gates = self.keeper.gates.lock();
        gates.closed.retain(|gate| gate.number != self.number);
        self.keeper.changed.notify_all();
    }
}

/// The lock of a process that was killed is gone, its handles are not: a
/// second database may open while the first one stands still.
#[derive(Debug)]
struct NoLock;

impl DiskLock for NoLock {}

impl Disk for GatedDisk {
    fn root(&self) -> &Path {
        self.disk.root()
    }

    fn lock(&self, _: &Path) -> io::Result<Box<dyn DiskLock>> {
        Ok(Box::new(NoLock))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.disk.create_directory(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.disk.list(path)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.keeper.pass(Point::Create, path);
        Ok(self.gated(path, self.disk.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.keeper.pass(Point::Open, path);
        Ok(self.gated(path, Disk::open(&self.disk, path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.keeper.pass(Point::SyncDirectory, path);
        self.disk.sync_directory(path)
    }

    fn free_bytes(&self) -> u64 {
        self.disk.free_bytes()
    }

    fn index_directory(&self, name: &str) -> PathBuf {
        match &self.index {
            Some(index) => index.path().join(name),
            None => self.disk.index_directory(name),
        }
    }
}

impl GatedDisk {
    fn gated(&self, path: &Path, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(GatedFile {
            path: path.to_path_buf(),
            file,
            keeper: Arc::clone(&self.keeper),
        })
    }
}

#[derive(Debug)]
struct GatedFile {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    keeper: Arc<Gatekeeper>,
}

impl DiskFile for GatedFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.keeper.pass(Point::Read, &self.path);
        self.file.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.keeper.pass(Point::Sync, &self.path);
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.keeper.pass(Point::Sync, &self.path);
        self.file.sync_all()
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.file.set_length(length)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.file.allocate(length)
    }
}
