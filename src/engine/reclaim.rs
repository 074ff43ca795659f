//! Giving space back when somebody asks for it: all that is dead at once.

use std::ops::ControlFlow;

use super::Engine;
use super::compaction::{Compacted, Worth};
use crate::error::{Error, Result};

/// What giving space back is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// What changed since the last checkpoint is written. Without a total.
    Checkpoint,
    /// Rows of flushed sessions go. In sessions.
    Sweep,
    /// Live data is copied out of files that are mostly garbage. In bytes of
    /// garbage; in files, where everything dead is erased.
    Compaction,
    /// The index is copied into a fresh directory, when it has grown out of
    /// proportion, or holds what is to be erased. Without a total.
    Index,
}

/// What has been given back so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reclaimed {
    /// Bytes that were copied.
    pub(crate) copied: u64,
    /// Bytes of files that went.
    pub(crate) freed: u64,
    /// Whether it was told to stop before the end.
    pub(crate) stopped: bool,
}

/// Told of a phase, how much of it is done and how much there is.
pub(crate) type Watcher<'w> = &'w mut dyn FnMut(Phase, u64, u64) -> ControlFlow<()>;

impl Engine {
    /// Writes what changed, sweeps, and compacts all that is worth it. Stops
    /// between two steps when it is told to.
    pub(crate) fn reclaim(&self, watcher: Watcher<'_>) -> Result<Reclaimed> {
        let mut reclaimed = Reclaimed::default();
        let outcome = self.reclaim_all(watcher, &mut reclaimed)?;
        reclaimed.stopped = outcome.is_break();
        Ok(reclaimed)
    }

    fn reclaim_all(
        &self,
        watcher: Watcher<'_>,
        reclaimed: &mut Reclaimed,
    ) -> Result<ControlFlow<()>> {
        if watcher(Phase::Checkpoint, 0, 1).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        // Where it finds no room, garbage may be in the way.
        let full = match self.checkpoint() {
            Err(error @ Error::StorageFull { .. }) => Some(error),
            outcome => outcome.map(|()| None)?,
        };
        if self.sweep_all(watcher)?.is_break() || self.compact_all(watcher, reclaimed)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        match full {
            Some(error) if reclaimed.freed == 0 => return Err(error),
            Some(_) => self.checkpoint()?,
            None => {}
        }
        self.renew_all(watcher)
    }

    fn compact_all(
        &self,
        watcher: Watcher<'_>,
        reclaimed: &mut Reclaimed,
    ) -> Result<ControlFlow<()>> {
        let total = self.garbage_bytes()?;
        let mut done = 0;
        loop {
            // What a look finds to be needed was never garbage.
            done = total.saturating_sub(self.garbage_bytes()?).max(done);
            if watcher(Phase::Compaction, done, total).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            let Compacted {
                more,
                copied,
                freed,
            } = self.compact_step(Worth::ASKED_FOR)?;
            reclaimed.copied = reclaimed.copied.saturating_add(copied);
            reclaimed.freed = reclaimed.freed.saturating_add(freed);
            if !more {
                return Ok(ControlFlow::Continue(()));
            }
        }
    }

    fn renew_all(&self, watcher: Watcher<'_>) -> Result<ControlFlow<()>> {
        if !self.wants_renewal() && !self.wants_renewal_at_rest() {
            return Ok(ControlFlow::Continue(()));
        }
        let mut more = true;
        while more {
            if watcher(Phase::Index, 0, 1).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            more = self.renew_step()?;
        }
        Ok(ControlFlow::Continue(()))
    }

    fn sweep_all(&self, watcher: Watcher<'_>) -> Result<ControlFlow<()>> {
        let total = self.graves()?;
        let mut done = 0_u64;
        loop {
            if watcher(Phase::Sweep, done.min(total), total).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            match self.sweep_urgently() {
                Some(finished) => done = done.saturating_add(finished),
                None => return Ok(ControlFlow::Continue(())),
            }
        }
    }
}
