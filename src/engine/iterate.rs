//! Walking a session's keys, a chunk at a time, with no lock in between.
//!
//! A chunk covers a range of keys completely: the next one begins where it
//! ends, so a key that nobody touches comes exactly once.

use std::collections::BTreeSet;

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

/// The entries from `from` on, as far as one page and `KEYS` keys of each layer reach.
/// `layers` are newest first.
pub(super) fn chunk(
    engine: &Engine,
    layers: &[&Delta],
    base: Option<&Base>,
    from: &str,
    now: Timestamp,
) -> Result<Chunk, Setback> {
    let page = base.map(|base| engine.page_of(base, from)).transpose()?;
    let mut end: Option<String> = page
        .as_ref()
        .and_then(|page| page.fences().upper.as_deref().map(str::to_owned));
    let mut keys: BTreeSet<&str> = BTreeSet::new();
    for layer in layers {
        let mut last = None;
        for (count, (key, _)) in layer.answers(from).enumerate() {
            if end.as_deref().is_some_and(|end| key >= end) {
                break;
            }
            if count == KEYS {
                last = Some(key.to_owned());
                break;
            }
            keys.insert(key);
        }
        if last.is_some() {
            end = last;
        }
    }
    if let Some(page) = &page {
        let first = page.search(from).unwrap_or_else(|place| place);
        keys.extend((first..page.len()).filter_map(|place| Some(page.entry(place)?.key)));
    }
    let mut chunk = Chunk::default();
    for key in keys {
        if end.as_deref().is_some_and(|end| key >= end) {
            break;
        }
        let held = resolve(layers, page.as_ref(), key);
        if let Some(held) = held.filter(|held| held.is_there(now)) {
            chunk.entries.push((key.into(), held));
        }
    }
    chunk.next = end;
    Ok(chunk)
}

fn resolve(layers: &[&Delta], page: Option<&crate::format::page::Page>, key: &str) -> Option<Held> {
    for layer in layers {
        match layer.find(key) {
            Answer::Present(held) => return Some(held),
            Answer::Absent => return None,
            Answer::Unknown => {}
        }
    }
    let page = page?;
    let found = page.find(key)?;
    Some(Held {
        value: Stored::within(page.raw(), found.value),
        deadline: found.deadline,
    })
}
