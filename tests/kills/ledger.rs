//! What the parent knows of the child's work, from its reports, and what it
//! finds in the directory afterwards.

use std::collections::BTreeSet;

use sessiondb::{Database, SessionId};

use crate::child::THREADS;
use crate::contents::{contents, difference};
use crate::operation::{Operation, SLOTS, owner, shared_key};
use crate::slot::Slot;

/// What a thread began and did not finish.
#[derive(Debug, Clone)]
struct Pending {
    number: u64,
    slot: usize,
    operation: Operation,
}

/// All that was acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    slots: Vec<Slot>,
    pending: Vec<Option<Pending>>,
    /// Tokens of sessions that were ended.
    dead: Vec<String>,
    /// Sessions that live under an ID that the child had no time to report,
    /// and those of them that were given to a thread.
    orphans: u64,
    owned_orphans: [u64; THREADS],
    pool_token: String,
    /// Keys of the pool that were put there.
    pub(crate) pool: u32,
    taken: BTreeSet<u32>,
    tried: BTreeSet<u32>,
    round: u32,
    /// Batches when the child began.
    pub(crate) batches: u64,
    /// Operations that were acknowledged.
    pub(crate) acknowledged: u64,
}

impl Ledger {
    /// A new directory's.
    pub(crate) fn new(database: &Database) -> Self {
        let session = database.create_session();
        session.set("pool", &true).expect("the pool begins");
        let mut ledger = Self {
            slots: vec![Slot::default(); THREADS * SLOTS],
            pending: vec![None; THREADS],
            pool_token: session.id().to_string(),
            ..Self::default()
        };
        ledger.refill(database);
        ledger
    }

    pub(crate) fn pool_token(&self) -> String {
        self.pool_token.clone()
    }

    /// The token of each slot, for the next child.
    pub(crate) fn tokens(&self) -> Vec<String> {
        let token = |slot: &Slot| match &slot.keys {
            Some(_) => slot.token.clone(),
            None => "-".to_owned(),
        };
        self.slots.iter().map(token).collect()
    }

    /// Puts new keys into the pool.
    pub(crate) fn refill(&mut self, database: &Database) {
        let session = database.open_token(&self.pool_token).expect("a lookup");
        let session = session.expect("the pool is alive");
        let more = self.pool + 50;
        session
            .transaction(|tx| (self.pool..more).try_for_each(|n| tx.set(&shared_key(n), &n)))
            .expect("the pool is filled");
        self.pool = more;
    }

    pub(crate) fn begin_round(&mut self, round: u32) {
        self.round = round;
        self.tried.clear();
        self.pending.fill(None);
    }

    /// Takes down one line of the child's report.
    pub(crate) fn note(&mut self, line: &str) {
        let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
        match what {
            "try" => self.note_try(rest),
            "done" => self.note_done(rest),
            "refused" => {
                // Whoever is told that the database is closed changed nothing.
                let thread = first_number(rest);
                self.pending[thread] = None;
            }
            "failed" => panic!("an operation failed in the child: {rest}"),
            _ => {}
        }
    }

    fn note_try(&mut self, text: &str) {
        let mut words = text.splitn(5, ' ');
        let mut word = || words.next().expect("a whole line");
        let thread: usize = word().parse().expect("a thread");
        let number = word().parse().expect("a number");
        let slot: usize = thread * SLOTS + word().parse::<usize>().expect("a slot");
        let token = word();
        let operation: Operation = word().parse().expect("an operation");
        if self.slots[slot].keys.is_none() {
            token.clone_into(&mut self.slots[slot].token);
        }
        assert_eq!(self.slots[slot].token, token, "another session: {text}");
        assert!(self.pending[thread].is_none(), "two at once: {text}");
        if let Operation::PopShared(key) = operation {
            self.tried.insert(key);
        }
        self.pending[thread] = Some(Pending {
            number,
            slot,
            operation,
        });
    }

    fn note_done(&mut self, text: &str) {
        let thread = first_number(text);
        let result = text.splitn(3, ' ').nth(2).expect("a result").to_owned();
        let pending = self.pending[thread].take().expect("it was tried");
        let Pending {
            number,
            slot,
            operation,
        } = pending;
        self.acknowledged += 1;
        let keys = self.slots[slot].keys.as_ref();
        let held = |number: u32| keys.and_then(|keys| keys.get(&crate::operation::key(number)));
        match operation {
            Operation::Pop(key) => {
                let expected = held(key).map_or("-", String::as_str);
                assert_eq!(result, expected, "what was popped: {text}");
            }
            Operation::Delete(key) => {
                let expected = held(key).map_or("missing", |_| "-");
                assert_eq!(result, expected, "what was deleted: {text}");
            }
            Operation::PopShared(key) if result == "-" => {
                let gone = self.taken.contains(&key) || self.tried.contains(&key);
                assert!(gone, "nobody took {key}: {text}");
            }
            Operation::PopShared(key) => {
                assert_eq!(result, key.to_string(), "what was popped: {text}");
                assert!(self.taken.insert(key), "{key} was popped twice: {text}");
            }
            _ => {}
        }
        if operation == Operation::RevokeOwner {
            return self.note_revoked(thread, &result);
        }
        let stamp = self.stamp(thread, number);
        let slot = &mut self.slots[slot];
        let old = slot.token.clone();
        let existed = slot.keys.is_some();
        slot.keys = operation.after(slot.keys.take(), &stamp, thread);
        if matches!(
            operation,
            Operation::Flush | Operation::Destroy | Operation::Cycle
        ) {
            slot.token = result;
            if existed {
                self.dead.push(old);
            }
        }
    }

