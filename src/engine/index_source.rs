//! Where the index comes from: opened and checked, or made anew from the
//! segments.
//!
//! Promises: what it hands out agrees with the footers. An index that is
//! missing, damaged, stale or of another opinion costs a rebuild, never data.

use std::path::PathBuf;
use std::sync::Arc;

use super::Engine;
use super::checkpoint::Checkpointer;
use super::current::{put_mark, write_current};
use super::lookup::Setback;
use super::rebuild::{self, Circumstances, Survey};
use super::registry::Resident;
use super::retirement::RetiredSums;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::format::header::{CleanMark, Current};
use crate::format::identity::{Batch, DatabaseId, Location, Timestamp};
use crate::format::segment_frame::Footer;
use crate::index::{self, Index, Trouble};
use crate::segments::Segments;
use crate::session_id::SessionDigest;

/// An index that agrees with the segments.
pub(super) struct Opened {
    pub(super) index: Index,
    /// Its directory's name.
    pub(super) name: String,
    /// The hash of its session rows.
    pub(super) hash: u64,
    /// The sums of the retired IDs.
    pub(super) retired: RetiredSums,
    /// Sessions of which a rebuild found no readable image.
    pub(super) damaged: Vec<SessionDigest>,
    /// Since when something that was removed may lie in files.
    pub(super) removed_since: Option<Timestamp>,
}

/// What an index is opened or made from.
pub(super) struct IndexSource<'s> {
    pub(super) disk: &'s dyn Disk,
    pub(super) database: DatabaseId,
    pub(super) segments: &'s Segments,
    /// For the index's own cache.
    pub(super) cache_bytes: u64,
    /// The same for places of images.
    pub(super) places_bytes: u64,
    pub(super) circumstances: Circumstances,
}

/// The name of an index directory.
pub(super) fn index_name(number: u32) -> String {
    format!("index-{number:04}")
}

/// The name of the next index directory.
pub(super) fn next_name(name: &str) -> String {
    let number = name
        .rsplit('-')
        .next()
        .and_then(|number| number.parse::<u32>().ok());
    index_name(number.unwrap_or(0).wrapping_add(1).max(1))
}

