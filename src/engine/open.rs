//! Opening: lock, identity, segments, index, journal, in this order.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::{Mutex, RwLock};

use super::background::Background;
use super::cache::PageCache;
use super::checkpoint::Checkpointer;
use super::garbage::Garbage;
use super::index_slot::IndexSlot;
use super::lookup::Setback;
use super::memtable::Memtable;
use super::rebuild::{self, Survey};
use super::replay::{FIRST_EPOCH, Replay};
use super::{Engine, Options};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::format::codec::{Malformed, VERSION};
use crate::format::header::{CleanMark, Current};
use crate::format::identity::{Batch, DatabaseId, Generation, Location, Sequence};
use crate::format::segment_frame::Footer;
use crate::index::{self, Index, Trouble};
use crate::journal::{self, Journal, JournalOptions, Recovered};
use crate::segments::{SegmentOptions, Segments};

const CURRENT: &str = "CURRENT";
const CURRENT_NEW: &str = "CURRENT.new";
const CLEAN: &str = "CLEAN";
const CLEAN_NEW: &str = "CLEAN.new";
const LOCK: &str = "LOCK";
/// Memory of a session that is resident and unchanged.
const RESIDENT_BYTES: u64 = 512;

/// The index as it was opened, checked or rebuilt.
struct Opened {
    index: Index,
    name: String,
    hash: u64,
}

impl Engine {
    /// Opens the database on a disk, or creates it.
    pub(crate) fn open(disk: Arc<dyn Disk>, options: Options) -> Result<Arc<Self>> {
        let lock = disk
            .lock(Path::new(LOCK))
            .map_err(|error| match error.kind() {
                ErrorKind::WouldBlock => Error::Locked {
                    path: disk.root().to_path_buf(),
                },
                _ => Error::io("lock", disk.root(), error),
            })?;
        let current = read_or_create_current(&*disk)?;
        let (segments, footer) = Segments::open(SegmentOptions {
            disk: Arc::clone(&disk),
            database: current.database,
            segment_bytes: options.segment_bytes,
        })?;
        let segments = Arc::new(segments);
        let journal_options = JournalOptions {
            disk: Arc::clone(&disk),
            database: current.database,
            segment_bytes: options.journal_segment_bytes,
        };
        let batch = footer.as_ref().map_or(Batch(0), |(_, footer)| footer.batch);
        let clean = take_mark(&*disk, &current, batch)?;
        let mut opened = open_index(
            &*disk,
            &segments,
            &current,
            footer.as_ref(),
            clean,
            &options,
        )?;
        for attempt in 0.. {
            let cells = usize::try_from(options.cache_bytes / 4 / RESIDENT_BYTES).unwrap_or(1024);
            let after = footer
                .as_ref()
                .map_or(Sequence(0), |(_, footer)| footer.journal_through);
            let next = footer
                .as_ref()
                .map_or(Generation(1), |(_, footer)| footer.next_generation);
            let mut replay = Replay::new(&opened.index, cells, next);
            let recovered = journal::recover(&journal_options, after, batch, &mut |at, payload| {
                replay.apply(at, payload)
            });
            match (recovered, replay.setback.take()) {
                (Ok(recovered), _) => {
                    let Replay {
                        registry,
                        dirty,
                        bytes,
                        next_generation,
                        ..
                    } = replay;
                    let parts = Parts {
                        registry,
                        dirty,
                        bytes,
                        next_generation,
                        recovered,
                    };
                    let batch = Checkpointer {
                        batch,
                        footer,
                        index_hash: opened.hash,
                        pending: None,
                    };
                    return assemble(
                        disk,
                        options,
                        current.database,
                        segments,
                        opened,
                        journal_options,
                        batch,
                        parts,
                        lock,
                    );
                }
                (Err(_), Some(trouble)) if attempt == 0 => {
                    let Opened { index, name, .. } = opened;
                    drop(index);
                    let named = Current {
                        index: name,
                        ..current.clone()
                    };
                    opened = rebuild_index(&*disk, &segments, &named, &options, &trouble)?;
                }
                (Err(_), Some(trouble)) => {
                    let path = disk.root().join("journal");
                    return Err(Error::corrupted(&path, 0, trouble));
                }
                (Err(error), None) => return Err(error),
            }
        }
        Err(Error::Closed)
    }
}

