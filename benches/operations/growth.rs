//! That the growth of the resident set means something.

use std::thread;
use std::time::Duration;

use crate::Outcome;
use crate::machine::{forget_peak, resident};

/// Memory that has to show.
const CONTROL_BYTES: usize = 2 << 20;

/// A figure that could not be otherwise says nothing: memory that is known to
/// be taken has to show.
pub(crate) fn assert_growth_shows() -> Outcome<()> {
    forget_peak()?;
    let (before, _) = resident()?;
    drop(std::hint::black_box(vec![1_u8; CONTROL_BYTES]));
    let (_, peak) = resident()?;
    if peak.saturating_sub(before) < CONTROL_BYTES as u64 / 2 {
        return Err("what is allocated does not show in the resident set".into());
    }
    Ok(())
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
