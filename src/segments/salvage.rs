//! What can be read of segment files of which some are damaged.
//!
//! Nothing is refused here and nothing written. Frames say themselves what
//! they are about, so where a footer cannot be read its frames stand in for
//! it; what is lost with it is the memory of IDs that died. Bytes that are no
//! frame and that no footer names are a [`Hole`]: it may have held the end of
//! any session that was written before it.

use super::files::{Segments, end_of};
use super::scan::{self, Walk};
use crate::error::{Error, Result};
use crate::format::identity::{Batch, Generation, Location, SegmentNumber, Sequence, Timestamp};
use crate::format::segment_frame::{
    self, Footer, FooterEntry, Identity, ImageHead, Kind, PageHead, PageTombstone, SegmentFrame,
    SessionDamage, SessionTombstone, frame_bytes,
};

/// Bytes that no footer accounts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hole {
    /// Where it begins; it has no length.
    pub(crate) at: Location,
    /// Whether it is a footer and nothing else, by what its head says and by
    /// where the next frame begins.
    pub(crate) is_footer: bool,
}

/// What a file holds, as far as it can be read.
#[derive(Debug, Default)]
pub(crate) struct Salvaged {
    /// The footers in order, and what stands in for those that are damaged.
    pub(crate) footers: Vec<Footer>,
    /// What is damaged and in no footer.
    pub(crate) holes: Vec<Hole>,
    /// Whether a tail ends with a hole: nothing whole follows in the file.
    pub(crate) ends_in_hole: bool,
}

impl Salvaged {
    /// Whether a frame that a batch or a later one made lies before a footer
    /// that is damaged: batches follow one another, so none before is missing.
    pub(crate) fn holds_one_since(&self, batch: Batch) -> bool {
        let mut damaged = self.footers.iter().filter(|footer| footer.is_stand_in());
        damaged.any(|footer| footer.entries.iter().any(|entry| entry.sequence >= batch))
    }
}

/// What lies between two footers.
#[derive(Debug, Default)]
struct Section {
    frames: Vec<FooterEntry>,
    holes: Vec<(usize, usize)>,
}