struct Parts {
    registry: super::registry::Registry,
    dirty: super::checkpoint::Dirty,
    bytes: usize,
    next_generation: Generation,
    recovered: Recovered,
}

#[expect(
    clippy::too_many_arguments,
    reason = "everything an engine is made of, once"
)]
fn assemble(
    disk: Arc<dyn Disk>,
    options: Options,
    database: DatabaseId,
    segments: Arc<Segments>,
    opened: Opened,
    journal_options: JournalOptions,
    checkpointer: Checkpointer,
    parts: Parts,
    lock: Box<dyn crate::disk::DiskLock>,
) -> Result<Arc<Engine>> {
    let journal = Journal::start(journal_options, parts.recovered)?;
    let path = disk.index_directory(&opened.name);
    let memtable = Memtable::new(options.memtable_bytes);
    memtable.grow(parts.bytes);
    let garbage =
        Garbage::start().map_err(|error| Error::io("start a thread for", disk.root(), error))?;
    let with_threads = options.background;
    let engine = Arc::new(Engine {
        cache: PageCache::new(options.cache_bytes / 2),
        options,
        database,
        journal,
        segments,
        index: IndexSlot::new(opened.index, opened.name, path),
        registry: parts.registry,
        memtable,
        freeze: RwLock::new(FIRST_EPOCH),
        dirty: Mutex::new(parts.dirty),
        checkpointer: Mutex::new(checkpointer),
        garbage,
        background: Background::default(),
        next_generation: AtomicU64::new(parts.next_generation.0),
        latest: AtomicU64::new(0),
        closed: false.into(),
        lock: Mutex::new(Some(lock)),
        disk,
    });
    if with_threads {
        engine.background.start(&engine)?;
    }
    Ok(engine)
}

fn root() -> &'static Path {
    Path::new("")
}

fn read_file(disk: &dyn Disk, name: &str) -> Result<Option<Vec<u8>>> {
    let path = disk.root().join(name);
    let file = match disk.open(Path::new(name)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("open", &path, error)),
    };
    let failed = |error| Error::io("read", &path, error);
    file.sync_all().map_err(failed)?;
    let length = usize::try_from(file.length().map_err(failed)?).unwrap_or(0);
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0).map_err(failed)?;
    Ok(Some(bytes))
}

/// Writes a small file so that it is there wholly or not at all.
fn replace_file(disk: &dyn Disk, temporary: &str, name: &str, bytes: &[u8]) -> Result<()> {
    let path = disk.root().join(name);
    let failed = |error| Error::io("write", &path, error);
    match disk.remove(Path::new(temporary)) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let file = disk.create(Path::new(temporary)).map_err(failed)?;
    file.write_all_at(bytes, 0).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    disk.rename(Path::new(temporary), Path::new(name))
        .map_err(failed)?;
    disk.sync_directory(root()).map_err(failed)
}

fn read_or_create_current(disk: &dyn Disk) -> Result<Current> {
    let path = disk.root().join(CURRENT);
    if let Some(bytes) = read_file(disk, CURRENT)? {
        return Current::decode(&bytes).map_err(|malformed| match malformed {
            Malformed::Version(found) => Error::Version {
                path,
                found,
                supported: VERSION,
            },
            Malformed::Damaged(reason) => Error::corrupted(&path, 0, reason),
        });
    }
    refuse_orphans(disk)?;
    for directory in ["journal", "segments"] {
        disk.create_directory(Path::new(directory))
            .map_err(|error| Error::io("create", &disk.root().join(directory), error))?;
    }
    let mut id = [0; 16];
    getrandom::fill(&mut id)
        .map_err(|error| Error::io("draw an ID for", &path, std::io::Error::other(error)))?;
    let current = Current {
        database: DatabaseId(id),
        index: index_name(1),
    };
    disk.sync_directory(root())
        .map_err(|error| Error::io("sync", disk.root(), error))?;
    write_current(disk, &current)?;
    Ok(current)
}

