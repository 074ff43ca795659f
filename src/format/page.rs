//! A page: a sorted run of entries, searched where it lies.
//!
//! Owns the layout of the entries in an image or page frame. Promises that a
//! parsed page is ordered, within its fences, and valid UTF-8: all of it is
//! checked once, on reading, so that lookups afterwards cannot go wrong.

use std::cmp::Ordering;
use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use foldhash::fast::FixedState;

use super::codec::{Malformed, read_u16, read_u32, read_u64};
use super::identity::Timestamp;
use crate::limits::{MAX_KEY_BYTES, MAX_VALUE_BYTES};

/// What a page should hold at most, unless a single entry is larger.
pub(crate) const TARGET_BYTES: usize = 4096;

/// Bytes of an entry besides its key, its value and its deadline. A value ends
/// where the next entry begins.
const ENTRY_HEAD: usize = 2;
/// Bytes of an entry's place in the table.
const SLOT: usize = 2;
/// Memory of a page in a cache besides its bytes, what the allocator adds to
/// them and its place included.
const PAGE_BYTES: usize = 128;
/// Memory of its fences besides their keys, where it has them.
const FENCES_BYTES: usize = 64;
/// Set in an entry's key length when a deadline follows the head.
const HAS_DEADLINE: u16 = 1 << 15;

/// An entry on its way into a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// 1 to 512 bytes.
    pub(crate) key: &'a str,
    /// Tag and payload.
    pub(crate) value: &'a [u8],
    /// When it stops to exist.
    pub(crate) deadline: Option<Timestamp>,
}

impl Entry<'_> {
    /// Bytes that the entry takes in a page.
    pub(crate) fn size(&self) -> usize {
        let deadline = if self.deadline.is_some() { 8 } else { 0 };
        SLOT + ENTRY_HEAD + deadline + self.key.len() + self.value.len()
    }
}

/// Appends the body of a page: the count, the table of where entries begin
/// (relative to the body), and the entries. Keys must ascend.
pub(crate) fn write_body(buffer: &mut Vec<u8>, entries: &[Entry<'_>]) -> Result<(), Malformed> {
    let too_long = |_| Malformed::Damaged("a page is too long");
    debug_assert!(
        entries.is_sorted_by(|left, right| left.key < right.key),
        "INVARIANT: a page's keys ascend"
    );
    let count = u32::try_from(entries.len()).map_err(too_long)?;
    buffer.extend_from_slice(&count.to_le_bytes());
    let mut place = 4 + SLOT * entries.len();
    for entry in entries {
        buffer.extend_from_slice(&u16::try_from(place).map_err(too_long)?.to_le_bytes());
        place += entry.size() - SLOT;
    }
    for entry in entries {
        let mut key_length = u16::try_from(entry.key.len()).map_err(too_long)?;
        if entry.deadline.is_some() {
            key_length |= HAS_DEADLINE;
        }
        buffer.extend_from_slice(&key_length.to_le_bytes());
        if let Some(Timestamp(deadline)) = entry.deadline {
            buffer.extend_from_slice(&deadline.to_le_bytes());
        }
        buffer.extend_from_slice(entry.key.as_bytes());
        buffer.extend_from_slice(entry.value);
    }
    Ok(())
}

/// The keys that a page is responsible for: from `lower`, up to but without
/// `upper`. `None` is the end of all keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fences {
    /// The first key the page may hold; empty for the first page.
    pub(crate) lower: Box<str>,
    /// The first key of the next page.
    pub(crate) upper: Option<Box<str>>,
}

/// The fences of a page that is its session's only one.
static NO_FENCES: LazyLock<Fences> = LazyLock::new(|| Fences {
    lower: "".into(),
    upper: None,
});

impl Fences {
    /// Whether `key` belongs to the page.
    pub(crate) fn contain(&self, key: &str) -> bool {
        // Some processors take a hundred times as long to compare with an
        // empty string, whose address is nowhere.
        let is_above = self.lower.is_empty() || key >= &*self.lower;
        is_above && self.upper.as_deref().is_none_or(|upper| key < upper)
    }
}

