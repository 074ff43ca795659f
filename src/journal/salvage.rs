//! The journal as far as it can be read, and where frames of it are missing.
//!
//! Nothing is refused here and nothing written: whoever asks decides what a
//! gap means. A frame is told by its own checksum, which knows its place, so a
//! damaged header hides none. Only the end of the journal cannot be proved:
//! INVARIANT: where bytes behind the last frame claim to be the next one, that
//! is a gap, too, be it torn or damaged.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::files::JournalOptions;
use crate::error::{Error, Result};
use crate::format::codec::{ALIGNMENT, Malformed, VERSION};
use crate::format::effect::Payload;
use crate::format::header::{Declaration, JOURNAL_HEADER_BYTES, JournalHeader};
use crate::format::identity::{Batch, DatabaseId, JournalNumber, Sequence};
use crate::format::journal_frame::{self, JournalFrame, Place};
use crate::format::sums::Sums;

/// Frames that are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gap {
    /// The first of them.
    pub(crate) missing: Sequence,
    /// Where it should be.
    pub(crate) path: PathBuf,
    pub(crate) offset: u64,
    pub(crate) reason: &'static str,
}

impl Gap {
    /// As an error.
    pub(crate) fn error(&self) -> Error {
        Error::corrupted(&self.path, self.offset, self.reason)
    }
}

/// What comes next in the journal.
#[derive(Debug)]
pub(crate) enum Found<'f> {
    Frame(Sequence, Payload<'f>),
    Gap(Gap),
}

/// Where a frame lies, for messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot {
    pub(crate) number: JournalNumber,
    pub(crate) offset: usize,
}

/// A file that is part of the journal, or was.
#[derive(Debug)]
struct Readable {
    number: JournalNumber,
    header: Option<JournalHeader>,
    /// Of its first frame, or of the first that can be read.
    first: Sequence,
}

/// The files of a journal.
#[derive(Debug)]
pub(crate) struct Salvage {
    options: JournalOptions,
    files: Vec<Readable>,
    /// The last file of which nothing can be read: it is far too long, or
    /// something else has its name.
    unreadable: Option<JournalNumber>,
    declared: Declaration,
}