fn write_current(disk: &dyn Disk, current: &Current) -> Result<()> {
    let path = disk.root().join(CURRENT);
    let bytes = current
        .encode()
        .map_err(|malformed| Error::corrupted(&path, 0, malformed))?;
    replace_file(disk, CURRENT_NEW, CURRENT, &bytes)
}

/// Without `CURRENT` there may be no file that holds anything (1).
fn refuse_orphans(disk: &dyn Disk) -> Result<()> {
    for directory in ["journal", "segments"] {
        let names = match disk.list(Path::new(directory)) {
            Ok(names) => names,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::io("list", &disk.root().join(directory), error)),
        };
        for name in names {
            let relative = format!("{directory}/{name}");
            let bytes = read_file(disk, &relative)?.unwrap_or_default();
            if bytes.iter().any(|byte| *byte != 0) {
                return Err(Error::corrupted(
                    &disk.root().join(CURRENT),
                    0,
                    format_args!("it is missing, but {relative} holds data"),
                ));
            }
        }
    }
    Ok(())
}

fn index_name(number: u32) -> String {
    format!("index-{number:04}")
}

/// The name of the next index directory.
fn next_name(name: &str) -> String {
    let number = name
        .rsplit('-')
        .next()
        .and_then(|number| number.parse::<u32>().ok());
    index_name(number.unwrap_or(0).wrapping_add(1).max(1))
}

/// Whether the last stop was clean and the index is still as it was then.
/// The mark is removed, durably, before sled opens.
fn take_mark(disk: &dyn Disk, current: &Current, batch: Batch) -> Result<bool> {
    let Some(bytes) = read_file(disk, CLEAN)? else {
        return Ok(false);
    };
    let clean = CleanMark::decode(&bytes).is_ok_and(|mark| {
        mark.database == current.database
            && mark.batch == batch
            && index::matches(&disk.index_directory(&current.index), &mark.files)
    });
    let failed = |error| Error::io("remove", &disk.root().join(CLEAN), error);
    disk.remove(Path::new(CLEAN)).map_err(failed)?;
    disk.sync_directory(root()).map_err(failed)?;
    Ok(clean)
}

fn open_index(
    disk: &dyn Disk,
    segments: &Segments,
    current: &Current,
    footer: Option<&(Location, Footer)>,
    clean: bool,
    options: &Options,
) -> Result<Opened> {
    match try_index(disk, segments, current, footer, clean, options) {
        Ok(opened) => Ok(opened),
        Err(Setback::Error(error)) => Err(error),
        Err(Setback::Index(trouble)) => rebuild_index(disk, segments, current, options, &trouble),
    }
}

fn try_index(
    disk: &dyn Disk,
    segments: &Segments,
    current: &Current,
    footer: Option<&(Location, Footer)>,
    clean: bool,
    options: &Options,
) -> Result<Opened, Setback> {
    let directory = disk.index_directory(&current.index);
    let index = Index::open(&directory, options.cache_bytes / 4)?;
    let expected = footer.map_or(0, |(_, footer)| footer.index_hash);
    if !clean {
        let watermark = index.watermark()?;
        let last = footer.map_or(Batch(0), |(_, footer)| footer.batch);
        if watermark > last {
            return Err(Trouble::new("the index is newer than the segments").into());
        }
        if let Some((_, footer)) = footer {
            for missed in segments.footers_after(footer, watermark)? {
                rebuild::catch_up(&index, segments, &missed)?;
            }
        }
        let summary = index.check()?;
        if summary.hash != expected {
            return Err(Trouble::new("the index does not match the segments").into());
        }
        for orphan in summary.orphans {
            index.bury(orphan)?;
        }
    }
    Ok(Opened {
        index,
        name: current.index.clone(),
        hash: expected,
    })
}