/// A page as read: checked, immutable, shared.
///
/// In memory its body stands behind a byte for each key, made of the key's
/// hash: a lookup reads these, which lie side by side, and then one entry. A
/// search would meet several entries, each in other lines of the processor's
/// cache.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    raw: Arc<[u8]>,
    count: usize,
    has_deadlines: bool,
    /// `None` for the only page of a session, as most are: of these a cache
    /// has many.
    fences: Option<Arc<Fences>>,
}

/// An entry in a page: its key, and where it and its value lie.
#[derive(Debug, Clone)]
pub(crate) struct Found<'a> {
    /// The key.
    pub(crate) key: &'a str,
    /// The value's bytes within the page's buffer.
    pub(crate) value: Range<usize>,
    /// When it stops to exist.
    pub(crate) deadline: Option<Timestamp>,
}

/// Where an entry lies: its value right behind its key.
struct Place {
    key: Range<usize>,
    value: Range<usize>,
    deadline: Option<Timestamp>,
}

/// The body of a page, and how many entries its table has.
#[derive(Clone, Copy)]
struct Body<'a> {
    bytes: &'a [u8],
    count: usize,
}

impl<'a> Body<'a> {
    /// A body whose table is there as a whole, and where it ends.
    fn new(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let count = read_u32(bytes, 0)? as usize;
        let end = count.checked_mul(SLOT)?.checked_add(4)?;
        (end <= bytes.len()).then_some((Self { bytes, count }, end))
    }

    /// Where an entry begins; behind the last one, where the body ends.
    fn entry_start(self, index: usize) -> Option<usize> {
        if index == self.count {
            return Some(self.bytes.len());
        }
        let slot = index.checked_mul(SLOT)?.checked_add(4)?;
        read_u16(self.bytes, slot).map(usize::from)
    }

    /// Where the entry at `index` in key order lies.
    fn place(self, index: usize) -> Option<Place> {
        if index >= self.count {
            return None;
        }
        let start = self.entry_start(index)?;
        let value_end = self.entry_start(index.checked_add(1)?)?;
        let head = read_u16(self.bytes, start)?;
        let mut key_start = start.checked_add(ENTRY_HEAD)?;
        let mut deadline = None;
        if head & HAS_DEADLINE != 0 {
            deadline = Some(Timestamp(read_u64(self.bytes, key_start)?));
            key_start = key_start.checked_add(8)?;
        }
        let key_end = key_start.checked_add(usize::from(head & !HAS_DEADLINE))?;
        if key_end > value_end || value_end > self.bytes.len() {
            return None;
        }
        Some(Place {
            key: key_start..key_end,
            value: key_end..value_end,
            deadline,
        })
    }

    /// The entry at `index` in key order.
    fn entry(self, index: usize) -> Option<Found<'a>> {
        let place = self.place(index)?;
        Some(Found {
            key: std::str::from_utf8(self.bytes.get(place.key)?).ok()?,
            value: place.value,
            deadline: place.deadline,
        })
    }
}

/// What stands for a key in front of a page.
fn tag_of(key: &str) -> u8 {
    let [tag, ..] = FixedState::default().hash_one(key.as_bytes()).to_be_bytes();
    tag
}

impl Page {
    /// Checks a body, and takes it in.
    pub(crate) fn parse(bytes: &[u8], fences: Fences) -> Result<Self, Malformed> {
        let malformed = Malformed::Damaged("a page's table of entries is damaged");
        let (body, table_end) = Body::new(bytes).ok_or(malformed.clone())?;
        // Each entry begins where the one before ends: the first one right behind
        // the table.
        if body.entry_start(0) != Some(table_end) {
            return Err(malformed);
        }
        let mut raw = Vec::with_capacity(body.count.saturating_add(bytes.len()));
        let mut has_deadlines = false;
        let mut previous: Option<&str> = None;
        for index in 0..body.count {
            let found = body.entry(index).ok_or(malformed.clone())?;
            if previous.is_some_and(|previous| previous >= found.key) || !fences.contain(found.key)
            {
                return Err(Malformed::Damaged("a page's keys are out of order"));
            }
            if found.key.is_empty()
                || found.key.len() > MAX_KEY_BYTES
                || found.value.len() > MAX_VALUE_BYTES
            {
                return Err(Malformed::Damaged("a page's entry is over the limits"));
            }
            previous = Some(found.key);
            has_deadlines |= found.deadline.is_some();
            raw.push(tag_of(found.key));
        }
        raw.extend_from_slice(bytes);
        Ok(Self {
            raw: raw.into(),
            count: body.count,
            has_deadlines,
            fences: (fences != *NO_FENCES).then(|| Arc::new(fences)),
        })
    }