    /// Takes down that all sessions of a thread's were logged out.
    fn note_revoked(&mut self, thread: usize, tokens: &str) {
        self.owned_orphans[thread] = 0;
        let tokens = tokens.split(',').map(str::to_owned);
        let slots = self.slots.chunks_mut(SLOTS).nth(thread);
        for (slot, token) in slots.expect("slots").iter_mut().zip(tokens) {
            if slot.is_owned() {
                slot.keys = None;
                self.dead.push(std::mem::replace(&mut slot.token, token));
            }
        }
    }

    fn stamp(&self, thread: usize, number: u64) -> String {
        format!("{} {thread} {number} ", self.round)
    }

    /// Compares everything with what is there, and goes on from that.
    pub(crate) fn compare(&mut self, database: &Database, context: &str) {
        for thread in 0..THREADS {
            self.compare_revoked(database, thread, context);
        }
        for slot in 0..self.slots.len() {
            self.compare_slot(database, slot, context);
        }
        for thread in 0..THREADS {
            let (there, owned) = (sessions_of(database, thread), self.owned_by(thread));
            assert_eq!(there, owned, "sessions of thread {thread}, {context}");
        }
        for token in &self.dead {
            let found = database.open_token(token).expect("a lookup");
            assert!(found.is_none(), "an ended session is alive, {context}");
            let id: SessionId = token.parse().expect("a token");
            let is_retired = database.is_retired(id).expect("a lookup");
            assert!(is_retired, "an ended session's ID is forgotten, {context}");
        }
        self.compare_pool(database, context);
        let living = self.slots.iter().filter(|slot| slot.keys.is_some()).count();
        let orphans = self.orphans + self.owned_orphans.iter().sum::<u64>();
        let expected = living as u64 + 1 + orphans;
        let verified = database
            .verify()
            .unwrap_or_else(|error| panic!("{error}, {context}"));
        assert_eq!(verified.sessions, expected, "sessions, {context}");
    }

    /// A thread that was logging all of its sessions out has done so, or not.
    fn compare_revoked(&mut self, database: &Database, thread: usize, context: &str) {
        let is_revoke = |pending: &mut Pending| pending.operation == Operation::RevokeOwner;
        if self.pending[thread].take_if(is_revoke).is_none() {
            return;
        }
        let there = sessions_of(database, thread);
        let before = self.owned_by(thread);
        assert!(
            there == 0 || there == before,
            "{there} of {before} sessions outlived a logout everywhere, {context}"
        );
        if there > 0 {
            return;
        }
        self.owned_orphans[thread] = 0;
        let slots = self.slots.chunks_mut(SLOTS).nth(thread);
        for slot in slots
            .expect("slots")
            .iter_mut()
            .filter(|slot| slot.is_owned())
        {
            slot.keys = None;
            self.dead.push(slot.token.clone());
        }
    }

    /// Sessions that were given to a thread.
    fn owned_by(&self, thread: usize) -> u64 {
        let slots = self.slots.chunks(SLOTS).nth(thread).expect("slots");
        let owned = slots.iter().filter(|slot| slot.is_owned()).count();
        owned as u64 + self.owned_orphans[thread]
    }

    fn compare_slot(&mut self, database: &Database, number: usize, context: &str) {
        let thread = number / SLOTS;
        let slot = self.slots[number].clone();
        if slot.token.is_empty() {
            return;
        }
        let session = database.open_token(&slot.token).expect("a lookup");
        let found = session.as_ref().map(contents);
        let pending = self.pending[thread].as_ref();
        let pending = pending.filter(|pending| pending.slot == number);
        let applied = pending.map(|pending| {
            let stamp = self.stamp(thread, pending.number);
            match pending.operation {
                // Under an ID that was not reported.
                Operation::Cycle => None,
                operation => operation.after(slot.keys.clone(), &stamp, thread),
            }
        });
        let as_before = found == slot.keys;
        let as_after = applied.is_some_and(|applied| found == applied);
        assert!(
            as_before || as_after,
            "thread {thread} slot {number}, {pending:?}, {context}\n{}",
            difference(slot.keys.as_ref(), found.as_ref())
        );
        if found.is_none() && slot.keys.is_some() {
            if pending.is_some_and(|pending| pending.operation == Operation::Cycle) {
                if slot.is_owned() {
                    self.owned_orphans[thread] += 1;
                } else {
                    self.orphans += 1;
                }
            }
            self.dead.push(slot.token);
        }
        self.slots[number].keys = found;
    }

    fn compare_pool(&mut self, database: &Database, context: &str) {
        let session = database.open_token(&self.pool_token).expect("a lookup");
        let session = session.expect("the pool is alive");
        let begun: BTreeSet<u32> = self
            .pending
            .iter()
            .flatten()
            .filter_map(|pending| match pending.operation {
                Operation::PopShared(key) => Some(key),
                _ => None,
            })
            .collect();
        for key in 0..self.pool {
            let here = session.contains_key(&shared_key(key)).expect("a lookup");
            if self.taken.contains(&key) {
                assert!(!here, "{key} was popped and came back, {context}");
            } else if !here {
                assert!(begun.contains(&key), "{key} is lost, {context}");
                self.taken.insert(key);
            }
        }
    }
}

fn first_number(text: &str) -> usize {
    let word = text.split(' ').next().expect("a thread");
    word.parse().expect("a thread")
}

/// How many sessions the database says a thread owns.
fn sessions_of(database: &Database, thread: usize) -> u64 {
    let sessions = database.sessions_of(&owner(thread)).expect("a list");
    sessions.len() as u64
}
