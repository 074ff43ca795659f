//! A flipped bit, and whether an error tells of it.

use std::fmt;

use sessiondb::Error;

use crate::layout;

const SEGMENT_HEADER: usize = 64;
const SEGMENT_HEAD: usize = 16;

/// A bit of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flip<'f> {
    pub(crate) file: &'f str,
    pub(crate) offset: usize,
    pub(crate) mask: u8,
}

impl fmt::Display for Flip<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, offset, mask } = self;
        write!(formatter, "{file} byte {offset} xor {mask:#04x}")
    }
}

impl Flip<'_> {
    /// The bytes with the bit flipped.
    pub(crate) fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        bytes[self.offset] ^= self.mask;
        bytes
    }

    /// Whether an error names this file, and in it the frame or header of the
    /// bit; `bytes` are the file's before the flip.
    pub(crate) fn is_told_by(&self, error: &Error, bytes: &[u8]) -> bool {
        let Error::Corrupted { path, offset, .. } = error else {
            return false;
        };
        let begins = begins(self.file, bytes);
        let named = usize::try_from(*offset).unwrap();
        path.ends_with(self.file) && named == begins_at_or_before(&begins, self.offset)
    }
}

/// Where what stands in a file begins: its header, and each frame.
fn begins(file: &str, bytes: &[u8]) -> Vec<usize> {
    let mut begins = vec![0];
    if file.starts_with("journal/") {
        begins.extend(layout::frames(bytes).iter().map(|frame| frame.bytes.start));
        begins.push(layout::end(bytes));
    } else if file.starts_with("segments/") {
        begins.extend(segment_frames(bytes));
    }
    begins
}

fn begins_at_or_before(begins: &[usize], offset: usize) -> usize {
    let before = begins.iter().filter(|begin| **begin <= offset);
    *before.max().unwrap()
}

/// Where the frames of a segment file begin.
pub(crate) fn segment_frames(bytes: &[u8]) -> Vec<usize> {
    let mut begins = Vec::new();
    let mut offset = SEGMENT_HEADER;
    while let Some(length) = bytes.get(offset..offset + 4) {
        begins.push(offset);
        let length = u32::from_le_bytes(length.try_into().unwrap());
        offset = (offset + SEGMENT_HEAD + length as usize).next_multiple_of(8);
    }
    begins
}
