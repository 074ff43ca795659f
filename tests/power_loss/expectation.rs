//! What an open may find after a power cut at one point.

use std::collections::BTreeSet;

use sessiondb::Database;

use crate::account::{Account, Readings, Step};
use crate::child::POOL;
use crate::operation::shared_key;

/// One thread: what is durable, and what it may have done since, in this order.
#[derive(Debug, Clone)]
pub(crate) struct Thread {
    pub(crate) settled: Account,
    pub(crate) open: Vec<Step>,
}

/// The session that all threads pop keys of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pool {
    /// None before it was made.
    pub(crate) token: Option<String>,
    pub(crate) is_durable: bool,
    /// Keys of which an answer said that they are gone.
    pub(crate) gone: BTreeSet<u32>,
    /// Keys that somebody may have popped.
    pub(crate) tried: BTreeSet<u32>,
}

/// How much is durable: the opening, the operations since, and the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Promise {
    pub(crate) chapter: usize,
    pub(crate) operations: usize,
    pub(crate) pool: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Expectation {
    pub(crate) threads: Vec<Thread>,
    pub(crate) pool: Pool,
    /// Where this is the same, a later point only permits more.
    pub(crate) promise: Promise,
}

/// What was found; the same again after every further opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) accounts: Vec<Account>,
    pub(crate) gone: BTreeSet<u32>,
}

impl Expectation {
    /// Compares with what is there, and with `more` sessions besides. Panics
    /// where that may not be.
    pub(crate) fn check(&self, database: &Database, more: u64) -> Found {
        let threads = self.threads.iter().enumerate();
        let accounts: Vec<Account> = threads
            .map(|(number, thread)| thread.found(database, number))
            .collect();
        let (pool, gone) = self.pool.check(database);
        let living: u64 = accounts.iter().map(Account::living).sum();
        let verified = database.verify().expect("all is whole");
        assert_eq!(verified.sessions, living + pool + more, "sessions");
        Found { accounts, gone }
    }
}

impl Thread {
    /// How far the thread had come, of what may be: as far as can be, because
    /// a session that was not begun is not looked for.
    fn found(&self, database: &Database, number: usize) -> Account {
        let mut accounts = vec![self.settled.clone()];
        for step in &self.open {
            let mut account = accounts[accounts.len() - 1].clone();
            account.apply(step);
            accounts.push(account);
        }
        let mut readings = Readings::new();
        let mut refusals = Vec::new();
        while let Some(account) = accounts.pop() {
            match account.find(database, &mut readings) {
                Ok(()) => return account,
                Err(why) => refusals.push(format!("after {} open steps: {why}", accounts.len())),
            }
        }
        let refusals = refusals.join("\n");
        panic!(
            "thread {number} is nowhere it may be, with these steps open: {:?}\n{refusals}",
            self.open
        );
    }
}

impl Pool {
    /// How many sessions it is, and which of its keys are gone.
    fn check(&self, database: &Database) -> (u64, BTreeSet<u32>) {
        let Some(token) = &self.token else {
            return (0, BTreeSet::new());
        };
        let Some(session) = database.open_token(token).expect("a lookup") else {
            assert!(!self.is_durable, "the pool is lost");
            return (0, BTreeSet::new());
        };
        let is_here = |key| session.contains_key(&shared_key(key)).expect("a lookup");
        let (here, gone): (BTreeSet<u32>, BTreeSet<u32>) = (0..POOL).partition(|key| is_here(*key));
        let returned: Vec<_> = here.intersection(&self.gone).collect();
        assert!(
            returned.is_empty(),
            "{returned:?} were popped and came back"
        );
        let lost: Vec<_> = gone.difference(&self.tried).collect();
        assert!(lost.is_empty(), "{lost:?} are lost, and nobody popped them");
        (1, gone)
    }
}
