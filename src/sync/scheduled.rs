//! The same names under a scheduler.

use std::time::{Duration, Instant};

pub(crate) use shuttle::{sync::atomic, thread, thread_local};
pub(crate) use shuttle_parking_lot_impl::{Mutex, MutexGuard, RwLock, RwLockWriteGuard};

/// A condition variable that waits on any [`MutexGuard`].
///
/// Time passes for nobody here: who waits for a time gives way once and is
/// told that it has passed, which it has to bear at any moment anyway.
#[derive(Debug, Default)]
pub(crate) struct Condvar {
    changed: shuttle::sync::Condvar,
    /// How often it was notified; from the wait's beginning to its end nobody
    /// who notifies is missed.
    count: shuttle::sync::Mutex<u64>,
}

#[expect(
    clippy::unused_self,
    reason = "the real one does not know that time passes for nobody"
)]
impl Condvar {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn notify_all(&self) {
        if let Ok(mut count) = self.count.lock() {
            *count += 1;
        }
        self.changed.notify_all();
    }

    /// Wakes all, as a real one may.
    pub(crate) fn notify_one(&self) {
        self.notify_all();
    }

    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let before = self.count.lock().map_or(0, |count| *count);
        MutexGuard::unlocked(guard, || {
            if let Ok(count) = self.count.lock() {
                drop(self.changed.wait_while(count, |count| *count == before));
            }
        });
    }

    pub(crate) fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, _: Duration) {
        MutexGuard::unlocked(guard, thread::yield_now);
    }

    pub(crate) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, _: Instant) {
        MutexGuard::unlocked(guard, thread::yield_now);
    }
}
