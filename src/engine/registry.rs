//! The sessions in memory, by digest.
//!
//! Owns: the rule that a digest has at most one cell, so that its locks mean
//! something. Evicts cells that nobody else holds: a changed session is held
//! by the list of changed sessions until its checkpoint is published.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::cell::{Cell, Life};
use crate::format::identity::Sequence;
use crate::session_id::SessionDigest;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// A power of two.
pub(super) const SHARDS: usize = 64;
/// How many residents an insertion looks at for cells to evict.
const LOOKS: usize = 4;
/// At how many places it looks for them: after a peak most are empty.
const PLACES: usize = 256;

/// The shard of a digest, in the order of digests.
pub(super) fn shard_of(digest: SessionDigest) -> usize {
    let first = digest.to_bytes().first().copied().unwrap_or_default();
    usize::from(first) * SHARDS / 256
}

/// The last digest of a shard.
pub(super) fn last_of(shard: usize) -> SessionDigest {
    let mut bytes = [0xff; 16];
    let first = shard.saturating_add(1) * (256 / SHARDS) - 1;
    if let Some(byte) = bytes.first_mut() {
        *byte = u8::try_from(first).unwrap_or(u8::MAX);
    }
    SessionDigest::from_bytes(bytes)
}

/// What is known of a digest in memory.
#[derive(Debug, Clone)]
pub(crate) enum Resident {
    /// A session.
    Cell(Arc<Cell>),
    /// The session moved to another ID with this frame; the index may still
    /// show it here.
    Hidden(Sequence, Arc<Cell>),
}

impl Resident {
    /// The cell, also of a session that moved.
    pub(crate) fn cell(&self) -> &Arc<Cell> {
        let (Self::Cell(cell) | Self::Hidden(_, cell)) = self;
        cell
    }

    /// Whether nobody else holds it.
    fn is_idle(&self) -> bool {
        matches!(self, Self::Cell(cell) if Arc::strong_count(cell) == 1)
    }

    /// Whether it is this cell, and not only its former ID.
    fn is(&self, cell: &Arc<Cell>) -> bool {
        matches!(self, Self::Cell(known) if Arc::ptr_eq(known, cell))
    }
}

type Place = (SessionDigest, Resident);

#[derive(Debug, Default)]
struct Shard {
    places: HashTable<Place>,
    hasher: RandomState,
    hand: usize,
}

impl Shard {
    fn get(&self, digest: SessionDigest) -> Option<&Resident> {
        let hash = self.hasher.hash_one(digest);
        let found = self.places.find(hash, |(known, _)| *known == digest);
        found.map(|(_, resident)| resident)
    }

    fn entry(&mut self, digest: SessionDigest) -> Entry<'_, Place> {
        let hasher = &self.hasher;
        self.places.entry(
            hasher.hash_one(digest),
            |(known, _)| *known == digest,
            |(known, _)| hasher.hash_one(known),
        )
    }

    /// The resident of a digest, which is `new` where there is none yet.
    fn get_or_insert(
        &mut self,
        digest: SessionDigest,
        new: impl FnOnce() -> Resident,
    ) -> &Resident {
        let place = self.entry(digest).or_insert_with(|| (digest, new()));
        &place.into_mut().1
    }

    fn insert(&mut self, digest: SessionDigest, resident: Resident) {
        self.entry(digest).insert((digest, resident));
    }

    /// Removes the resident of a digest, if it is the right one.
    fn remove_if(&mut self, digest: SessionDigest, is_right: impl Fn(&Resident) -> bool) {
        if let Entry::Occupied(entry) = self.entry(digest)
            && is_right(&entry.get().1)
        {
            entry.remove();
        }
    }

    /// Makes room where there are as many residents as there should be.
    fn make_room(&mut self, capacity: usize) {
        if self.places.len() < capacity {
            return;
        }
        let mut looks = 0;
        for _ in 0..PLACES {
            if looks == LOOKS {
                break;
            }
            if self.hand >= self.places.num_buckets() {
                self.hand = 0;
            }
            if let Ok(entry) = self.places.get_bucket_entry(self.hand) {
                looks += 1;
                if entry.get().1.is_idle() {
                    entry.remove();
                }
            }
            self.hand = self.hand.saturating_add(1);
        }
    }
}

/// All residents.
#[derive(Debug)]
pub(crate) struct Registry {
    shards: Vec<Mutex<Shard>>,
    shard_capacity: usize,
}

