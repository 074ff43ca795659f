//! Walking files from front to back: for the last footer at open, and for all
//! of them when the index is rebuilt.

use super::files::Segments;
use crate::error::{Error, Result};
use crate::format::codec::ALIGNMENT;
use crate::format::header::SEGMENT_HEADER_BYTES;
use crate::format::identity::{Batch, Location, SegmentNumber};
use crate::format::segment_frame::{self, Footer, Kind, Place, SegmentFrame, frame_bytes};
use crate::format::sums::Sums;

/// Finds the last footer of a file that ends a batch; of those whose kind is
/// damaged, too, if that is wanted.
pub(super) fn last_footer(
    segments: &Segments,
    number: SegmentNumber,
    is_of_any_kind: bool,
) -> Result<Option<(Location, Footer)>> {
    let bytes = segments.read_file(number)?;
    // The frames are checked by their own place: a damaged header alone hides
    // nothing.
    segments.check_header(number, &bytes)?;
    let mut walk = Walk::new(segments, number, &bytes, true);
    walk.is_of_any_kind = is_of_any_kind;
    let mut last = None;
    while let Some(found) = walk.next_frame() {
        if let Some((location, frame)) = found.frame
            && frame.kind == Kind::Footer
            && let Ok(footer) = frame.head::<Footer>()
            && footer.ends_batch
        {
            last = Some((location, footer));
        }
    }
    Ok(last)
}

/// A step of a walk: a whole frame, or bytes that are none.
pub(super) struct Step<'b> {
    pub(super) offset: usize,
    pub(super) end: usize,
    pub(super) frame: Option<(Location, SegmentFrame<'b>)>,
}

/// Goes from frame to frame, and over damage to the next whole one.
pub(super) struct Walk<'b> {
    bytes: &'b [u8],
    sums: Sums<'b>,
    pub(super) offset: usize,
    place: Place,
    /// Step over frames that are no footers without checking them.
    footers_only: bool,
    /// Take a frame whose kind is damaged for what its checksum tells.
    pub(super) is_of_any_kind: bool,
}

impl<'b> Walk<'b> {
    pub(super) fn new(
        segments: &Segments,
        number: SegmentNumber,
        bytes: &'b [u8],
        footers_only: bool,
    ) -> Self {
        Self {
            bytes,
            sums: Sums::of(bytes),
            offset: SEGMENT_HEADER_BYTES,
            place: Place {
                database: segments.options.database,
                number,
                offset: 0,
            },
            footers_only,
            is_of_any_kind: false,
        }
    }

    fn place(&self, offset: usize) -> Option<Place> {
        let offset = u32::try_from(offset).ok()?;
        Some(Place {
            offset,
            ..self.place
        })
    }

    fn parse(&self, offset: usize) -> Option<SegmentFrame<'b>> {
        segment_frame::parse(self.bytes, offset, self.place(offset)?)
    }

    fn frame_here(&self) -> Option<SegmentFrame<'b>> {
        if !self.is_of_any_kind {
            return self.parse(self.offset);
        }
        let place = self.place(self.offset)?;
        segment_frame::parse_of_any_kind(self.bytes, self.offset, place)
    }

    /// Whether a frame begins where anything may lie.
    fn begins(&mut self, offset: usize) -> bool {
        let place = self.place(offset);
        place.is_some_and(|place| segment_frame::search(&mut self.sums, offset, place).is_some())
    }

    pub(super) fn next_frame(&mut self) -> Option<Step<'b>> {
        let offset = self.offset;
        if offset >= self.bytes.len() {
            return None;
        }
        if let Some(frame) = self.frame_here() {
            self.offset = offset.saturating_add(frame_bytes(frame.length));
            return Some(self.step(offset, Some(frame)));
        }
        if self.footers_only
            && let Some(end) = self.claimed_end(offset)
        {
            self.offset = end;
            return Some(self.step(offset, None));
        }
        // Damage: the next whole frame begins at some later boundary.
        let mut next = offset.saturating_add(ALIGNMENT);
        while next < self.bytes.len() && !self.begins(next) {
            next = next.saturating_add(ALIGNMENT);
        }
        self.offset = next;
        Some(self.step(offset, None))
    }

    /// Where a frame with a damaged payload would end, if a whole frame
    /// begins there.
    fn claimed_end(&self, offset: usize) -> Option<usize> {
        segment_frame::claimed_kind(self.bytes, offset)?;
        let length = segment_frame::claimed_length(self.bytes, offset)?;
        let end = offset.checked_add(frame_bytes(length))?;
        self.parse(end).map(|_| end)
    }

    fn step(&self, offset: usize, frame: Option<SegmentFrame<'b>>) -> Step<'b> {
        let frame = frame.and_then(|frame| {
            let location = Location {
                segment: self.place.number,
                offset: u32::try_from(offset).ok()?,
                length: u32::try_from(frame.length).ok()?,
            };
            Some((location, frame))
        });
        Step {
            offset,
            end: self.offset,
            frame,
        }
    }
}

