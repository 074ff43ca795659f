//! A fresh copy of the index, made while the old one is in use.
//!
//! sled never gives back what its file has grown to, and what was removed from
//! it lies there until it is written over: a copy into another directory is
//! as large as its rows make it, and holds nothing else.
//!
//! INVARIANT: behind the cursor the successor has the rows of the index, but for
//! dead IDs; members of a group of hints may be missing that no session's row
//! names. What the index is told it hands on, wherever the cursor is; copying and
//! telling exclude each other, which is the caller's part.
//!
//! INVARIANT: of the dead IDs the successor has those that are behind the cursor
//! and those that were told meanwhile, in rows of its own, which are fuller.
//! They are copied and handed on as IDs and not as rows: a row of the index would
//! hide those that it does not hold and the successor's row does. An ID may be
//! added twice, and none goes before its time.

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use super::guard::Outcome;
use super::rows::Index;
use crate::format::derived_rows::GROUP_MEMBERS;
use crate::format::retired_rows::ROW_MEMBERS;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Mutex, RwLock};

const TREES: usize = 7;

const BYTES_OF_A_ROW: &[u8] = b"bytes of a row";
/// What a small row takes up in a new index, with what sled writes for it:
/// measured, 280 to 390.
const LEAST_BYTES_OF_A_ROW: u64 = 240;
/// So many rows say what one takes up.
const TELLING_ROWS: u64 = 4 << 10;
/// An index without rows.
const EMPTY_BYTES: u64 = 512 << 10;

/// How many rows there are, once somebody has counted them or knew it from the
/// beginning: a clean stop notes it, a check at open counts. A heuristic.
#[derive(Debug)]
pub(super) struct RowCount {
    rows: AtomicU64,
    is_known: AtomicBool,
    /// The most rows that there ever were in this index.
    highest: AtomicU64,
    /// Those, and its bytes, when it was new, if that is known.
    fresh: Mutex<(u64, u64)>,
}

impl Default for RowCount {
    fn default() -> Self {
        Self {
            rows: 0.into(),
            is_known: false.into(),
            highest: 0.into(),
            fresh: Mutex::default(),
        }
    }
}

impl RowCount {
    pub(super) fn add(&self) {
        let rows = self.rows.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        self.highest.fetch_max(rows, Ordering::Relaxed);
    }

    pub(super) fn remove(&self) {
        let fewer = |rows: u64| Some(rows.saturating_sub(1));
        let _ = self
            .rows
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer);
    }

    pub(super) fn get(&self) -> Option<u64> {
        let is_known = self.is_known.load(Ordering::Relaxed);
        is_known.then(|| self.rows.load(Ordering::Relaxed))
    }

    /// The index is new, and takes so much.
    fn note_fresh(&self, bytes: u64) {
        *self.fresh.lock() = (self.highest.load(Ordering::Relaxed), bytes);
    }

    /// What it took when it was new, unless far more rows were put then. A copy
    /// that did not help is not made again.
    fn least_fresh_bytes(&self, rows: u64) -> u64 {
        let (then, bytes) = *self.fresh.lock();
        if rows >= then / 2 { bytes } else { 0 }
    }

    pub(super) fn set(&self, rows: u64) {
        self.rows.store(rows, Ordering::Relaxed);
        self.is_known.store(true, Ordering::Relaxed);
    }
}

/// A row with its key.
pub(super) type Row = (sled::IVec, sled::IVec);

