//! The files: opened lazily, cut at open behind the last committed batch.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::scan;
use crate::disk::{Disk, DiskFile};
use crate::error::{Error, Result};
use crate::format::codec::Malformed;
use crate::format::header::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::format::identity::{Batch, DatabaseId, Location, SegmentNumber};
use crate::format::segment_frame::{Footer, frame_bytes};

pub(super) const DIRECTORY: &str = "segments";

/// What the segments are told.
#[derive(Debug, Clone)]
pub(crate) struct SegmentOptions {
    /// Where the files are.
    pub(crate) disk: Arc<dyn Disk>,
    /// Whose they are.
    pub(crate) database: DatabaseId,
    /// A batch goes on in a new file when the last one is longer than this.
    pub(crate) segment_bytes: u32,
}

/// Where the next batch begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tail {
    pub(super) segment: SegmentNumber,
    /// 0 when the file does not exist yet.
    pub(super) offset: u32,
    pub(super) footer: Option<Location>,
    pub(super) batch: Batch,
    /// Whether a batch was abandoned and could not be cut off.
    pub(super) broken: bool,
}

impl Tail {
    /// Whether a file holds any of what is committed.
    fn holds(&self, number: SegmentNumber) -> bool {
        number < self.segment || (number == self.segment && self.offset > 0)
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
    /// Opens the files and finds the last committed batch. What lies behind
    /// it does not exist for any method; `cut_uncommitted` removes it.
    pub(crate) fn open(options: SegmentOptions) -> Result<(Self, Option<(Location, Footer)>)> {
        let segments = Self {
            options,
            files: RwLock::default(),
            tail: Mutex::new(Tail {
                segment: SegmentNumber(1),
                offset: 0,
                footer: None,
                batch: Batch(0),
                broken: false,
            }),
        };
        // What the page cache shows may not be on disk, names included (14).
        segments.sync_directory()?;
        let numbers = segments.numbers()?;
        let mut found = None;
        for number in numbers.iter().rev() {
            let file = segments.file(*number)?;
            file.sync_all()
                .map_err(|error| Error::failed_sync(&segments.path(*number), error))?;
            found = scan::last_footer(&segments, *number)?;
            if found.is_some() {
                break;
            }
        }
        if let Some((location, footer)) = &found {
            segments.write_footer_again(*location)?;
            *segments.tail.lock() = Tail {
                segment: location.segment,
                offset: end_of(*location),
                footer: Some(*location),
                batch: footer.batch,
                broken: false,
            };
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

    /// The numbers of the files that hold a committed batch, ascending.
    pub(super) fn committed_numbers(&self) -> Result<Vec<SegmentNumber>> {
        let tail = *self.tail.lock();
        let mut numbers = self.numbers()?;
        numbers.retain(|number| tail.holds(*number));
        Ok(numbers)
    }

    /// Removes all that lies behind the last committed batch, durably: frames
    /// without a footer do not exist (12).
    pub(crate) fn cut_uncommitted(&self) -> Result<()> {
        let tail = *self.tail.lock();
        let numbers = self.numbers()?;
        let beyond: Vec<_> = numbers
            .iter()
            .filter(|number| !tail.holds(**number))
            .collect();
        for number in &beyond {
            self.remove_file(**number)?;
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

    /// An open file.
    pub(super) fn file(&self, number: SegmentNumber) -> Result<Arc<dyn DiskFile>> {
        if let Some(file) = self.files.read().get(&number) {
            return Ok(Arc::clone(file));
        }
        let opened = self.options.disk.open(&relative(number));
        let file = opened.map_err(|error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                Error::corrupted(&self.path(number), 0, "the file is missing")
            } else {
                Error::io("open", &self.path(number), error)
            }
        })?;
        self.files.write().insert(number, Arc::clone(&file));
        Ok(file)
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
        let tail = *self.tail.lock();
        let mut bytes = self.read_file(number)?;
        if number == tail.segment {
            bytes.truncate(tail.offset as usize);
        }
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

    /// Bytes of all files.
    pub(crate) fn disk_bytes(&self) -> u64 {
        let numbers = self.numbers().unwrap_or_default().into_iter();
        numbers
            .filter_map(|number| self.file(number).ok()?.length().ok())
            .sum()
    }
}

/// Where the frame after this one begins.
pub(super) fn end_of(location: Location) -> u32 {
    let length = frame_bytes(location.length as usize);
    location
        .offset
        .saturating_add(u32::try_from(length).unwrap_or(u32::MAX))
}
