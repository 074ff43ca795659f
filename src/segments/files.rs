//! The files: opened lazily, cut at open behind the last committed batch.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::scan;
use crate::disk::{Disk, DiskFile, is_absent};
use crate::error::{Error, Result};
use crate::format::codec::Malformed;
use crate::format::header::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::format::identity::{Batch, DatabaseId, Location, SegmentNumber};
use crate::format::segment_frame::{Footer, SealedFile, frame_bytes};
use crate::sync::{Mutex, RwLock};

pub(super) const DIRECTORY: &str = "segments";

/// Files held open, of the many that a large database has.
const OPEN_FILES: usize = 256;

/// What the segments are told.
#[derive(Debug, Clone)]
pub(crate) struct SegmentOptions {
    /// Where the files are.
    pub(crate) disk: Arc<dyn Disk>,
    /// Whose they are.
    pub(crate) database: DatabaseId,
    /// A batch goes on in a new file when the last one is longer than this, or
    /// sooner where there are few.
    pub(crate) segment_bytes: u32,
    /// And never before it is as long as this.
    pub(crate) shortest_segment_bytes: u32,
}

/// Where the next batch begins, and which files there are before.
#[derive(Debug, Clone)]
pub(super) struct Tail {
    pub(super) segment: SegmentNumber,
    /// 0 when the file does not exist yet.
    pub(super) offset: u32,
    pub(super) footer: Option<Location>,
    pub(super) batch: Batch,
    /// The other files that count, in order.
    pub(super) sealed: Vec<SealedFile>,
    /// Whether a batch was abandoned and could not be cut off.
    pub(super) broken: bool,
}

impl Tail {
    /// Before anything was committed.
    fn empty() -> Self {
        Self {
            segment: SegmentNumber(1),
            offset: 0,
            footer: None,
            batch: Batch(0),
            sealed: Vec::new(),
            broken: false,
        }
    }

    /// Behind a footer that ends a batch.
    pub(super) fn behind(location: Location, footer: &Footer) -> Self {
        Self {
            segment: location.segment,
            offset: end_of(location),
            footer: Some(location),
            batch: footer.batch,
            sealed: footer.files.clone(),
            broken: false,
        }
    }

    /// Where what counts of a file ends; `None` for one that does not count.
    fn end(&self, number: SegmentNumber) -> Option<u64> {
        if number == self.segment {
            return Some(self.offset.into()).filter(|offset| *offset > 0);
        }
        let place = self
            .sealed
            .binary_search_by_key(&number, |file| file.number);
        place
            .ok()
            .and_then(|place| Some(self.sealed.get(place)?.end))
    }
}

/// All segment files.
#[derive(Debug)]
pub(crate) struct Segments {
    pub(super) options: SegmentOptions,
    files: RwLock<BTreeMap<SegmentNumber, Arc<dyn DiskFile>>>,
    pub(super) tail: Mutex<Tail>,
}

/// The path of a file, relative to the root.
pub(super) fn relative(number: SegmentNumber) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{:06}.seg", number.0))
}

impl Segments {
    /// The files as they lie there, for who writes nothing: none of them counts.
    pub(crate) fn unopened(options: SegmentOptions) -> Self {
        Self {
            options,
            files: RwLock::default(),
            tail: Mutex::new(Tail::empty()),
        }
    }

    /// Opens the files and finds the last committed batch. What lies behind
    /// it does not exist for any method; `cut_uncommitted` removes it.
    pub(crate) fn open(options: SegmentOptions) -> Result<(Self, Option<(Location, Footer)>)> {
        let segments = Self::unopened(options);
        // What the page cache shows may not be on disk, names included (14).
        segments.sync_directory()?;
        let numbers = segments.numbers()?;
        let mut found = None;
        for number in numbers.iter().rev() {
            let file = segments.file(*number)?;
            file.sync_all()
                .map_err(|error| Error::failed_sync(&segments.path(*number), error))?;
            found = scan::last_footer(&segments, *number, false)?;
            if found.is_some() {
                break;
            }
        }
        if let Some((location, footer)) = &found {
            segments.write_footer_again(*location)?;
            segments.check_sealed(&footer.files)?;
            *segments.tail.lock() = Tail::behind(*location, footer);
        }
        Ok((segments, found))
    }

    /// After a sync that failed, the system may show bytes that it will never
    /// write, whatever is synced later. Of all that is committed only the last
    /// footer can be of that kind: before it was written its frames were on
    /// disk, and nothing is written behind it before it is (14).
    fn write_footer_again(&self, footer: Location) -> Result<()> {
        let path = self.path(footer.segment);
        let file = self.file(footer.segment)?;
        let mut bytes = vec![0; footer.length as usize];
        file.read_exact_at(&mut bytes, footer.offset.into())
            .map_err(|error| Error::io("read", &path, error))?;
        file.write_all_at(&bytes, footer.offset.into())
            .map_err(|error| Error::io("write", &path, error))?;
        file.sync_all()
            .map_err(|error| Error::failed_sync(&path, error))
    }

