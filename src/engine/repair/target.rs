//! The new directory, until it is opened: segments that are filled with what
//! is saved, a journal with what came after, and a scratch index that says
//! where the newest of each session lies in the old directory.
//!
//! INVARIANT: `CURRENT` is written last. A repair that was broken off leaves
//! nothing that could be opened.

use std::path::Path;
use std::sync::Arc;

use super::super::commit::encode_payload;
use super::super::current::write_current;
use super::super::examine::Examiner;
use super::super::index_source::index_name;
use super::super::lookup::Setback;
use super::super::retirement::RetiredSums;
use crate::disk::Disk;
use crate::engine::Options;
use crate::error::{Error, Result};
use crate::format::effect::{Effect, Payload};
use crate::format::header::Current;
use crate::format::identity::{Batch, DatabaseId, Generation, Sequence, Timestamp};
use crate::format::journal_frame::frame_bytes;
use crate::format::record::SessionRow;
use crate::format::retired_rows::ShortDigest;
use crate::format::segment_frame::{FooterEntry, Retirement};
use crate::index::{self, Index, Outcome, Trouble};
use crate::journal::{Journal, JournalOptions, Purpose, Recovered};
use crate::segments::{BatchWriter, SegmentOptions, Segments, Standing};
use crate::session_id::SessionDigest;

/// Frames and dead IDs of one batch, and its bytes, about: a footer is read as
/// a whole.
const BATCH_ITEMS: usize = 1 << 16;
const BATCH_BYTES: u64 = 16 << 20;
/// The scratch index's cache.
const CACHE_BYTES: u64 = 16 << 20;

/// The directory.
pub(super) struct Target {
    disk: Arc<dyn Disk>,
    database: DatabaseId,
    /// Where everything lies in the old directory.
    pub(super) index: Index,
    store: Store,
}

/// The segments.
struct Store {
    segments: Arc<Segments>,
    writer: Option<BatchWriter>,
    /// The batch that is written, or written next.
    batch: Batch,
    items: usize,
    bytes: u64,
    hash: u64,
    retired: RetiredSums,
    next_generation: Generation,
    erased_through: Timestamp,
}

