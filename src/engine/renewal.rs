//! The index in a fresh directory, while the database is in use.
//!
//! Rows are copied in slices, each under the checkpointer's lock, under which
//! alone the index is written to; what is written between two slices goes to
//! both. A crash before `CURRENT` names the copy leaves a directory that the
//! next open removes.

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

/// A copy under way.
#[derive(Debug)]
pub(super) struct Renewal {
    successor: Arc<Index>,
    name: String,
    path: PathBuf,
    cursor: CopyCursor,
    /// The index that is copied, by its number.
    generation: u64,
    is_flushed: bool,
    /// Rows copied, about.
    rows: u64,
}

impl Engine {
    /// Whether the index is twice as large as a new one would be.
    pub(super) fn wants_renewal(&self) -> bool {
        let Ok(index) = self.index.get() else {
            return false;
        };
        let least = self.options.index_renewal_bytes;
        let bytes = index.disk_bytes();
        let is_twice = |fresh: Option<u64>| fresh.is_some_and(|fresh| bytes / 2 > fresh);
        least == 0 || bytes >= least && index.fresh_bytes().is_ok_and(is_twice)
    }

    /// Whether a copy is under way.
    pub(super) fn is_renewing(&self) -> bool {
        self.checkpointer.lock().renewal.is_some()
    }

    /// Copies some of the index, or begins to; whether there is more to do.
    pub(super) fn renew_step(&self) -> Result<bool> {
        let mut checkpointer = self.checkpointer.lock();
        self.journal.check()?;
        if checkpointer.has_plan() {
            return Ok(false);
        }
        // What is copied already waits for there to be room again.
        self.check_spare_room()?;
        let index = self.index.get()?;
        let mut renewal = match checkpointer.renewal.take() {
            Some(renewal) if renewal.generation == self.index.generation() => renewal,
            _ => self.begin_renewal(&index)?,
        };
        let more = self.advance_renewal(&mut renewal, &index, checkpointer.batch);
        let is_over = matches!(more, Ok(false));
        self.progress
            .set_renewal((!is_over).then_some(renewal.rows));
        if !is_over {
            checkpointer.renewal = Some(renewal);
        }
        more.or_else(|trouble| {
            tracing::warn!(%trouble, "a copy of the index was given up");
            self.abandon_renewal(&mut checkpointer, &index);
            Ok(false)
        })
    }

    fn begin_renewal(&self, index: &Index) -> Result<Renewal> {
        let name = next_name(&self.index.name());
        let path = self.disk.index_directory(&name);
        let failed = |error| Error::io("copy the index to", &path, error);
        drop(index.end_renewal());
        index::set_aside(&path).map_err(failed)?;
        let cache_bytes = self.options.index_cache_bytes() / 4;
        let successor = index
            .begin_renewal(&path, cache_bytes)
            .map_err(|trouble| failed(trouble.into_io()))?;
        Ok(Renewal {
            successor,
            name,
            path,
            cursor: CopyCursor::default(),
            generation: self.index.generation(),
            is_flushed: false,
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
    ) -> Result<bool, Trouble> {
        let successor = &renewal.successor;
        if index.copy_rows(successor, &mut renewal.cursor, SLICE)? {
            renewal.rows = renewal.rows.saturating_add(SLICE as u64);
            return Ok(true);
        }
        if !renewal.is_flushed {
            // The most of it, so that the last flush is a short one.
            successor.flush()?;
            renewal.is_flushed = true;
            return Ok(true);
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
        if let Err(error) = index::set_aside(&old) {
            tracing::warn!(%error, "the old index could not be removed");
        }
        tracing::debug!("the index is in a fresh directory");
        Ok(false)
    }
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
