//! Merging what changed in a session into its pages.
//!
//! Only the pages that a change falls into are read and written again; the
//! image always is, because it carries the record. A page that grew is split
//! evenly, a page that became nearly empty joins its predecessor. So does one
//! whose lower fence is a key that is gone, and the boundary is cut anew: a
//! removed key stays nowhere, not even as a fence.
//!
//! Keys whose time is over go when their page is written again. Where erasure
//! asks for it, all pages are searched for them (`expired`).
//!
//! INVARIANT: the lower fence of a page is its first key.
//!
//! INVARIANT: a page's lower fence never changes while its number lives, so
//! that the row of its replacement replaces its own.

use std::sync::Arc;

use super::Engine;
use super::cell::{Base, Cell, Frozen};
use super::delta::{Answer, Delta};
use super::lookup::Setback;
use super::stored::{Held, Pair, is_over};
use crate::error::{Error, Result};
use crate::format::codec::Malformed;
use crate::format::identity::{Batch, Generation, PageNumber, Timestamp};
use crate::format::page::{Entry, Found, Page, TARGET_BYTES};
use crate::format::record::{PageRow, PageTable, RowContent, SessionRecord, SessionRow, page_key};
use crate::format::segment_frame::{ImageHead, PageHead};
use crate::index::Trouble;
use crate::segments::BatchWriter;
use crate::session_id::SessionDigest;

mod expired;

/// A page with fewer bytes than this joins its predecessor.
const SPARSE_BYTES: usize = TARGET_BYTES / 4;

/// One step of publishing a session. Most sessions have the image's alone: it
/// lies in place, and not in memory of its own.
#[derive(Debug)]
pub(super) enum Step {
    /// A page has this row now.
    Put(Box<str>, PageRow),
    /// A page is gone.
    Remove(Box<str>, PageNumber),
    /// The image is in place: from here on its row is the base.
    Image(NewRow),
    /// What the session was to be merged with is damaged.
    Damaged(NewRow),
    /// The session is gone.
    Gone,
}

/// A session's row, and what it adds to the hash of the index.
#[derive(Debug)]
pub(super) struct NewRow {
    pub(super) row: SessionRow,
    pub(super) hash: u64,
}

impl NewRow {
    pub(super) fn of(digest: SessionDigest, row: SessionRow) -> Result<Self, Malformed> {
        let hash = row.hash(digest)?;
        Ok(Self { row, hash })
    }
}

impl Step {
    /// The session's row, when it is put with this step.
    pub(super) fn row(&self) -> Option<&NewRow> {
        match self {
            Self::Image(row) | Self::Damaged(row) => Some(row),
            Self::Put(..) | Self::Remove(..) | Self::Gone => None,
        }
    }
}

/// A session whose frames are written, waiting to be published. There are as
/// many as changed since the last checkpoint, so each takes little.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) cell: Arc<Cell>,
    pub(super) frozen: Arc<Frozen>,
    pub(super) steps: Vec<Step>,
}

/// An entry of the pages to be written. It shares the buffer of the page that it
/// comes from: most keys of most pages stay as they are.
struct Item {
    pair: Pair,
    deadline: Option<Timestamp>,
}

impl Item {
    fn entry(&self) -> Entry<'_> {
        Entry {
            key: self.pair.key(),
            value: &self.pair.value,
            deadline: self.deadline,
        }
    }
}

/// A page's place: where it is in the order of keys, and its row if it has one.
struct Place {
    lower: Box<str>,
    /// `None` for the image.
    row: Option<PageRow>,
}

/// Neighbouring pages that are written again as one run of entries.
struct Group {
    first: Place,
    upper: Option<Box<str>>,
    items: Vec<Item>,
    size: usize,
    /// Whether its lower fence is a key that is gone.
    is_unfenced: bool,
    joined: Vec<Place>,
}

impl Group {
    fn new(first: Place, upper: Option<Box<str>>, items: Vec<Item>) -> Self {
        let size = items.iter().map(|item| item.entry().size()).sum();
        let first_key = items.first().map(|item| item.pair.key());
        let is_unfenced = first.row.is_some() && first_key != Some(&*first.lower);
        Self {
            first,
            upper,
            items,
            size,
            is_unfenced,
            joined: Vec::new(),
        }
    }

    fn adjoins(&self, next: &Self) -> bool {
        self.upper.as_deref() == Some(&*next.first.lower)
    }

    fn join(&mut self, next: Self) {
        self.upper = next.upper;
        self.items.extend(next.items);
        self.size += next.size;
        self.joined.push(next.first);
        self.joined.extend(next.joined);
    }

