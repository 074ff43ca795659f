//! What erasure asks of the index: where something may lie that was removed.
//!
//! INVARIANT: a file of the segments is clean only while each frame in it has
//! a row that leads there; a row that goes or is replaced takes that away.
//!
//! INVARIANT: while the index does not hold removed names, no key and no owner
//! has been taken out of the trees that name them since its directory was new.
//! sled leaves what is taken out where it lies.

use std::collections::BTreeSet;

use super::rows::Index;
use crate::format::identity::{SegmentNumber, Timestamp};
use crate::format::record::{RowContent, SessionRow};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// No key ends.
const NEVER: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Stains {
    clean: Mutex<BTreeSet<SegmentNumber>>,
    holds_removed: AtomicBool,
    /// No key in any page ends before this.
    first_deadline: AtomicU64,
    /// The same of the rows that a look at all of them has met so far, and of
    /// those that were put meanwhile.
    first_met: AtomicU64,
}

/// Of a directory of which nothing is known.
impl Default for Stains {
    fn default() -> Self {
        Self {
            clean: Mutex::default(),
            holds_removed: true.into(),
            first_deadline: 0.into(),
            first_met: 0.into(),
        }
    }
}

impl Stains {
    /// A frame in this file is dead from now on.
    pub(super) fn stain(&self, number: SegmentNumber) {
        self.clean.lock().remove(&number);
    }

    /// A name was taken out of the index.
    pub(super) fn note_removed(&self) {
        self.holds_removed.store(true, Ordering::Relaxed);
    }

    /// A session's row is put.
    pub(super) fn note_deadline(&self, row: &SessionRow) {
        if let RowContent::Whole { table, .. } = &row.content
            && let Some(first) = table.first_deadline
        {
            self.first_deadline.fetch_min(first.0, Ordering::Relaxed);
            self.first_met.fetch_min(first.0, Ordering::Relaxed);
        }
    }

    /// Takes over what is true of the segments, and not of the directory.
    pub(super) fn take_over(&self, old: &Self) {
        let clean = old.clean.lock().clone();
        *self.clean.lock() = clean;
        let first = old.first_deadline.load(Ordering::Relaxed);
        self.first_deadline.store(first, Ordering::Relaxed);
        let met = old.first_met.load(Ordering::Relaxed);
        self.first_met.store(met, Ordering::Relaxed);
    }

    /// From the beginning, or as it was noted.
    pub(super) fn set(&self, holds_removed: bool, first_deadline: Option<Timestamp>) {
        self.holds_removed.store(holds_removed, Ordering::Relaxed);
        let first = first_deadline.map_or(NEVER, |first| first.0);
        self.first_deadline.store(first, Ordering::Relaxed);
        self.first_met.store(first, Ordering::Relaxed);
    }
}

impl Index {
    /// Whether names of what was removed may lie in the index's own files.
    pub(crate) fn holds_removed(&self) -> bool {
        self.stains.holds_removed.load(Ordering::Relaxed)
    }

    /// No key in any page ends before this; `None` where no key ends.
    pub(crate) fn first_deadline(&self) -> Option<Timestamp> {
        let first = self.stains.first_deadline.load(Ordering::Relaxed);
        (first != NEVER).then_some(Timestamp(first))
    }

    /// Somebody looks at the rows of all sessions from now on, which makes the
    /// first deadline exact. Until then it is what it was: the look may be cut
    /// off.
    pub(crate) fn look_for_deadlines(&self) {
        self.stains.first_met.store(NEVER, Ordering::Relaxed);
    }

    /// All rows have been met in such a look.
    pub(crate) fn know_first_deadline(&self) {
        let first = self.stains.first_met.load(Ordering::Relaxed);
        self.stains.first_deadline.store(first, Ordering::Relaxed);
    }

    /// A session's row was met in such a look.
    pub(crate) fn note_deadline(&self, row: &SessionRow) {
        self.stains.note_deadline(row);
    }

    /// Whether all frames of a file are known to have a row.
    pub(crate) fn is_clean(&self, number: SegmentNumber) -> bool {
        self.stains.clean.lock().contains(&number)
    }

    /// Somebody has compared the frames of a file with the rows.
    pub(crate) fn note_clean(&self, number: SegmentNumber) {
        self.stains.clean.lock().insert(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::identity::Generation;
    use crate::format::record::{PageTable, SessionRecord};

    fn row(first_deadline: Option<u64>) -> SessionRow {
        SessionRow {
            location: crate::format::identity::Location::default(),
            sequence: crate::format::identity::Batch(1),
            content: RowContent::Whole {
                table: PageTable {
                    first_deadline: first_deadline.map(Timestamp),
                    ..PageTable::default()
                },
                record: SessionRecord::default(),
            },
        }
    }

    #[test]
    fn of_an_index_that_was_not_made_just_now_the_worst_is_assumed() {
        let stains = Stains::default();
        assert!(stains.holds_removed.into_inner());
        assert_eq!(stains.first_deadline.into_inner(), 0);
    }

    #[test]
    fn the_first_deadline_is_that_of_the_row_with_the_first_one() {
        let stains = Stains::default();
        stains.set(false, None);
        for first in [None, Some(7), Some(5), Some(9)] {
            stains.note_deadline(&row(first));
        }
        let damaged = RowContent::Damaged {
            generation: Generation(1),
        };
        stains.note_deadline(&SessionRow {
            content: damaged,
            ..row(None)
        });
        assert_eq!(stains.first_deadline.into_inner(), 5);
    }
}
