//! What the children said, and what follows from it for any point.

use std::collections::BTreeSet;

use crate::account::{Account, Step};
use crate::child::THREADS;
use crate::expectation::{Expectation, Found, Pool, Promise, Thread};
use crate::operation::Operation;

/// From one opening on, after which it is known what is durable.
#[derive(Debug)]
struct Chapter {
    /// Where it was opened; none while it was not.
    begun: Option<usize>,
    accounts: Vec<Account>,
    steps: Vec<Vec<Step>>,
    gone: BTreeSet<u32>,
}

#[derive(Debug)]
pub(crate) struct History {
    chapters: Vec<Chapter>,
    /// The pool's token, and where it was named.
    pool: Option<(String, usize)>,
    /// Where it was acknowledged.
    pooled: Option<usize>,
}

impl Chapter {
    fn new(accounts: Vec<Account>, gone: BTreeSet<u32>) -> Self {
        Self {
            begun: None,
            accounts,
            steps: vec![Vec::new(); THREADS],
            gone,
        }
    }
}

impl History {
    pub(crate) fn new() -> Self {
        let accounts = (0..THREADS).map(Account::new).collect();
        let mut first = Chapter::new(accounts, BTreeSet::new());
        // Before the first opening nothing is promised either.
        first.begun = Some(0);
        Self {
            chapters: vec![first],
            pool: None,
            pooled: None,
        }
    }

    /// Another process goes on with what was found.
    pub(crate) fn go_on(&mut self, found: Found) {
        let chapter = Chapter::new(found.accounts, found.gone);
        self.chapters.push(chapter);
    }

    pub(crate) fn pool_token(&self) -> &str {
        let pool = self.pool.as_ref();
        pool.map(|(token, _)| token.as_str()).expect("a pool")
    }

    /// How many operations were done.
    pub(crate) fn operations(&self) -> usize {
        let steps = self.chapters.iter().flat_map(|chapter| &chapter.steps);
        steps.map(Vec::len).sum()
    }

    /// Takes down one line and where it stands.
    pub(crate) fn note(&mut self, at: usize, line: &str) {
        let chapter = self.chapters.last_mut().expect("a chapter");
        let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
        match what {
            "pool" => self.pool = Some((rest.to_owned(), at)),
            "pooled" => self.pooled = Some(at),
            "opened" => {
                chapter.begun.get_or_insert(at);
            }
            "try" => chapter.note_try(at, rest),
            "done" => {
                let (thread, result) = rest.split_once(' ').expect("a result");
                let steps = &mut chapter.steps[number(thread)];
                steps.last_mut().expect("a try").result = Some(result.to_owned());
            }
            "committed" => chapter.note_durable(at, number(rest)),
            "closed" => (0..THREADS).for_each(|thread| chapter.note_durable(at, thread)),
            other => panic!("no such line: {other}"),
        }
    }

    /// What may be found when all before `at` has happened.
    pub(crate) fn expectation(&self, at: usize) -> Expectation {
        let is_known = |place: Option<usize>| place.is_some_and(|place| place < at);
        let mut begun = self.chapters.iter();
        let number = begun.rposition(|chapter| is_known(chapter.begun));
        let number = number.unwrap_or(0);
        let chapter = &self.chapters[number];
        let named = self.pool.as_ref().filter(|(_, place)| *place < at);
        let mut pool = Pool {
            token: named.map(|(token, _)| token.clone()),
            is_durable: is_known(self.pooled),
            gone: chapter.gone.clone(),
            tried: chapter.gone.clone(),
        };
        let mut operations = 0;
        let mut threads = Vec::new();
        for (account, steps) in chapter.accounts.iter().zip(&chapter.steps) {
            let mut settled = account.clone();
            let mut open = Vec::new();
            for step in steps.iter().filter(|step| step.begun < at) {
                let is_durable = is_known(step.durable);
                if let Operation::PopShared(key) = step.operation {
                    pool.tried.insert(key);
                    if is_durable {
                        pool.gone.insert(key);
                    }
                }
                if is_durable {
                    operations += 1;
                    settled.apply(step);
                } else {
                    open.push(step.clone());
                }
            }
            threads.push(Thread { settled, open });
        }
        Expectation {
            threads,
            promise: Promise {
                chapter: number,
                operations,
                pool: pool.is_durable,
            },
            pool,
        }
    }
}

impl Chapter {
    fn note_try(&mut self, at: usize, text: &str) {
        let words: Vec<&str> = text.splitn(6, ' ').collect();
        let &[thread, round, own, slot, token, operation] = words.as_slice() else {
            panic!("not a try: {text}");
        };
        self.steps[number(thread)].push(Step {
            stamp: format!("{round} {thread} {own} "),
            slot: number(slot),
            token: token.to_owned(),
            operation: operation.parse().expect("an operation"),
            result: None,
            begun: at,
            durable: None,
        });
    }

    fn note_durable(&mut self, at: usize, thread: usize) {
        let steps = self.steps[thread].iter_mut().rev();
        for step in steps.take_while(|step| step.durable.is_none()) {
            step.durable = Some(at);
        }
    }
}

fn number(word: &str) -> usize {
    word.parse().expect("a number")
}
