//! How far the background is, for who asks: read without any lock.

use std::time::Duration;

use crate::format::identity::Timestamp;
use crate::sync::atomic::{AtomicU64, Ordering};

/// Nothing under way.
const NONE: u64 = u64::MAX;

/// Numbers that nothing depends on.
#[derive(Debug)]
pub(crate) struct Progress {
    left: AtomicU64,
    total: AtomicU64,
    renewed: AtomicU64,
    rebuilt: AtomicU64,
    to_rebuild: AtomicU64,
    checkpointed: AtomicU64,
}

impl Progress {
    /// Of a database that is opened now.
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            left: NONE.into(),
            total: 0.into(),
            renewed: NONE.into(),
            rebuilt: NONE.into(),
            to_rebuild: 0.into(),
            checkpointed: now.0.into(),
        }
    }

    /// A file is being compacted: so many of its frames are left, of so many.
    pub(super) fn set_compaction(&self, left: usize, total: usize) {
        self.total.store(total as u64, Ordering::Relaxed);
        self.left.store(left as u64, Ordering::Relaxed);
    }

    /// No file is.
    pub(super) fn end_compaction(&self) {
        self.left.store(NONE, Ordering::Relaxed);
    }

    /// Frames left of the file that is being compacted, and of how many.
    pub(crate) fn compaction(&self) -> Option<(u64, u64)> {
        let left = self.left.load(Ordering::Relaxed);
        (left != NONE).then(|| (left, self.total.load(Ordering::Relaxed)))
    }

    /// So many rows of the index are copied; `None` when it is not renewed.
    pub(super) fn set_renewal(&self, rows: Option<u64>) {
        self.renewed.store(rows.unwrap_or(NONE), Ordering::Relaxed);
    }

    /// Rows copied of an index that is being renewed.
    pub(crate) fn renewal(&self) -> Option<u64> {
        let rows = self.renewed.load(Ordering::Relaxed);
        (rows != NONE).then_some(rows)
    }

    /// So many rows are written of an index that is rebuilt, of so many.
    pub(super) fn set_rebuild(&self, rows: u64, total: u64) {
        self.to_rebuild.store(total, Ordering::Relaxed);
        self.rebuilt.store(rows, Ordering::Relaxed);
    }

    /// None is.
    pub(super) fn end_rebuild(&self) {
        self.rebuilt.store(NONE, Ordering::Relaxed);
    }

    /// Rows written of an index that is being rebuilt, and of how many.
    pub(crate) fn rebuild(&self) -> Option<(u64, u64)> {
        let rows = self.rebuilt.load(Ordering::Relaxed);
        (rows != NONE).then(|| (rows, self.to_rebuild.load(Ordering::Relaxed)))
    }

    /// A checkpoint has ended.
    pub(super) fn note_checkpoint(&self, now: Timestamp) {
        self.checkpointed.store(now.0, Ordering::Relaxed);
    }

    /// How long ago the last one ended.
    pub(crate) fn checkpoint_age(&self, now: Timestamp) -> Duration {
        now.since(Timestamp(self.checkpointed.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_under_way_has_no_progress() {
        let progress = Progress::new(Timestamp(5));
        assert_eq!((progress.compaction(), progress.renewal()), (None, None));
        assert_eq!(progress.rebuild(), None);
        progress.set_compaction(3, 10);
        progress.set_renewal(Some(7));
        progress.set_rebuild(5, 20);
        assert_eq!(progress.rebuild(), Some((5, 20)));
        assert_eq!(progress.compaction(), Some((3, 10)));
        assert_eq!(progress.renewal(), Some(7));
        progress.end_compaction();
        progress.set_renewal(None);
        progress.end_rebuild();
        assert_eq!((progress.compaction(), progress.renewal()), (None, None));
        assert_eq!(progress.rebuild(), None);
    }

    #[test]
    fn a_checkpoint_is_as_old_as_the_time_that_has_passed_since() {
        let progress = Progress::new(Timestamp(5));
        assert_eq!(
            progress.checkpoint_age(Timestamp(8)),
            Duration::from_nanos(3)
        );
        progress.note_checkpoint(Timestamp(7));
        assert_eq!(
            progress.checkpoint_age(Timestamp(8)),
            Duration::from_nanos(1)
        );
        assert_eq!(progress.checkpoint_age(Timestamp(6)), Duration::ZERO);
    }
}
