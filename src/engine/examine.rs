//! A look at all that a session has in the segments.

use super::lookup::Setback;
use crate::error::Error;
use crate::format::identity::Generation;
use crate::format::record::{PageRow, RowContent, SessionRecord, SessionRow, page_key};
use crate::format::segment_frame::{FooterEntry, Identity, Kind};
use crate::index::{Index, Trouble};
use crate::segments::Segments;
use crate::session_id::SessionDigest;

/// Page rows looked at together.
const PAGES_TOGETHER: usize = 256;

/// What a session has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Examined {
    pub(super) keys: u64,
    /// Pages outside the image.
    pub(super) pages: u64,
}

/// An index and the segments that it leads to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Examiner<'e> {
    pub(super) index: &'e Index,
    pub(super) segments: &'e Segments,
}

impl Examiner<'_> {
    /// Whether the image is what the row says, the pages are those that the
    /// image says and tile, and the counts are right. Each frame is handed
    /// over once it is found right, the image first.
    pub(super) fn session(
        &self,
        digest: SessionDigest,
        row: &SessionRow,
        look: &mut dyn FnMut(&FooterEntry) -> Result<(), Setback>,
    ) -> Result<Examined, Setback> {
        let RowContent::Whole { table, record } = &row.content else {
            return Err(Setback::Error(Error::corrupted(
                &self.segments.path(row.location.segment),
                row.location.offset.into(),
                format_args!("session {digest} is damaged; flush or destroy it"),
            )));
        };
        let (head, page) = self.segments.read_image(row.location)?;
        let bare = SessionRecord {
            hint_at: None,
            ..record.clone()
        };
        let is_it = head.digest == digest && head.sequence == row.sequence;
        if !is_it || head.record != bare || head.table != *table {
            return Err(Trouble::new("a session's row is not its image").into());
        }
        look(&FooterEntry {
            kind: Kind::Image,
            identity: Identity::Session(digest, record.generation),
            sequence: row.sequence,
            location: row.location,
        })?;
        let mut examined = Examined {
            keys: page.len() as u64,
            pages: 0,
        };
        let mut hash = 0_u64;
        let mut fence = head.upper.clone();
        let mut from = String::new();
        loop {
            let pages = (self.index).pages(record.generation, &from, PAGES_TOGETHER)?;
            let Some((last, _)) = pages.last() else { break };
            from = [last, "\0"].concat();
            for (lower, row) in &pages {
                let keys = self.page(record.generation, &mut fence, lower, row)?;
                examined.keys = examined.keys.saturating_add(keys);
                examined.pages = examined.pages.saturating_add(1);
                let key = page_key(record.generation, lower);
                hash = hash.wrapping_add(row.hash(&key).map_err(Trouble::new)?);
                look(&FooterEntry {
                    kind: Kind::Page,
                    identity: Identity::Page(record.generation, row.number, lower.clone()),
                    sequence: row.sequence,
                    location: row.location,
                })?;
            }
        }
        if fence.is_some() {
            return Err(Trouble::new("a session's last page is missing").into());
        }
        if (examined.pages, hash) != (table.pages.into(), table.hash) {
            return Err(Trouble::new("a session's pages are not those of its image").into());
        }
        if examined.keys != record.keys {
            return Err(Trouble::new("a session's count of keys is wrong").into());
        }
        Ok(examined)
    }

    fn page(
        &self,
        generation: Generation,
        fence: &mut Option<Box<str>>,
        lower: &str,
        row: &PageRow,
    ) -> Result<u64, Setback> {
        let (head, page) = self.segments.read_page(row.location)?;
        let tiles = fence.as_deref() == Some(lower);
        if !tiles
            || head.generation != generation
            || &*head.lower != lower
            || head.number != row.number
            || head.sequence != row.sequence
        {
            return Err(Trouble::new("a session's pages do not tile").into());
        }
        *fence = head.upper;
        Ok(page.len() as u64)
    }
}
