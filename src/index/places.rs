//! Where the images of sessions lie, as far as memory reaches: sled takes a
//! hundred times the memory for a row, and many times as long to find it.
//!
//! Owns: a part of what the rows of sessions say. INVARIANT: never anything
//! else, so all changes of these rows go through [`Places::change`], and what
//! was read is not noted when a row has changed since.
//!
//! A table of sets of a few places each, which are replaced in turn. Sets are
//! in the order of digests, as rows are: who goes through rows in order finds
//! the next place beside the last one.

use super::guard::Outcome;
use crate::format::identity::{Location, SegmentNumber};
use crate::session_id::SessionDigest;
use crate::sync::Mutex;

/// So many bits of a digest say which of the locks is its own.
const STRIPE_BITS: u32 = 6;
/// So many locks, each of a share of the sets.
const STRIPES: usize = 1 << STRIPE_BITS;
/// Places of a set.
const WAYS: usize = 8;

/// Half of a session's digest, and its image's location: who believes it looks
/// whose image that is. Nowhere where the length is 0. As bare numbers, since
/// a table of these takes no memory before it is used.
type Place = [u32; 5];
type Set = [Place; WAYS];

#[derive(Debug, Default)]
struct Stripe {
    sets: Vec<Set>,
    /// Counts up with each change of a row.
    changes: u64,
    /// The way that is replaced next.
    turn: usize,
}

/// What was known before a row was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before(u64);

/// All places that are known. Its locks are leaves.
#[derive(Debug)]
pub(super) struct Places(Vec<Mutex<Stripe>>);

impl Default for Places {
    /// None, and no memory for any.
    fn default() -> Self {
        Self::new(0)
    }
}

impl Places {
    /// Memory for as many as fit.
    pub(super) fn new(bytes: u64) -> Self {
        let sets = bytes / size_of::<Set>() as u64 / STRIPES as u64;
        let sets = usize::try_from(sets).unwrap_or(usize::MAX);
        let stripe = || Stripe {
            sets: vec![[[0; 5]; WAYS]; sets],
            ..Stripe::default()
        };
        Self((0..STRIPES).map(|_| Mutex::new(stripe())).collect())
    }

    fn stripe(&self, digest: &SessionDigest) -> Option<(&Mutex<Stripe>, Name)> {
        let bytes = digest.to_bytes();
        let (words, _) = bytes.as_chunks();
        let mut words = words.iter().map(|word| u32::from_be_bytes(*word));
        let first = words.next()?;
        let name = Name {
            tag: [words.next()?, words.next()?],
            share: first << STRIPE_BITS,
        };
        let stripe = usize::try_from(first >> (u32::BITS - STRIPE_BITS)).ok()?;
        Some((self.0.get(stripe)?, name))
    }

    /// Where a session's image lies, if that is known. Otherwise what has to
    /// be said with a row that is read from now on.
    pub(super) fn get(&self, digest: &SessionDigest) -> Result<Location, Before> {
        let Some((stripe, name)) = self.stripe(digest) else {
            return Err(Before(u64::MAX));
        };
        let mut stripe = stripe.lock();
        let before = Before(stripe.changes);
        let set = stripe.set(name).ok_or(before)?;
        let place = set.iter().find(|place| is_of(place, name)).ok_or(before)?;
        let [.., segment, offset, length] = *place;
        Ok(Location {
            segment: SegmentNumber(segment),
            offset,
            length,
        })
    }

    /// Notes what a row says that was read, unless any has changed since.
    pub(super) fn note(&self, digest: &SessionDigest, location: Location, before: Before) {
        if let Some((stripe, name)) = self.stripe(digest) {
            let mut stripe = stripe.lock();
            if stripe.changes == before.0 {
                stripe.put(name, location);
            }
        }
    }

    /// Changes the row of a session by `change`, which also tells where its
    /// image lies then, if that is known.
    pub(super) fn change<T>(
        &self,
        digest: &SessionDigest,
        change: impl FnOnce() -> Outcome<(T, Option<Location>)>,
    ) -> Outcome<T> {
        self.forget(digest);
        let outcome = change();
        if let Some((stripe, name)) = self.stripe(digest) {
            let mut stripe = stripe.lock();
            // Whether it has changed if that failed is not known.
            stripe.forget(name);
            if let Ok((_, Some(location))) = outcome {
                stripe.put(name, location);
            }
        }
        outcome.map(|(changed, _)| changed)
    }

    /// Nothing is known from now on.
    pub(super) fn give_up(&self) {
        for stripe in &self.0 {
            drop(std::mem::take(&mut stripe.lock().sets));
        }
    }

    /// What is known goes over to others, which knew nothing, while no row
    /// changes. Whoever still reads old rows finds nothing to note them in.
    pub(super) fn hand_over(&self, to: &Self) {
        for (from, to) in self.0.iter().zip(&to.0) {
            let sets = std::mem::take(&mut from.lock().sets);
            to.lock().sets = sets;
        }
    }

    /// Nothing is known of a session.
    pub(super) fn forget(&self, digest: &SessionDigest) {
        if let Some((stripe, name)) = self.stripe(digest) {
            stripe.lock().forget(name);
        }
    }
}

/// A session within a stripe.
#[derive(Debug, Clone, Copy)]
struct Name {
    tag: [u32; 2],
    /// How far in the stripe, of as many parts as this number can tell.
    share: u32,
}

fn is_of(place: &Place, name: Name) -> bool {
    let [first, second, ..] = *place;
    [first, second] == name.tag && is_taken(place)
}

fn is_taken(place: &Place) -> bool {
    let [.., length] = *place;
    length > 0
}

impl Stripe {
    fn set(&mut self, name: Name) -> Option<&mut Set> {
        let sets = self.sets.len() as u64;
        let set = sets.checked_mul(name.share.into())? >> u32::BITS;
        self.sets.get_mut(usize::try_from(set).ok()?)
    }

    fn forget(&mut self, name: Name) {
        self.changes = self.changes.wrapping_add(1);
        if let Some(set) = self.set(name) {
            let known = set.iter_mut().filter(|place| is_of(place, name));
            known.for_each(|place| *place = Place::default());
        }
    }

    fn put(&mut self, name: Name, location: Location) {
        self.turn = self.turn.wrapping_add(1);
        let turn = self.turn % WAYS;
        let [first, second] = name.tag;
        let Location {
            segment: SegmentNumber(segment),
            offset,
            length,
        } = location;
        let new = [first, second, segment, offset, length];
        let Some(set) = self.set(name) else { return };
        let same = set.iter().position(|place| is_of(place, name));
        let free = || set.iter().position(|place| !is_taken(place));
        let way = same.or_else(free).unwrap_or(turn);
        if let Some(place) = set.get_mut(way) {
            *place = new;
        }
    }
}

#[cfg(test)]
mod tests;
