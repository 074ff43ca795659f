//! What lies in a file, by what its footers say.
//!
//! The other frames are stepped over by what their heads say, so that no more
//! of the file is in memory than a window. INVARIANT: what the footers name and
//! the footers themselves fill the file; where they do not, or anything on the
//! way is damaged, all of it is looked at, frame by frame.

use std::sync::Arc;

use super::files::{Segments, end_of};
use crate::disk::DiskFile;
use crate::error::{Error, Result};
use crate::format::header::SEGMENT_HEADER_BYTES;
use crate::format::identity::{Location, SegmentNumber};
use crate::format::segment_frame::{
    self, Footer, FooterEntry, HEAD_BYTES, Kind, Retirement, frame_bytes,
};

/// Bytes of a file in memory at a time.
const WINDOW: u64 = 64 << 10;

/// What the footers of a file name.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Frames.
    pub(crate) entries: Vec<FooterEntry>,
    /// IDs that died.
    pub(crate) retirements: Vec<Retirement>,
}

impl Contents {
    fn of(footers: Vec<(Location, Footer)>) -> Self {
        let mut contents = Self::default();
        for (_, footer) in footers {
            contents.entries.extend(footer.entries);
            contents.retirements.extend(footer.retirements);
        }
        contents
    }
}

/// The heads of a file's frames, from front to back.
struct Heads {
    file: Arc<dyn DiskFile>,
    number: SegmentNumber,
    end: u64,
    window: Vec<u8>,
    /// Where the window lies.
    start: u64,
}

impl Heads {
    /// The kind and place of the frame that begins at `offset`, if its head
    /// says so.
    fn at(&mut self, offset: u32) -> std::io::Result<Option<(Kind, Location)>> {
        let Some(place) = self.place(offset.into())? else {
            return Ok(None);
        };
        let kind = segment_frame::claimed_kind(&self.window, place);
        let length = segment_frame::claimed_length(&self.window, place);
        let length = length.and_then(|length| u32::try_from(length).ok());
        Ok(kind.zip(length).map(|(kind, length)| {
            let location = Location {
                segment: self.number,
                offset,
                length,
            };
            (kind, location)
        }))
    }

    /// Where a head lies in the window, which is moved there.
    fn place(&mut self, offset: u64) -> std::io::Result<Option<usize>> {
        let behind = offset.saturating_add(HEAD_BYTES as u64);
        if behind > self.end {
            return Ok(None);
        }
        let window_end = self.start.saturating_add(self.window.len() as u64);
        if offset < self.start || behind > window_end {
            let length = WINDOW.min(self.end.saturating_sub(offset));
            self.window.resize(usize::try_from(length).unwrap_or(0), 0);
            self.file.read_exact_at(&mut self.window, offset)?;
            self.start = offset;
        }
        Ok(usize::try_from(offset.saturating_sub(self.start)).ok())
    }
}

impl Segments {
    /// What the footers of a file name, in order. What a damaged footer named
    /// is not known, so that one is an error here.
    pub(crate) fn contents(&self, number: SegmentNumber) -> Result<Contents> {
        let footers = match self.step_over(number)? {
            Some(footers) if self.are_all(number, &footers) => footers,
            _ => self.footers_by_all(number)?,
        };
        Ok(Contents::of(footers))
    }

    /// The footers, where nothing on the way to them is damaged.
    fn step_over(&self, number: SegmentNumber) -> Result<Option<Vec<(Location, Footer)>>> {
        let Some(file) = self.counting(number) else {
            return Ok(None);
        };
        let mut heads = Heads {
            file: self.file(number)?,
            number,
            end: file.end,
            window: Vec::new(),
            start: 0,
        };
        let mut footers = Vec::new();
        let mut offset = u32::try_from(SEGMENT_HEADER_BYTES).unwrap_or(u32::MAX);
        while u64::from(offset) < file.end {
            let head = heads.at(offset);
            let head = head.map_err(|error| Error::io("read", &self.path(number), error))?;
            let Some((kind, location)) = head else {
                return Ok(None);
            };
            if kind == Kind::Footer {
                match self.read_footer(location) {
                    Ok(footer) => footers.push((location, footer)),
                    Err(Error::Corrupted { .. }) => return Ok(None),
                    Err(error) => return Err(error),
                }
            }
            offset = end_of(location);
        }
        Ok(Some(footers))
    }

