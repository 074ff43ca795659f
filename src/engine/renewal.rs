//! The index in a fresh directory, while the database is in use.
//!
//! Rows are copied in slices, each under the checkpointer's lock, under which
//! alone the index is written to; what is written between two slices goes to
//! both. Between two slices the copy is written out, and from time to time made
//! durable, without the lock: it takes no more space than it has to, and what is
//! left for the end, when nothing may be written, is little. A crash before
//! `CURRENT` names the copy leaves a directory that the next open removes.

use std::path::PathBuf;
use std::sync::Arc;

use super::Engine;
use super::checkpoint::Checkpointer;
use super::current::write_current;
use super::index_source::next_name;
use crate::error::{Error, Result};
use crate::format::header::Current;
use crate::format::identity::Batch;
use crate::index::{self, CopyCursor, Index, Trouble};

/// Rows under one hold of the checkpointer.
const SLICE: usize = 1024;
/// Rows between two syncs of the copy: some ten megabytes.
const SYNC_EVERY: usize = 32 * SLICE;

/// A copy of an index of this size takes tens of megabytes of memory, and sled
/// by itself levels off at about twice what is needed: it is copied when it has
/// three times that, and a smaller one when it has half as much again, or, when
/// nobody writes, a quarter.
const LARGE_BYTES: u64 = 64 << 20;

/// A copy under way.
#[derive(Debug)]
pub(super) struct Renewal {
    successor: Arc<Index>,
    name: String,
    path: PathBuf,
    cursor: CopyCursor,
    /// The index that is copied, by its number.
    generation: u64,
    /// Rows since the last sync, about.
    unsynced: usize,
    /// Whether all rows are copied.
    is_whole: bool,
    /// Rows copied, about.
    rows: u64,
}

/// What is to be done next.
enum Next {
    /// What was copied is to be written out, which needs no lock.
    WriteOut(Arc<Index>),
    /// It is to be made durable, which needs none either.
    Flush(Arc<Index>),
    /// Nothing.
    Nothing,
}

impl Engine {
    /// Whether the index has grown out of proportion.
    pub(super) fn wants_renewal(&self) -> bool {
        let Ok(index) = self.index.get() else {
            return false;
        };
        let least = self.options.index_renewal_bytes;
        let bytes = index.disk_bytes();
        let fresh = || index.fresh_bytes().ok().flatten();
        least == 0 || bytes >= least && fresh().is_some_and(|fresh| is_overgrown(bytes, fresh))
    }

    /// Whether a small index is half as large again as it could be, or one that
    /// is not large by a quarter. While it is used it may grow: for when nobody
    /// writes.
    pub(super) fn wants_renewal_at_rest(&self) -> bool {
        let Ok(index) = self.index.get() else {
            return false;
        };
        let least = self.options.index_renewal_bytes;
        let bytes = index.disk_bytes();
        let small = least / 4..least.saturating_mul(2);
        if small.contains(&bytes) {
            let fresh = index.least_fresh_bytes();
            return fresh.is_some_and(|fresh| bytes / 3 > fresh / 2);
        }
        let fresh = || index.fresh_bytes().ok().flatten();
        bytes >= least && fresh().is_some_and(|fresh| is_loose(bytes, fresh))
    }

    /// Whether a copy is under way.
    pub(super) fn is_renewing(&self) -> bool {
        self.checkpointer.lock().renewal.is_some()
    }

    /// Copies some of the index, or begins to; whether there is more to do.
    pub(super) fn renew_step(&self) -> Result<bool> {
        let _step = tracing::debug_span!("renewal").entered();
        let next = self.renew_under(&mut self.checkpointer.lock())?;
        let (successor, written) = match next {
            Next::Nothing => return Ok(false),
            Next::WriteOut(successor) => {
                let written = successor.write_out();
                (successor, written)
            }
            Next::Flush(successor) => {
                let flushed = successor.flush();
                (successor, flushed)
            }
        };
        Ok(written.map_or_else(|trouble| self.give_up(&successor, &trouble), |()| true))
    }

    /// What a failed flush has lost no other one brings to disk.
    fn give_up(&self, successor: &Arc<Index>, trouble: &Trouble) -> bool {
        tracing::warn!(%trouble, "a copy of the index was given up");
        let mut checkpointer = self.checkpointer.lock();
        let renewal = checkpointer.renewal.as_ref();
        let is_it = renewal.is_some_and(|renewal| Arc::ptr_eq(&renewal.successor, successor));
        if let (true, Ok(index)) = (is_it, self.index.get()) {
            self.abandon_renewal(&mut checkpointer, &index);
        }
        false
    }