    /// The same where the directory may be missing, or be none.
    pub(super) fn numbers_if_any(&self) -> Result<Vec<SegmentNumber>> {
        match self.numbers() {
            Err(Error::Io { source, .. }) if is_absent(&source) => Ok(Vec::new()),
            numbers => numbers,
        }
    }

    /// The numbers of the files there are, ascending.
    pub(super) fn numbers(&self) -> Result<Vec<SegmentNumber>> {
        let directory = Path::new(DIRECTORY);
        let names =
            self.options.disk.list(directory).map_err(|error| {
                Error::io("list", &self.options.disk.root().join(directory), error)
            })?;
        let numbers = names
            .iter()
            .filter_map(|name| name.strip_suffix(".seg")?.parse().ok().map(SegmentNumber));
        let mut numbers: Vec<SegmentNumber> = numbers.collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The files that the last footer relies on are there, as long as it says.
    fn check_sealed(&self, sealed: &[SealedFile]) -> Result<()> {
        for SealedFile { number, end } in sealed {
            let length = self.length(*number)?;
            if length < *end {
                let path = self.path(*number);
                return Err(Error::corrupted(&path, length, "the file is cut short"));
            }
        }
        Ok(())
    }

    /// The numbers of the files that count, ascending.
    pub(crate) fn committed_numbers(&self) -> Vec<SegmentNumber> {
        let tail = self.tail.lock();
        let sealed = tail.sealed.iter().map(|file| file.number);
        let last = Some(tail.segment).filter(|_| tail.offset > 0);
        sealed.chain(last).collect()
    }

    /// Whether a location can be of anything that counts.
    pub(crate) fn counts(&self, location: Location) -> bool {
        let end = self.tail.lock().end(location.segment);
        end.is_some_and(|end| u64::from(end_of(location)) <= end)
    }

    /// The files that are not written to any more, and their lengths.
    pub(crate) fn sealed(&self) -> Vec<SealedFile> {
        self.tail.lock().sealed.clone()
    }

    /// The first of them, another one's number aside.
    pub(crate) fn oldest_sealed_but(&self, number: SegmentNumber) -> Option<SegmentNumber> {
        let tail = self.tail.lock();
        let mut numbers = tail.sealed.iter().map(|file| file.number);
        numbers.find(|other| *other != number)
    }

    /// The file that is written to, as if it were not.
    pub(crate) fn tail(&self) -> SealedFile {
        let tail = self.tail.lock();
        SealedFile {
            number: tail.segment,
            end: tail.offset.into(),
        }
    }

    /// A file, and how much of it counts; `None` for one that does not.
    pub(crate) fn counting(&self, number: SegmentNumber) -> Option<SealedFile> {
        let end = self.tail.lock().end(number)?;
        Some(SealedFile { number, end })
    }

    /// Bytes of a file.
    pub(crate) fn length(&self, number: SegmentNumber) -> Result<u64> {
        let length = self.file(number)?.length();
        length.map_err(|error| Error::io("read", &self.path(number), error))
    }

    /// Removes the files that do not count any more. Only once nothing durable
    /// leads to them.
    pub(crate) fn remove_dropped(&self) -> Result<()> {
        for number in self.dropped()? {
            self.remove_file(number)?;
        }
        Ok(())
    }

    /// Whether there are files that do not count any more.
    pub(crate) fn has_dropped(&self) -> bool {
        self.dropped().is_ok_and(|dropped| !dropped.is_empty())
    }

    /// How many files there are that do not count, with those behind the last batch.
    pub(crate) fn orphans(&self) -> Result<u64> {
        let tail = self.tail.lock().clone();
        let mut numbers = self.numbers()?;
        numbers.retain(|number| tail.end(*number).is_none());
        Ok(numbers.len() as u64)
    }

    fn dropped(&self) -> Result<Vec<SegmentNumber>> {
        let tail = self.tail.lock().clone();
        let mut numbers = self.numbers()?;
        numbers.retain(|number| *number < tail.segment && tail.end(*number).is_none());
        Ok(numbers)
    }

    /// Removes all that lies behind the last committed batch, durably: frames
    /// without a footer do not exist (12).
    pub(crate) fn cut_uncommitted(&self) -> Result<()> {
        let tail = self.tail.lock().clone();
        let mut beyond = self.numbers()?;
        beyond.retain(|number| {
            *number > tail.segment || (*number == tail.segment && tail.offset == 0)
        });
        for number in &beyond {
            self.remove_file(*number)?;
        }
        if !beyond.is_empty() {
            self.sync_directory()?;
        }
        if tail.offset > 0 {
            let file = self.file(tail.segment)?;
            let failed = |error| Error::io("cut", &self.path(tail.segment), error);
            if file.length().map_err(failed)? > u64::from(tail.offset) {
                file.set_length(tail.offset.into()).map_err(failed)?;
                file.sync_all()
                    .map_err(|error| Error::failed_sync(&self.path(tail.segment), error))?;
            }
        }
        Ok(())
    }

    fn remove_file(&self, number: SegmentNumber) -> Result<()> {
        self.files.write().remove(&number);
        match self.options.disk.remove(&relative(number)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("remove", &self.path(number), error))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn sync_directory(&self) -> Result<()> {
        let directory = Path::new(DIRECTORY);
        self.options
            .disk
            .sync_directory(directory)
            .map_err(|error| Error::failed_sync(&self.options.disk.root().join(directory), error))
    }

    /// Whether a file is there.
    pub(super) fn has_file(&self, number: SegmentNumber) -> Result<bool> {
        if self.files.read().contains_key(&number) {
            return Ok(true);
        }
        Ok(self.numbers()?.binary_search(&number).is_ok())
    }

    /// An open file.
    pub(super) fn file(&self, number: SegmentNumber) -> Result<Arc<dyn DiskFile>> {
        if let Some(file) = self.files.read().get(&number) {
            return Ok(Arc::clone(file));
        }
        let opened = self.options.disk.open(&relative(number));
        let file = opened.map_err(|error| {
            let path = self.path(number);
            match error.kind() {
                ErrorKind::NotFound => Error::corrupted(&path, 0, "the file is missing"),
                ErrorKind::IsADirectory => Error::corrupted(&path, 0, "it is no file"),
                _ => Error::io("open", &path, error),
            }
        })?;
        let mut files = self.files.write();
        // One that is removed meanwhile would take up its space for as long as
        // somebody has it open. It stopped counting before.
        if !self.may_count(number) {
            return Ok(file);
        }
        if files.len() >= OPEN_FILES {
            files.pop_first();
        }
        files.insert(number, Arc::clone(&file));
        Ok(file)
    }

    #[cfg(test)]
    pub(crate) fn keeps_open(&self, number: SegmentNumber) -> bool {
        self.files.read().contains_key(&number)
    }

    /// Whether a file counts, or may be about to.
    fn may_count(&self, number: SegmentNumber) -> bool {
        let tail = self.tail.lock();
        number >= tail.segment || tail.end(number).is_some()
    }

    /// Creates a file with its header. Not synced.
    pub(super) fn create(&self, number: SegmentNumber) -> Result<Arc<dyn DiskFile>> {
        let failed = |error| Error::io("create", &self.path(number), error);
        let file = self
            .options
            .disk
            .create(&relative(number))
            .map_err(failed)?;
        let header = SegmentHeader {
            database: self.options.database,
            number,
        };
        let bytes = header
            .encode()
            .map_err(|malformed| Error::corrupted(&self.path(number), 0, malformed))?;
        file.write_all_at(&bytes, 0).map_err(failed)?;
        self.files.write().insert(number, Arc::clone(&file));
        Ok(file)
    }

    /// Checks a file's header; `false` when it is damaged.
    pub(super) fn check_header(&self, number: SegmentNumber, bytes: &[u8]) -> Result<bool> {
        let path = self.path(number);
        let head = bytes.get(..SEGMENT_HEADER_BYTES).unwrap_or(bytes);
        match SegmentHeader::decode(head) {
            Ok(header) if header.database != self.options.database => Err(Error::corrupted(
                &path,
                0,
                "the file is of another database",
            )),
            Ok(header) => Ok(header.number == number),
            Err(Malformed::Version(found)) => Err(Error::Version {
                path,
                found,
                supported: crate::format::codec::VERSION,
            }),
            Err(Malformed::Damaged(_)) => Ok(false),
        }
    }

    /// The bytes of a file as far as they are committed.
    pub(super) fn read_committed(&self, number: SegmentNumber) -> Result<Vec<u8>> {
        let end = self.tail.lock().end(number);
        let mut bytes = self.read_file(number)?;
        let end = usize::try_from(end.unwrap_or(0)).unwrap_or(usize::MAX);
        bytes.truncate(end);
        Ok(bytes)
    }

    /// All bytes of a file.
    pub(super) fn read_file(&self, number: SegmentNumber) -> Result<Vec<u8>> {
        let failed = |error| Error::io("read", &self.path(number), error);
        let file = self.file(number)?;
        let length = file.length().map_err(failed)?;
        // A frame's offset has 32 bits.
        let length = u32::try_from(length)
            .map_err(|_| Error::corrupted(&self.path(number), 0, "the file is far too long"))?;
        let mut bytes = vec![0; length as usize];
        file.read_exact_at(&mut bytes, 0).map_err(failed)?;
        Ok(bytes)
    }

    /// The full path of a file, for messages.
    pub(crate) fn path(&self, number: SegmentNumber) -> PathBuf {
        self.options.disk.root().join(relative(number))
    }

    /// The last committed batch.
    pub(crate) fn last_batch(&self) -> Batch {
        self.tail.lock().batch
    }

    /// Bytes of all files that count.
    pub(crate) fn disk_bytes(&self) -> u64 {
        let tail = self.tail.lock();
        let sealed: u64 = tail.sealed.iter().map(|file| file.end).sum();
        sealed.saturating_add(tail.offset.into())
    }
}

/// Where the frame after this one begins.
pub(crate) fn end_of(location: Location) -> u32 {
    let length = frame_bytes(location.length as usize);
    location
        .offset
        .saturating_add(u32::try_from(length).unwrap_or(u32::MAX))
}