    /// Cuts the entries into runs of about equal size, at least one and no more
    /// than needed.
    fn pieces(&mut self) -> Vec<Vec<Item>> {
        if self.size <= TARGET_BYTES {
            return vec![std::mem::take(&mut self.items)];
        }
        let mut pieces = Vec::new();
        let mut piece: Vec<Item> = Vec::new();
        // The image is written again with every change of the session: an
        // entry too large for a page stays out of it.
        let is_image = self.first.row.is_none();
        let is_large = |item: &Item| item.entry().size() > TARGET_BYTES;
        if is_image && self.items.first().is_some_and(is_large) {
            pieces.push(Vec::new());
        }
        let mut left = self.size;
        let mut share = share_of(left);
        let mut size = 0;
        for item in std::mem::take(&mut self.items) {
            let bytes = item.entry().size();
            // An entry goes to the side where more of it lies.
            let is_over = size + bytes > TARGET_BYTES || size + bytes / 2 > share;
            if !piece.is_empty() && is_over {
                pieces.push(std::mem::take(&mut piece));
                left -= size;
                share = share_of(left);
                size = 0;
            }
            size += bytes;
            piece.push(item);
        }
        pieces.push(piece);
        pieces
    }
}

/// What each of the pages has that so many bytes of entries need.
fn share_of(bytes: usize) -> usize {
    bytes / bytes.div_ceil(TARGET_BYTES).max(1)
}

/// The merge of one session.
pub(super) struct Merge<'m> {
    engine: &'m Engine,
    writer: &'m mut BatchWriter,
    batch: Batch,
    frozen: &'m Frozen,
    base: Option<&'m Base>,
    /// When the purge was to look at the session until now.
    hint: Option<Timestamp>,
    /// Keys whose time is over by then are left out.
    now: Timestamp,
    generation: Generation,
    /// The image of the base, once it is read.
    old_image: Option<Page>,
    table: PageTable,
    keys: u64,
    bytes: u64,
    /// No key ends before this, of those that were looked at and others.
    first_deadline: Option<Timestamp>,
    steps: Vec<Step>,
    /// Removals that have to wait until the new image counts.
    late: Vec<Step>,
    image: Option<(Vec<Item>, Option<Box<str>>)>,
}

impl<'m> Merge<'m> {
    pub(super) fn new(
        engine: &'m Engine,
        writer: &'m mut BatchWriter,
        batch: Batch,
        frozen: &'m Frozen,
        base: Option<&'m Base>,
        hint: Option<Timestamp>,
    ) -> Self {
        let generation = frozen.record.generation;
        let base = base.filter(|base| base.generation == generation);
        let fresh = PageTable {
            next_page: PageNumber(1),
            ..PageTable::default()
        };
        Self {
            engine,
            writer,
            batch,
            frozen,
            base,
            hint,
            now: engine.now(),
            generation,
            old_image: None,
            table: base.map_or(fresh, |base| base.table),
            keys: base.map_or(0, |base| base.keys),
            bytes: base.map_or(0, |base| base.bytes),
            first_deadline: base
                .filter(|_| !frozen.drops_expired)
                .and_then(|base| base.table.first_deadline),
            steps: Vec::new(),
            late: Vec::new(),
            image: None,
        }
    }

    /// Writes the frames; returns how to publish them.
    pub(super) fn run(mut self) -> Result<Vec<Step>, Setback> {
        let mut pending = self.read_image()?;
        let mut position = pending.upper.clone();
        while let Some(from) = position.take() {
            let Some(key) = self.next_affected(&from)? else {
                break;
            };
            let (place, page) = self.locate(&key)?;
            let group = self.merged(place, &page);
            position.clone_from(&group.upper);
            pending = self.arrange(pending, group)?;
        }
        self.write(pending)?;
        self.write_image()
    }

    fn note_deadline(&mut self, deadline: Option<Timestamp>) {
        let known = self.first_deadline.into_iter();
        self.first_deadline = known.chain(deadline).min();
    }

    /// The first group: the image, or everything when there is no base.
    fn read_image(&mut self) -> Result<Group, Setback> {
        let first = Place {
            lower: "".into(),
            row: None,
        };
        let Some(base) = self.base else {
            let delta = &self.frozen.delta;
            let answers = delta.answers("");
            let items: Vec<Item> = answers.filter_map(|change| self.changed(change)).collect();
            self.count(&items);
            return Ok(Group::new(first, None, items));
        };
        let page = self.engine.image_to_replace(base)?;
        let group = self.merged(first, &page);
        self.old_image = Some(page);
        Ok(group)
    }

