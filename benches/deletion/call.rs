//! What a call took.

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::machine::{forget_peak, resident};

/// Of its caller.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) time: Duration,
    /// By how much the resident set grew meanwhile, at its highest.
    pub(crate) grown: u64,
}

impl Call {
    /// What this call takes.
    pub(crate) fn by(something: impl FnOnce() -> Outcome<()>) -> Outcome<Self> {
        forget_peak()?;
        let (before, _) = resident()?;
        let start = Instant::now();
        something()?;
        let time = start.elapsed();
        let (_, peak) = resident()?;
        Ok(Self {
            time,
            grown: peak.saturating_sub(before),
        })
    }
}
