//! How much the memtable holds, and who has to wait because of it.
//!
//! Owns: the counts of bytes that changed since the last checkpoint (active)
//! and that are being checkpointed (frozen), and the admission of writers.
//! Writers are slowed long before memory runs out, a little at first: the
//! delay grows with the square of what is used, so that nobody meets a wall.
//! Admission happens before the first lock (4).

use std::time::Duration;

use crate::error::{Error, Result};
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Condvar, Mutex};

/// Memory of a changed session besides its keys: its cell and its places in
/// lists; once it is frozen also what is frozen, its new row and what the
/// footer says of it, which come to twice as much.
pub(crate) const CELL_BYTES: usize = 720;
/// The delay of one write when the memtable is full.
const LONGEST_DELAY: Duration = Duration::from_millis(4);

/// Memory that is kept for removals while no checkpoint finds space: of
/// 100,000 sessions, each with a removed key.
const REMOVALS_BYTES: usize = 100_000 * (CELL_BYTES + 192);

/// The counts.
#[derive(Debug)]
pub(crate) struct Memtable {
    limit: usize,
    active: AtomicUsize,
    frozen: AtomicUsize,
    /// What the checkpoints of either write on disk.
    owed: AtomicU64,
    owed_of_frozen: AtomicU64,
    is_stuck: AtomicBool,
    lock: Mutex<()>,
    released: Condvar,
}

impl Memtable {
    /// A memtable of at most about `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(64 << 10),
            active: AtomicUsize::new(0),
            frozen: AtomicUsize::new(0),
            owed: AtomicU64::new(0),
            owed_of_frozen: AtomicU64::new(0),
            is_stuck: AtomicBool::new(false),
            lock: Mutex::new(()),
            released: Condvar::new(),
        }
    }

    /// Bytes that changed since the last freeze.
    pub(crate) fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    /// Bytes in both memtables.
    pub(crate) fn used(&self) -> usize {
        self.active()
            .saturating_add(self.frozen.load(Ordering::Relaxed))
    }

    /// Whether it is time to freeze.
    pub(crate) fn is_half_full(&self) -> bool {
        self.active() >= self.limit / 2
    }

    /// From here on writers are slowed.
    fn soft(&self) -> usize {
        self.limit / 10 * 6
    }

    /// Whether writers are slowed for want of memory.
    pub(crate) fn is_scarce(&self) -> bool {
        self.used() > self.soft()
    }

    /// Lets a writer in; it waits while too much is used, and as long as
    /// `may_wait` does not say that waiting is in vain.
    pub(crate) fn admit(&self, may_wait: impl Fn() -> Result<()>) -> Result<()> {
        let (used, soft) = (self.used(), self.soft());
        if used <= soft {
            return Ok(());
        }
        if !self.is_stuck() {
            self.delay(self.pressure(used, soft));
        }
        while self.used() >= self.limit {
            may_wait()?;
            if self.is_stuck.load(Ordering::Relaxed) {
                return Err(stuck());
            }
            self.delay(LONGEST_DELAY);
        }
        Ok(())
    }

    /// Lets in what only removes. It takes little memory, and what it takes is
    /// kept for it when a checkpoint cannot give any back.
    pub(crate) fn admit_removal(&self) -> Result<()> {
        if self.is_stuck() && self.used() >= self.limit.saturating_add(REMOVALS_BYTES) {
            return Err(stuck());
        }
        Ok(())
    }

    /// Whether the last checkpoint found no space on disk.
    pub(crate) fn set_stuck(&self, is_stuck: bool) {
        self.is_stuck.store(is_stuck, Ordering::Relaxed);
    }

    /// Whether a checkpoint has to be finished once there is space.
    pub(crate) fn is_stuck(&self) -> bool {
        self.is_stuck.load(Ordering::Relaxed)
    }

    fn pressure(&self, used: usize, soft: usize) -> Duration {
        let over = used.saturating_sub(soft).saturating_mul(100);
        let percent = (over / self.limit.saturating_sub(soft).max(1)).min(100);
        let share = u32::try_from(percent * percent).unwrap_or(10_000);
        LONGEST_DELAY.saturating_mul(share) / 10_000
    }

    fn delay(&self, delay: Duration) {
        if delay >= Duration::from_micros(20) {
            let mut guard = self.lock.lock();
            self.released.wait_for(&mut guard, delay);
        }
    }

    /// Bytes were added.
    pub(crate) fn grow(&self, bytes: usize) {
        self.active.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What took `before` bytes takes `after` now.
    pub(crate) fn change(&self, before: usize, after: usize) {
        self.grow(after.saturating_sub(before));
        subtract(&self.active, before.saturating_sub(after));
    }

    /// A session's share of what is to be written has changed.
    pub(crate) fn owe(&self, before: u64, now: u64) {
        self.owed.fetch_add(now, Ordering::Relaxed);
        let _ = self
            .owed
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |owed| {
                Some(owed.saturating_sub(before))
            });
    }

    /// What the pending checkpoints write on disk, about.
    pub(crate) fn owed(&self) -> u64 {
        let frozen = self.owed_of_frozen.load(Ordering::Relaxed);
        self.owed.load(Ordering::Relaxed).saturating_add(frozen)
    }

    /// What is active becomes frozen.
    pub(crate) fn freeze(&self) {
        let bytes = self.active.swap(0, Ordering::Relaxed);
        self.frozen.fetch_add(bytes, Ordering::Relaxed);
        let owed = self.owed.swap(0, Ordering::Relaxed);
        self.owed_of_frozen.fetch_add(owed, Ordering::Relaxed);
    }

    /// Frozen bytes were published.
    pub(crate) fn release(&self, bytes: usize) {
        subtract(&self.frozen, bytes);
        self.released.notify_all();
    }

    /// All that was frozen is published.
    pub(crate) fn release_all(&self) {
        self.frozen.store(0, Ordering::Relaxed);
        self.owed_of_frozen.store(0, Ordering::Relaxed);
        self.released.notify_all();
    }
}