impl IndexSource<'_> {
    fn directory(&self, name: &str) -> PathBuf {
        self.disk.index_directory(name)
    }

    /// Opens the index in the directory `name` and applies the batches that
    /// it may not have seen. After an unclean stop it is still to be checked.
    pub(super) fn attach(
        &self,
        name: &str,
        last: Option<&(Location, Footer)>,
        is_clean: bool,
    ) -> Result<Opened, Setback> {
        let index = Index::open(&self.directory(name), self.cache_bytes)?;
        let index = index.with_places(self.places_bytes);
        let footer = last.map(|(_, footer)| footer);
        // What was removed since the last round is not known after a crash.
        let mut removed_since = footer.map(|footer| footer.erased_through);
        if is_clean {
            removed_since = index.take_sizes_note(removed_since)?;
        } else {
            self.catch_up(&index, last)?;
        }
        if footer.is_none() {
            index.is_new();
        }
        // Hints that are written from now on are for other timeouts than the
        // note says: it would be wrong once it is right again.
        let noted = index.hints_are_for()?;
        if noted.is_some_and(|noted| noted != self.circumstances.timeouts.encode()) {
            index.forget_hints_note()?;
        }
        Ok(Opened {
            index,
            name: name.to_owned(),
            hash: footer.map_or(0, |footer| footer.index_hash),
            retired: RetiredSums::of(footer),
            damaged: Vec::new(),
            removed_since,
        })
    }

    /// Compares the index with what the last footer says of it, and mends
    /// what follows from it.
    pub(super) fn check(&self, opened: &Opened) -> Result<(), Trouble> {
        let Circumstances { timeouts, now } = self.circumstances;
        let index = &opened.index;
        let counts = |location| self.segments.counts(location);
        let summary = index.check(now, |record| timeouts.has_hint(record), counts)?;
        if summary.hash != opened.hash {
            return Err(Trouble::new("the index does not match the segments"));
        }
        if !opened.retired.are_in(&summary.retired) {
            return Err(Trouble::new("retired IDs of the index are missing"));
        }
        if !summary.derived_match {
            tracing::info!("hints and owners of the index are put right");
            index.mend_derived()?;
        }
        if !summary.hints_hold {
            index.forget_hints_note()?;
        }
        summary
            .orphans
            .into_iter()
            .try_for_each(|orphan| opened.index.bury(orphan))
    }

    /// Applies the batches that the index may not have seen.
    fn catch_up(&self, index: &Index, last: Option<&(Location, Footer)>) -> Result<(), Setback> {
        let watermark = index.watermark()?;
        if watermark > last.map_or(Batch(0), |(_, footer)| footer.batch) {
            return Err(Trouble::new("the index is newer than the segments").into());
        }
        let Some(last) = last else { return Ok(()) };
        let missed = self.segments.footers_after(last, watermark)?;
        let missed = missed.ok_or_else(|| Trouble::new("the index has lost more than is kept"))?;
        for location in missed {
            let footer = self.segments.read_footer(location)?;
            rebuild::catch_up(index, self.segments, &footer, self.circumstances)?;
        }
        Ok(())
    }

    /// Makes a new index beside the one named `old` and changes over to it.
    /// `watcher` is told how many rows are written, and of how many.
    pub(super) fn rebuild(
        &self,
        old: &str,
        trouble: &Trouble,
        watcher: &mut dyn FnMut(u64, u64),
    ) -> Result<Opened> {
        let _step = tracing::debug_span!("rebuild").entered();
        tracing::warn!(reason = %trouble, "the index is rebuilt from the segments");
        let footers = self.segments.scan(&mut |done, total| {
            tracing::info!(done, total, "rebuild: bytes of segments read");
        })?;
        let survey = Survey::of(
            footers.iter().map(|(_, footer)| footer),
            self.circumstances.now,
        );
        let batch = footers.last().map_or(Batch(0), |(_, footer)| footer.batch);
        let name = next_name(old);
        let directory = self.directory(&name);
        let in_index = |error| Error::io("rebuild the index in", &directory, error);
        let failed = |trouble: Trouble| in_index(trouble.into_io());
        index::set_aside(&directory).map_err(in_index)?;
        let index = Index::open(&directory, self.cache_bytes).map_err(failed)?;
        let index = index.with_places(self.places_bytes);
        index.is_new();
        let circumstances = self.circumstances;
        let mut progress = |done, total| {
            watcher(done, total);
            tracing::info!(done, total, "rebuild: rows written");
        };
        let filled = rebuild::fill(&index, self.segments, &survey, circumstances, &mut progress);
        let filled = filled.map_err(|setback| match setback {
            Setback::Error(error) => error,
            Setback::Index(trouble) => failed(trouble),
        })?;
        let promised = footers.last().map_or(0, |(_, footer)| footer.index_hash);
        // Where images are damaged their rows are others. Where none is, one
        // may have been so before, and it would be wrong to refuse all for it.
        if filled.damaged.is_empty() && filled.hash != promised {
            tracing::error!("the sessions in the segments are not those that the last batch had");
        }
        // What had passed is left out, and a clock may go back.
        let now = circumstances.now;
        index.set_forgotten_through(now).map_err(failed)?;
        index.set_watermark(batch).map_err(failed)?;
        let timeouts = circumstances.timeouts.encode();
        index.note_hints(timeouts).map_err(failed)?;
        let current = Current {
            database: self.database,
            index: name.clone(),
        };
        write_current(self.disk, &current)?;
        if let Err(error) = index::set_aside(&self.directory(old)) {
            tracing::warn!(%error, "the old index could not be removed");
        }
        Ok(Opened {
            index,
            name,
            hash: filled.hash,
            retired: filled.retired,
            damaged: filled.damaged,
            removed_since: footers.last().map(|(_, footer)| footer.erased_through),
        })
    }
}

