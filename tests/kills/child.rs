//! The process that is killed. It is this test binary, told by its
//! environment to work instead of to test.
//!
//! Each line it writes is one write to the pipe, so none is cut in two:
//! `> try THREAD NUMBER SLOT TOKEN OPERATION` before an operation,
//! `> done THREAD NUMBER RESULT` once it is acknowledged, `> refused` when it
//! was not because the database was closed.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use sessiondb::{Builder, Database, Error};

use crate::operation::{Operation, SLOTS};
use crate::worker::Worker;

/// The variable that names the directory, and makes a child of the process.
pub(crate) const DIRECTORY: &str = "SESSIONDB_KILLS_CHILD";
/// Round, seed, keys in the pool, milliseconds until it closes, the pool's
/// token, and then the tokens of the slots.
pub(crate) const ORDERS: &str = "SESSIONDB_KILLS_ORDERS";
/// Threads that work.
pub(crate) const THREADS: usize = 3;

/// A database that checkpoints all the time.
pub(crate) fn small() -> Builder {
    Database::builder()
        .memtable_bytes(64 << 10)
        .segment_bytes(128 << 10)
        .journal_segment_bytes(256 << 10)
        .cache_bytes(1 << 20)
        .idle_checkpoint_after(Duration::from_millis(20))
}

/// What the parent wants.
#[derive(Debug)]
pub(crate) struct Orders {
    pub(crate) round: u32,
    pub(crate) seed: u64,
    pub(crate) pool: u32,
    pub(crate) closes_after_ms: u64,
    pub(crate) pool_token: String,
    /// `-` where a slot has no session.
    pub(crate) slots: Vec<String>,
}

impl Orders {
    pub(crate) fn to_text(&self) -> String {
        format!(
            "{} {} {} {} {} {}",
            self.round,
            self.seed,
            self.pool,
            self.closes_after_ms,
            self.pool_token,
            self.slots.join(" ")
        )
    }

    fn from_text(text: &str) -> Self {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [round, seed, pool, closes, pool_token, slots @ ..] = words.as_slice() else {
            panic!("not orders: {text}");
        };
        Self {
            round: round.parse().expect("a round"),
            seed: seed.parse().expect("a seed"),
            pool: pool.parse().expect("a number of keys"),
            closes_after_ms: closes.parse().expect("a time"),
            pool_token: (*pool_token).to_owned(),
            slots: slots.iter().map(|slot| (*slot).to_owned()).collect(),
        }
    }
}

fn report(line: &str) {
    let line = format!("> {line}\n");
    let mut output = std::io::stdout().lock();
    // Without a reader there is nobody to lie to.
    if output.write_all(line.as_bytes()).is_err() || output.flush().is_err() {
        std::process::exit(0);
    }
}

#[test]
fn works_until_it_is_killed() {
    // As a test of its own this is nothing.
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let orders = Orders::from_text(&std::env::var(ORDERS).expect("orders"));
    report("opening");
    let database = small().open(PathBuf::from(directory)).expect("it opens");
    report("opened");
    let closing = AtomicBool::new(false);
    thread::scope(|scope| {
        // A child without slots is there to open, and to die of it.
        let threads = if orders.slots.is_empty() { 0 } else { THREADS };
        for number in 0..threads {
            let tokens = orders.slots.chunks(SLOTS).nth(number).expect("slots");
            let worker = Worker::new(&database, number, &orders.pool_token, tokens);
            let (orders, closing) = (&orders, &closing);
            scope.spawn(move || work(worker, orders, closing));
        }
        thread::sleep(Duration::from_millis(orders.closes_after_ms));
        report("closing");
        closing.store(true, Ordering::Release);
        database.close().expect("it closes");
        report("closed");
    });
}

fn work(mut worker: Worker, orders: &Orders, closing: &AtomicBool) {
    let thread = worker.number;
    let mut random = fastrand::Rng::with_seed(orders.seed ^ thread as u64);
    for number in 0_u64.. {
        let slot = random.usize(0..SLOTS);
        let operation = Operation::random(&mut random, orders.pool);
        let token = worker.token(slot);
        report(&format!("try {thread} {number} {slot} {token} {operation}"));
        let stamp = format!("{} {thread} {number} ", orders.round);
        match worker.perform(slot, operation, &stamp) {
            Ok(result) => report(&format!("done {thread} {number} {result}")),
            Err(Error::Closed) => {
                assert!(closing.load(Ordering::Acquire), "closed too early");
                return report(&format!("refused {thread} {number}"));
            }
            Err(error) => {
                report(&format!("failed {thread} {number} {operation}: {error}"));
                return;
            }
        }
    }
}
