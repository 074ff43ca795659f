//! Opening: lock, identity, segments, index, journal, in this order.
//!
//! Nothing is cut off or removed before all of it was read and found to hang
//! together: an open that refuses loses nothing, and leaves the directory as
//! it was, but for the mark of a clean stop and what is derived.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::background::Background;
use super::ballast::{Ballast, INDEX_ROOM};
use super::breaks::Breaks;
use super::cache::PageCache;
use super::checkpoint::Checkpointer;
use super::compaction::Compactor;
use super::current::{read_or_create_current, take_mark};
use super::erasure::Erasure;
use super::index_slot::IndexSlot;
use super::index_source::{IndexSource, Opened};
use super::lookup::Setback;
use super::memtable::Memtable;
use super::progress::Progress;
use super::rebuild::Circumstances;
use super::replay::{FIRST_EPOCH, Replay, Replayed};
use super::space::Allowance;
use super::{Engine, Options};
use crate::disk::{Disk, DiskLock};
use crate::error::{Error, Result};
use crate::format::effect::Payload;
use crate::format::identity::{Batch, DatabaseId, Generation, Location, Sequence, Timestamp};
use crate::format::segment_frame::Footer;
use crate::index::Trouble;
use crate::journal::{self, Journal, JournalOptions, Recovered};
use crate::segments::{SegmentOptions, Segments};
use crate::sync::atomic::AtomicU64;
use crate::sync::thread;
use crate::sync::{Mutex, RwLock};

const LOCK: &str = "LOCK";

/// The files, read and checked.
struct Opening {
    disk: Arc<dyn Disk>,
    options: Options,
    lock: Box<dyn DiskLock>,
    database: DatabaseId,
    segments: Arc<Segments>,
    footer: Option<(Location, Footer)>,
    /// The time of the opening.
    now: Timestamp,
}

impl Engine {
    /// Opens the database on a disk, or creates it.
    pub(crate) fn open(disk: Arc<dyn Disk>, options: Options) -> Result<Arc<Self>> {
        if !options.background {
            return Self::open_here(disk, options);
        }
        let root = disk.root().to_path_buf();
        Background::start(&root, move || Self::open_here(disk, options))
    }

    fn open_here(disk: Arc<dyn Disk>, options: Options) -> Result<Arc<Self>> {
        let _step = tracing::debug_span!("open").entered();
        let lock = lock(&*disk)?;
        let current = read_or_create_current(&*disk)?;
        let (segments, footer) = Segments::open(SegmentOptions {
            disk: Arc::clone(&disk),
            database: current.database,
            segment_bytes: options.segment_bytes,
            shortest_segment_bytes: options.shortest_segment_bytes,
        })?;
        let opening = Opening {
            now: Timestamp::from(options.clock.now()),
            disk,
            options,
            lock,
            database: current.database,
            segments: Arc::new(segments),
            footer,
        };
        // Before sled is touched.
        let ballast = Ballast::find(Arc::clone(&opening.disk));
        ballast.make_room();
        let clean = take_mark(&*opening.disk, &current, opening.footer())?;
        tracing::debug!(clean, "opening");
        let (opened, recovered, replayed) = opening.load(&current.index, clean)?;
        opening.segments.cut_uncommitted()?;
        opening.remove_dropped(&opened);
        let directory = opening.disk.index_directory(&opened.name);
        if let Err(error) = crate::index::remove_others(&directory) {
            tracing::warn!(%error, "an old index could not be removed");
        }
        opening.assemble(opened, recovered, replayed, ballast)
    }
}

pub(super) fn lock(disk: &dyn Disk) -> Result<Box<dyn DiskLock>> {
    disk.lock(Path::new(LOCK))
        .map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => Error::Locked {
                path: disk.root().to_path_buf(),
            },
            _ => Error::io("lock", disk.root(), error),
        })
}

impl Opening {
    fn footer(&self) -> Option<&Footer> {
        self.footer.as_ref().map(|(_, footer)| footer)
    }

    /// Removes files that compaction had done with, once the index cannot lead
    /// to them any more. It can wait: nothing reads them, and compaction will.
    fn remove_dropped(&self, opened: &Opened) {
        if !self.segments.has_dropped() || self.disk.free_bytes() < INDEX_ROOM {
            return;
        }
        let noted = opened.index.set_watermark(self.batch());
        let outcome = match noted.and_then(|()| opened.index.flush()) {
            Ok(()) => self
                .segments
                .remove_dropped()
                .map_err(|error| error.to_string()),
            Err(trouble) => Err(trouble.to_string()),
        };
        if let Err(reason) = outcome {
            tracing::warn!(reason, "files that compaction emptied could not be removed");
        }
    }

    fn batch(&self) -> Batch {
        self.footer().map_or(Batch(0), |footer| footer.batch)
    }

    fn journal_options(&self) -> JournalOptions {
        JournalOptions {
            disk: Arc::clone(&self.disk),
            database: self.database,
            segment_bytes: self.options.journal_segment_bytes,
            longest_segment_bytes: self.options.longest_journal_segment_bytes,
        }
    }

