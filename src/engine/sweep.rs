//! The sweep: index rows of dead generations go, a slice at a time.
//!
//! A generation is buried only once the batch that killed it is committed;
//! the grave stays in the index until its last row is gone, so that a sweep
//! that is cut off goes on where it was.

use super::Engine;

/// Rows removed at a time.
const SLICE: usize = 256;

impl Engine {
    /// Removes some rows; whether there may be more.
    pub(crate) fn sweep_slice(&self) -> bool {
        let Ok(index) = self.index.get() else {
            return false;
        };
        let swept = index.dead_generations(1).and_then(|generations| {
            let Some(generation) = generations.first() else {
                return Ok(false);
            };
            index.sweep(*generation, SLICE).map(|_| true)
        });
        swept.unwrap_or_else(|trouble| {
            let generation = self.index.generation();
            if let Err(error) = self.mend_index(generation, &trouble) {
                tracing::error!(%error, "the index cannot be rebuilt");
            }
            false
        })
    }
}

#[cfg(test)]
mod tests;
