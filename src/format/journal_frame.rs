//! A journal frame: one transaction between its checksum and its padding. Its
//! layout is in the README.

use super::codec::{Checksum, Malformed, aligned, read_u32, read_u64};
use super::identity::{DatabaseId, JournalNumber, Sequence};
use super::sums::Sums;

/// Bytes of a frame before its payload.
pub(crate) const HEAD_BYTES: usize = 4 + 4 + 8 + 8;

/// Where a frame stands; part of its checksum, so that a frame is valid in
/// one place only and nothing stale passes for new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Whose journal.
    pub(crate) database: DatabaseId,
    /// Which file.
    pub(crate) number: JournalNumber,
    /// Where in the file.
    pub(crate) offset: u64,
}

/// A frame that passed its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JournalFrame<'a> {
    /// Its place in the order of all frames.
    pub(crate) sequence: Sequence,
    /// Every frame up to this one was on disk before this frame was written.
    pub(crate) synced_through: Sequence,
    /// The encoded transaction.
    pub(crate) payload: &'a [u8],
    /// Bytes of the frame with its padding: where the next one begins.
    pub(crate) size: usize,
}

/// Bytes of a frame with a payload of `payload` bytes, padding included.
pub(crate) fn frame_bytes(payload: usize) -> usize {
    aligned(HEAD_BYTES.saturating_add(payload))
}

/// Begins a frame: leaves room for the head. The payload is appended next,
/// then `finish` is called with where the frame began in `buffer`.
pub(crate) fn begin(buffer: &mut Vec<u8>) -> usize {
    let start = buffer.len();
    buffer.resize(start.saturating_add(HEAD_BYTES), 0);
    start
}

/// Fills in the head of the frame that began at `start`, and pads it.
pub(crate) fn finish(
    buffer: &mut Vec<u8>,
    start: usize,
    place: Place,
    sequence: Sequence,
    synced_through: Sequence,
) -> Result<(), Malformed> {
    let malformed = Malformed::Damaged("a journal frame is too long");
    let payload_start = start.saturating_add(HEAD_BYTES);
    let payload = buffer.get(payload_start..).ok_or(malformed.clone())?;
    let length = u32::try_from(payload.len()).map_err(|_| malformed.clone())?;
    let crc = frame_checksum(place, length, sequence, synced_through, payload);
    let size = frame_bytes(payload.len());
    let head = buffer
        .get_mut(start..payload_start)
        .ok_or(malformed.clone())?;
    let fields = [
        length.to_le_bytes().as_slice(),
        &crc.to_le_bytes(),
        &sequence.0.to_le_bytes(),
        &synced_through.0.to_le_bytes(),
    ]
    .concat();
    head.copy_from_slice(&fields);
    buffer.resize(start.saturating_add(size), 0);
    Ok(())
}

/// The sequence that the bytes at `offset` would have if they were a frame:
/// a cheap filter before a checksum is worth its time.
pub(crate) fn peek_sequence(bytes: &[u8], offset: usize) -> Option<Sequence> {
    Some(Sequence(read_u64(bytes, offset.checked_add(8)?)?))
}

/// Whether the bytes at `offset` say that they are the frame of a sequence, be
/// they damaged otherwise; or are that frame, but for its sequence.
pub(crate) fn claims(bytes: &[u8], offset: usize, place: Place, sequence: Sequence) -> bool {
    if peek_sequence(bytes, offset) == Some(sequence) {
        return true;
    }
    let is_whole = || {
        let length = read_u32(bytes, offset)?;
        let crc = read_u32(bytes, offset.checked_add(4)?)?;
        let synced_through = Sequence(read_u64(bytes, offset.checked_add(16)?)?);
        let start = offset.checked_add(HEAD_BYTES)?;
        let payload = bytes.get(start..start.checked_add(length as usize)?)?;
        Some(frame_checksum(place, length, sequence, synced_through, payload) == crc)
    };
    is_whole().unwrap_or(false)
}

/// The whole, valid frame at `offset` of a file's bytes, if there is one.
pub(crate) fn parse(bytes: &[u8], offset: usize, place: Place) -> Option<JournalFrame<'_>> {
    let (frame, length, crc) = claimed(bytes, offset)?;
    let mut sum = head_checksum(place, length, frame.sequence, frame.synced_through);
    sum.update(frame.payload);
    (sum.finish() == crc).then_some(frame)
}

/// The same for who asks at many places, where anything may lie.
pub(crate) fn search<'b>(
    sums: &mut Sums<'b>,
    offset: usize,
    place: Place,
) -> Option<JournalFrame<'b>> {
    let (frame, length, crc) = claimed(sums.bytes(), offset)?;
    let head = head_checksum(place, length, frame.sequence, frame.synced_through);
    let start = offset.checked_add(HEAD_BYTES)?;
    (sums.add(head, start, frame.payload.len())? == crc).then_some(frame)
}

/// What the bytes at `offset` say of themselves, were they a frame: that, its
/// length and its checksum.
fn claimed(bytes: &[u8], offset: usize) -> Option<(JournalFrame<'_>, u32, u32)> {
    let length = read_u32(bytes, offset)?;
    let crc = read_u32(bytes, offset.checked_add(4)?)?;
    let sequence = Sequence(read_u64(bytes, offset.checked_add(8)?)?);
    let synced_through = Sequence(read_u64(bytes, offset.checked_add(16)?)?);
    if length == 0 || sequence.0 == 0 || synced_through >= sequence {
        return None;
    }
    let start = offset.checked_add(HEAD_BYTES)?;
    let payload = bytes.get(start..start.checked_add(length as usize)?)?;
    let frame = JournalFrame {
        sequence,
        synced_through,
        payload,
        size: frame_bytes(payload.len()),
    };
    Some((frame, length, crc))
}

fn frame_checksum(
    place: Place,
    length: u32,
    sequence: Sequence,
    synced_through: Sequence,
    payload: &[u8],
) -> u32 {
    let mut sum = head_checksum(place, length, sequence, synced_through);
    sum.update(payload);
    sum.finish()
}

/// Of all that comes before the payload.
fn head_checksum(
    place: Place,
    length: u32,
    sequence: Sequence,
    synced_through: Sequence,
) -> Checksum {
    let mut sum = Checksum::default();
    for part in [
        place.database.0.as_slice(),
        &place.number.0.to_le_bytes(),
        &place.offset.to_le_bytes(),
        &length.to_le_bytes(),
        &sequence.0.to_le_bytes(),
        &synced_through.0.to_le_bytes(),
    ] {
        sum.update(part);
    }
    sum
}
