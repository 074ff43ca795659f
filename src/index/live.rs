//! How much of each segment file rows still lead to.
//!
//! A heuristic that says where compaction is worth a look: nothing that has to
//! be right depends on it.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::guard::Outcome;
use super::rows::{Index, undecodable};
use crate::format::codec;
use crate::format::identity::{Location, SegmentNumber};
use crate::format::segment_frame::frame_bytes;

/// Bytes of live frames by file.
pub(crate) type LiveBytes = BTreeMap<SegmentNumber, u64>;

#[derive(Debug, Default)]
pub(super) struct Live(Mutex<LiveBytes>);

fn bytes_of(location: Location) -> u64 {
    frame_bytes(location.length as usize) as u64
}

/// One more row leads to a frame.
pub(super) fn add(live: &mut LiveBytes, location: Location) {
    let bytes = live.entry(location.segment).or_default();
    *bytes = bytes.saturating_add(bytes_of(location));
}

impl Live {
    pub(super) fn add(&self, location: Location) {
        add(&mut self.0.lock(), location);
    }

    pub(super) fn remove(&self, location: Location) {
        let mut live = self.0.lock();
        if let Some(bytes) = live.get_mut(&location.segment) {
            *bytes = bytes.saturating_sub(bytes_of(location));
            if *bytes == 0 {
                live.remove(&location.segment);
            }
        }
    }

    pub(super) fn set(&self, live: LiveBytes) {
        *self.0.lock() = live;
    }
}

impl Index {
    /// Bytes of the frames that rows lead to, by file.
    pub(crate) fn live_bytes(&self) -> LiveBytes {
        self.live.0.lock().clone()
    }

    /// Notes them, for an open that does not look at all rows.
    pub(crate) fn note_live_bytes(&self) -> Outcome<()> {
        let pairs: Vec<(SegmentNumber, u64)> = self.live_bytes().into_iter().collect();
        let note = codec::encode(&pairs).map_err(super::guard::Trouble::new)?;
        self.set_live_note(note)
    }

    /// Believes what was noted.
    pub(crate) fn take_live_note(&self) -> Outcome<()> {
        let Some(note) = self.live_note()? else {
            return Ok(());
        };
        let pairs: Vec<(SegmentNumber, u64)> =
            codec::decode(&note, "a note of the index").map_err(|_| undecodable())?;
        self.live.set(pairs.into_iter().collect());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(segment: u32, length: u32) -> Location {
        Location {
            segment: SegmentNumber(segment),
            offset: 64,
            length,
        }
    }

    #[test]
    fn a_file_has_as_many_live_bytes_as_its_frames_take_up() {
        let live = Live::default();
        live.add(location(1, 20));
        live.add(location(1, 24));
        live.add(location(2, 1));
        let expected = BTreeMap::from([(SegmentNumber(1), 48), (SegmentNumber(2), 8)]);
        assert_eq!(*live.0.lock(), expected);
        live.remove(location(1, 24));
        live.remove(location(2, 1));
        assert_eq!(*live.0.lock(), BTreeMap::from([(SegmentNumber(1), 24)]));
    }

    #[test]
    fn what_was_never_counted_is_nothing() {
        let live = Live::default();
        live.remove(location(1, 24));
        assert!(live.0.lock().is_empty());
    }
}
