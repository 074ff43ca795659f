//! Many orders of a few steps.

use std::sync::Arc;

use sessiondb::{Builder, Crash, Database, IndexFate, Session, SessionId, SimulatedDisk};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use crate::disk::ScheduledDisk;

/// The engine's calls go deep; a thread of the scheduler has no more than it
/// is given.
const STACK: usize = 4 << 20;
/// Steps after which an order counts as one that never ends.
const STEPS: usize = 20_000_000;
/// Changes of priority in an order, for the half that is tried with them.
const CHANGES: usize = 4;

fn number(name: &str, usual: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.map_or(usual, |set| set.parse().expect("a number"))
}

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = STACK;
    config.failure_persistence = FailurePersistence::Print;
    config.max_steps = MaxSteps::FailAfter(STEPS);
    config
}

/// Goes through about `orders` orders of a scene: half of them at random, half
/// by priorities that change a few times (Burckhardt et al., "A Randomized
/// Scheduler with Probabilistic Guarantees of Finding Bugs", ASPLOS 2010).
pub(crate) fn explore(orders: u64, scene: fn()) {
    let seed = number("SESSIONDB_ORDERS_SEED", fastrand::u64(..));
    let orders = orders * number("SESSIONDB_ORDERS", 1);
    let half = usize::try_from(orders / 2).expect("a number of orders");
    let told = Told(seed);
    let random = RandomScheduler::new_from_seed(seed, half);
    let tried = Runner::new(random, config()).run(scene);
    assert_eq!(tried, half);
    let changing = PctScheduler::new_from_seed(seed, CHANGES, half);
    let tried = Runner::new(changing, config()).run(scene);
    assert_eq!(tried, half);
    drop(told);
}

/// Says with which seed it went wrong.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("with SESSIONDB_ORDERS_SEED={}", self.0);
        }
    }
}

/// A fresh database, whose background is in the scene's hands.
pub(crate) fn small() -> Builder {
    Database::builder()
        .background(false)
        .journal_segment_bytes(16 << 10)
        .segment_bytes(64 << 10)
        .cache_bytes(1 << 20)
}

pub(crate) fn disk() -> SimulatedDisk {
    SimulatedDisk::new(1).expect("a temporary directory")
}

pub(crate) fn open(disk: &SimulatedDisk) -> Database {
    open_as(small(), disk)
}

pub(crate) fn open_as(builder: Builder, disk: &SimulatedDisk) -> Database {
    let opened = builder.open_on(Arc::new(ScheduledDisk::of(disk)));
    opened.expect("it opens")
}

pub(crate) fn session(database: &Database, id: &SessionId) -> Session {
    let session = database.open_session(id).expect("it is looked for");
    session.expect("it is there")
}

/// The disk after its power is cut now, with what was synced.
pub(crate) fn cut(disk: &SimulatedDisk) -> SimulatedDisk {
    let cut = disk.copy(Crash::KeepNothing, IndexFate::Lost);
    cut.expect("the disk is copied")
}

/// Does these at once, each in its own thread; all of them have to come to
/// their end.
pub(crate) fn together(acts: Vec<Box<dyn FnOnce() + Send>>) {
    let threads: Vec<_> = acts.into_iter().map(shuttle::thread::spawn).collect();
    for thread in threads {
        if let Err(failure) = thread.join() {
            std::panic::resume_unwind(failure);
        }
    }
}

/// Names what a thread takes with it.
macro_rules! act {
    ($($name:ident),*; $body:expr) => {{
        $(let $name = $name.clone();)*
        Box::new(move || { $body }) as Box<dyn FnOnce() + Send>
    }};
}
pub(crate) use act;