impl Engine {
    /// Rebuilds the index unless somebody has since `generation`.
    pub(super) fn mend_index(&self, generation: u64, trouble: &Trouble) -> Result<()> {
        let mut checkpointer = self.checkpointer.lock();
        // Once it is closed the directory is somebody else's.
        self.index.get()?;
        if self.index.generation() != generation {
            return Ok(());
        }
        match self.finish_publishing(&mut checkpointer) {
            Ok(true) => Ok(()),
            Ok(false) | Err(Error::StorageFull { .. }) => {
                self.rebuild_index(&mut checkpointer, trouble)
            }
            Err(error) => {
                self.journal.poison(&error);
                Err(error)
            }
        }
    }

    /// Rebuilds the index; no batch is being written meanwhile.
    pub(super) fn rebuild_index(
        &self,
        checkpointer: &mut Checkpointer,
        trouble: &Trouble,
    ) -> Result<()> {
        if let Ok(index) = self.index.get() {
            self.abandon_renewal(checkpointer, &index);
            index.forget_places();
        }
        let source = IndexSource {
            disk: &*self.disk,
            database: self.database,
            segments: &self.segments,
            cache_bytes: self.options.index_cache_bytes(),
            places_bytes: self.options.places_bytes(),
            circumstances: Circumstances {
                timeouts: self.options.timeouts,
                now: self.now(),
            },
        };
        self.ballast.make_room();
        self.progress.set_rebuild(0, 0);
        let opened = source.rebuild(&self.index.name(), trouble, &mut |rows, total| {
            self.progress.set_rebuild(rows, total);
        });
        self.progress.end_rebuild();
        let opened = opened?;
        checkpointer.index_hash = opened.hash;
        checkpointer.retired = opened.retired;
        for digest in opened.damaged {
            self.keep_owner(digest);
        }
        let path = self.disk.index_directory(&opened.name);
        self.index
            .replace(Arc::new(opened.index), opened.name, path);
        Ok(())
    }

    /// A damaged row does not say whose the session is. One that is in memory
    /// is still used, and can be revoked.
    fn keep_owner(&self, digest: SessionDigest) {
        if let Some(Resident::Cell(cell)) = self.registry.look(digest) {
            self.keep_owner_of(&cell.state.read());
        }
    }

    /// Leaves a mark that the index is whole, so that the next open need not
    /// look at all of it.
    pub(super) fn leave_mark(&self, checkpointer: &Checkpointer) {
        let batch = checkpointer.batch;
        let Ok(index) = self.index.get() else { return };
        // An index that was rebuilt over damage is not what the footer says,
        // which is what an open after a clean stop believes.
        let footer = checkpointer.footer.as_ref();
        if footer.map_or(0, |(_, footer)| footer.index_hash) != checkpointer.index_hash {
            return;
        }
        if checkpointer.compactor.is_ahead() || !self.ballast.has_room() {
            return;
        }
        let noted = index
            .note_sizes(self.erasure.oldest())
            .and_then(|()| index.set_watermark(batch))
            .and_then(|()| index.flush());
        if let Err(trouble) = noted {
            tracing::warn!(%trouble, "the index could not be closed cleanly");
            return;
        }
        let marked = index::mark(&self.index.path())
            .map_err(|error| Error::io("read", &self.index.path(), error))
            .and_then(|files| {
                let database = self.database;
                put_mark(
                    &*self.disk,
                    &CleanMark {
                        database,
                        batch,
                        index_hash: checkpointer.index_hash,
                        files,
                    },
                )
            });
        if let Err(error) = marked {
            tracing::warn!(%error, "no mark of the clean stop could be left");
        }
    }
}

#[cfg(test)]
mod tests;