    /// Whether footers and what they name fill a file.
    fn are_all(&self, number: SegmentNumber, footers: &[(Location, Footer)]) -> bool {
        let named = footers.iter().flat_map(|(location, footer)| {
            let entries = footer.entries.iter().map(|entry| entry.location);
            entries.chain([*location])
        });
        let bytes: u64 = named
            .filter(|location| location.segment == number)
            .map(|location| frame_bytes(location.length as usize) as u64)
            .sum();
        let end = self.counting(number).map(|file| file.end);
        end == Some(bytes.saturating_add(SEGMENT_HEADER_BYTES as u64))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{SegmentOptions, Standing};
    use super::*;
    use crate::SimulatedDisk;
    use crate::disk::Disk as _;
    use crate::format::identity::{Batch, DatabaseId, Generation, Sequence, Timestamp};
    use crate::session_id::SessionDigest;

    const BATCHES: u64 = 12;

    fn standing() -> Standing {
        Standing {
            journal_through: Sequence(0),
            next_generation: Generation(1),
            erased_through: Timestamp(0),
            index_hash: 0,
            retired: Vec::new(),
        }
    }

    /// Some files of some batches each, which go on from one into the next.
    fn segments(disk: &SimulatedDisk) -> Arc<Segments> {
        disk.create_directory(Path::new("segments")).unwrap();
        let options = SegmentOptions {
            disk: Arc::new(disk.clone()),
            database: DatabaseId([7; 16]),
            segment_bytes: 4 << 10,
            shortest_segment_bytes: 4 << 10,
        };
        let segments = Arc::new(Segments::open(options).unwrap().0);
        for batch in 1..=BATCHES {
            let mut writer = segments.begin(Batch(batch)).unwrap();
            for number in 0..batch * 3 {
                let digest = SessionDigest::from_bytes(u128::from(number).to_be_bytes());
                writer.session_tombstone(digest, Generation(1)).unwrap();
                if number % 5 == 0 {
                    writer.retire(digest, Timestamp(batch));
                }
            }
            writer.commit(standing(), &[]).unwrap();
        }
        segments
    }

    fn entries(footers: &[(Location, Footer)]) -> Vec<FooterEntry> {
        let entries = footers.iter().flat_map(|(_, footer)| &footer.entries);
        entries.cloned().collect()
    }

    #[test]
    fn stepping_over_frames_finds_what_a_look_at_all_of_them_finds() {
        let disk = SimulatedDisk::new(1).unwrap();
        let segments = segments(&disk);
        let numbers = segments.committed_numbers();
        assert!(numbers.len() > 3, "{numbers:?}");
        let mut count = 0;
        for number in numbers {
            let found = segments.step_over(number).unwrap().unwrap();
            assert!(segments.are_all(number, &found));
            assert_eq!(found, segments.footers_by_all(number).unwrap());
            count += entries(&found).len() as u64;
        }
        assert_eq!(count, (1..=BATCHES).map(|batch| batch * 3).sum::<u64>());
    }

    /// Each byte of a file in turn.
    #[test]
    fn damage_hides_nothing_that_a_look_at_all_finds() {
        let disk = SimulatedDisk::new(2).unwrap();
        let segments = segments(&disk);
        let number = segments.committed_numbers()[0];
        let whole = entries(&segments.footers_by_all(number).unwrap());
        let path = "segments/000001.seg";
        let bytes = disk.read_file(path).unwrap();
        let mut refused = 0;
        for place in SEGMENT_HEADER_BYTES..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x10;
            disk.write_file(path, &damaged).unwrap();
            match segments.contents(number) {
                Ok(contents) => assert_eq!(contents.entries, whole, "byte {place}"),
                Err(Error::Corrupted { .. }) => {
                    assert!(segments.footers_by_all(number).is_err(), "byte {place}");
                    refused += 1;
                }
                Err(error) => panic!("byte {place}: {error}"),
            }
        }
        assert!(refused > 0 && refused < bytes.len(), "{refused}");
    }
}