impl Registry {
    /// A registry that begins to evict at about `capacity` cells.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            shard_capacity: capacity.div_ceil(SHARDS).max(4),
        }
    }

    fn shard(&self, digest: SessionDigest) -> Option<&Mutex<Shard>> {
        self.shards.get(shard_of(digest))
    }

    /// The resident of a digest, if there is one.
    pub(crate) fn look(&self, digest: SessionDigest) -> Option<Resident> {
        self.shard(digest)?.lock().get(digest).cloned()
    }

    /// The shard of a digest that may be about to get a resident.
    fn roomy(&self, digest: SessionDigest) -> Option<MutexGuard<'_, Shard>> {
        let mut shard = self.shard(digest)?.lock();
        shard.make_room(self.shard_capacity);
        Some(shard)
    }

    /// Makes a cell the one of a digest, unless there is another.
    pub(crate) fn claim(&self, digest: SessionDigest, cell: &Arc<Cell>) -> bool {
        let Some(mut shard) = self.roomy(digest) else {
            return false;
        };
        let resident = shard.get_or_insert(digest, || Resident::Cell(Arc::clone(cell)));
        resident.is(cell)
    }

    /// The cells of a shard. Shards follow each other in the order of digests.
    pub(crate) fn cells(&self, shard: usize) -> Vec<(SessionDigest, Arc<Cell>)> {
        let Some(shard) = self.shards.get(shard) else {
            return Vec::new();
        };
        let shard = shard.lock();
        let places = shard.places.iter();
        places
            .filter_map(|(digest, resident)| match resident {
                Resident::Cell(cell) => Some((*digest, Arc::clone(cell))),
                Resident::Hidden(..) => None,
            })
            .collect()
    }

    /// The resident of a digest, or a new unloaded cell.
    pub(crate) fn obtain(&self, digest: SessionDigest) -> Resident {
        let unloaded = || Resident::Cell(Arc::new(Cell::new(digest, Life::Unloaded)));
        let Some(mut shard) = self.shard(digest).map(Mutex::lock) else {
            return unloaded();
        };
        if let Some(resident) = shard.get(digest) {
            resident.cell().approach();
            return resident.clone();
        }
        shard.make_room(self.shard_capacity);
        shard.get_or_insert(digest, unloaded).clone()
    }

    /// Makes a cell the one of a digest, whatever else was, unless a flag is
    /// set. Who sets it asks the registry after that, and finds the cell.
    pub(crate) fn insert_unless(
        &self,
        flag: &AtomicBool,
        digest: SessionDigest,
        cell: &Arc<Cell>,
    ) -> bool {
        let Some(mut shard) = self.roomy(digest) else {
            return false;
        };
        if flag.load(Ordering::SeqCst) {
            return false;
        }
        shard.insert(digest, Resident::Cell(Arc::clone(cell)));
        true
    }

    /// Makes a resident known.
    pub(crate) fn insert(&self, digest: SessionDigest, resident: Resident) {
        if let Some(mut shard) = self.roomy(digest) {
            shard.insert(digest, resident);
        }
    }

    /// Whether this cell is the one of a digest.
    pub(crate) fn knows(&self, digest: SessionDigest, cell: &Arc<Cell>) -> bool {
        let Some(shard) = self.shard(digest) else {
            return true;
        };
        let shard = shard.lock();
        shard.get(digest).is_some_and(|known| known.is(cell))
    }

    /// Forgets a cell, if it is the one that is known.
    pub(crate) fn remove(&self, digest: SessionDigest, cell: &Arc<Cell>) {
        if let Some(shard) = self.shard(digest) {
            shard.lock().remove_if(digest, |known| known.is(cell));
        }
    }

    /// Forgets that a digest is hidden: the index does not show it any more.
    pub(crate) fn unhide(&self, digest: SessionDigest) {
        if let Some(shard) = self.shard(digest) {
            let is_hidden = |known: &Resident| matches!(known, Resident::Hidden(..));
            shard.lock().remove_if(digest, is_hidden);
        }
    }

    /// Cells and hidden digests in memory.
    pub(crate) fn len(&self) -> usize {
        let shards = self.shards.iter();
        shards.map(|shard| shard.lock().places.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u32) -> SessionDigest {
        let mut random = fastrand::Rng::with_seed(number.into());
        SessionDigest::from_bytes(random.u128(..).to_be_bytes())
    }

    #[test]
    fn after_a_peak_there_are_as_few_as_there_should_be() {
        let registry = Registry::new(SHARDS * 10);
        let held: Vec<Resident> = (0..50_000)
            .map(|number| registry.obtain(digest(number)))
            .collect();
        assert_eq!(registry.len(), held.len(), "nobody who is held goes");
        drop(held);
        for number in 50_000..150_000 {
            registry.obtain(digest(number));
        }
        assert!(registry.len() <= SHARDS * 16, "{}", registry.len());
    }
}
