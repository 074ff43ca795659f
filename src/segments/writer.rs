//! Writing a batch: frames, sync, footer, sync.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::files::{Segments, Tail, end_of};
use crate::disk::DiskFile;
use crate::error::{Error, Result};
use crate::format::codec::Malformed;
use crate::format::header::SEGMENT_HEADER_BYTES;
use crate::format::identity::{
    Batch, Generation, Location, PageNumber, SegmentNumber, Sequence, Timestamp,
};
use crate::format::page::{self, Entry};
use crate::format::segment_frame::{
    self, Footer, FooterEntry, Identity, ImageHead, Kind, PageHead, PageTombstone, Place,
    RetiredSum, Retirement, SealedFile, SessionDamage, SessionTombstone,
};
use crate::session_id::SessionDigest;

/// How much is written and synced at a time: a large dirty backlog would make
/// the journal's syncs wait.
const PIECE_BYTES: usize = 1 << 20;
/// So many files there are before they are longer than the shortest.
const FEW_FILES: u64 = 16;

/// A batch under way. Dropping it without a commit abandons it: its frames
/// are cut off again (12).
#[derive(Debug)]
pub(crate) struct BatchWriter {
    segments: Arc<Segments>,
    batch: Batch,
    segment: SegmentNumber,
    /// Where the next frame begins.
    offset: u32,
    /// Frames that are not written yet, and where they begin.
    buffer: Vec<u8>,
    buffer_offset: u32,
    /// Files that were written to and not synced since.
    unsynced: BTreeMap<SegmentNumber, Arc<dyn DiskFile>>,
    created: bool,
    /// The frames in the current file.
    entries: Vec<FooterEntry>,
    /// IDs that died, by the time until when that is remembered.
    retirements: BTreeMap<Timestamp, Vec<SessionDigest>>,
    /// The footer before the next one.
    previous: Option<Location>,
    /// Where the current file is full.
    size: u32,
    /// Files that this batch has left behind.
    sealed: Vec<SealedFile>,
    finished: bool,
    /// No other sync may be tried, so nothing can be cut off either.
    sync_failed: bool,
}

/// What a footer says of all that is committed with it.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    /// Every journal frame up to this one is in the segments.
    pub(crate) journal_through: Sequence,
    /// No generation from this one on is.
    pub(crate) next_generation: Generation,
    /// What was removed by then is in no file any more.
    pub(crate) erased_through: Timestamp,
    /// Of the index, once it knows.
    pub(crate) index_hash: u64,
    /// Of the retired IDs in it.
    pub(crate) retired: Vec<RetiredSum>,
}

impl Standing {
    /// What a footer said: nothing has changed but places.
    pub(crate) fn of(footer: &Footer) -> Self {
        Self {
            journal_through: footer.journal_through,
            next_generation: footer.next_generation,
            erased_through: footer.erased_through,
            index_hash: footer.index_hash,
            retired: footer.retired.clone(),
        }
    }
}

impl Segments {
    /// Begins a batch. There is one at a time.
    pub(crate) fn begin(self: &Arc<Self>, batch: Batch) -> Result<BatchWriter> {
        let tail = self.tail.lock().clone();
        if tail.broken {
            return Err(Error::Poisoned {
                cause: "an abandoned batch could not be cut off".into(),
            });
        }
        let mut writer = BatchWriter {
            segments: Arc::clone(self),
            batch,
            segment: tail.segment,
            offset: tail.offset,
            buffer: Vec::new(),
            buffer_offset: tail.offset,
            unsynced: BTreeMap::new(),
            created: false,
            entries: Vec::new(),
            retirements: BTreeMap::new(),
            previous: tail.footer,
            size: 0,
            sealed: tail.sealed,
            finished: false,
            sync_failed: false,
        };
        writer.measure();
        if tail.offset == 0 {
            writer.create()?;
        } else {
            writer.roll_if_full()?;
        }
        Ok(writer)
    }
}

impl BatchWriter {
    fn create(&mut self) -> Result<()> {
        self.created = true;
        let file = self.segments.create(self.segment)?;
        self.unsynced.insert(self.segment, file);
        self.offset = u32::try_from(SEGMENT_HEADER_BYTES).unwrap_or(u32::MAX);
        self.buffer_offset = self.offset;
        Ok(())
    }

    /// Where a file is full: at a sixteenth of all, in bounds. What compaction
    /// needs beside a file while it copies it, is little then, and so are the
    /// footers, which name all files.
    fn measure(&mut self) {
        let all: u64 = self.sealed.iter().map(|file| file.end).sum();
        let options = &self.segments.options;
        let share = u32::try_from(all / FEW_FILES).unwrap_or(u32::MAX);
        let share = share.max(options.shortest_segment_bytes);
        self.size = share.min(options.segment_bytes);
    }

