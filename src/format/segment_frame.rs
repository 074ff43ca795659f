//! A segment frame: the envelope of everything that is checkpointed. Its layout
//! is in the README.
//!
//! The head is bincode; the body is a page's (`page`) in an image or page
//! frame and empty in all others.

use serde::{Deserialize, Serialize};

use super::codec::{self, Checksum, Malformed, aligned, read_u32};
use super::identity::{
    Batch, DatabaseId, Generation, Location, PageNumber, SegmentNumber, Sequence, Timestamp,
};
use super::record::{PageTable, SessionRecord};
use super::sums::Sums;
use crate::session_id::SessionDigest;

/// Bytes of a frame before its payload.
pub(crate) const HEAD_BYTES: usize = 16;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// A session's record and first page.
    Image,
    /// A page of a large session.
    Page,
    /// A session is gone.
    SessionTombstone,
    /// A page is gone: its neighbour took over its keys.
    PageTombstone,
    /// A batch is complete.
    Footer,
    /// A session could not be merged, because what it was merged with is
    /// damaged: what it holds is not known any more.
    SessionDamage,
}

impl Kind {
    /// Whether a row leads to a frame of this kind while it lives.
    pub(crate) fn has_row(self) -> bool {
        matches!(self, Self::Image | Self::Page | Self::SessionDamage)
    }

    fn number(self) -> u32 {
        match self {
            Self::Image => 1,
            Self::Page => 2,
            Self::SessionTombstone => 3,
            Self::PageTombstone => 4,
            Self::Footer => 5,
            Self::SessionDamage => 6,
        }
    }

    const ALL: [Self; 6] = [
        Self::Image,
        Self::Page,
        Self::SessionTombstone,
        Self::PageTombstone,
        Self::Footer,
        Self::SessionDamage,
    ];

    fn from_number(number: u32) -> Option<Self> {
        let mut kinds = Self::ALL.into_iter();
        kinds.find(|kind| kind.number() == number)
    }
}

/// The head of an image; its page's lower fence is the start of all keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImageHead {
    /// The session.
    pub(crate) digest: SessionDigest,
    /// The batch that made it.
    pub(crate) sequence: Batch,
    /// The session's record.
    pub(crate) record: SessionRecord,
    /// Its other pages.
    pub(crate) table: PageTable,
    /// The first key of the next page.
    pub(crate) upper: Option<Box<str>>,
}

/// The head of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PageHead {
    /// Whose keys.
    pub(crate) generation: Generation,
    /// Which page of the generation; not 0.
    pub(crate) number: PageNumber,
    /// The batch that made it.
    pub(crate) sequence: Batch,
    /// The first key the page may hold.
    pub(crate) lower: Box<str>,
    /// The first key of the next page.
    pub(crate) upper: Option<Box<str>>,
}

/// The head of a session's damage: reading the session is an error until it
/// is flushed or destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionDamage {
    /// The session.
    pub(crate) digest: SessionDigest,
    /// Its generation.
    pub(crate) generation: Generation,
    /// The batch that made it.
    pub(crate) sequence: Batch,
}

/// The head of a session's tombstone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionTombstone {
    /// The session that is gone.
    pub(crate) digest: SessionDigest,
    /// Its generation; 0 when the keys live on under another digest.
    pub(crate) generation: Generation,
    /// The batch that made it.
    pub(crate) sequence: Batch,
    /// The file it was first written in.
    pub(crate) written_in: SegmentNumber,
}

/// The head of a page's tombstone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PageTombstone {
    /// Whose page.
    pub(crate) generation: Generation,
    /// The page that is gone.
    pub(crate) number: PageNumber,
    /// The batch that made it.
    pub(crate) sequence: Batch,
    /// The file it was first written in.
    pub(crate) written_in: SegmentNumber,
}

/// What a frame is about. Of two frames of one identity the newer one counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Identity {
    /// An image, a session's tombstone or its damage. The generation is beside it, so
    /// that pages can be told from garbage even when the image is damaged.
    Session(SessionDigest, Generation),
    /// A page and the first key it may hold, or a page's tombstone, which names
    /// no key.
    Page(Generation, PageNumber, Box<str>),
}

/// IDs that must not come alive again for some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Retirement {
    /// Until then.
    pub(crate) until: Timestamp,
    /// Their digests.
    #[serde(deserialize_with = "codec::list")]
    pub(crate) digests: Vec<SessionDigest>,
}

/// What the index holds of the IDs that are retired until one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RetiredSum {
    /// Until when; from then on nobody has to hold them.
    pub(crate) until: Timestamp,
    /// Wrapping sum of the hashes of their rows.
    pub(crate) hash: u64,
}

/// What the footer says of one frame of its batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FooterEntry {
    /// What it holds.
    pub(crate) kind: Kind,
    /// What it is about.
    pub(crate) identity: Identity,
    /// The batch that made it; older than the footer's own where a frame was copied.
    pub(crate) sequence: Batch,
    /// Where it lies.
    pub(crate) location: Location,
}