impl Target {
    /// Begins a database in an empty directory. Its ID is a new one: nothing
    /// of the old files, which go on to lie about, can be taken for its own.
    /// Its batches go on behind `last`, because frames keep their age.
    pub(super) fn create(
        disk: Arc<dyn Disk>,
        options: &Options,
        last: Batch,
        erased_through: Timestamp,
    ) -> Result<Self> {
        for directory in ["journal", "segments"] {
            disk.create_directory(Path::new(directory))
                .map_err(|error| Error::io("create", &disk.root().join(directory), error))?;
        }
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|error| {
            Error::io("draw an ID for", disk.root(), std::io::Error::other(error))
        })?;
        let database = DatabaseId(id);
        let segments = Segments::unopened(SegmentOptions {
            disk: Arc::clone(&disk),
            database,
            segment_bytes: options.segment_bytes,
            shortest_segment_bytes: options.shortest_segment_bytes,
        });
        let scratch = disk.index_directory(&index_name(0));
        let index = Index::open(&scratch, CACHE_BYTES);
        let index = index.map_err(|trouble| failed(&*disk, trouble))?;
        Ok(Self {
            disk,
            database,
            index,
            store: Store {
                segments: Arc::new(segments),
                writer: None,
                batch: last.next(),
                items: 0,
                bytes: 0,
                hash: 0,
                retired: RetiredSums::default(),
                next_generation: Generation(1),
                erased_through,
            },
        })
    }

    /// Trouble with the scratch index is none of the old directory's fault.
    pub(super) fn failure(&self, setback: Setback) -> Error {
        match setback {
            Setback::Error(error) => error,
            Setback::Index(trouble) => failed(&*self.disk, trouble),
        }
    }

    /// Runs something on the scratch index.
    pub(super) fn on_index<T>(&self, run: impl FnOnce(&Index) -> Outcome<T>) -> Result<T> {
        run(&self.index).map_err(|trouble| failed(&*self.disk, trouble))
    }

    /// IDs must not come alive again until then. The scratch index does not
    /// know them yet.
    pub(super) fn retire(&mut self, retirement: &Retirement) -> Result<()> {
        let until = retirement.until;
        let digests = &retirement.digests;
        let ids = digests
            .iter()
            .map(|digest| (until, ShortDigest::of(*digest)));
        let extended = self.store.retired.extend(ids.collect(), &self.index);
        extended.map_err(|trouble| failed(&*self.disk, trouble))?;
        for digest in digests {
            self.store.writer()?.retire(*digest, until);
        }
        Ok(())
    }

    /// Saves a session that was found whole, frame by frame.
    pub(super) fn save(
        &mut self,
        from: &Segments,
        digest: SessionDigest,
        row: &SessionRow,
    ) -> Result<()> {
        let examiner = Examiner {
            index: &self.index,
            segments: from,
        };
        let store = &mut self.store;
        let copied = examiner.session(digest, row, &mut |entry| Ok(store.copy(from, entry)?));
        let counted = copied.and_then(|_| Ok(store.count(digest, row)?));
        counted.map_err(|setback| self.failure(setback))
    }

    /// All that the segments are to hold is in them.
    pub(super) fn finish_segments(&mut self) -> Result<()> {
        self.store.commit()
    }

    /// Begins the journal.
    pub(super) fn journal(&self, options: &Options) -> Result<Arc<Journal>> {
        let options = JournalOptions {
            disk: Arc::clone(&self.disk),
            database: self.database,
            segment_bytes: options.journal_segment_bytes,
            longest_segment_bytes: options.longest_journal_segment_bytes,
        };
        Journal::start(options, Recovered::default())
    }

    /// Makes it a database.
    pub(super) fn finish(self) -> Result<()> {
        let scratch = self.disk.index_directory(&index_name(0));
        drop(self.index);
        index::set_aside(&scratch).map_err(|error| Error::io("remove", &scratch, error))?;
        let current = Current {
            database: self.database,
            index: index_name(1),
        };
        write_current(&*self.disk, &current)
    }
}

impl Store {
    /// For one more frame or dead ID.
    fn writer(&mut self) -> Result<&mut BatchWriter> {
        if self.items >= BATCH_ITEMS || self.bytes >= BATCH_BYTES {
            self.commit()?;
        }
        self.items = self.items.saturating_add(1);
        match &mut self.writer {
            Some(writer) => Ok(writer),
            none => Ok(none.insert(self.segments.begin(self.batch)?)),
        }
    }

    fn copy(&mut self, from: &Segments, entry: &FooterEntry) -> Result<()> {
        let raw = from.read_whole(entry)?;
        self.bytes = self.bytes.saturating_add(raw.len() as u64);
        self.writer()?.copy_from(from, entry, &raw).map(drop)
    }

    fn count(&mut self, digest: SessionDigest, row: &SessionRow) -> Result<(), Trouble> {
        let hash = row.hash(digest).map_err(Trouble::new)?;
        self.hash = self.hash.wrapping_add(hash);
        let next = row.generation().next();
        self.next_generation = self.next_generation.max(next);
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        (self.items, self.bytes) = (0, 0);
        let Some(writer) = self.writer.take() else {
            return Ok(());
        };
        let standing = Standing {
            journal_through: Sequence(0),
            next_generation: self.next_generation,
            erased_through: self.erased_through,
            index_hash: self.hash,
            retired: self.retired.list(),
        };
        writer.commit(standing, &[])?;
        self.batch = self.batch.next();
        Ok(())
    }
}

fn failed(disk: &dyn Disk, trouble: Trouble) -> Error {
    Error::io("write the index of", disk.root(), trouble.into_io())
}

/// Appends a transaction to a journal.
pub(super) fn append(journal: &Journal, effects: Vec<Effect<'_>>) -> Result<()> {
    let payload = encode_payload(&Payload::Transaction(effects), 256)?;
    let bytes = frame_bytes(payload.len()) as u64;
    let mut reservation = journal.reserve(bytes, Purpose::Put)?;
    journal.append(&mut reservation, &payload).map(drop)
}