    fn roll_if_full(&mut self) -> Result<()> {
        if self.offset < self.size {
            return Ok(());
        }
        self.roll()
    }

    /// Goes on in a new file, unless this one has been left already.
    pub(crate) fn leave(&mut self, number: SegmentNumber) -> Result<()> {
        if self.segment == number {
            return self.roll();
        }
        Ok(())
    }

    /// Goes on in a new file. The old one says itself what lies in it.
    fn roll(&mut self) -> Result<()> {
        if !self.entries.is_empty() || !self.retirements.is_empty() {
            let part = Footer {
                batch: self.batch,
                ends_batch: false,
                journal_through: Sequence(0),
                next_generation: Generation(0),
                erased_through: Timestamp(0),
                index_hash: 0,
                retired: Vec::new(),
                files: Vec::new(),
                previous: self.previous,
                retirements: self.take_retirements(),
                entries: std::mem::take(&mut self.entries),
            };
            self.previous = Some(self.append_footer(&part)?);
        }
        self.write_out()?;
        self.sealed.push(SealedFile {
            number: self.segment,
            end: self.offset.into(),
        });
        self.segment = self.segment.next();
        self.measure();
        self.create()
    }

    fn append<T: Serialize>(
        &mut self,
        kind: Kind,
        head: &T,
        body: impl FnOnce(&mut Vec<u8>) -> Result<(), Malformed>,
    ) -> Result<Location> {
        self.roll_if_full()?;
        self.put(|buffer, place| segment_frame::write(buffer, place, kind, head, body))
    }

    /// A footer stays in the file of the frames that it names.
    fn append_footer(&mut self, footer: &Footer) -> Result<Location> {
        self.put(|buffer, place| {
            segment_frame::write(buffer, place, Kind::Footer, footer, |_| Ok(()))
        })
    }

