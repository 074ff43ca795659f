//! When sessions end by themselves, and how many an owner may have: what a
//! database is told about it, and what it has to make of that.

use std::time::Duration;

use sessiondb::Builder;

use super::lease::Lease;
use super::session::Session;
use super::source::Source;
use super::time::Time;

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) idle: Option<Duration>,
    pub(crate) absolute: Option<Duration>,
    pub(crate) cap: Option<usize>,
    /// How long dead IDs are remembered, where it is said.
    pub(crate) retire: Option<Duration>,
}

/// What the database does when it is told nothing.
impl Default for Terms {
    fn default() -> Self {
        Self {
            idle: Some(14 * DAY),
            absolute: None,
            cap: None,
            retire: None,
        }
    }
}

impl Terms {
    pub(crate) fn draw(source: &mut impl Source) -> Self {
        let minute = Duration::from_secs(60);
        let idle = [Some(14 * DAY), Some(14 * DAY), Some(HOUR), None];
        let absolute = [None, None, Some(30 * DAY), Some(DAY), Some(20 * minute)];
        let cap = [None, None, Some(1), Some(2), Some(3)];
        let retire = [None, Some(DAY), Some(HOUR), Some(Duration::from_secs(8))];
        Self {
            idle: if source.one_in(8) {
                Some(minute)
            } else {
                idle[source.index(4)]
            },
            absolute: absolute[source.index(5)],
            cap: cap[source.index(5)],
            retire: retire[source.index(4)],
        }
    }

    pub(crate) fn tell(&self, builder: Builder) -> Builder {
        let builder = builder
            .idle_timeout(self.idle)
            .absolute_timeout(self.absolute)
            .sessions_per_owner(self.cap);
        match self.retire {
            Some(period) => builder.retire_ids_for(period),
            None => builder,
        }
    }

    /// When a session is over; `None` is never.
    pub(crate) fn expires_at(&self, session: &Session) -> Option<Time> {
        let own = match session.lease {
            Lease::At(time) => Some(time),
            lease => self.idle(lease).map(|idle| session.last_seen.plus(idle)),
        };
        let last = self.absolute.map(|absolute| session.created.plus(absolute));
        own.into_iter().chain(last).min()
    }

    pub(crate) fn is_over(&self, session: &Session, now: Time) -> bool {
        self.expires_at(session).is_some_and(|end| now >= end)
    }

    fn idle(&self, lease: Lease) -> Option<Duration> {
        match lease {
            Lease::Default | Lease::Browser => self.idle,
            Lease::Idle(idle) => Some(idle),
            Lease::At(_) => None,
        }
    }

    /// From when on a touch is worth a write. All idle times are multiples of
    /// 16 nanoseconds, so that nobody has to say how a sixteenth is rounded.
    pub(crate) fn touches_from(&self, session: &Session) -> Time {
        let least = self.idle(session.lease).map_or(HOUR, |idle| idle / 16);
        session.last_seen.plus(least)
    }

    pub(crate) fn wants_touch(&self, session: &Session, now: Time) -> bool {
        now > session.last_seen && now >= self.touches_from(session)
    }

    /// How long a dead ID is remembered at least.
    pub(crate) fn period(&self) -> Duration {
        let longest = self.idle.max(self.absolute).unwrap_or(14 * DAY);
        self.retire.unwrap_or(longest)
    }

    /// And at most, once it is checkpointed.
    pub(crate) fn longest_period(&self) -> Duration {
        let period = self.period();
        period.saturating_add(period / 8)
    }
}