impl Salvage {
    /// Looks at all files once.
    pub(crate) fn open(options: JournalOptions) -> Result<Self> {
        let mut salvage = Self {
            options,
            files: Vec::new(),
            unreadable: None,
            declared: Declaration::default(),
        };
        for number in salvage.options.numbers_if_any()? {
            let bytes = match salvage.read(number) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => continue,
                Err(Error::Corrupted { .. }) => {
                    salvage.unreadable = Some(number);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let header = salvage.header(number, &bytes)?;
            let declared = header.map(|header| header.declaration);
            salvage.note(declared);
            let mut first = header.map(|header| header.first);
            let mut frames = Frames::new(salvage.options.database, number, &bytes);
            while let Some((_, frame)) = frames.next_frame() {
                first.get_or_insert(frame.sequence);
                if let Ok(Payload::Checkpointed(declared)) = Payload::decode(frame.payload) {
                    salvage.note(Some(declared));
                }
            }
            if let Some(first) = first {
                salvage.files.push(Readable {
                    number,
                    header,
                    first,
                });
            }
        }
        Ok(salvage)
    }

    fn note(&mut self, declared: Option<Declaration>) {
        if let Some(declared) = declared.filter(|some| some.batch > self.declared.batch) {
            self.declared = declared;
        }
    }

    /// The highest batch that anything declares, and what it made unnecessary.
    pub(crate) fn declared(&self) -> Declaration {
        self.declared
    }

    /// The full path of a file, for messages.
    pub(crate) fn path(&self, number: JournalNumber) -> PathBuf {
        self.options.path(number)
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.options.disk_bytes()
    }

    /// Hands over the frames behind `after`, in order, and what is missing
    /// between them. A frame that does not decode is missing; those that are
    /// declared to be in a batch up to `batch` are not.
    pub(crate) fn walk(
        &self,
        after: Sequence,
        batch: Batch,
        look: &mut dyn FnMut(Spot, Found<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut walk = Walk {
            salvage: self,
            after,
            batch,
            expected: after.next(),
            end: None,
            has_gap: false,
            look,
        };
        for (place, file) in self.files.iter().enumerate() {
            let later = self.files.iter().skip(place.saturating_add(1));
            let limit = later.map(|file| file.first).min();
            walk.file(file, limit)?;
        }
        walk.end()
    }

    /// `None` for a file that went to be used again meanwhile.
    fn read(&self, number: JournalNumber) -> Result<Option<Vec<u8>>> {
        let path = self.options.path(number);
        let failed = |error| Error::io("read", &path, error);
        let file = match self.options.disk.open(&JournalOptions::relative(number)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::IsADirectory => {
                return Err(Error::corrupted(&path, 0, "it is no file"));
            }
            file => file.map_err(failed)?,
        };
        let length = file.length().map_err(failed)?;
        // A frame's length has 32 bits, and a frame fits into a file.
        let length = u32::try_from(length)
            .map_err(|_| Error::corrupted(&path, 0, "the file is far too long"))?;
        let mut bytes = vec![0; length as usize];
        file.read_exact_at(&mut bytes, 0).map_err(failed)?;
        Ok(Some(bytes))
    }

    /// A header that counts. That of a file that waits to be used again names
    /// another file.
    fn header(&self, number: JournalNumber, bytes: &[u8]) -> Result<Option<JournalHeader>> {
        let head = bytes.get(..JOURNAL_HEADER_BYTES).unwrap_or(bytes);
        match JournalHeader::decode(head) {
            Ok(header) => {
                let is_own = header.database == self.options.database && header.number == number;
                Ok(is_own.then_some(header))
            }
            Err(Malformed::Damaged(_)) => Ok(None),
            Err(Malformed::Version(found)) => Err(Error::Version {
                path: self.options.path(number),
                found,
                supported: VERSION,
            }),
        }
    }
}

/// The whole frames of a file, from front to back.
struct Frames<'b> {
    database: DatabaseId,
    number: JournalNumber,
    bytes: &'b [u8],
    sums: Sums<'b>,
    offset: usize,
}

impl<'b> Frames<'b> {
    fn new(database: DatabaseId, number: JournalNumber, bytes: &'b [u8]) -> Self {
        Self {
            database,
            number,
            bytes,
            sums: Sums::of(bytes),
            offset: JOURNAL_HEADER_BYTES,
        }
    }

    fn place(&self, offset: usize) -> Place {
        Place {
            database: self.database,
            number: self.number,
            offset: offset as u64,
        }
    }

    fn next_frame(&mut self) -> Option<(usize, JournalFrame<'b>)> {
        let (offset, frame) = self.frame_here().or_else(|| self.frame_behind())?;
        self.offset = offset.saturating_add(frame.size);
        Some((offset, frame))
    }

    fn frame_here(&self) -> Option<(usize, JournalFrame<'b>)> {
        let (offset, place) = (self.offset, self.place(self.offset));
        Some((offset, journal_frame::parse(self.bytes, offset, place)?))
    }

    /// The first one behind bytes that are none: damage, or frames of an
    /// earlier use of the file.
    fn frame_behind(&mut self) -> Option<(usize, JournalFrame<'b>)> {
        let mut offsets = (self.offset..self.bytes.len()).step_by(ALIGNMENT).skip(1);
        offsets.find_map(|offset| {
            let place = self.place(offset);
            let frame = journal_frame::search(&mut self.sums, offset, place)?;
            Some((offset, frame))
        })
    }
}

struct Walk<'w> {
    salvage: &'w Salvage,
    after: Sequence,
    batch: Batch,
    expected: Sequence,
    /// Behind the last frame that counts, or where the next one should begin.
    end: Option<Spot>,
    /// Whether anything was missing so far.
    has_gap: bool,
    look: &'w mut dyn FnMut(Spot, Found<'_>) -> Result<()>,
}

