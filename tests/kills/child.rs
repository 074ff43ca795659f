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

use sessiondb::{Builder, Database, Error, Session};

use crate::operation::{Operation, SLOTS, key, owner, shared_key, value};

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
            let worker = Worker::new(&database, &orders, number);
            let closing = &closing;
            scope.spawn(move || worker.work(closing));
        }
        thread::sleep(Duration::from_millis(orders.closes_after_ms));
        report("closing");
        closing.store(true, Ordering::Release);
        database.close().expect("it closes");
        report("closed");
    });
}

struct Worker {
    database: Database,
    number: usize,
    round: u32,
    pool_keys: u32,
    pool: Session,
    slots: Vec<Session>,
    random: fastrand::Rng,
}

impl Worker {
    fn new(database: &Database, orders: &Orders, number: usize) -> Self {
        let open = |token: &str| {
            let found = database.open_token(token).expect("it can be looked up");
            found.unwrap_or_else(|| panic!("session {token} is missing"))
        };
        let tokens = orders.slots.chunks(SLOTS).nth(number);
        let slots = tokens.expect("slots").iter().map(|token| {
            if token == "-" {
                database.create_session()
            } else {
                open(token)
            }
        });
        Self {
            database: database.clone(),
            number,
            round: orders.round,
            pool_keys: orders.pool,
            pool: open(&orders.pool_token),
            slots: slots.collect(),
            random: fastrand::Rng::with_seed(orders.seed ^ number as u64),
        }
    }

    fn work(mut self, closing: &AtomicBool) {
        for number in 0_u64.. {
            let slot = self.random.usize(0..SLOTS);
            let operation = Operation::random(&mut self.random, self.pool_keys);
            let token = self.slots[slot].id();
            let thread = self.number;
            report(&format!("try {thread} {number} {slot} {token} {operation}"));
            let stamp = format!("{} {thread} {number} ", self.round);
            match self.perform(slot, operation, &stamp) {
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

    /// Logs all sessions of the thread's out and says the tokens of all slots.
    fn revoke(&mut self) -> Result<String, Error> {
        self.database.revoke_owner(&owner(self.number))?;
        for session in &mut self.slots {
            // From here on it is done, whether the database is closed or not.
            if let Err(Error::SessionGone) = session.len() {
                *session = self.database.create_session();
            }
        }
        let tokens = self.slots.iter().map(|session| session.id().to_string());
        Ok(tokens.collect::<Vec<_>>().join(","))
    }

    /// Does it and says what came of it: a value's stamp and length, a new
    /// token, or nothing.
    fn perform(&mut self, slot: usize, what: Operation, stamp: &str) -> Result<String, Error> {
        if what == Operation::RevokeOwner {
            return self.revoke();
        }
        let session = &mut self.slots[slot];
        let nothing = "-".to_owned();
        match what {
            Operation::Set(number, length) => {
                session.set(&key(number), &value(stamp, length))?;
            }
            Operation::Exchange(first, second, removed) => session.transaction(|tx| {
                tx.set(&key(first), &value(stamp, 1))?;
                tx.set(&key(second), &value(stamp, 2))?;
                tx.discard(&key(removed)).map(drop)
            })?,
            Operation::Pop(number) => {
                let popped: Option<String> = session.pop(&key(number))?;
                return Ok(popped.unwrap_or(nothing));
            }
            Operation::Delete(number) => match session.delete(&key(number)) {
                Err(Error::KeyNotFound { .. }) => return Ok("missing".to_owned()),
                deleted => deleted?,
            },
            Operation::RemovePrefix(digit) => session.remove_prefix(&digit.to_string())?,
            Operation::Clear => session.clear()?,
            Operation::Flush => return session.flush().map(|id| id.to_string()),
            Operation::Destroy => {
                session.destroy()?;
                *session = self.database.create_session();
                return Ok(session.id().to_string());
            }
            Operation::Own(number) => session.transaction(|tx| {
                tx.set(&key(number), &value(stamp, 1))?;
                tx.set_owner(Some(&owner(self.number)))
            })?,
            // Not an operation of one session.
            Operation::RevokeOwner => {}
            Operation::Cycle => return session.cycle_id().map(|id| id.to_string()),
            Operation::PopShared(number) => {
                let popped: Option<u32> = self.pool.pop(&shared_key(number))?;
                return Ok(popped.map_or(nothing, |popped| popped.to_string()));
            }
        }
        Ok(nothing)
    }
}
