//! What a call took.

use std::thread;
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

/// Waits until nothing more is freed: that takes time of a processor, and would
/// hide what grows.
pub(crate) fn settle() -> Outcome<()> {
    let mut still = 0;
    let mut last = 0;
    for _ in 0..400 {
        thread::sleep(Duration::from_millis(25));
        let (now, _) = resident()?;
        still = if now.abs_diff(last) < 1 << 20 {
            still + 1
        } else {
            0
        };
        last = now;
        if still == 8 {
            return Ok(());
        }
    }
    Err("memory does not come to rest".into())
}
