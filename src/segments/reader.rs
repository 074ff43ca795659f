//! Reading a frame at a location.

use serde::de::DeserializeOwned;

use super::files::Segments;
use crate::error::{Error, Result};
use crate::format::codec::Malformed;
use crate::format::identity::{Batch, Location, SegmentNumber};
use crate::format::page::{Fences, Page};
use crate::format::segment_frame::{
    self, Footer, FooterEntry, ImageHead, Kind, PageHead, PageTombstone, Place, SessionTombstone,
};

impl Segments {
    /// A session's record and first page.
    pub(crate) fn read_image(&self, location: Location) -> Result<(ImageHead, Page)> {
        let (head, body): (ImageHead, _) = self.read(location, Kind::Image)?;
        let fences = Fences {
            lower: "".into(),
            upper: head.upper.clone(),
        };
        let page = Page::parse(&body, fences);
        let page = page.map_err(|malformed| self.damaged(location, &malformed))?;
        Ok((head, page))
    }

    /// A page.
    pub(crate) fn read_page(&self, location: Location) -> Result<(PageHead, Page)> {
        let (head, body): (PageHead, _) = self.read(location, Kind::Page)?;
        let fences = Fences {
            lower: head.lower.clone(),
            upper: head.upper.clone(),
        };
        let page = Page::parse(&body, fences);
        let page = page.map_err(|malformed| self.damaged(location, &malformed))?;
        Ok((head, page))
    }

    /// A footer.
    pub(crate) fn read_footer(&self, location: Location) -> Result<Footer> {
        Ok(self.read(location, Kind::Footer)?.0)
    }

    /// Whether a whole frame of this kind is there.
    pub(crate) fn check_frame(&self, location: Location, kind: Kind) -> Result<()> {
        let raw = self.read_raw(location)?;
        match segment_frame::parse(&raw, 0, self.place(location)) {
            Some(frame) if frame.kind == kind && frame.length == raw.len() => Ok(()),
            _ => Err(self.damaged(location, &WRONG)),
        }
    }

    /// Where the footers of the batches behind `after` lie, up to the last one,
    /// oldest first; `None` where compaction has removed one of them. Each
    /// names all frames of its batch, so only one is in memory at a time.
    pub(crate) fn footers_after(
        &self,
        (last, footer): &(Location, Footer),
        after: Batch,
    ) -> Result<Option<Vec<Location>>> {
        let mut locations = Vec::new();
        let mut location = *last;
        let (mut batch, mut previous) = (footer.batch, footer.previous);
        while batch > after {
            locations.push(location);
            let Some(before) = previous else { break };
            if !self.has_file(before.segment)? {
                return Ok(None);
            }
            let footer = self.read_footer(before)?;
            let expected = if footer.ends_batch {
                footer.batch.next()
            } else {
                footer.batch
            };
            if batch != expected {
                let wrong = Malformed::Damaged("a batch is missing behind this one");
                return Err(self.damaged(before, &wrong));
            }
            location = before;
            (batch, previous) = (footer.batch, footer.previous);
        }
        locations.reverse();
        Ok(Some(locations))
    }

    /// The file that a tombstone was first written in.
    pub(crate) fn written_in(&self, entry: &FooterEntry) -> Result<SegmentNumber> {
        if entry.kind == Kind::PageTombstone {
            let head: PageTombstone = self.read(entry.location, entry.kind)?.0;
            return Ok(head.written_in);
        }
        let head: SessionTombstone = self.read(entry.location, entry.kind)?.0;
        Ok(head.written_in)
    }

    /// A frame as it lies on disk, for a copy.
    pub(crate) fn read_whole(&self, entry: &FooterEntry) -> Result<Vec<u8>> {
        let FooterEntry { location, kind, .. } = *entry;
        let raw = self.read_raw(location)?;
        match segment_frame::parse(&raw, 0, self.place(location)) {
            Some(frame) if frame.kind == kind && frame.length == raw.len() => Ok(raw),
            _ => Err(self.damaged(location, &WRONG)),
        }
    }

    /// A frame's head and body.
    fn read<T: DeserializeOwned>(&self, location: Location, kind: Kind) -> Result<(T, Vec<u8>)> {
        let mut raw = self.read_raw(location)?;
        let frame = segment_frame::parse(&raw, 0, self.place(location))
            .filter(|frame| frame.kind == kind && frame.length == raw.len())
            .ok_or_else(|| self.damaged(location, &WRONG))?;
        let head = frame
            .head()
            .map_err(|malformed| self.damaged(location, &malformed))?;
        let body = raw.split_off(frame.body.min(raw.len()));
        Ok((head, body))
    }

    fn read_raw(&self, location: Location) -> Result<Vec<u8>> {
        let file = self.file(location.segment)?;
        let mut raw = vec![0; location.length as usize];
        match file.read_exact_at(&mut raw, location.offset.into()) {
            Ok(()) => Ok(raw),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(self.damaged(
                location,
                &Malformed::Damaged("the file ends within the frame"),
            )),
            Err(error) => Err(Error::io("read", &self.path(location.segment), error)),
        }
    }

    pub(super) fn place(&self, location: Location) -> Place {
        Place {
            database: self.options.database,
            number: location.segment,
            offset: location.offset,
        }
    }

    fn damaged(&self, location: Location, malformed: &Malformed) -> Error {
        let path = self.path(location.segment);
        Error::corrupted(&path, location.offset.into(), malformed)
    }
}

const WRONG: Malformed = Malformed::Damaged("the frame's checksum or kind is wrong");