/// Makes a new index beside the old one and changes over to it.
fn rebuild_index(
    disk: &dyn Disk,
    segments: &Segments,
    current: &Current,
    options: &Options,
    trouble: &Trouble,
) -> Result<Opened> {
    tracing::warn!(reason = %trouble, "the index is rebuilt from the segments");
    let footers = segments.scan(&mut |done, total| {
        tracing::info!(done, total, "rebuild: bytes of segments read");
    })?;
    let survey = Survey::of(footers.iter().map(|(_, footer)| footer));
    let name = next_name(&current.index);
    let directory = disk.index_directory(&name);
    let in_index = |error| Error::io("rebuild the index in", &directory, error);
    index::set_aside(&directory).map_err(in_index)?;
    let failed = |trouble: Trouble| in_index(std::io::Error::other(trouble.to_string()));
    let index = Index::open(&directory, options.cache_bytes / 4).map_err(failed)?;
    let filled = rebuild::fill(&index, segments, survey, &mut |done, total| {
        tracing::info!(done, total, "rebuild: rows written");
    });
    let hash = filled.map_err(|setback| match setback {
        Setback::Error(error) => error,
        Setback::Index(trouble) => failed(trouble),
    })?;
    let batch = footers.last().map_or(Batch(0), |(_, footer)| footer.batch);
    index.set_watermark(batch).map_err(failed)?;
    let next = Current {
        database: current.database,
        index: name.clone(),
    };
    write_current(disk, &next)?;
    let old = disk.index_directory(&current.index);
    if let Err(error) = index::set_aside(&old) {
        tracing::warn!(%error, "the old index could not be removed");
    }
    Ok(Opened { index, name, hash })
}

impl Engine {
    /// Rebuilds the index unless somebody has since `generation`.
    pub(super) fn mend_index(&self, generation: u64, trouble: &Trouble) -> Result<()> {
        let mut checkpointer = self.checkpointer.lock();
        if self.index.generation() != generation {
            return Ok(());
        }
        self.rebuild_index(&mut checkpointer, trouble)
    }

    /// Rebuilds the index; no batch is being written meanwhile.
    pub(super) fn rebuild_index(
        &self,
        checkpointer: &mut Checkpointer,
        trouble: &Trouble,
    ) -> Result<()> {
        let current = Current {
            database: self.database,
            index: self.index.name(),
        };
        let opened = rebuild_index(
            &*self.disk,
            &self.segments,
            &current,
            &self.options,
            trouble,
        )?;
        checkpointer.index_hash = opened.hash;
        let path = self.disk.index_directory(&opened.name);
        self.index.replace(opened.index, opened.name, path);
        Ok(())
    }

    /// Leaves a mark that the index is whole, so that the next open need not
    /// look at all of it.
    pub(super) fn leave_mark(&self) {
        let checkpointer = self.checkpointer.lock();
        let batch = checkpointer.batch;
        let index = self.index.get();
        if let Err(trouble) = index.set_watermark(batch).and_then(|()| index.flush()) {
            tracing::warn!(%trouble, "the index could not be closed cleanly");
            return;
        }
        let marked = index::mark(&self.index.path())
            .map_err(|error| Error::io("read", &self.index.path(), error))
            .and_then(|files| {
                let mark = CleanMark {
                    database: self.database,
                    batch,
                    files,
                };
                let path = self.disk.root().join(CLEAN);
                let bytes = mark
                    .encode()
                    .map_err(|malformed| Error::corrupted(&path, 0, malformed))?;
                replace_file(&*self.disk, CLEAN_NEW, CLEAN, &bytes)
            });
        if let Err(error) = marked {
            tracing::warn!(%error, "no mark of the clean stop could be left");
        }
    }
}
