//! The sessions in memory, by digest.
//!
//! Owns: the rule that a digest has at most one cell, so that its locks mean
//! something. Evicts cells that nobody else holds: a changed session is held
//! by the list of changed sessions until its checkpoint is published.

use std::sync::Arc;

use indexmap::IndexMap;

use super::cell::{Cell, Life};
use crate::format::identity::Sequence;
use crate::session_id::SessionDigest;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};

/// A power of two.
pub(super) const SHARDS: usize = 64;
/// How many cells an insertion looks at for one to evict.
const LOOKS: usize = 4;

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

#[derive(Debug, Default)]
struct Shard {
    residents: IndexMap<SessionDigest, Resident, foldhash::fast::RandomState>,
    hand: usize,
}

impl Shard {
    fn evict(&mut self) {
        for _ in 0..LOOKS {
            if self.hand >= self.residents.len() {
                self.hand = 0;
            }
            match self.residents.get_index(self.hand) {
                Some((_, Resident::Cell(cell))) if Arc::strong_count(cell) == 1 => {
                    self.residents.swap_remove_index(self.hand);
                }
                _ => self.hand = self.hand.saturating_add(1),
            }
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
        let shard = self.shard(digest)?.lock();
        shard.residents.get(&digest).cloned()
    }

    /// Makes a cell the one of a digest, unless there is another.
    pub(crate) fn claim(&self, digest: SessionDigest, cell: &Arc<Cell>) -> bool {
        let Some(shard) = self.shard(digest) else {
            return false;
        };
        let mut shard = shard.lock();
        if shard.residents.len() >= self.shard_capacity {
            shard.evict();
        }
        let resident = shard
            .residents
            .entry(digest)
            .or_insert_with(|| Resident::Cell(Arc::clone(cell)));
        matches!(resident, Resident::Cell(known) if Arc::ptr_eq(known, cell))
    }

    /// The cells of a shard. Shards follow each other in the order of digests.
    pub(crate) fn cells(&self, shard: usize) -> Vec<(SessionDigest, Arc<Cell>)> {
        let Some(shard) = self.shards.get(shard) else {
            return Vec::new();
        };
        let shard = shard.lock();
        let residents = shard.residents.iter();
        residents
            .filter_map(|(digest, resident)| match resident {
                Resident::Cell(cell) => Some((*digest, Arc::clone(cell))),
                Resident::Hidden(..) => None,
            })
            .collect()
    }

    /// The resident of a digest, or a new unloaded cell.
    pub(crate) fn obtain(&self, digest: SessionDigest) -> Resident {
        let Some(shard) = self.shard(digest) else {
            return Resident::Cell(Arc::new(Cell::new(digest, Life::Unloaded)));
        };
        let mut shard = shard.lock();
        if let Some(resident) = shard.residents.get(&digest) {
            return resident.clone();
        }
        if shard.residents.len() >= self.shard_capacity {
            shard.evict();
        }
        let resident = Resident::Cell(Arc::new(Cell::new(digest, Life::Unloaded)));
        shard.residents.insert(digest, resident.clone());
        resident
    }

    /// Makes a cell the one of a digest, whatever else was, unless a flag is
    /// set. Who sets it asks the registry after that, and finds the cell.
    pub(crate) fn insert_unless(
        &self,
        flag: &AtomicBool,
        digest: SessionDigest,
        cell: &Arc<Cell>,
    ) -> bool {
        let Some(shard) = self.shard(digest) else {
            return false;
        };
        let mut shard = shard.lock();
        if flag.load(Ordering::SeqCst) {
            return false;
        }
        if shard.residents.len() >= self.shard_capacity {
            shard.evict();
        }
        let resident = Resident::Cell(Arc::clone(cell));
        shard.residents.insert(digest, resident);
        true
    }

    /// Makes a resident known.
    pub(crate) fn insert(&self, digest: SessionDigest, resident: Resident) {
        if let Some(shard) = self.shard(digest) {
            let mut shard = shard.lock();
            if shard.residents.len() >= self.shard_capacity {
                shard.evict();
            }
            shard.residents.insert(digest, resident);
        }
    }

    /// Whether this cell is the one of a digest.
    pub(crate) fn knows(&self, digest: SessionDigest, cell: &Arc<Cell>) -> bool {
        let Some(shard) = self.shard(digest) else {
            return true;
        };
        match shard.lock().residents.get(&digest) {
            Some(Resident::Cell(known)) => Arc::ptr_eq(known, cell),
            _ => false,
        }
    }

    /// Forgets a cell, if it is the one that is known.
    pub(crate) fn remove(&self, digest: SessionDigest, cell: &Arc<Cell>) {
        if let Some(shard) = self.shard(digest) {
            let mut shard = shard.lock();
            if let Some(Resident::Cell(known)) = shard.residents.get(&digest)
                && Arc::ptr_eq(known, cell)
            {
                shard.residents.swap_remove(&digest);
            }
        }
    }

    /// Forgets that a digest is hidden: the index does not show it any more.
    pub(crate) fn unhide(&self, digest: SessionDigest) {
        if let Some(shard) = self.shard(digest) {
            let mut shard = shard.lock();
            if let Some(Resident::Hidden(..)) = shard.residents.get(&digest) {
                shard.residents.swap_remove(&digest);
            }
        }
    }

    /// Cells and hidden digests in memory.
    pub(crate) fn len(&self) -> usize {
        let shards = self.shards.iter();
        shards.map(|shard| shard.lock().residents.len()).sum()
    }
}