    /// What of a key that changed is to be written. One whose time is over
    /// lies in the journal, and no row will ever tell of it.
    fn changed(&self, (key, answer): (&str, Answer)) -> Option<Item> {
        let Answer::Present(Held { value, deadline }) = answer else {
            return None;
        };
        if let Some(end) = deadline.filter(|_| is_over(deadline, self.now)) {
            self.engine.erasure.note_removed(end);
            return None;
        }
        let pair = Pair::new(key, value);
        Some(Item { pair, deadline })
    }

    /// What of a page's entry that did not change is to be written.
    fn unchanged(&self, page: &Page, found: &Found<'_>) -> Option<Item> {
        let deadline = found.deadline;
        if is_over(deadline, self.now) {
            return None;
        }
        let pair = Pair::within(page, found.key.len(), found.value.clone());
        Some(Item { pair, deadline })
    }

    /// Counts what is to be written.
    fn count(&mut self, items: &[Item]) {
        let bytes: usize = items.iter().map(|item| item.pair.bytes()).sum();
        self.keys = self.keys.saturating_add(items.len() as u64);
        self.bytes = self.bytes.saturating_add(bytes as u64);
        self.note_deadline(items.iter().filter_map(|item| item.deadline).min());
    }

    /// A page's entries with the changes that fall into it.
    fn merged(&mut self, place: Place, page: &Page) -> Group {
        let upper = page.fences().upper.clone();
        let mut items = Vec::with_capacity(page.len());
        let lower = place.lower.clone();
        let delta = &self.frozen.delta;
        let mut changes = delta
            .answers(&lower)
            .take_while(|(key, _)| upper.as_deref().is_none_or(|upper| *key < upper))
            .peekable();
        for index in 0..page.len() {
            let Some(found) = page.entry(index) else {
                break;
            };
            self.keys = self.keys.saturating_sub(1);
            let size = found.key.len() + found.value.len();
            self.bytes = self.bytes.saturating_sub(size as u64);
            while let Some(change) = changes.next_if(|(key, _)| *key < found.key) {
                items.extend(self.changed(change));
            }
            if let Some(change) = changes.next_if(|(key, _)| *key == found.key) {
                items.extend(self.changed(change));
            } else if matches!(delta.find_prefix_of(found.key), Answer::Unknown) {
                items.extend(self.unchanged(page, &found));
            }
        }
        items.extend(changes.filter_map(|change| self.changed(change)));
        self.count(&items);
        Group::new(place, upper, items)
    }

    /// The page that holds a key above the image.
    fn locate(&self, key: &str) -> Result<(Place, Page), Setback> {
        let image = self.old_image.as_ref().ok_or_else(missing)?;
        if image.fences().contain(key) {
            return Err(missing());
        }
        let row = self.engine.index.get()?.page_at(self.generation, key)?;
        let (lower, row) = row.ok_or_else(missing)?;
        let page = self.engine.page_behind_image(self.generation, key)?;
        if page.fences().lower != lower {
            return Err(missing());
        }
        let row = Some(row);
        Ok((Place { lower, row }, page))
    }

    /// Decides whether a group joins the one before it, which otherwise is
    /// complete and written.
    fn arrange(&mut self, mut pending: Group, next: Group) -> Result<Group, Setback> {
        if pending.adjoins(&next) {
            let is_sparse = next.size <= SPARSE_BYTES || pending.size <= SPARSE_BYTES;
            if is_sparse || next.is_unfenced {
                pending.join(next);
                return Ok(pending);
            }
            self.write(pending)?;
            return Ok(next);
        }
        if !next.is_unfenced {
            self.write(pending)?;
            return Ok(next);
        }
        let (place, page) = self.locate_before(&next.first.lower)?;
        let mut before = self.merged(place, &page);
        if !before.adjoins(&next) {
            return Err(missing());
        }
        before.join(next);
        // It may have lost its own first key, whose time was over, and then it
        // joins the one before it.
        self.arrange(pending, before)
    }

    /// The page before the one that begins at `lower`; not the image, which
    /// adjoins what it is followed by.
    fn locate_before(&self, lower: &str) -> Result<(Place, Page), Setback> {
        let row = self
            .engine
            .index
            .get()?
            .page_before(self.generation, lower)?;
        let (key, _) = row.ok_or_else(missing)?;
        self.locate(&key)
    }

