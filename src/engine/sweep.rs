//! The sweep: index rows of dead generations go, a slice at a time.
//!
//! A generation is buried only once the batch that killed it is committed;
//! the grave stays in the index until its last row is gone, so that a sweep
//! that is cut off goes on where it was.

use std::sync::Arc;

use super::Engine;
use super::lookup::Setback;
use crate::index::Index;

/// Rows removed at a time.
const SLICE: usize = 256;

impl Engine {
    /// Removes some rows; whether there may be more. Waits where there is no
    /// room for sled.
    pub(crate) fn sweep_slice(&self) -> bool {
        self.ballast.has_room() && self.sweep_now().is_some()
    }

    /// The same, for which the ballast is let go of: it leads to more space.
    /// How many generations have no rows left with it, `None` where there are
    /// none or nothing can be done.
    pub(super) fn sweep_urgently(&self) -> Option<u64> {
        let has_graves = |index: Arc<Index>| {
            let first = index.dead_generations(1);
            first.is_ok_and(|first| !first.is_empty())
        };
        if !self.index.get().is_ok_and(has_graves) || self.check_room().is_err() {
            return None;
        }
        self.sweep_now()
    }

    fn sweep_now(&self) -> Option<u64> {
        let generation = self.index.generation();
        match self.sweep_some() {
            Ok(finished) => finished,
            Err(Setback::Error(_)) => None,
            Err(Setback::Index(trouble)) => {
                if let Err(error) = self.mend_index(generation, &trouble) {
                    tracing::error!(%error, "the index cannot be rebuilt");
                }
                None
            }
        }
    }

    /// How many dead generations wait. Costs a look at each.
    pub(crate) fn graves(&self) -> crate::Result<u64> {
        let graves = self.index.get()?.dead_generations(usize::MAX);
        Ok(graves.map_or(0, |graves| graves.len() as u64))
    }

    /// Not beside a merge or a verify: sled's iterators are no snapshots. Many
    /// small generations are a slice as a part of a large one is.
    fn sweep_some(&self) -> Result<Option<u64>, Setback> {
        let _checkpointer = self.checkpointer.lock();
        let _step = tracing::debug_span!("sweep").entered();
        let index = self.index.get()?;
        let graves = index.dead_generations(SLICE)?;
        let mut left = SLICE;
        let mut finished = 0;
        for generation in &graves {
            let _step = tracing::trace_span!("sweep_generation").entered();
            let swept = index.sweep(*generation, left)?;
            // A grave is a row, too.
            left = left.saturating_sub(swept.rows.max(1));
            finished += u64::from(swept.finished);
            if left == 0 {
                break;
            }
        }
        Ok((!graves.is_empty()).then_some(finished))
    }
}

#[cfg(test)]
mod tests;