    fn index_source(&self) -> IndexSource<'_> {
        IndexSource {
            disk: &*self.disk,
            database: self.database,
            segments: &self.segments,
            cache_bytes: self.options.index_cache_bytes(),
            places_bytes: self.options.places_bytes(),
            circumstances: Circumstances {
                timeouts: self.options.timeouts,
                now: self.now,
            },
        }
    }

    /// The index, and the journal replayed over it; rebuilds the index when
    /// it is not to be trusted, or has lost a session that the journal
    /// changes.
    fn load(&self, name: &str, is_clean: bool) -> Result<(Opened, Recovered, Replayed)> {
        let source = self.index_source();
        let attached = source.attach(name, self.footer.as_ref(), is_clean);
        let trouble = match attached.and_then(|opened| self.check_and_replay(opened, is_clean)) {
            Ok(loaded) => return Ok(loaded),
            Err(Setback::Error(error)) => return Err(error),
            Err(Setback::Index(trouble)) => trouble,
        };
        let rebuilt = source.rebuild(name, &trouble, &mut |_, _| {})?;
        match self.replay(&rebuilt) {
            Ok((recovered, replayed)) => Ok((rebuilt, recovered, replayed)),
            Err(Setback::Error(error)) => Err(error),
            Err(Setback::Index(trouble)) => {
                let path = self.disk.root().join("journal");
                Err(Error::corrupted(&path, 0, trouble))
            }
        }
    }

    /// Checks the index and replays the journal, side by side: what is
    /// replayed over an index that turns out to be wrong is thrown away.
    fn check_and_replay(
        &self,
        opened: Opened,
        is_clean: bool,
    ) -> Result<(Opened, Recovered, Replayed), Setback> {
        if is_clean {
            let (recovered, replayed) = self.replay(&opened)?;
            return Ok((opened, recovered, replayed));
        }
        let (checked, outcome) = thread::scope(|scope| {
            let check = scope.spawn(|| self.index_source().check(&opened));
            let outcome = self.replay(&opened);
            (check.join(), outcome)
        });
        let (recovered, replayed) = outcome?;
        checked.unwrap_or_else(|_| Err(Trouble::new("the check of the index panicked")))?;
        Ok((opened, recovered, replayed))
    }

    fn replay(&self, opened: &Opened) -> Result<(Recovered, Replayed), Setback> {
        let (after, next) = match &self.footer {
            Some((_, footer)) => (footer.journal_through, footer.next_generation),
            None => (Sequence(0), Generation(1)),
        };
        let cells = self.options.resident_cells();
        let mut replay = Replay::new(&opened.index, cells, next);
        let options = self.journal_options();
        let missing = |batch| self.segments.missing_batch(batch);
        let mut apply = |at, payload: Payload<'_>| replay.apply(at, payload);
        let recovered = journal::recover(&options, after, self.batch(), &missing, &mut apply);
        let replayed = replay.finish()?;
        Ok((recovered?, replayed))
    }

    fn assemble(
        self,
        opened: Opened,
        recovered: Recovered,
        replayed: Replayed,
        ballast: Ballast,
    ) -> Result<Arc<Engine>> {
        let journal = Journal::start(self.journal_options(), recovered)?;
        let path = self.disk.index_directory(&opened.name);
        let memtable = Memtable::new(self.options.memtable_bytes);
        memtable.grow(replayed.bytes);
        memtable.owe(0, replayed.owed());
        let erased_through = self
            .footer
            .as_ref()
            .map(|(_, footer)| footer.erased_through);
        // Before the first checkpoint only the journal tells since when
        // anything can have been removed.
        let removed_since = opened.removed_since.or(replayed.since);
        let erased_through = erased_through.or(removed_since).unwrap_or(self.now);
        let checkpointer = Checkpointer {
            batch: self.batch(),
            footer: (self.footer).map(|(location, footer)| (location, footer.without_contents())),
            index_hash: opened.hash,
            retired: opened.retired,
            pending: None,
            compactor: Compactor::new(self.segments.has_dropped()),
            renewal: None,
        };
        let engine = Arc::new(Engine {
            cache: PageCache::new(self.options.page_cache_bytes()),
            options: self.options,
            database: self.database,
            journal,
            segments: self.segments,
            index: IndexSlot::new(opened.index, opened.name, path),
            registry: replayed.registry,
            owners: replayed.owners,
            memtable,
            ballast,
            allowance: Allowance::default(),
            freeze: RwLock::new(FIRST_EPOCH),
            dirty: Mutex::new(replayed.dirty),
            checkpointer: Mutex::new(checkpointer),
            background: Background::default(),
            breaks: Breaks::new(),
            erasure: Erasure::new(erased_through, removed_since),
            progress: Progress::new(self.now),
            next_generation: AtomicU64::new(replayed.next_generation.0),
            latest: AtomicU64::new(self.now.0),
            ids_are_chosen: false.into(),
            closed: false.into(),
            lock: Mutex::new(Some(self.lock)),
            disk: self.disk,
        });
        engine.regain();
        Ok(engine)
    }
}