    /// Entries in the page.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Whether any of its entries ends.
    pub(crate) fn has_deadlines(&self) -> bool {
        self.has_deadlines
    }

    /// The keys the page is responsible for.
    pub(crate) fn fences(&self) -> &Fences {
        self.fences.as_deref().unwrap_or(&NO_FENCES)
    }

    /// The buffer that holds the page, for values that share it.
    pub(crate) fn raw(&self) -> &Arc<[u8]> {
        &self.raw
    }

    /// The same of a page that is not needed any more.
    pub(crate) fn into_raw(self) -> Arc<[u8]> {
        self.raw
    }

    /// Bytes the page keeps in memory, in a cache.
    pub(crate) fn memory(&self) -> usize {
        let fences = self.fences.as_ref().map_or(0, |fences| {
            let upper = fences.upper.as_deref().map_or(0, str::len);
            FENCES_BYTES + fences.lower.len() + upper
        });
        PAGE_BYTES + self.raw.len() + fences
    }

    fn body(&self) -> Option<Body<'_>> {
        Some(Body {
            bytes: self.raw.get(self.count..)?,
            count: self.count,
        })
    }

    /// A place in the body as one in the buffer.
    fn within(&self, place: &Range<usize>) -> Option<Range<usize>> {
        let start = place.start.checked_add(self.count)?;
        Some(start..place.end.checked_add(self.count)?)
    }

    /// The entry at `index` in key order.
    pub(crate) fn entry(&self, index: usize) -> Option<Found<'_>> {
        let found = self.body()?.entry(index)?;
        Some(Found {
            value: self.within(&found.value)?,
            ..found
        })
    }

    /// The length of the key of the entry at `index`, and where its value lies
    /// within the page's buffer: the key stands right before it.
    pub(crate) fn key_and_value(&self, index: usize) -> Option<(usize, Range<usize>)> {
        let place = self.body()?.place(index)?;
        Some((place.key.len(), self.within(&place.value)?))
    }

    /// Where the entries at or after a key begin.
    pub(crate) fn index_from(&self, key: &str) -> usize {
        if key.is_empty() || *key <= *self.fences().lower {
            return 0;
        }
        self.search(key).unwrap_or_else(|place| place)
    }

    /// The entries at or after a key, in order.
    pub(crate) fn entries(&self, from: &str) -> impl Iterator<Item = Found<'_>> {
        (self.index_from(from)..self.count).filter_map(|index| self.entry(index))
    }

    /// When the first of its entries ends, if any does.
    pub(crate) fn first_deadline(&self) -> Option<Timestamp> {
        let entries = (0..self.count).filter_map(|index| self.entry(index));
        entries.filter_map(|found| found.deadline).min()
    }

    /// The index of `key`, or where it would stand.
    pub(crate) fn search(&self, key: &str) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low.midpoint(high);
            // A parsed page has all its entries.
            let Some(found) = self.entry(middle) else {
                return Err(low);
            };
            match found.key.cmp(key) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Ok(middle),
            }
        }
        Err(low)
    }

    /// The entry of `key`.
    pub(crate) fn find(&self, key: &str) -> Option<Found<'_>> {
        let tag = tag_of(key);
        let tags = self.raw.get(..self.count)?.iter().enumerate();
        let alike = tags.filter(|(_, known)| **known == tag);
        let mut found = alike.filter_map(|(index, _)| self.entry(index));
        found.find(|found| found.key == key)
    }
}