impl Segments {
    /// The last footer that ends a batch, of those that can be read.
    pub(crate) fn last_readable_footer(&self) -> Result<Option<(Location, Footer)>> {
        for number in self.numbers_if_any()?.into_iter().rev() {
            // What cannot be read is none of these files.
            let found = readable(scan::last_footer(self, number, true))?;
            if let Some(found) = found.flatten() {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The files that can be of batches behind a footer.
    pub(crate) fn numbers_from(&self, footer: Option<Location>) -> Result<Vec<SegmentNumber>> {
        let mut numbers = self.numbers_if_any()?;
        numbers.retain(|number| footer.is_none_or(|footer| *number >= footer.segment));
        // A number may have several names, of which one is the file's.
        numbers.dedup();
        Ok(numbers)
    }

    /// Bytes of all files there are.
    pub(crate) fn bytes_there(&self) -> Result<u64> {
        let numbers = self.numbers_if_any()?.into_iter();
        numbers
            .map(|number| Ok(readable(self.length(number))?.unwrap_or(0)))
            .sum()
    }

    /// What a file holds up to `end`, by a look at all of it.
    pub(crate) fn salvage(&self, number: SegmentNumber, end: u64) -> Result<Salvaged> {
        let mut bytes = readable(self.read_file(number))?.unwrap_or_default();
        let end = usize::try_from(end).unwrap_or(usize::MAX);
        bytes.truncate(end);
        let mut salvaged = Salvaged::default();
        let walk = Walk::new(self, number, &bytes, false);
        let mut section = walk_sections(walk, number, &bytes, &mut salvaged);
        if bytes.len() < end {
            section.holes.push((bytes.len(), end));
        }
        close(number, &bytes, section, None, &mut salvaged);
        Ok(salvaged)
    }

    /// What lies in a file from `start` on, and is of batches whose footers are
    /// damaged: up to the last one of these.
    pub(crate) fn salvage_tail(&self, number: SegmentNumber, start: u32) -> Result<Salvaged> {
        let mut salvaged = Salvaged::default();
        let Some(bytes) = readable(self.read_file(number))? else {
            let at = Location {
                segment: number,
                offset: start,
                length: 0,
            };
            salvaged.holes.push(Hole {
                at,
                is_footer: false,
            });
            return Ok(salvaged);
        };
        let mut walk = Walk::new(self, number, &bytes, false);
        walk.offset = walk.offset.max(start as usize);
        let mut section = walk_sections(walk, number, &bytes, &mut salvaged);
        let is_footer = |hole: &&(usize, usize)| claims_footer(&bytes, **hole);
        match section.holes.iter().rfind(is_footer).copied() {
            Some(last) => {
                salvaged.ends_in_hole = last.1 >= bytes.len();
                section.holes.retain(|hole| *hole <= last);
                let is_before = |entry: &FooterEntry| (entry.location.offset as usize) < last.0;
                section.frames.retain(is_before);
            }
            None => section = Section::default(),
        }
        close(number, &bytes, section, None, &mut salvaged);
        Ok(salvaged)
    }
}

/// `None` where nothing of a file can be read: it is missing, far too long, or
/// something else has its name.
fn readable<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Err(Error::Corrupted { .. }) => Ok(None),
        found => found.map(Some),
    }
}

/// Goes from footer to footer; returns what lies behind the last.
fn walk_sections(
    mut walk: Walk<'_>,
    number: SegmentNumber,
    bytes: &[u8],
    salvaged: &mut Salvaged,
) -> Section {
    let mut section = Section::default();
    walk.is_of_any_kind = true;
    while let Some(step) = walk.next_frame() {
        let found = step.frame.map(|(location, frame)| match frame.kind {
            Kind::Footer => (frame.head::<Footer>().ok(), None),
            _ => (None, entry_of(location, &frame)),
        });
        match found {
            Some((Some(footer), _)) => {
                let whole = std::mem::take(&mut section);
                close(number, bytes, whole, Some(footer), salvaged);
            }
            Some((_, Some(entry))) => section.frames.push(entry),
            _ => section.holes.extend(pieces(bytes, (step.offset, step.end))),
        }
    }
    section
}

/// Takes in what lies before a footer. Frames that it does not name are of
/// batches before, whose footer is among the holes.
fn close(
    number: SegmentNumber,
    bytes: &[u8],
    section: Section,
    footer: Option<Footer>,
    salvaged: &mut Salvaged,
) {
    let mut named: Vec<Location> = footer
        .iter()
        .flat_map(|footer| footer.entries.iter().map(|entry| entry.location))
        .filter(|location| location.segment == number)
        .collect();
    named.sort_unstable();
    for hole in section.holes {
        for (start, end) in unnamed(hole, &named) {
            salvaged.holes.push(Hole {
                at: Location {
                    segment: number,
                    offset: u32::try_from(start).unwrap_or(u32::MAX),
                    length: 0,
                },
                is_footer: claims_footer(bytes, (start, end)),
            });
        }
    }
    let mut frames = section.frames;
    frames.retain(|entry| named.binary_search(&entry.location).is_err());
    if !frames.is_empty() {
        salvaged.footers.push(stand_in(frames));
    }
    salvaged.footers.extend(footer);
}

/// What of a hole lies in no frame that a footer names.
fn unnamed((start, end): (usize, usize), named: &[Location]) -> Vec<(usize, usize)> {
    let mut left = Vec::new();
    let mut from = start;
    for location in named {
        let offset = location.offset as usize;
        if offset < from || offset >= end {
            continue;
        }
        if offset > from {
            left.push((from, offset));
        }
        from = end_of(*location) as usize;
    }
    if from < end {
        left.push((from, end));
    }
    left
}

/// Whether bytes that are no frame have the head and the length of a footer.
fn claims_footer(bytes: &[u8], (start, end): (usize, usize)) -> bool {
    claimed_footer(bytes, start) == Some(end)
}

/// Where the bytes behind a footer begin, by what its head says.
fn claimed_footer(bytes: &[u8], start: usize) -> Option<usize> {
    let kind = segment_frame::claimed_kind(bytes, start)?;
    let length = segment_frame::claimed_length(bytes, start)?;
    let end = start.checked_add(frame_bytes(length))?;
    (kind == Kind::Footer).then_some(end)
}

/// Damaged footers, where a hole is several of them and nothing else.
fn pieces(bytes: &[u8], (start, end): (usize, usize)) -> Vec<(usize, usize)> {
    let mut pieces = Vec::new();
    let mut from = start;
    while let Some(behind) = claimed_footer(bytes, from).filter(|behind| *behind <= end) {
        pieces.push((from, behind));
        from = behind;
    }
    if from == end {
        pieces
    } else {
        vec![(start, end)]
    }
}

/// What a footer would say of a frame.
fn entry_of(location: Location, frame: &SegmentFrame<'_>) -> Option<FooterEntry> {
    let (identity, sequence) = identity_of(frame)?;
    Some(FooterEntry {
        kind: frame.kind,
        identity,
        sequence,
        location,
    })
}

fn identity_of(frame: &SegmentFrame<'_>) -> Option<(Identity, Batch)> {
    Some(match frame.kind {
        Kind::Image => {
            let head: ImageHead = frame.head().ok()?;
            let identity = Identity::Session(head.digest, head.record.generation);
            (identity, head.sequence)
        }
        Kind::Page => {
            let head: PageHead = frame.head().ok()?;
            let identity = Identity::Page(head.generation, head.number, head.lower);
            (identity, head.sequence)
        }
        Kind::SessionTombstone => {
            let head: SessionTombstone = frame.head().ok()?;
            let identity = Identity::Session(head.digest, head.generation);
            (identity, head.sequence)
        }
        Kind::PageTombstone => {
            let head: PageTombstone = frame.head().ok()?;
            let identity = Identity::Page(head.generation, head.number, "".into());
            (identity, head.sequence)
        }
        Kind::SessionDamage => {
            let head: SessionDamage = frame.head().ok()?;
            let identity = Identity::Session(head.digest, head.generation);
            (identity, head.sequence)
        }
        Kind::Footer => return None,
    })
}

impl Footer {
    /// Whether it stands in for one that is damaged.
    pub(crate) fn is_stand_in(&self) -> bool {
        self.batch == Batch(0)
    }
}

/// In place of a footer that is damaged: what it named. No batch has its number.
fn stand_in(entries: Vec<FooterEntry>) -> Footer {
    Footer {
        batch: Batch(0),
        ends_batch: false,
        journal_through: Sequence(0),
        next_generation: Generation(0),
        erased_through: Timestamp(0),
        index_hash: 0,
        retired: Vec::new(),
        files: Vec::new(),
        previous: None,
        retirements: Vec::new(),
        entries,
    }
}