impl Walk<'_> {
    /// Walks a file whose frames come before `limit`.
    fn file(&mut self, file: &Readable, limit: Option<Sequence>) -> Result<()> {
        let start = Spot {
            number: file.number,
            offset: JOURNAL_HEADER_BYTES,
        };
        if let Some(header) = &file.header {
            let Declaration { batch, through } = header.declaration;
            if batch <= self.batch && through >= self.expected {
                (self.expected, self.end) = (through.next(), None);
            }
            let known = header
                .first
                .0
                .saturating_sub(1)
                .max(header.synced_through.0);
            self.skip_to(Sequence(known).next(), start)?;
            if header.first == self.expected {
                self.end = Some(start);
            }
        } else if self.has_gap && file.first > self.after {
            self.doubt_before(file.first, start)?;
        }
        let Some(bytes) = self.salvage.read(file.number)? else {
            return Ok(());
        };
        let mut frames = Frames::new(self.salvage.options.database, file.number, &bytes);
        while let Some((offset, frame)) = frames.next_frame() {
            if limit.is_some_and(|limit| frame.sequence >= limit) {
                break;
            }
            let spot = Spot {
                number: file.number,
                offset,
            };
            self.skip_to(frame.sequence, spot)?;
            let behind = Spot {
                offset: offset.saturating_add(frame.size),
                ..spot
            };
            if frame.sequence == self.expected {
                match Payload::decode(frame.payload) {
                    Ok(payload) => (self.look)(spot, Found::Frame(frame.sequence, payload))?,
                    Err(_) => self.gap(spot, "a frame does not decode")?,
                }
                self.expected = self.expected.next();
                self.end = Some(behind);
            } else if frame.sequence.next() == self.expected {
                self.end = Some(behind);
            }
        }
        Ok(())
    }

    /// A gap may be the end that a power cut left, behind which frames lie that
    /// were cut off. The header that told where is missing, so that nothing
    /// before `sequence` counts.
    fn doubt_before(&mut self, sequence: Sequence, spot: Spot) -> Result<()> {
        self.expected = Sequence(sequence.0.saturating_sub(1));
        self.gap(
            spot,
            "the header is damaged, which tells what was cut off before",
        )?;
        self.expected = sequence;
        Ok(())
    }

    /// Everything before `sequence` was there once.
    fn skip_to(&mut self, sequence: Sequence, found_at: Spot) -> Result<()> {
        if sequence > self.expected {
            let spot = self.end.unwrap_or(found_at);
            self.gap(spot, "frames of the journal are missing or damaged")?;
            self.expected = sequence;
        }
        Ok(())
    }

    fn gap(&mut self, spot: Spot, reason: &'static str) -> Result<()> {
        self.has_gap = true;
        let gap = Gap {
            missing: self.expected,
            path: self.salvage.path(spot.number),
            offset: spot.offset as u64,
            reason,
        };
        (self.look)(spot, Found::Gap(gap))
    }

    /// Whether this is the end.
    fn end(&mut self) -> Result<()> {
        let last = self.salvage.files.last().map(|file| file.number);
        if let Some(number) = self.salvage.unreadable.filter(|some| Some(*some) > last) {
            let spot = Spot { number, offset: 0 };
            return self.gap(
                spot,
                "nothing of the file can be read, which may be the last",
            );
        }
        let Some(end) = self.end else {
            if self.expected > self.after.next() {
                return Ok(());
            }
            let first = self.salvage.files.first();
            let spot = Spot {
                number: first.map_or(JournalNumber(1), |file| file.number),
                offset: 0,
            };
            return self.gap(spot, "the journal does not go on where the segments end");
        };
        let bytes = self.salvage.read(end.number)?.unwrap_or_default();
        let frames = Frames::new(self.salvage.options.database, end.number, &bytes);
        let place = frames.place(end.offset);
        if journal_frame::claims(&bytes, end.offset, place, self.expected) {
            self.gap(end, "the last frame is damaged, or was never whole")?;
        }
        Ok(())
    }
}
