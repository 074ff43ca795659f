//! One sync for all who wait for one.
//!
//! For engines that write first and sync by a call of its own: whoever uses
//! them from many threads would have this, and nothing less does them justice.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::Outcome;

#[derive(Debug, Default)]
pub(crate) struct SharedSync {
    written: AtomicU64,
    synced: Mutex<u64>,
}

impl SharedSync {
    /// Returns when a sync is over that began after what this caller wrote.
    pub(crate) fn wait(&self, sync: impl FnOnce() -> Outcome<()>) -> Outcome<()> {
        let mine = self.written.fetch_add(1, Ordering::SeqCst) + 1;
        let mut synced = self.synced.lock();
        if *synced >= mine {
            return Ok(());
        }
        // All these had written before.
        let written = self.written.load(Ordering::SeqCst);
        sync()?;
        *synced = written;
        Ok(())
    }
}