/// A file that is not written to any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct SealedFile {
    /// Which file.
    pub(crate) number: SegmentNumber,
    /// Where what counts of it ends, in bytes.
    pub(crate) end: u64,
}

/// The head of a footer. It names the frames of its batch that lie in its own
/// file: a file tells all about itself. With the last footer of a batch on
/// disk, the batch is committed. IDs that died stand in the footer itself: of
/// each there is little to say, and much would be lost with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Footer {
    /// Counts up by one.
    pub(crate) batch: Batch,
    /// Whether the batch ends here; else it goes on in the next file. Only
    /// with the last footer there is more than `previous`, `retirements` and
    /// `entries`.
    pub(crate) ends_batch: bool,
    /// Every journal frame up to this one is in this batch or an earlier one.
    pub(crate) journal_through: Sequence,
    /// No generation from this one on is in this batch or an earlier one.
    pub(crate) next_generation: Generation,
    /// What was removed by then lies in no file any more.
    pub(crate) erased_through: Timestamp,
    /// Wrapping sum of the hashes of all session rows once this batch is published.
    pub(crate) index_hash: u64,
    /// The same of the retired IDs, by time, in order; those whose time has
    /// passed are left out.
    #[serde(deserialize_with = "codec::list")]
    pub(crate) retired: Vec<RetiredSum>,
    /// The files that count besides the footer's own, in order. Others are
    /// not of the database any more.
    #[serde(deserialize_with = "codec::list")]
    pub(crate) files: Vec<SealedFile>,
    /// The footer before.
    pub(crate) previous: Option<Location>,
    /// IDs that died, or whose retirement was copied.
    #[serde(deserialize_with = "codec::list")]
    pub(crate) retirements: Vec<Retirement>,
    /// The batch's frames in this file.
    #[serde(deserialize_with = "codec::list")]
    pub(crate) entries: Vec<FooterEntry>,
}

impl Footer {
    /// What it says of all that is committed, without what it says of its own
    /// file.
    pub(crate) fn without_contents(self) -> Self {
        Self {
            retirements: Vec::new(),
            entries: Vec::new(),
            ..self
        }
    }
}

/// Where a frame stands; part of its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Whose segment.
    pub(crate) database: DatabaseId,
    /// Which file.
    pub(crate) number: SegmentNumber,
    /// Where in the file.
    pub(crate) offset: u32,
}

/// A frame that passed its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentFrame<'a> {
    /// What it holds.
    pub(crate) kind: Kind,
    /// Its payload.
    pub(crate) payload: &'a [u8],
    /// Where the payload's body begins, counted from the start of the frame.
    pub(crate) body: usize,
    /// Bytes of the frame without its padding.
    pub(crate) length: usize,
}

impl<'a> SegmentFrame<'a> {
    /// Decodes the head.
    pub(crate) fn head<T: Deserialize<'a>>(&self) -> Result<T, Malformed> {
        let malformed = Malformed::Damaged("a segment frame's head is cut off");
        let end = self.body.checked_sub(HEAD_BYTES).ok_or(malformed.clone())?;
        let head = self.payload.get(4..end).ok_or(malformed)?;
        codec::decode(head, "a segment frame's head does not decode")
    }
}

/// Bytes until the next frame begins.
pub(crate) fn frame_bytes(length: usize) -> usize {
    aligned(length)
}

/// Appends a frame without its padding: the head, and the body that `body`
/// appends. `place` is where the frame will stand. Returns its length.
pub(crate) fn write<T: Serialize>(
    buffer: &mut Vec<u8>,
    place: Place,
    kind: Kind,
    head: &T,
    body: impl FnOnce(&mut Vec<u8>) -> Result<(), Malformed>,
) -> Result<usize, Malformed> {
    let malformed = Malformed::Damaged("a segment frame is too long");
    let start = buffer.len();
    buffer.resize(start + HEAD_BYTES + 4, 0);
    codec::encode_into(buffer, head)?;
    let head_length = u32::try_from(buffer.len() - start - HEAD_BYTES - 4)
        .map_err(|_| malformed.clone())?
        .to_le_bytes();
    if let Some(field) = buffer.get_mut(start + HEAD_BYTES..start + HEAD_BYTES + 4) {
        field.copy_from_slice(&head_length);
    }
    body(buffer)?;
    finish(buffer, start, place, kind)
}

/// Fills in what stands before the payload that begins behind `start`.
fn finish(buffer: &mut [u8], start: usize, place: Place, kind: Kind) -> Result<usize, Malformed> {
    let malformed = Malformed::Damaged("a segment frame is too long");
    let payload = buffer.get(start + HEAD_BYTES..).ok_or(malformed.clone())?;
    let length = u32::try_from(payload.len()).map_err(|_| malformed.clone())?;
    let crc = frame_checksum(place, length, kind.number(), payload);
    let fields = [
        length.to_le_bytes(),
        crc.to_le_bytes(),
        kind.number().to_le_bytes(),
        [0; 4],
    ]
    .concat();
    if let Some(field) = buffer.get_mut(start..start + HEAD_BYTES) {
        field.copy_from_slice(&fields);
    }
    Ok(buffer.len() - start)
}