fn stuck() -> Error {
    Error::StorageFull {
        doing: "checkpoint what is in memory",
        source: None,
    }
}

/// Never below zero: the counts are estimates and must not wrap.
fn subtract(counter: &AtomicUsize, bytes: usize) {
    let _ = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
        Some(count.saturating_sub(bytes))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1 << 20;

    fn filled(bytes: usize) -> Memtable {
        let memtable = Memtable::new(LIMIT);
        memtable.grow(bytes);
        memtable
    }

    #[test]
    fn the_delay_grows_smoothly_from_nothing_to_the_longest() {
        let memtable = filled(0);
        let soft = memtable.soft();
        let mut last = memtable.pressure(soft, soft);
        assert_eq!(last, Duration::ZERO);
        for used in (soft..LIMIT).step_by(LIMIT / 100) {
            let delay = memtable.pressure(used, soft);
            assert!(delay >= last, "{delay:?} after {last:?} at {used}");
            assert!(delay <= last + LONGEST_DELAY / 16, "a step at {used}");
            last = delay;
        }
        assert_eq!(memtable.pressure(LIMIT, soft), LONGEST_DELAY);
        assert_eq!(memtable.pressure(10 * LIMIT, soft), LONGEST_DELAY);
    }

    #[test]
    fn a_writer_waits_while_memory_is_full_and_goes_on_when_some_is_released() {
        let memtable = filled(LIMIT);
        memtable.freeze();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| memtable.admit(|| Ok(())));
            std::thread::yield_now();
            assert!(!writer.is_finished());
            memtable.release(LIMIT / 2);
            writer.join().unwrap().unwrap();
        });
        assert_eq!(memtable.used(), LIMIT / 2);
    }

    #[test]
    fn nobody_waits_for_a_checkpoint_that_finds_no_space() {
        let memtable = filled(LIMIT);
        memtable.set_stuck(true);
        let refused = memtable.admit(|| Ok(()));
        assert!(matches!(refused, Err(Error::StorageFull { .. })));
        memtable.freeze();
        memtable.release(LIMIT / 2);
        memtable.admit(|| Ok(())).unwrap();
    }

    #[test]
    fn nobody_waits_for_a_database_that_is_closed() {
        let memtable = filled(LIMIT);
        let refused = memtable.admit(|| Err(Error::Closed));
        assert!(matches!(refused, Err(Error::Closed)));
    }

    #[test]
    fn the_counts_never_wrap() {
        let memtable = filled(10);
        memtable.freeze();
        memtable.release(20);
        assert_eq!(memtable.used(), 0);
    }

    #[test]
    fn what_only_removes_has_memory_when_no_checkpoint_can_give_any_back() {
        let memtable = filled(LIMIT);
        memtable.admit_removal().unwrap();
        memtable.set_stuck(true);
        let is_full = |outcome| matches!(outcome, Err(Error::StorageFull { .. }));
        assert!(is_full(memtable.admit(|| Ok(()))));
        for _ in 0..100_000 {
            memtable.admit_removal().unwrap();
            memtable.grow(CELL_BYTES + 150);
        }
        memtable.grow(REMOVALS_BYTES);
        assert!(is_full(memtable.admit_removal()));
        memtable.set_stuck(false);
        memtable.admit_removal().unwrap();
    }

    #[test]
    fn what_is_to_be_written_is_counted_until_it_is_published() {
        let memtable = filled(0);
        memtable.owe(0, 1000);
        memtable.owe(1000, 3000);
        assert_eq!(memtable.owed(), 3000);
        memtable.freeze();
        memtable.owe(0, 500);
        assert_eq!(memtable.owed(), 3500);
        memtable.release_all();
        assert_eq!(memtable.owed(), 500);
        memtable.owe(700, 0);
        assert_eq!(memtable.owed(), 0);
    }
}