    /// Writes a group's pages; of the image's group all but the first piece.
    fn write(&mut self, mut group: Group) -> Result<(), Setback> {
        let upper = group.upper.take();
        let mut pieces = group.pieces();
        let _step = (pieces.len() > 1).then(|| tracing::trace_span!("split").entered());
        let lowers: Vec<Box<str>> = pieces
            .iter()
            .skip(1)
            .filter_map(|piece| piece.first().map(|item| item.pair.key().into()))
            .collect();
        let mut next_upper = upper;
        let mut first_is_image = group.first.row.is_none();
        while let Some(piece) = pieces.pop() {
            let own_upper = next_upper.take();
            match pieces
                .len()
                .checked_sub(1)
                .and_then(|place| lowers.get(place))
            {
                Some(lower) => {
                    next_upper = Some(lower.clone());
                    let number = self.table.next_page;
                    self.table.next_page = number.next();
                    self.write_page(lower.clone(), own_upper, number, &piece)?;
                }
                None => match &group.first.row {
                    Some(row) => {
                        self.forget(&group.first.lower, row)?;
                        self.write_page(group.first.lower.clone(), own_upper, row.number, &piece)?;
                        first_is_image = false;
                    }
                    None => self.image = Some((piece, own_upper)),
                },
            }
        }
        for place in group.joined {
            let Some(row) = &place.row else { continue };
            self.forget(&place.lower, row)?;
            let number = row.number;
            self.writer.page_tombstone(self.generation, number)?;
            let step = Step::Remove(place.lower, number);
            if first_is_image {
                self.late.push(step);
            } else {
                self.steps.push(step);
            }
        }
        Ok(())
    }

    /// Takes a replaced row out of the table.
    fn forget(&mut self, lower: &str, row: &PageRow) -> Result<(), Setback> {
        let hash = row
            .hash(&page_key(self.generation, lower))
            .map_err(|malformed| unencodable(&malformed))?;
        self.table.hash = self.table.hash.wrapping_sub(hash);
        self.table.pages = self.table.pages.saturating_sub(1);
        Ok(())
    }

    fn write_page(
        &mut self,
        lower: Box<str>,
        upper: Option<Box<str>>,
        number: PageNumber,
        items: &[Item],
    ) -> Result<(), Setback> {
        let head = PageHead {
            generation: self.generation,
            number,
            sequence: self.batch,
            lower: lower.clone(),
            upper,
        };
        let entries: Vec<Entry<'_>> = items.iter().map(Item::entry).collect();
        let row = PageRow {
            location: self.writer.page(&head, &entries)?,
            sequence: self.batch,
            number,
        };
        let hash = row
            .hash(&page_key(self.generation, &lower))
            .map_err(|malformed| unencodable(&malformed))?;
        self.table.hash = self.table.hash.wrapping_add(hash);
        self.table.pages = self.table.pages.saturating_add(1);
        self.steps.push(Step::Put(lower, row));
        Ok(())
    }

    /// Writes the image, last, because it sums up the pages.
    fn write_image(mut self) -> Result<Vec<Step>, Setback> {
        let (items, upper) = self.image.take().ok_or_else(missing)?;
        let record = SessionRecord {
            keys: self.keys,
            bytes: self.bytes,
            ..self.frozen.record.clone()
        };
        let hint_at = self.engine.options.timeouts.hint(&record, self.hint);
        let table = PageTable {
            first_deadline: self.first_deadline,
            ..self.table
        };
        let head = ImageHead {
            digest: self.frozen.digest,
            sequence: self.batch,
            record: record.clone(),
            table,
            upper,
        };
        let entries: Vec<Entry<'_>> = items.iter().map(Item::entry).collect();
        let row = SessionRow {
            location: self.writer.image(&head, &entries)?,
            sequence: self.batch,
            content: RowContent::Whole {
                table,
                // The image has none: it would be wrong as soon as it moves.
                record: SessionRecord { hint_at, ..record },
            },
        };
        let row = NewRow::of(self.frozen.digest, row);
        let row = row.map_err(|malformed| unencodable(&malformed))?;
        self.steps.reserve_exact(self.late.len().saturating_add(1));
        self.steps.push(Step::Image(row));
        self.steps.append(&mut self.late);
        Ok(self.steps)
    }
}

fn missing() -> Setback {
    Trouble::new("a page row that a merge needs is missing").into()
}

fn unencodable(malformed: &Malformed) -> Setback {
    Setback::Error(Error::Poisoned {
        cause: malformed.to_string(),
    })
}

/// The first key at or after `from` that a change or a removed prefix touches.
fn next_affected(delta: &Delta, from: &str) -> Option<String> {
    let key = delta.next_key(from).map(str::to_owned);
    let prefix = delta
        .prefixes()
        .filter_map(|prefix| {
            if prefix >= from {
                Some(prefix.to_owned())
            } else {
                from.starts_with(prefix).then(|| from.to_owned())
            }
        })
        .min();
    match (key, prefix) {
        (Some(key), Some(prefix)) => Some(key.min(prefix)),
        (key, prefix) => key.or(prefix),
    }
}

#[cfg(test)]
mod tests;
