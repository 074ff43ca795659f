//! Headers and checksums put right, so that the decoders behind them are
//! reached: `seal` of the format's `codec`, `journal_frame` and `segment_frame`.

use std::ops::Range;

const JOURNAL_HEADER: usize = 256;
const JOURNAL_HEAD: usize = 24;
const SEGMENT_HEADER: usize = 64;
const SEGMENT_HEAD: usize = 16;

/// Makes the header of `journal/000001.log` one of this database, and the
/// checksum of every frame right.
pub fn mend_journal(journal: &mut [u8], id: [u8; 16]) {
    if !seal(journal, b"sdbJOURN", JOURNAL_HEADER, id) {
        return;
    }
    for Range { start: at, end } in journal_frames(journal) {
        let place = [1_u64.to_le_bytes(), (at as u64).to_le_bytes()].concat();
        let parts = [&id, &place[..], &journal[at..at + 4], &journal[at + 8..end]];
        let crc = checksum(&parts);
        journal[at + 4..at + 8].copy_from_slice(&crc);
    }
}

/// Where the frames of a journal file lie, by their lengths alone.
pub fn journal_frames(journal: &[u8]) -> Vec<Range<usize>> {
    let mut frames = Vec::new();
    let mut at = JOURNAL_HEADER;
    while at + JOURNAL_HEAD < journal.len() {
        let length = word(journal, at);
        let end = at + JOURNAL_HEAD + length;
        if length == 0 || end > journal.len() {
            break;
        }
        frames.push(at..end);
        at = end.next_multiple_of(8);
    }
    frames
}

/// The same of a segment file of this number.
pub fn mend_segment(segment: &mut [u8], number: u32, id: [u8; 16]) {
    if !seal(segment, b"sdbSEGME", SEGMENT_HEADER, id) {
        return;
    }
    let mut at = SEGMENT_HEADER;
    while at + SEGMENT_HEAD < segment.len() {
        let end = at + SEGMENT_HEAD + word(segment, at);
        if end > segment.len() {
            return;
        }
        let place = [number.to_le_bytes(), (at as u32).to_le_bytes()].concat();
        // The field behind the kind is not under the checksum.
        let kind = &segment[at + 8..at + 12];
        let payload = &segment[at + SEGMENT_HEAD..end];
        let crc = checksum(&[&id, &place, &segment[at..at + 4], kind, payload]);
        segment[at + 4..at + 8].copy_from_slice(&crc);
        at = end.next_multiple_of(8);
    }
}

/// Whether there is room for a header.
fn seal(file: &mut [u8], magic: &[u8; 8], header: usize, id: [u8; 16]) -> bool {
    if file.len() < header {
        return false;
    }
    file[..8].copy_from_slice(magic);
    file[8..12].copy_from_slice(&1_u32.to_le_bytes());
    file[20..36].copy_from_slice(&id);
    let length = word(file, 12).min(header - 20);
    let crc = checksum(&[&file[..16], &file[20..20 + length]]);
    file[16..20].copy_from_slice(&crc);
    true
}

fn word(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes")) as usize
}

fn checksum(parts: &[&[u8]]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().to_le_bytes()
}