impl Segments {
    /// The footers of a file, in order, by a look at all of it.
    pub(super) fn footers_by_all(&self, number: SegmentNumber) -> Result<Vec<(Location, Footer)>> {
        let bytes = self.read_committed(number)?;
        let mut walk = Walk::new(self, number, &bytes, true);
        let mut footers = Vec::new();
        let mut holes = Vec::new();
        while let Some(step) = walk.next_frame() {
            match step.frame {
                Some((location, frame)) if frame.kind == Kind::Footer => {
                    let footer = frame.head::<Footer>().map_err(|malformed| {
                        Error::corrupted(&self.path(number), step.offset as u64, malformed)
                    })?;
                    footers.push((location, footer));
                }
                Some(_) => {}
                None => holes.push((number, step.offset, step.end)),
            }
        }
        self.attribute(&footers, &holes)?;
        Ok(footers)
    }

    /// All committed footers, oldest first, by reading every file.
    pub(crate) fn scan(
        &self,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Vec<(Location, Footer)>> {
        let mut all = Vec::new();
        self.scan_files(&mut |footers, done, total| {
            all.extend(footers);
            progress(done, total);
            Ok(())
        })?;
        Ok(all)
    }

    /// The committed footers, oldest first, those of one file at a time, with
    /// the bytes that are read and those that are to be read.
    ///
    /// Batch numbers have to ascend, without a gap where no file between is
    /// gone. Bytes that are no frame are
    /// damage: when a footer says which frame should be there, that frame's
    /// identity is the one that is damaged; otherwise this is an error (15).
    pub(crate) fn scan_files(
        &self,
        look: &mut dyn FnMut(Vec<(Location, Footer)>, u64, u64) -> Result<()>,
    ) -> Result<()> {
        let numbers = self.committed_numbers();
        let total = self.disk_bytes();
        let mut done = 0;
        let mut before = None;
        for number in numbers {
            let bytes = self.read_committed(number)?;
            if !self.check_header(number, &bytes)? {
                // The frames are checked by their own place, so a damaged
                // header hides nothing.
                tracing::warn!(segment = number.0, "a segment file's header is damaged");
            }
            let mut footers: Vec<(Location, Footer)> = Vec::new();
            let mut holes = Vec::new();
            let mut walk = Walk::new(self, number, &bytes, false);
            while let Some(step) = walk.next_frame() {
                match step.frame {
                    Some((location, frame)) if frame.kind == Kind::Footer => {
                        let footer = frame.head().map_err(|malformed| {
                            Error::corrupted(&self.path(number), step.offset as u64, malformed)
                        })?;
                        footers.push((location, footer));
                    }
                    Some(_) => {}
                    None => holes.push((number, step.offset, step.end)),
                }
            }
            // First what says where the damage is: a footer that is none is
            // missing behind the next one, too. A footer names frames of its
            // own file only.
            self.attribute(&footers, &holes)?;
            for (location, footer) in &footers {
                self.check_order(before, *location, footer)?;
                before = Some((*location, footer.batch, footer.ends_batch));
            }
            done += bytes.len() as u64;
            look(footers, done, total)?;
        }
        Ok(())
    }

    /// What is said of a batch that should be behind the last one: the place of
    /// the first bytes there that are no frame, or the end of all.
    pub(crate) fn missing_batch(&self, batch: Batch) -> Error {
        match self.first_damage_behind() {
            Ok((number, offset)) => Error::corrupted(
                &self.path(number),
                offset as u64,
                format_args!("batch {batch} is missing"),
            ),
            Err(error) => error,
        }
    }

    fn first_damage_behind(&self) -> Result<(SegmentNumber, usize)> {
        let tail = self.tail();
        let (mut last, mut end) = (tail.number, usize::try_from(tail.end).unwrap_or(0));
        for number in self.numbers()? {
            if number < tail.number {
                continue;
            }
            let bytes = self.read_file(number)?;
            let mut walk = Walk::new(self, number, &bytes, false);
            if number == tail.number {
                walk.offset = walk.offset.max(end);
            }
            while let Some(step) = walk.next_frame() {
                if step.frame.is_none() {
                    return Ok((number, step.offset));
                }
            }
            (last, end) = (number, bytes.len());
        }
        Ok((last, end))
    }

    fn check_order(
        &self,
        before: Option<(Location, Batch, bool)>,
        location: Location,
        later: &Footer,
    ) -> Result<()> {
        let Some((before, batch, is_over)) = before else {
            return Ok(());
        };
        let least = if is_over { batch.next() } else { batch };
        let adjoins = location.segment <= before.segment.next();
        if later.batch < least || (adjoins && later.batch > least) {
            return Err(Error::corrupted(
                &self.path(location.segment),
                location.offset.into(),
                format_args!("batch {} follows batch {batch}", later.batch),
            ));
        }
        Ok(())
    }

    /// Every hole has to lie within frames that some footer names.
    fn attribute(
        &self,
        footers: &[(Location, Footer)],
        holes: &[(SegmentNumber, usize, usize)],
    ) -> Result<()> {
        for (number, start, end) in holes {
            let mut named: usize = footers
                .iter()
                .flat_map(|(_, footer)| &footer.entries)
                .map(|entry| entry.location)
                .filter(|location| location.segment == *number)
                .map(|location| {
                    (
                        location.offset as usize,
                        frame_bytes(location.length as usize),
                    )
                })
                .filter(|(offset, length)| offset >= start && offset + length <= *end)
                .map(|(_, length)| length)
                .sum();
            named = named.min(end - start);
            if named < end - start {
                return Err(Error::corrupted(
                    &self.path(*number),
                    *start as u64,
                    "damage that belongs to no known session",
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::SegmentOptions;
    use super::*;
    use crate::SimulatedDisk;
    use crate::format::codec::summed;
    use crate::format::identity::{DatabaseId, Generation, PageNumber};
    use crate::format::segment_frame::{PageHead, PageTombstone};
    use crate::format::sums::STEP;

    const NUMBER: SegmentNumber = SegmentNumber(1);

    fn segments() -> Segments {
        Segments::unopened(SegmentOptions {
            disk: Arc::new(SimulatedDisk::new(1).unwrap()),
            database: DatabaseId([7; 16]),
            segment_bytes: 1 << 20,
            shortest_segment_bytes: 1 << 20,
        })
    }

    fn append<T: serde::Serialize>(bytes: &mut Vec<u8>, kind: Kind, head: &T, body: &[u8]) {
        let place = Place {
            database: DatabaseId([7; 16]),
            number: NUMBER,
            offset: u32::try_from(bytes.len()).unwrap(),
        };
        let written = segment_frame::write(bytes, place, kind, head, |bytes| {
            bytes.extend_from_slice(body);
            Ok(())
        });
        written.unwrap();
        bytes.resize(frame_bytes(bytes.len()), 0);
    }

    /// Each second place in it looks like the head of a page that goes on to
    /// its end.
    fn made_up(padding: usize) -> Vec<u8> {
        let mut body = vec![0; padding];
        for left in (2..=16_u32 << 10).rev() {
            body.extend((left * 16 - 16).to_le_bytes());
            body.extend([0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
        }
        body
    }

    #[test]
    fn a_frame_behind_heads_that_are_made_up_is_found_with_little_work() {
        for padding in 0..ALIGNMENT {
            let mut bytes = vec![0; SEGMENT_HEADER_BYTES];
            let head = PageHead {
                generation: Generation(1),
                number: PageNumber(1),
                sequence: Batch(1),
                lower: "key".into(),
                upper: None,
            };
            append(&mut bytes, Kind::Page, &head, &made_up(padding));
            let behind = bytes.len();
            let head = PageTombstone {
                generation: Generation(1),
                number: PageNumber(2),
                sequence: Batch(1),
                written_in: NUMBER,
            };
            append(&mut bytes, Kind::PageTombstone, &head, &[7; 3 * STEP]);
            bytes[SEGMENT_HEADER_BYTES + 4] ^= 1;

            let before = summed();
            let segments = segments();
            let mut walk = Walk::new(&segments, NUMBER, &bytes, false);
            let damage = walk.next_frame().unwrap();
            let frame = walk.next_frame().unwrap();
            assert!(walk.next_frame().is_none());
            let looked_at = summed() - before;
            assert_eq!((damage.offset, damage.end), (SEGMENT_HEADER_BYTES, behind));
            assert!(damage.frame.is_none());
            assert_eq!(frame.frame.unwrap().1.kind, Kind::PageTombstone);
            let places = (bytes.len() / ALIGNMENT) as u64;
            let most = 2 * STEP as u64 + 64;
            assert!(looked_at <= places * most, "{looked_at} bytes");
        }
    }
}
