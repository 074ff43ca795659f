//! What the background does by itself, and how much of the time it takes.

use std::time::Duration;

/// The background's work, each part of which can be switched off, as erasure
/// can by [`erase_within`](crate::Builder::erase_within); whoever switches one
/// off does it by hand:
/// [`purge_expired`](crate::Database::purge_expired),
/// [`compact`](crate::Database::compact).
///
/// Checkpoints cannot be switched off: without them the memtable would fill,
/// and nobody could write any more.
///
/// ```
/// use sessiondb::{Database, Upkeep};
///
/// let db = Database::builder()
///     .upkeep(Upkeep::default().compaction(false).pace(25))
///     .temporary()?;
/// db.compact()?; // at night, say
/// # Ok::<(), sessiondb::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each part is switched on and off by itself"
)]
pub struct Upkeep {
    pub(super) purges: bool,
    pub(super) sweeps: bool,
    pub(super) compacts: bool,
    pub(super) renews_index: bool,
    pace: u8,
}

impl Default for Upkeep {
    fn default() -> Self {
        Self {
            purges: true,
            sweeps: true,
            compacts: true,
            renews_index: true,
            pace: 50,
        }
    }
}

impl Upkeep {
    /// Whether sessions that have expired are removed, within a second or two.
    /// Unreadable they are in any case, and erasure removes them in its time.
    ///
    /// ```
    /// # use sessiondb::Upkeep;
    /// assert_ne!(Upkeep::default().purge(false), Upkeep::default());
    /// ```
    pub fn purge(mut self, purges: bool) -> Self {
        self.purges = purges;
        self
    }

    /// Whether what the index holds of flushed sessions is removed.
    ///
    /// ```
    /// # use sessiondb::Upkeep;
    /// assert_ne!(Upkeep::default().sweep(false), Upkeep::default());
    /// ```
    pub fn sweep(mut self, sweeps: bool) -> Self {
        self.sweeps = sweeps;
        self
    }

    /// Whether files that are a quarter garbage are compacted, or a
    /// thirty-second when nobody has written for some seconds.
    ///
    /// ```
    /// # use sessiondb::Upkeep;
    /// assert_ne!(Upkeep::default().compaction(false), Upkeep::default());
    /// ```
    pub fn compaction(mut self, compacts: bool) -> Self {
        self.compacts = compacts;
        self
    }

    /// Whether an index that is half as large again as a new one would be, or
    /// three times as large where that is above 64 MiB, is copied into a fresh
    /// directory. When nobody has written for some seconds, one below 64 MiB is
    /// that is larger by a quarter. One below 1 MiB is let grow until then, and
    /// left alone below 256 KiB.
    ///
    /// ```
    /// # use sessiondb::Upkeep;
    /// assert_ne!(Upkeep::default().index_renewal(false), Upkeep::default());
    /// ```
    pub fn index_renewal(mut self, renews: bool) -> Self {
        self.renews_index = renews;
        self
    }

    /// How much of the time compaction works while somebody writes, in
    /// percent, from 1 to 100 (others count as the nearest of these); 50 by
    /// default. While nobody writes it takes all, and where more than a quarter
    /// of all is garbage it keeps up with the writers.
    ///
    /// ```
    /// # use sessiondb::Upkeep;
    /// assert_eq!(Upkeep::default().pace(50), Upkeep::default());
    /// assert_eq!(Upkeep::default().pace(0), Upkeep::default().pace(1));
    /// ```
    pub fn pace(mut self, percent: u8) -> Self {
        self.pace = percent.clamp(1, 100);
        self
    }

    /// How long to pause after a step that took so long.
    pub(super) fn pause(self, step: Duration) -> Duration {
        let pace = u32::from(self.pace.max(1));
        step.saturating_mul(100_u32.saturating_sub(pace)) / pace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_followed_by_a_pause_that_leaves_it_its_share() {
        let step = Duration::from_millis(30);
        for (pace, pause) in [(100, 0), (75, 10), (50, 30), (25, 90), (1, 2970), (0, 2970)] {
            let upkeep = Upkeep::default().pace(pace);
            assert_eq!(upkeep.pause(step), Duration::from_millis(pause), "{pace}");
        }
    }
}
