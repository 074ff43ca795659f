//! Where the time comes from: the system's clock, or a test's hand.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

/// A source of wall-clock time.
///
/// The database reads it once per operation and never lets its own time go
/// backwards, so an implementation may.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use sessiondb::Clock;
///
/// /// The system's clock, an hour fast.
/// struct Fast;
///
/// impl Clock for Fast {
///     fn now(&self) -> SystemTime {
///         SystemTime::now() + Duration::from_secs(3600)
///     }
/// }
/// # assert!(Fast.now() > SystemTime::now());
/// ```
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> SystemTime;
}

/// The operating system's clock: the default.
///
/// ```
/// use std::time::UNIX_EPOCH;
/// use sessiondb::{Clock, SystemClock};
///
/// assert!(SystemClock.now() > UNIX_EPOCH);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A clock that stands still until it is moved, for tests. Whatever is done
/// with it costs a lock.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use sessiondb::{Clock, Database, ManualClock};
///
/// let clock = Arc::new(ManualClock::default());
/// let before = clock.now();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().duration_since(before)?, Duration::from_secs(60));
/// let db = Database::builder().clock(clock).temporary()?;
/// # db.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ManualClock(Mutex<SystemTime>);

impl ManualClock {
    /// A clock that shows `now`.
    ///
    /// ```
    /// use std::time::UNIX_EPOCH;
    /// use sessiondb::{Clock, ManualClock};
    ///
    /// assert_eq!(ManualClock::new(UNIX_EPOCH).now(), UNIX_EPOCH);
    /// ```
    #[must_use]
    pub fn new(now: SystemTime) -> Self {
        Self(Mutex::new(now))
    }

    /// Moves the clock forward.
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use sessiondb::{Clock, ManualClock};
    ///
    /// let clock = ManualClock::new(UNIX_EPOCH);
    /// clock.advance(Duration::from_secs(5));
    /// assert_eq!(clock.now(), UNIX_EPOCH + Duration::from_secs(5));
    /// ```
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock();
        *now = now.checked_add(by).unwrap_or(*now);
    }

    /// Sets the clock, backwards too.
    ///
    /// ```
    /// use std::time::UNIX_EPOCH;
    /// use sessiondb::{Clock, ManualClock};
    ///
    /// let clock = ManualClock::default();
    /// clock.set(UNIX_EPOCH);
    /// assert_eq!(clock.now(), UNIX_EPOCH);
    /// ```
    pub fn set(&self, now: SystemTime) {
        *self.0.lock() = now;
    }
}

/// Shows 2001-09-09T01:46:40Z, a billion seconds after the epoch.
impl Default for ManualClock {
    fn default() -> Self {
        Self::new(UNIX_EPOCH + Duration::from_secs(1_000_000_000))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        *self.0.lock()
    }
}
