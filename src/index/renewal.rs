//! A fresh copy of the index, made while the old one is in use.
//!
//! sled never gives back what its file has grown to, and what was removed from
//! it lies there until it is written over: a copy into another directory is
//! as large as its rows, and holds nothing else.
//!
//! INVARIANT: behind the cursor the successor has the rows of the index. What
//! the index is told it hands on, wherever the cursor is; copying and telling
//! exclude each other, which is the caller's part.

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use parking_lot::RwLock;

use super::guard::Outcome;
use super::rows::Index;

const TREES: usize = 7;

/// How far the copy has come.
#[derive(Debug, Clone, Default)]
pub(crate) struct CopyCursor {
    tree: usize,
    /// The last key of the tree that was copied.
    after: Option<sled::IVec>,
}

/// The index that will take the place of this one, if one is being made.
#[derive(Debug, Default)]
pub(super) struct Successor(RwLock<Option<Arc<Index>>>);

impl Successor {
    fn get(&self) -> Option<Arc<Index>> {
        self.0.read().clone()
    }
}

impl Index {
    fn trees(&self) -> [&sled::Tree; TREES] {
        [
            &self.sessions,
            &self.pages,
            &self.dead,
            &self.expiry,
            &self.owners,
            &self.retired,
            &self.meta,
        ]
    }

    fn twin_of(&self, other: &Self, tree: &sled::Tree) -> Option<&sled::Tree> {
        let name = tree.name();
        let place = other.trees().iter().position(|tree| tree.name() == name)?;
        self.trees().get(place).copied()
    }

    /// Begins a copy in a directory.
    pub(crate) fn begin_renewal(&self, directory: &Path, cache_bytes: u64) -> Outcome<Arc<Self>> {
        let successor = Arc::new(Self::open(directory, cache_bytes)?);
        *self.successor.0.write() = Some(Arc::clone(&successor));
        Ok(successor)
    }

    /// Lets go of the copy, as it is.
    pub(crate) fn end_renewal(&self) -> Option<Arc<Self>> {
        self.successor.0.write().take()
    }

    /// Hands a change on. A copy that is in trouble is no trouble here: it
    /// remembers its own, and whoever finishes it meets it again.
    pub(super) fn hand_on(&self, tree: &sled::Tree, key: &[u8], row: Option<&[u8]>) {
        let Some(successor) = self.successor.get() else {
            return;
        };
        let Some(twin) = successor.twin_of(self, tree) else {
            return;
        };
        let told = match row {
            Some(row) => successor.insert(twin, key, row.to_vec()),
            None => successor.remove(twin, key),
        };
        if let Err(trouble) = told {
            tracing::warn!(%trouble, "the copy of the index is in trouble");
        }
    }

    /// Copies some rows; whether there are more.
    pub(crate) fn copy_rows(
        &self,
        to: &Self,
        cursor: &mut CopyCursor,
        limit: usize,
    ) -> Outcome<bool> {
        let (from, onto) = (self.trees(), to.trees());
        let (Some(from), Some(onto)) = (from.get(cursor.tree), onto.get(cursor.tree)) else {
            return Ok(false);
        };
        let start = cursor.after.clone();
        let start = start.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.guard.run(|| {
            from.range((start, Bound::Unbounded))
                .take(limit)
                .collect::<sled::Result<Vec<_>>>()
        })?;
        for (key, row) in &rows {
            to.guard.run(|| onto.insert(key, row))?;
        }
        if rows.len() < limit {
            cursor.tree = cursor.tree.saturating_add(1);
            cursor.after = None;
        } else {
            cursor.after = rows.last().map(|(key, _)| key.clone());
        }
        Ok(true)
    }

    /// Takes over what is not in rows.
    pub(crate) fn take_over(&self, old: &Self) {
        self.live.set(old.live_bytes());
    }
}
