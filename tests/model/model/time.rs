//! Time as the model counts it, and the clock that a database is given.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sessiondb::{Clock, ManualClock};

/// Nanoseconds since the epoch, as far as the database counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Time(pub(crate) u64);

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(nanoseconds(since))
    }
}

impl From<Time> for SystemTime {
    fn from(time: Time) -> Self {
        UNIX_EPOCH + Duration::from_nanos(time.0)
    }
}

impl Time {
    pub(crate) fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanoseconds(span)))
    }

    pub(crate) fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanoseconds(span)))
    }
}

/// As many as the database counts.
pub(crate) fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// The clock of one opening, which remembers the latest time that it was
/// asked for: the database's own time is never before that.
#[derive(Debug)]
pub(crate) struct Watch {
    hands: ManualClock,
    latest: ManualClock,
}

impl Watch {
    pub(crate) fn showing(time: Time) -> Self {
        Self {
            hands: ManualClock::new(time.into()),
            latest: ManualClock::new(UNIX_EPOCH),
        }
    }

    /// One that was asked for its time at this one last.
    pub(crate) fn asked(self, latest: Time) -> Self {
        self.latest.set(latest.into());
        self
    }

    /// What it shows.
    pub(crate) fn shown(&self) -> Time {
        self.hands.now().into()
    }

    /// What time it is for the database, if it looks.
    pub(crate) fn database_now(&self) -> Time {
        self.shown().max(self.latest.now().into())
    }

    pub(crate) fn set(&self, time: Time) {
        self.hands.set(time.into());
    }
}

impl Clock for Watch {
    fn now(&self) -> SystemTime {
        let now = self.hands.now();
        // Not atomic, so the hands of a database with threads of its own are
        // never set back.
        self.latest.set(now.max(self.latest.now()));
        now
    }
}