    fn put(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>, Place) -> Result<usize, Malformed>,
    ) -> Result<Location> {
        let place = Place {
            database: self.segments.options.database,
            number: self.segment,
            offset: self.offset,
        };
        let written = write(&mut self.buffer, place);
        let too_long = || Error::TooLarge {
            what: "a frame",
            size: u64::from(u32::MAX),
            limit: u64::from(u32::MAX),
        };
        let length = written.map_err(|_| too_long())?;
        let location = Location {
            segment: self.segment,
            offset: self.offset,
            length: u32::try_from(length).map_err(|_| too_long())?,
        };
        let end = end_of(location);
        let padded = (end - self.buffer_offset) as usize;
        self.buffer.resize(padded, 0);
        self.offset = end;
        if self.buffer.len() >= PIECE_BYTES {
            self.write_out()?;
            self.sync_files()?;
        }
        Ok(location)
    }

    fn note(&mut self, kind: Kind, identity: Identity, location: Location) -> Location {
        self.entries.push(FooterEntry {
            kind,
            identity,
            sequence: self.batch,
            location,
        });
        location
    }

    /// Appends a copy of a frame, as old as it was.
    pub(crate) fn copy(&mut self, entry: &FooterEntry, raw: &[u8]) -> Result<Location> {
        let segments = Arc::clone(&self.segments);
        self.copy_from(&segments, entry, raw)
    }

    /// The same of a frame of other segments, perhaps.
    pub(crate) fn copy_from(
        &mut self,
        segments: &Segments,
        entry: &FooterEntry,
        raw: &[u8],
    ) -> Result<Location> {
        self.roll_if_full()?;
        let from = segments.place(entry.location);
        let location = self.put(|buffer, place| {
            let frame = segment_frame::parse(raw, 0, from);
            let frame = frame.ok_or(Malformed::Damaged("a frame changed while it was copied"))?;
            segment_frame::copy(buffer, place, &frame)
        })?;
        self.entries.push(FooterEntry {
            location,
            ..entry.clone()
        });
        Ok(location)
    }

    /// Appends a session's record and first page.
    pub(crate) fn image(&mut self, head: &ImageHead, entries: &[Entry<'_>]) -> Result<Location> {
        let body = |buffer: &mut Vec<u8>| page::write_body(buffer, entries);
        let location = self.append(Kind::Image, head, body)?;
        let identity = Identity::Session(head.digest, head.record.generation);
        Ok(self.note(Kind::Image, identity, location))
    }

    /// Appends a page.
    pub(crate) fn page(&mut self, head: &PageHead, entries: &[Entry<'_>]) -> Result<Location> {
        let body = |buffer: &mut Vec<u8>| page::write_body(buffer, entries);
        let location = self.append(Kind::Page, head, body)?;
        let identity = Identity::Page(head.generation, head.number, head.lower.clone());
        Ok(self.note(Kind::Page, identity, location))
    }

    /// Appends word that what a session holds is not known any more.
    pub(crate) fn session_damage(
        &mut self,
        digest: SessionDigest,
        generation: Generation,
    ) -> Result<Location> {
        let head = SessionDamage {
            digest,
            generation,
            sequence: self.batch,
        };
        let location = self.append(Kind::SessionDamage, &head, |_| Ok(()))?;
        let identity = Identity::Session(digest, generation);
        Ok(self.note(Kind::SessionDamage, identity, location))
    }

    /// Appends word of a session's end. Generation 0: its keys live on.
    pub(crate) fn session_tombstone(
        &mut self,
        digest: SessionDigest,
        generation: Generation,
    ) -> Result<Location> {
        let head = SessionTombstone {
            digest,
            generation,
            sequence: self.batch,
            written_in: self.segment,
        };
        let location = self.append(Kind::SessionTombstone, &head, |_| Ok(()))?;
        let identity = Identity::Session(digest, generation);
        Ok(self.note(Kind::SessionTombstone, identity, location))
    }

    /// Appends word of a page's end. Not of its lower fence: that key may be
    /// gone, too.
    pub(crate) fn page_tombstone(
        &mut self,
        generation: Generation,
        number: PageNumber,
    ) -> Result<Location> {
        let head = PageTombstone {
            generation,
            number,
            sequence: self.batch,
            written_in: self.segment,
        };
        let location = self.append(Kind::PageTombstone, &head, |_| Ok(()))?;
        let identity = Identity::Page(generation, number, "".into());
        Ok(self.note(Kind::PageTombstone, identity, location))
    }

    /// An ID must not come alive again until then.
    pub(crate) fn retire(&mut self, digest: SessionDigest, until: Timestamp) {
        self.retirements.entry(until).or_default().push(digest);
    }

    fn take_retirements(&mut self) -> Vec<Retirement> {
        let retirements = std::mem::take(&mut self.retirements).into_iter();
        retirements
            .map(|(until, digests)| Retirement { until, digests })
            .collect()
    }

    /// Commits: all frames on disk, then the footer, then the footer on disk.
    /// From then on the files of `dropped` do not count. The footer comes
    /// without its contents, which are many.
    pub(crate) fn commit(
        mut self,
        standing: Standing,
        dropped: &[SegmentNumber],
    ) -> Result<(Location, Footer)> {
        self.write_out()?;
        self.sync_files()?;
        self.sealed.retain(|file| !dropped.contains(&file.number));
        let footer = Footer {
            batch: self.batch,
            ends_batch: true,
            journal_through: standing.journal_through,
            next_generation: standing.next_generation,
            erased_through: standing.erased_through,
            index_hash: standing.index_hash,
            retired: standing.retired,
            files: std::mem::take(&mut self.sealed),
            previous: self.previous,
            retirements: self.take_retirements(),
            entries: std::mem::take(&mut self.entries),
        };
        let location = self.append_footer(&footer)?;
        self.write_out()?;
        // From here on the outcome of a failure is unknown: the footer may
        // be on disk. What it commits must not be cut off.
        self.finished = true;
        let outcome = self.sync_files();
        let mut tail = self.segments.tail.lock();
        if let Err(error) = outcome {
            tail.broken = true;
            return Err(error);
        }
        *tail = Tail::behind(location, &footer);
        Ok((location, footer.without_contents()))
    }

    fn write_out(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let file = self.segments.file(self.segment)?;
        let failed = |error| Error::io("write", &self.segments.path(self.segment), error);
        file.write_all_at(&self.buffer, self.buffer_offset.into())
            .map_err(failed)?;
        self.unsynced.insert(self.segment, file);
        self.buffer_offset = self.offset;
        self.buffer.clear();
        Ok(())
    }

    fn sync_files(&mut self) -> Result<()> {
        let outcome = self.try_sync_files();
        self.sync_failed |= outcome.is_err();
        outcome
    }

    fn try_sync_files(&mut self) -> Result<()> {
        while let Some((number, file)) = self.unsynced.pop_first() {
            file.sync_all()
                .map_err(|error| Error::failed_sync(&self.segments.path(number), error))?;
        }
        if self.created {
            self.segments.sync_directory()?;
            self.created = false;
        }
        Ok(())
    }
}

impl Drop for BatchWriter {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        if self.sync_failed {
            self.segments.tail.lock().broken = true;
            return;
        }
        let outcome = self.segments.cut_uncommitted();
        if let Err(error) = outcome {
            self.segments.tail.lock().broken = true;
            tracing::error!(%error, "an abandoned batch could not be cut off");
        }
    }
}
