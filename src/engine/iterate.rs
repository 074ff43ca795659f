//! Walking a session's keys, a chunk at a time, with no lock in between.
//!
//! A chunk covers a range of keys completely: the next one begins where it
//! ends, so a key that nobody touches comes exactly once.

use std::iter::Peekable;

use super::Engine;
use super::cell::Base;
use super::delta::{Answer, Delta};
use super::lookup::Setback;
use super::stored::{Held, Stored};
use crate::format::identity::Timestamp;

/// How many keys of a memtable layer a chunk takes.
const KEYS: usize = 256;

/// Some entries, and where the next chunk begins.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// In key order.
    pub(crate) entries: Vec<(Box<str>, Held)>,
    /// The first key that is not covered; `None` at the end.
    pub(crate) next: Option<String>,
}

/// A layer from some key on.
struct Source<'a, I: Iterator<Item = (&'a str, Answer)>> {
    layer: &'a Delta,
    answers: Peekable<I>,
    /// How many of its own keys were passed.
    passed: usize,
}

impl<'a, I: Iterator<Item = (&'a str, Answer)>> Source<'a, I> {
    fn head(&mut self) -> Option<&'a str> {
        self.answers.peek().map(|(key, _)| *key)
    }

    /// The key that it goes no further than.
    fn end(&mut self) -> Option<&'a str> {
        if self.passed < KEYS {
            return None;
        }
        self.head()
    }

    /// What it says about a key, which is passed.
    fn pass(&mut self, key: &str) -> Answer {
        match self.answers.next_if(|(head, _)| *head == key) {
            Some((_, answer)) => {
                self.passed = self.passed.saturating_add(1);
                answer
            }
            None => self.layer.find_prefix_of(key),
        }
    }
}

/// The entries from `from` on, as far as one page and `KEYS` keys of each layer
/// reach. `layers` are newest first. All of them are walked side by side.
pub(super) fn chunk(
    engine: &Engine,
    layers: &[&Delta],
    base: Option<&Base>,
    from: &str,
    now: Timestamp,
) -> Result<Chunk, Setback> {
    let page = base.map(|base| engine.page_of(base, from)).transpose()?;
    let page = page.as_ref();
    let sources = layers.iter().map(|layer| Source {
        layer,
        answers: layer.answers(from).peekable(),
        passed: 0,
    });
    let mut sources: Vec<_> = sources.collect();
    let mut rest = page
        .into_iter()
        .flat_map(|page| page.entries(from))
        .peekable();
    let mut end = page.and_then(|page| page.fences().upper.as_deref());
    let mut entries = Vec::new();
    loop {
        let ends = sources.iter_mut().filter_map(Source::end);
        end = ends.chain(end).min();
        let heads = sources.iter_mut().filter_map(Source::head);
        let head = heads.chain(rest.peek().map(|found| found.key)).min();
        let Some(key) = head.filter(|head| end.is_none_or(|end| *head < end)) else {
            break;
        };
        let mut answer = Answer::Unknown;
        for source in &mut sources {
            let older = source.pass(key);
            if matches!(answer, Answer::Unknown) {
                answer = older;
            }
        }
        let oldest = rest.next_if(|found| found.key == key);
        let held = match answer {
            Answer::Present(held) => Some(held),
            Answer::Absent => None,
            Answer::Unknown => page.zip(oldest).map(|(page, found)| Held {
                value: Stored::within(page.raw(), found.value),
                deadline: found.deadline,
            }),
        };
        if let Some(held) = held.filter(|held| held.is_there(now)) {
            entries.push((key.into(), held));
        }
    }
    let next = end.map(str::to_owned);
    Ok(Chunk { entries, next })
}
