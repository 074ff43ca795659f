//! What two processes did, one after the other, as it was recorded just now or
//! at another time.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use crate::account::Account;
use crate::child::small;
use crate::history::History;
use crate::image::{Image, fresh};
use crate::kept::{Kept, Process};
use crate::observer::Observer;
use crate::recording::{Moment, Recording};
use crate::tracer;

/// Images that are kept of one recording; one is enough to see what is wrong.
const IMAGES_KEPT: usize = 8;
/// The variable that names a recording that was kept.
const RECORDING: &str = "SESSIONDB_POWER_LOSS_RECORDING";

pub(crate) fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}

fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| {
        let seed = number("SESSIONDB_POWER_LOSS_SEED");
        let seed = seed.unwrap_or_else(|| fastrand::u64(..1 << 40));
        eprintln!("seed {seed}");
        seed
    })
}

/// What two processes did, one after the other, and what they said.
pub(crate) struct Trace {
    pub(crate) kept: Kept,
    pub(crate) recording: Recording,
    pub(crate) history: History,
    /// Where all of it was left, because something is wrong.
    directory: OnceLock<PathBuf>,
    images_kept: AtomicUsize,
}

impl Trace {
    fn new(seed: u64, root: PathBuf) -> Self {
        Self {
            kept: Kept {
                seed,
                root,
                processes: Vec::new(),
            },
            recording: Recording::default(),
            history: History::new(),
            directory: OnceLock::new(),
            images_kept: AtomicUsize::new(0),
        }
    }

    pub(crate) fn record(seed: u64) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path().canonicalize().expect("its path");
        let mut trace = Self::new(seed, root.clone());
        let run = |orders: &str| Process {
            text: tracer::record(&root, orders),
            left: Image::read(&root).expect("what it left"),
        };
        let orders = trace.observe_first(run(&seed.to_string()));
        trace.observe(run(&orders));
        trace
    }

    /// One that was kept.
    fn read(directory: &Path) -> Self {
        let kept = Kept::read(directory).expect("a recording that was kept");
        let mut trace = Self::new(kept.seed, kept.root);
        let mut processes = kept.processes.into_iter();
        trace.observe_first(processes.next().expect("a first process"));
        trace.observe(processes.next().expect("a second one"));
        trace
    }

    /// Gives the orders of the second process.
    fn observe_first(&mut self, process: Process) -> String {
        let left = self.observe(process);
        // The same that the second process finds.
        let database = small().background(false).open(left.path());
        let database = database.expect("what the first process left");
        let end = self.history.expectation(self.recording.moments.len());
        let found = end.check(&database, 0);
        drop(database);
        let slots = found.accounts.iter().flat_map(Account::tokens);
        let slots: Vec<String> = slots.collect();
        let pool = self.history.pool_token();
        let orders = format!("{} {pool} {}", self.kept.seed + 1, slots.join(" "));
        self.history.go_on(found);
        orders
    }

    /// Gives a copy of what the process left.
    fn observe(&mut self, process: Process) -> TempDir {
        let left = fresh();
        let written = process.left.write(left.path());
        written.expect("it can be written down");
        let begin = self.recording.moments.len();
        Observer::new(&self.kept.root, left.path(), &mut self.recording)
            .observe(&process.text)
            .unwrap_or_else(|error| panic!("{error}"));
        for (at, moment) in self.recording.moments.iter().enumerate().skip(begin) {
            if let Moment::Said(line) = moment {
                self.history.note(at, line);
            }
        }
        self.kept.processes.push(process);
        left
    }

    /// The one that all tests share; none where nothing can be recorded.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Trace>> = OnceLock::new();
        let record = || {
            if let Some(directory) = std::env::var_os(RECORDING) {
                return Some(Self::read(directory.as_ref()));
            }
            let is_permitted = tracer::is_permitted();
            let is_asked_for = number("SESSIONDB_POWER_LOSS").is_some();
            assert!(is_permitted || !is_asked_for, "no power can be cut here");
            is_permitted.then(|| Self::record(seed()))
        };
        SHARED.get_or_init(record).as_ref()
    }

    /// Leaves all that was recorded, and this image, where somebody can look at
    /// it, and says where.
    pub(crate) fn keep(&self, image: &Image) -> String {
        let directory = self.directory.get_or_init(|| {
            let directory = self.kept.write();
            directory.expect("it can be written down")
        });
        let number = self.images_kept.fetch_add(1, Ordering::Relaxed);
        if number < IMAGES_KEPT {
            let image = image.write_new(&directory.join(format!("image-{number}")));
            image.expect("it can be written down");
            format!("image-{number} in {}", directory.display())
        } else {
            format!("recorded in {}", directory.display())
        }
    }
}