/// Appends a copy of a frame, for another place.
pub(crate) fn copy(
    buffer: &mut Vec<u8>,
    place: Place,
    frame: &SegmentFrame<'_>,
) -> Result<usize, Malformed> {
    let start = buffer.len();
    buffer.resize(start + HEAD_BYTES, 0);
    buffer.extend_from_slice(frame.payload);
    finish(buffer, start, place, frame.kind)
}

/// Bytes (without padding) that the head at `offset` claims for its frame:
/// how far a walk from frame to frame has to step.
pub(crate) fn claimed_length(bytes: &[u8], offset: usize) -> Option<usize> {
    let length = read_u32(bytes, offset)? as usize;
    (length >= 4).then(|| HEAD_BYTES.saturating_add(length))
}

/// The kind that the head at `offset` claims.
pub(crate) fn claimed_kind(bytes: &[u8], offset: usize) -> Option<Kind> {
    Kind::from_number(read_u32(bytes, offset.checked_add(8)?)?)
}

/// The whole, valid frame at `offset` of `bytes`, if there is one.
pub(crate) fn parse(bytes: &[u8], offset: usize, place: Place) -> Option<SegmentFrame<'_>> {
    parse_as(bytes, offset, place, claimed_kind(bytes, offset)?)
}

/// The same where the kind may be damaged: the checksum tells it.
pub(crate) fn parse_of_any_kind(
    bytes: &[u8],
    offset: usize,
    place: Place,
) -> Option<SegmentFrame<'_>> {
    let mut kinds = Kind::ALL.into_iter();
    parse(bytes, offset, place)
        .or_else(|| kinds.find_map(|kind| parse_as(bytes, offset, place, kind)))
}

fn parse_as(bytes: &[u8], offset: usize, place: Place, kind: Kind) -> Option<SegmentFrame<'_>> {
    let claimed = claimed(bytes, offset, kind)?;
    let crc = frame_checksum(place, claimed.length, kind.number(), claimed.payload);
    claimed.proved_by(crc)
}

/// As [`parse`], for who asks at many places, where anything may lie.
pub(crate) fn search<'b>(
    sums: &mut Sums<'b>,
    offset: usize,
    place: Place,
) -> Option<SegmentFrame<'b>> {
    let kind = claimed_kind(sums.bytes(), offset)?;
    let claimed = claimed(sums.bytes(), offset, kind)?;
    let head = head_checksum(place, claimed.length, kind.number());
    let start = offset.checked_add(HEAD_BYTES)?;
    claimed.proved_by(sums.add(head, start, claimed.payload.len())?)
}

/// What bytes say of themselves, were they a frame of a kind.
struct Claimed<'a> {
    kind: Kind,
    length: u32,
    crc: u32,
    payload: &'a [u8],
}

fn claimed(bytes: &[u8], offset: usize, kind: Kind) -> Option<Claimed<'_>> {
    let length = read_u32(bytes, offset)?;
    let crc = read_u32(bytes, offset.checked_add(4)?)?;
    if read_u32(bytes, offset.checked_add(12)?)? != 0 {
        return None;
    }
    let start = offset.checked_add(HEAD_BYTES)?;
    let payload = bytes.get(start..start.checked_add(length as usize)?)?;
    Some(Claimed {
        kind,
        length,
        crc,
        payload,
    })
}

impl<'a> Claimed<'a> {
    /// The frame, if that is its checksum and its head fits in.
    fn proved_by(&self, crc: u32) -> Option<SegmentFrame<'a>> {
        let head_length = read_u32(self.payload, 0)? as usize;
        let body = HEAD_BYTES.checked_add(4)?.checked_add(head_length)?;
        let whole = HEAD_BYTES.checked_add(self.payload.len())?;
        (crc == self.crc && body <= whole).then_some(SegmentFrame {
            kind: self.kind,
            payload: self.payload,
            body,
            length: whole,
        })
    }
}

fn frame_checksum(place: Place, length: u32, kind: u32, payload: &[u8]) -> u32 {
    let mut sum = head_checksum(place, length, kind);
    sum.update(payload);
    sum.finish()
}

/// Of all that comes before the payload.
fn head_checksum(place: Place, length: u32, kind: u32) -> Checksum {
    let mut sum = Checksum::default();
    for part in [
        place.database.0.as_slice(),
        &place.number.0.to_le_bytes(),
        &place.offset.to_le_bytes(),
        &length.to_le_bytes(),
        &kind.to_le_bytes(),
    ] {
        sum.update(part);
    }
    sum
}
