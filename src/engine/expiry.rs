//! When a session is over.
//!
//! Owns: the one place that computes it, from a session's record and the
//! database's timeouts. INVARIANT: `now >= expires_at` is expired.

use std::time::Duration;

use crate::format::identity::Timestamp;
use crate::format::record::{ExpiryOverride, SessionRecord};

/// The part of the idle time that may pass unrecorded.
const TOUCH_FRACTION: u32 = 16;
/// The same for a session without an idle time: its last use is of interest,
/// though nothing depends on it.
const TOUCH_WITHOUT_IDLE: Duration = Duration::from_secs(3600);
/// Hints are for whole seconds: sessions share groups of them, and are looked
/// at a second late at most.
const HINT_STEP: Duration = Duration::from_secs(1);
/// How long dead IDs are remembered where no session ever expires.
const RETIRE_WITHOUT_TIMEOUT: Duration = Duration::from_secs(14 * 86_400);

/// When sessions expire that say nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Timeouts {
    /// So long after the session was last seen.
    pub(crate) idle: Option<Duration>,
    /// So long after it was created, whatever it says itself.
    pub(crate) absolute: Option<Duration>,
}

/// When the purge looks at what is over at a time: the first whole second
/// from then on.
pub(crate) fn hint_time(at: Timestamp) -> Timestamp {
    let step = u64::try_from(HINT_STEP.as_nanos()).unwrap_or(1);
    Timestamp(at.0.checked_next_multiple_of(step).unwrap_or(u64::MAX))
}

impl Timeouts {
    /// When a session expires; `None` when never.
    pub(crate) fn expires_at(&self, record: &SessionRecord) -> Option<Timestamp> {
        let own = match record.expiry {
            ExpiryOverride::At(time) => Some(time),
            _ => self.idle(record).map(|idle| record.last_seen.plus(idle)),
        };
        let last = self.absolute.map(|absolute| record.created.plus(absolute));
        match (own, last) {
            (Some(own), Some(last)) => Some(own.min(last)),
            (own, last) => own.or(last),
        }
    }

    /// The idle time that holds for a session.
    fn idle(&self, record: &SessionRecord) -> Option<Duration> {
        match record.expiry {
            ExpiryOverride::Default | ExpiryOverride::BrowserSession => self.idle,
            ExpiryOverride::Idle(nanoseconds) => Some(Duration::from_nanos(nanoseconds)),
            ExpiryOverride::At(_) => None,
        }
    }

    /// Whether a session is over.
    pub(crate) fn is_expired(&self, record: &SessionRecord, now: Timestamp) -> bool {
        self.expires_at(record).is_some_and(|at| now >= at)
    }

    /// The hint of a session that has no earlier one.
    pub(crate) fn latest_hint(&self, record: &SessionRecord) -> Option<Timestamp> {
        self.expires_at(record).map(hint_time)
    }

    /// Whether the purge looks at a session early enough. INVARIANT of every
    /// row of the index, once timeouts that have changed are made good.
    pub(crate) fn has_hint(&self, record: &SessionRecord) -> bool {
        match (record.hint_at, self.latest_hint(record)) {
            (_, None) => true,
            (Some(hint), Some(latest)) => hint <= latest,
            (None, Some(_)) => false,
        }
    }

    /// The hint of a session that is written, where it had `old` before: an
    /// earlier one will do.
    pub(crate) fn hint(&self, record: &SessionRecord, old: Option<Timestamp>) -> Option<Timestamp> {
        let latest = self.latest_hint(record)?;
        Some(old.map_or(latest, |old| old.min(latest)))
    }

    /// The timeouts, for a note in the index.
    pub(crate) fn encode(&self) -> Vec<u8> {
        [self.idle, self.absolute]
            .map(|timeout| timeout.map_or(u128::MAX, |timeout| timeout.as_nanos()))
            .map(u128::to_be_bytes)
            .concat()
    }

    /// Whether so much time has passed that a touch is worth a frame.
    pub(crate) fn wants_touch(&self, record: &SessionRecord, now: Timestamp) -> bool {
        let unrecorded = self
            .idle(record)
            .map_or(TOUCH_WITHOUT_IDLE, |idle| idle / TOUCH_FRACTION);
        now > record.last_seen && now.since(record.last_seen) >= unrecorded
    }

    /// How long a session may live without being seen, at most.
    pub(crate) fn longest(&self) -> Duration {
        let longest = self.idle.max(self.absolute);
        longest.unwrap_or(RETIRE_WITHOUT_TIMEOUT)
    }
}