    fn renew_under(&self, checkpointer: &mut Checkpointer) -> Result<Next> {
        self.journal.check()?;
        if checkpointer.has_plan() {
            return Ok(Next::Nothing);
        }
        // What is copied already waits for there to be room again.
        self.check_spare_room()?;
        let index = self.index.get()?;
        let mut renewal = match checkpointer.renewal.take() {
            Some(renewal) if renewal.generation == self.index.generation() => renewal,
            _ => self.begin_renewal(&index)?,
        };
        let next = self.advance_renewal(&mut renewal, &index, checkpointer.batch);
        let is_over = matches!(next, Ok(Next::Nothing));
        self.progress
            .set_renewal((!is_over).then_some(renewal.rows));
        if !is_over {
            checkpointer.renewal = Some(renewal);
        }
        next.or_else(|trouble| {
            tracing::warn!(%trouble, "a copy of the index was given up");
            self.abandon_renewal(checkpointer, &index);
            Ok(Next::Nothing)
        })
    }

    fn begin_renewal(&self, index: &Index) -> Result<Renewal> {
        let name = next_name(&self.index.name());
        let path = self.disk.index_directory(&name);
        let failed = |error| Error::io("copy the index to", &path, error);
        drop(index.end_renewal());
        index::set_aside(&path).map_err(failed)?;
        let cache_bytes = self.options.index_cache_bytes();
        let successor = index
            .begin_renewal(&path, cache_bytes)
            .map_err(|trouble| failed(trouble.into_io()))?;
        Ok(Renewal {
            successor,
            name,
            path,
            cursor: CopyCursor::default(),
            generation: self.index.generation(),
            unsynced: 0,
            is_whole: false,
            rows: 0,
        })
    }

    /// Lets go of a copy that is under way.
    pub(super) fn abandon_renewal(&self, checkpointer: &mut Checkpointer, index: &Index) {
        self.progress.set_renewal(None);
        checkpointer.abandon_renewal(index);
    }

    fn advance_renewal(
        &self,
        renewal: &mut Renewal,
        index: &Index,
        batch: Batch,
    ) -> Result<Next, Trouble> {
        let successor = &renewal.successor;
        if !renewal.is_whole {
            renewal.is_whole = !index.copy_rows(successor, &mut renewal.cursor, SLICE)?;
            renewal.rows = renewal.rows.saturating_add(SLICE as u64);
            renewal.unsynced = renewal.unsynced.saturating_add(SLICE);
            let successor = Arc::clone(successor);
            if !renewal.is_whole && renewal.unsynced < SYNC_EVERY {
                return Ok(Next::WriteOut(successor));
            }
            renewal.unsynced = 0;
            return Ok(Next::Flush(successor));
        }
        successor.set_watermark(batch)?;
        successor.note_bytes_of_a_row()?;
        successor.take_over(index);
        let current = Current {
            database: self.database,
            index: renewal.name.clone(),
        };
        write_current(&*self.disk, &current).map_err(Trouble::new)?;
        drop(index.end_renewal());
        let (name, path) = (renewal.name.clone(), renewal.path.clone());
        let old = self.index.replace(Arc::clone(successor), name, path);
        successor.take_places(index);
        if let Err(error) = index::set_aside(&old) {
            tracing::warn!(%error, "the old index could not be removed");
        }
        tracing::debug!("the index is in a fresh directory");
        Ok(Next::Nothing)
    }
}

/// Whether an index is half as large again as a new one would be, or three
/// times as large where it is large.
fn is_overgrown(bytes: u64, fresh: u64) -> bool {
    let halves = if bytes < LARGE_BYTES { 3 } else { 6 };
    bytes / halves > fresh / 2
}

/// Whether an index that is not large is larger by a quarter than a new one
/// would be.
fn is_loose(bytes: u64, fresh: u64) -> bool {
    bytes < LARGE_BYTES && bytes / 5 > fresh / 4
}

impl Checkpointer {
    fn abandon_renewal(&mut self, index: &Index) {
        drop(index.end_renewal());
        if let Some(renewal) = self.renewal.take() {
            drop(renewal.successor);
            if let Err(error) = index::set_aside(&renewal.path) {
                tracing::warn!(%error, "a copy of the index could not be removed");
            }
        }
    }
}

#[cfg(test)]
mod tests;
