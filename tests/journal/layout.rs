//! Where things lie in a journal file, told from its bytes alone.
//!
//! ```text
//! file   = header{256} frame*
//! header = magic{8} version:u32 length:u32 crc:u32 payload{length} zeros
//! frame  = length:u32 crc:u32 sequence:u64 synced_through:u64 payload{length} zero-padding to 8
//! ```

use std::ops::Range;

pub(crate) const HEADER: usize = 256;
const FRAME_HEAD: usize = 24;

/// A frame of the newest run of frames in a file.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) sequence: u64,
    pub(crate) synced_through: u64,
    /// Not the declaration of a checkpoint.
    pub(crate) is_transaction: bool,
    /// Without its padding.
    pub(crate) bytes: Range<usize>,
}

impl Frame {
    /// Where the next one begins.
    pub(crate) fn end(&self) -> usize {
        self.bytes.end.next_multiple_of(8)
    }
}

fn u32_at(bytes: &[u8], offset: usize) -> usize {
    let field = bytes.get(offset..offset + 4).unwrap_or(&[0; 4]);
    u32::from_le_bytes(field.try_into().unwrap()) as usize
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let field = bytes.get(offset..offset + 8).unwrap_or(&[0; 8]);
    u64::from_le_bytes(field.try_into().unwrap())
}

/// The part of the header that its checksum covers.
pub(crate) fn sealed_header(bytes: &[u8]) -> Range<usize> {
    0..20 + u32_at(bytes, 12)
}

/// The frames from the start of a file on, as long as their sequences count up.
pub(crate) fn frames(bytes: &[u8]) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    let mut offset = HEADER;
    loop {
        let length = u32_at(bytes, offset);
        let sequence = u64_at(bytes, offset + 8);
        let follows = frames
            .last()
            .is_none_or(|last| sequence == last.sequence + 1);
        if length == 0 || !follows {
            return frames;
        }
        let frame = Frame {
            sequence,
            synced_through: u64_at(bytes, offset + 16),
            is_transaction: bytes.get(offset + FRAME_HEAD) == Some(&0),
            bytes: offset..offset + FRAME_HEAD + length,
        };
        offset = frame.end();
        frames.push(frame);
    }
}

/// Where the frames of a file end.
pub(crate) fn end(bytes: &[u8]) -> usize {
    frames(bytes).last().map_or(HEADER, Frame::end)
}
