//! The process that is recorded. It is this test binary, told by its
//! environment to work instead of to test.
//!
//! Each line it says is one write, which is recorded among the others, so that
//! its place says what was acknowledged when: `> pool TOKEN` and `> pooled`
//! around the making of the pool, `> try THREAD ROUND NUMBER SLOT TOKEN
//! OPERATION` before an operation, `> done THREAD RESULT` behind it,
//! `> committed THREAD` when all that this thread did is durable, `> opened`
//! and `> closed`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use sessiondb::{Builder, Database, Durability};

use crate::operation::{Operation, SLOTS, shared_key};
use crate::worker::Worker;

/// The variable that names the directory, and makes a child of the process.
pub(crate) const DIRECTORY: &str = "SESSIONDB_POWER_LOSS_CHILD";
/// A seed, and of a second child the pool's token and those of the slots.
pub(crate) const ORDERS: &str = "SESSIONDB_POWER_LOSS_ORDERS";
/// Threads that work.
pub(crate) const THREADS: usize = 3;
/// Keys of the pool.
pub(crate) const POOL: u32 = 40;

/// The thread that does not wait for the disk, and commits from time to time.
const DEFERRED: usize = THREADS - 1;
const UNTIL_COMMIT: usize = 6;
/// Operations of one thread between an opening and a close.
const OPERATIONS: usize = 250;
/// Operations of all threads until the process ends in the midst of them.
const LAST: usize = 500;
/// Among the last ones no session gets an ID that nobody would know.
const LEFT_WITHOUT_CYCLES: usize = 20;

/// A database that does all that it ever does, with little data.
pub(crate) fn small() -> Builder {
    Database::builder()
        .memtable_bytes(64 << 10)
        .segment_bytes(32 << 10)
        .journal_segment_bytes(64 << 10)
        .index_renewal_bytes(0)
        .cache_bytes(1 << 20)
        .idle_checkpoint_after(Duration::from_millis(20))
}

fn say(line: &str) {
    let line = format!("> {line}\n");
    let mut output = std::io::stdout().lock();
    output.write_all(line.as_bytes()).expect("an output");
    output.flush().expect("an output");
}

#[test]
fn works_while_it_is_recorded() {
    // As a test of its own this is nothing.
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let directory = PathBuf::from(directory);
    let orders = std::env::var(ORDERS).expect("orders");
    let words: Vec<String> = orders.split_whitespace().map(str::to_owned).collect();
    let seed = words[0].parse().expect("a seed");
    match &words[1..] {
        [] => first(&directory, seed),
        [pool, slots @ ..] => second(&directory, seed, pool.clone(), slots.to_vec()),
    }
}

/// Makes a database, closes it, opens it again, and ends in the midst of work.
fn first(directory: &Path, seed: u64) {
    let database = open(directory);
    let pool = fill_pool(&database);
    let slots = vec!["-".to_owned(); THREADS * SLOTS];
    let mut shift = Shift {
        round: 0,
        seed,
        pool,
        slots,
    };
    let slots = shift.work(&database, |work| work.own < OPERATIONS);
    close(&database);
    let database = open(directory);
    shift.next(&database, slots);
    shift.work(&database, |work| {
        if work.all >= LAST {
            std::process::exit(0);
        }
        true
    });
}

/// Recovers what the first one left, works, gives back space, and closes.
fn second(directory: &Path, seed: u64, pool: String, slots: Vec<String>) {
    let database = open(directory);
    let round = 2;
    let shift = Shift {
        round,
        seed,
        pool,
        slots,
    };
    thread::scope(|scope| {
        let working = scope.spawn(|| shift.work(&database, |work| work.own < OPERATIONS));
        database.compact().expect("space is given back");
        database.erase().expect("what was removed is erased");
        working.join().expect("it worked");
        database.compact().expect("space is given back");
    });
    close(&database);
}

fn open(directory: &Path) -> Database {
    let database = small().open(directory).expect("it opens");
    say("opened");
    database
}

fn close(database: &Database) {
    database.close().expect("it closes");
    say("closed");
}

fn fill_pool(database: &Database) -> String {
    let session = database.create_session();
    let token = session.id().to_string();
    say(&format!("pool {token}"));
    session
        .transaction(|tx| (0..POOL).try_for_each(|number| tx.set(&shared_key(number), &number)))
        .expect("the pool is filled");
    say("pooled");
    token
}

/// Operations that are done: of one thread, and of all.
struct Work {
    own: usize,
    all: usize,
}

/// What is worked on between an opening and a close.
struct Shift {
    round: u32,
    seed: u64,
    pool: String,
    slots: Vec<String>,
}

impl Shift {
    /// Another one with what is left of these sessions.
    fn next(&mut self, database: &Database, slots: Vec<String>) {
        let is_there = |token: &str| database.open_token(token).expect("a lookup").is_some();
        let keep = |token: String| {
            if is_there(&token) {
                token
            } else {
                "-".to_owned()
            }
        };
        self.slots = slots.into_iter().map(keep).collect();
        self.round += 1;
    }

    /// Lets all threads work as long as each goes on; the tokens of all slots.
    fn work(&self, database: &Database, goes_on: impl Fn(&Work) -> bool + Sync) -> Vec<String> {
        let all = AtomicUsize::new(0);
        let deferred = database.with_durability(Durability::Deferred {
            sync_within: Duration::from_secs(3600),
        });
        thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|number| {
                    let is_deferred = number == DEFERRED;
                    let database = if is_deferred { &deferred } else { database };
                    let (all, goes_on) = (&all, &goes_on);
                    scope.spawn(move || self.work_alone(database, number, all, goes_on))
                })
                .collect();
            let tokens = threads.into_iter().map(ScopedJoinHandle::join);
            tokens
                .flat_map(|tokens| tokens.expect("it worked"))
                .collect()
        })
    }

    fn work_alone(
        &self,
        database: &Database,
        thread: usize,
        all: &AtomicUsize,
        goes_on: &impl Fn(&Work) -> bool,
    ) -> Vec<String> {
        let tokens = &self.slots[thread * SLOTS..(thread + 1) * SLOTS];
        let mut worker = Worker::new(database, thread, &self.pool, tokens);
        let round = self.round;
        let seed = self.seed ^ (u64::from(round) << 8) ^ thread as u64;
        let mut random = fastrand::Rng::with_seed(seed);
        for own in 0.. {
            let work = Work {
                own,
                all: all.fetch_add(1, Ordering::Relaxed),
            };
            if !goes_on(&work) {
                break;
            }
            let mut operation = Operation::random(&mut random, POOL);
            if operation == Operation::Cycle && work.all + LEFT_WITHOUT_CYCLES >= LAST {
                operation = Operation::Clear;
            }
            let slot = random.usize(0..SLOTS);
            let token = worker.token(slot);
            say(&format!(
                "try {thread} {round} {own} {slot} {token} {operation}"
            ));
            let stamp = format!("{round} {thread} {own} ");
            let done = worker.perform(slot, operation, &stamp).expect("it is done");
            say(&format!("done {thread} {done}"));
            if thread != DEFERRED {
                say(&format!("committed {thread}"));
            } else if own % UNTIL_COMMIT == 0 {
                database.commit().expect("it is committed");
                say(&format!("committed {thread}"));
            }
        }
        (0..SLOTS).map(|slot| worker.token(slot)).collect()
    }
}