/// The last key of some rows, if there may be more behind it.
pub(super) fn last_key(rows: &[Row], limit: usize) -> Option<sled::IVec> {
    let last = rows.last().filter(|_| rows.len() >= limit);
    last.map(|(key, _)| key.clone())
}

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
        successor.is_new();
        *self.successor.0.write() = Some(Arc::clone(&successor));
        Ok(successor)
    }

    /// Lets go of the copy, as it is.
    pub(crate) fn end_renewal(&self) -> Option<Arc<Self>> {
        self.successor.0.write().take()
    }

    /// Hands a change on.
    pub(super) fn hand_on(&self, tree: &sled::Tree, key: &[u8], row: Option<&[u8]>) {
        self.tell_successor(|successor| {
            let Some(twin) = successor.twin_of(self, tree) else {
                return Ok(());
            };
            match row {
                Some(row) => successor.insert(twin, key, row.to_vec()),
                None => successor.remove(twin, key),
            }
        });
    }

    /// The same for what is no single row. A copy that is in trouble is no trouble
    /// here: it remembers its own, and whoever finishes it meets it again.
    pub(super) fn tell_successor(&self, tell: impl FnOnce(&Self) -> Outcome<()>) {
        let Some(successor) = self.successor.get() else {
            return;
        };
        if let Err(trouble) = tell(&successor) {
            successor.guard.fail();
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
        let after = cursor.after.take();
        cursor.after = if std::ptr::eq(*from, &raw const self.expiry) {
            // Each member is looked for.
            self.copy_groups(to, after, limit / GROUP_MEMBERS)?
        } else if std::ptr::eq(*from, &raw const self.retired) {
            // As many IDs as so many rows hold: half a mebibyte, in one go. With
            // less the rows would take more space.
            self.copy_retired(to, after, limit.saturating_mul(ROW_MEMBERS))?
        } else {
            let rows = self.rows_after(from, after, limit)?;
            for (key, row) in &rows {
                if to.guard.run(|| onto.insert(key, row))?.is_none() {
                    to.count.add();
                }
            }
            last_key(&rows, limit)
        };
        if cursor.after.is_none() {
            cursor.tree = cursor.tree.saturating_add(1);
        }
        Ok(true)
    }

    /// Some rows of a tree in order, those behind `after`.
    pub(super) fn rows_after(
        &self,
        tree: &sled::Tree,
        after: Option<sled::IVec>,
        limit: usize,
    ) -> Outcome<Vec<Row>> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.guard.run(|| {
            let rows = tree.range((start, Bound::Unbounded));
            rows.take(limit).collect()
        })
    }

    /// The directory was made just now: there are no rows yet, and none were
    /// removed. From now on both are counted.
    pub(crate) fn is_new(&self) {
        self.count.set(0);
        self.stains.set(false, None);
    }

    /// Bytes of an index with as many rows that was made just now, about;
    /// `None` while nobody has counted them.
    pub(crate) fn fresh_bytes(&self) -> Outcome<Option<u64>> {
        let Some(rows) = self.count.get() else {
            return Ok(None);
        };
        let noted = self.get(&self.meta, BYTES_OF_A_ROW)?;
        let noted = noted.and_then(|row| Some(u64::from_le_bytes(row.as_ref().try_into().ok()?)));
        let bytes_of_a_row = noted.unwrap_or(0).max(LEAST_BYTES_OF_A_ROW);
        let bytes = rows.saturating_mul(bytes_of_a_row);
        let least = self.count.least_fresh_bytes(rows);
        Ok(Some(bytes.saturating_add(EMPTY_BYTES).max(least)))
    }

    /// The same at least, where it may be small: how large a few rows are is not
    /// known before they were copied once.
    pub(crate) fn least_fresh_bytes(&self) -> Option<u64> {
        let rows = self.count.get()?;
        let bytes = rows.saturating_mul(LEAST_BYTES_OF_A_ROW);
        Some(bytes.max(self.count.least_fresh_bytes(rows)))
    }

    /// Notes what a row takes up in this index, which is new. Of a few rows
    /// nothing follows: the file grows in large steps.
    pub(crate) fn note_bytes_of_a_row(&self) -> Outcome<()> {
        let rows = self.count.get().unwrap_or(0);
        let taken = self.disk_bytes();
        self.count.note_fresh(taken);
        let bytes = if rows < TELLING_ROWS {
            LEAST_BYTES_OF_A_ROW
        } else {
            taken.saturating_sub(EMPTY_BYTES) / rows
        };
        self.insert(&self.meta, BYTES_OF_A_ROW, bytes.to_le_bytes().to_vec())
    }

    /// Takes over what is not in rows.
    pub(crate) fn take_over(&self, old: &Self) {
        self.live.set(old.live_frames());
        self.stains.take_over(&old.stains);
    }

    /// Takes over what is known of places, once it has taken the old one's
    /// place and before any row changes.
    pub(crate) fn take_places(&self, old: &Self) {
        old.places.hand_over(&self.places);
    }
}
