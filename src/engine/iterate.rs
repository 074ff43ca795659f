//! Walking a session's keys, a chunk at a time, with no lock in between.
//!
//! A chunk covers a range of keys completely: the next one begins where it
//! ends, so a key that nobody touches comes exactly once.

use std::iter::Peekable;

use super::Engine;
use super::cell::{Cell, State};
use super::delta::{Answer, Delta};
use super::lookup::Setback;
use super::stored::{Pair, is_over};
use crate::format::identity::Timestamp;
use crate::format::page::Page;

/// How many keys of a memtable layer a chunk takes.
const KEYS: usize = 256;

/// Some entries in key order, and where the next chunk begins.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    entries: Entries,
    /// The first key that is not covered; `None` at the end.
    pub(crate) rest: Option<String>,
}

#[derive(Debug)]
enum Entries {
    /// A page's, from one on: no layer says anything of them.
    OfPage(Page, usize),
    Merged(std::vec::IntoIter<Pair>),
}

impl Default for Entries {
    fn default() -> Self {
        Self::Merged(Vec::new().into_iter())
    }
}

impl Chunk {
    /// Whether all its entries were met.
    pub(crate) fn is_over(&self) -> bool {
        match &self.entries {
            Entries::OfPage(page, index) => *index >= page.len(),
            Entries::Merged(entries) => entries.len() == 0,
        }
    }
}

impl Iterator for Chunk {
    type Item = Pair;

    #[inline]
    fn next(&mut self) -> Option<Pair> {
        match &mut self.entries {
            Entries::OfPage(page, index) => {
                let (key_length, value) = page.key_and_value(*index)?;
                *index = index.saturating_add(1);
                Some(Pair::within(page, key_length, value))
            }
            Entries::Merged(entries) => entries.next(),
        }
    }
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
    base: Option<(&Cell, &State)>,
    from: &str,
    now: Timestamp,
) -> Result<Chunk, Setback> {
    let page = base.map(|(cell, state)| engine.page_of(cell, state, from));
    let page = page.transpose()?.flatten();
    let is_plain = |page: &Page| !page.has_deadlines();
    if let Some(page) = page.as_ref().filter(|page| is_plain(page))
        && layers.iter().all(|layer| layer.is_empty())
    {
        return Ok(Chunk {
            rest: page.fences().upper.as_deref().map(str::to_owned),
            entries: Entries::OfPage(page.clone(), page.index_from(from)),
        });
    }
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
        let Some(key) = heads.chain(rest.peek().map(|found| found.key)).min() else {
            break;
        };
        if end.is_some_and(|end| key >= end) {
            break;
        }
        let mut answer = Answer::Unknown;
        for source in &mut sources {
            let older = source.pass(key);
            if matches!(answer, Answer::Unknown) {
                answer = older;
            }
        }
        let oldest = rest.next_if(|found| found.key == key);
        let (pair, deadline) = match (answer, page.zip(oldest)) {
            (Answer::Present(held), _) => (Pair::new(key, held.value), held.deadline),
            (Answer::Unknown, Some((page, found))) => {
                let pair = Pair::within(page, found.key.len(), found.value);
                (pair, found.deadline)
            }
            (Answer::Unknown, None) | (Answer::Absent, _) => continue,
        };
        if is_over(deadline, now) {
            engine.note_over(now);
        } else {
            entries.push(pair);
        }
    }
    Ok(Chunk {
        entries: Entries::Merged(entries.into_iter()),
        rest: end.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::stored::{Held, Stored};
    use crate::format::value;
    use crate::{Database, Durability};

    /// Few enough that all layers speak of the same ones.
    fn key(random: &mut fastrand::Rng) -> String {
        format!("{}/{:03}", random.u32(..4), random.u32(..300))
    }

    fn held(random: &mut fastrand::Rng) -> Held {
        Held {
            value: Stored::from(&random.u64(..).to_le_bytes()[..]),
            deadline: None,
        }
    }

    fn layer(random: &mut fastrand::Rng) -> Delta {
        let mut layer = Delta::default();
        for _ in 0..[0, 5, 1500][random.usize(..3)] {
            match random.u32(..200) {
                0 => layer.remove_prefix(&random.u32(..4).to_string()),
                1..20 => layer.remove_prefix(&key(random)),
                20..60 => layer.write(&key(random), None),
                _ => layer.write(&key(random), Some(held(random))),
            };
        }
        layer
    }

    /// What is there with a newer layer on top.
    fn covered(below: &BTreeMap<String, Vec<u8>>, layer: &Delta) -> BTreeMap<String, Vec<u8>> {
        let mut above = below.clone();
        above.retain(|key, _| !matches!(layer.find(key), Answer::Absent));
        for (key, answer) in layer.answers("") {
            if let Answer::Present(held) = answer {
                above.insert(key.to_owned(), held.value.to_vec());
            }
        }
        above
    }

    #[test]
    fn a_walk_meets_what_each_layer_left_of_those_below() {
        let database = Database::builder().background(false).temporary().unwrap();
        let engine = database.engine();
        let mut chunks = 0;
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            let session = database.create_session();
            let mut expected = BTreeMap::new();
            let filled = session.transaction(|tx| {
                for _ in 0..[0, 3, 900][random.usize(..3)] {
                    let (key, value) = (key(&mut random), random.u64(..).to_le_bytes());
                    tx.set_bytes(&key, &value)?;
                    expected.insert(key, value::encode_raw(&value));
                }
                Ok(())
            });
            filled.unwrap();
            database.checkpoint().unwrap();
            let found = engine.find_session(session.id().digest(), Durability::Immediate);
            let cell = found.unwrap().map(|bound| bound.cell);
            let state = cell.as_ref().map(|cell| cell.state.read());
            let base = cell.as_deref().zip(state.as_deref());
            let layers = [layer(&mut random), layer(&mut random)];
            for layer in layers.iter().rev() {
                expected = covered(&expected, layer);
            }
            let layers: Vec<&Delta> = layers.iter().collect();
            let mut found = BTreeMap::new();
            let mut from = Some(String::new());
            while let Some(begin) = from {
                let chunk = chunk(engine, &layers, base, &begin, Timestamp(0)).unwrap();
                chunks += 1;
                from = chunk.rest.clone();
                for pair in chunk {
                    let key = pair.key().to_owned();
                    let is_before_end = from.as_ref().is_none_or(|end| key < *end);
                    assert!(key >= begin && is_before_end, "{seed}");
                    assert!(found.insert(key, pair.value.to_vec()).is_none());
                }
            }
            assert_eq!(found, expected, "{seed}");
        }
        assert!(chunks > 600, "{chunks}");
    }
}
