//! How much of each segment file rows still lead to, with what footers say of
//! it: a copy needs that again.
//!
//! A heuristic that says where compaction is worth a look: nothing that has to
//! be right depends on it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::guard::{Outcome, Trouble};
use super::rows::Index;
use crate::format::codec;
use crate::format::identity::{Location, SegmentNumber, Timestamp};
use crate::format::segment_frame::frame_bytes;
use crate::sync::Mutex;

/// What is noted at a clean stop.
#[derive(Serialize, Deserialize)]
struct Note {
    #[serde(deserialize_with = "codec::list")]
    live: Vec<(SegmentNumber, Living)>,
    rows: Option<u64>,
    holds_removed: bool,
    first_deadline: Option<Timestamp>,
    removed_since: Option<Timestamp>,
}

/// Frames of a file that rows lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Living {
    /// What they take up, with the entries that name them, about.
    pub(crate) bytes: u64,
    /// How many there are.
    pub(crate) frames: u64,
}

/// The same by file.
pub(crate) type LiveFrames = BTreeMap<SegmentNumber, Living>;

#[derive(Debug, Default)]
pub(super) struct Live(Mutex<LiveFrames>);

/// Bytes of a footer's entry besides what the row has as its key, about.
const ENTRY_BYTES: u64 = 24;

/// What a frame takes up, and the entry that names it. Too much rather than
/// too little: what counts as garbage and is there again in the copy would
/// be compacted for ever.
pub(crate) fn bytes_of(location: Location, key_bytes: usize) -> u64 {
    let frame = frame_bytes(location.length as usize) as u64;
    let entry = ENTRY_BYTES.saturating_add(key_bytes as u64);
    frame.saturating_add(entry)
}

/// One more row leads to a frame.
pub(super) fn add(live: &mut LiveFrames, location: Location, key_bytes: usize) {
    let living = live.entry(location.segment).or_default();
    living.bytes = living.bytes.saturating_add(bytes_of(location, key_bytes));
    living.frames = living.frames.saturating_add(1);
}

impl Live {
    pub(super) fn add(&self, location: Location, key_bytes: usize) {
        add(&mut self.0.lock(), location, key_bytes);
    }

    pub(super) fn remove(&self, location: Location, key_bytes: usize) {
        let mut live = self.0.lock();
        if let Some(living) = live.get_mut(&location.segment) {
            living.bytes = living.bytes.saturating_sub(bytes_of(location, key_bytes));
            living.frames = living.frames.saturating_sub(1);
            if living.frames == 0 {
                live.remove(&location.segment);
            }
        }
    }

    pub(super) fn set(&self, live: LiveFrames) {
        *self.0.lock() = live;
    }
}

impl Index {
    /// The frames that rows lead to, by file.
    pub(crate) fn live_frames(&self) -> LiveFrames {
        self.live.0.lock().clone()
    }

    /// How many of a file's frames rows lead to.
    pub(crate) fn frames_in(&self, number: SegmentNumber) -> u64 {
        let live = self.live.0.lock();
        live.get(&number).map_or(0, |living| living.frames)
    }

    /// Notes them, how many rows there are, and since when something that was
    /// removed lies in files, for an open that does not look at all rows.
    pub(crate) fn note_sizes(&self, removed_since: Option<Timestamp>) -> Outcome<()> {
        let note = Note {
            live: self.live_frames().into_iter().collect(),
            rows: self.count.get(),
            holds_removed: self.holds_removed(),
            first_deadline: self.first_deadline(),
            removed_since,
        };
        self.set_sizes_note(codec::encode(&note).map_err(Trouble::new)?)
    }

    /// Believes what was noted; returns since when something that was removed
    /// lies in files, and `unknown` where there is no note.
    pub(crate) fn take_sizes_note(&self, unknown: Option<Timestamp>) -> Outcome<Option<Timestamp>> {
        let Some(note) = self.sizes_note()? else {
            return Ok(unknown);
        };
        let note: Note = codec::decode(&note, "a note of the index").map_err(Trouble::new)?;
        self.live.set(note.live.into_iter().collect());
        note.rows.into_iter().for_each(|rows| self.count.set(rows));
        self.stains.set(note.holds_removed, note.first_deadline);
        Ok(note.removed_since)
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
    fn a_file_has_as_many_live_bytes_as_its_frames_and_their_entries_take_up() {
        let live = Live::default();
        live.add(location(1, 20), 16);
        live.add(location(1, 24), 100);
        live.add(location(2, 1), 16);
        let living = |bytes, frames| Living { bytes, frames };
        let expected = [
            (SegmentNumber(1), living(24 + 40 + 24 + 124, 2)),
            (SegmentNumber(2), living(8 + 40, 1)),
        ];
        assert_eq!(*live.0.lock(), BTreeMap::from(expected));
        live.remove(location(1, 24), 100);
        live.remove(location(2, 1), 16);
        let expected = BTreeMap::from([(SegmentNumber(1), living(24 + 40, 1))]);
        assert_eq!(*live.0.lock(), expected);
    }

    #[test]
    fn what_was_never_counted_is_nothing() {
        let live = Live::default();
        live.remove(location(1, 24), 16);
        assert!(live.0.lock().is_empty());
    }
}
