//! A session's own expiry.

use std::time::{Duration, SystemTime};

use sessiondb::Expiry;

use super::time::{Time, nanoseconds};

/// As the database has to keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Lease {
    #[default]
    Default,
    Idle(Duration),
    At(Time),
    Browser,
}

impl From<Expiry> for Lease {
    fn from(expiry: Expiry) -> Self {
        match expiry {
            Expiry::Default => Self::Default,
            Expiry::Idle(idle) => Self::Idle(Duration::from_nanos(nanoseconds(idle))),
            Expiry::At(time) => Self::At(time.into()),
            Expiry::BrowserSession => Self::Browser,
            other => panic!("the model knows no {other:?}"),
        }
    }
}

/// An expiry that is still to be made of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    Default,
    Idle(Duration),
    /// So long from now.
    In(Duration),
    /// So long ago.
    Ago(Duration),
    /// Before there was any time to count.
    Never,
    Browser,
}

impl Wish {
    pub(crate) fn at(self, now: Time) -> Expiry {
        match self {
            Self::Default => Expiry::Default,
            Self::Idle(idle) => Expiry::Idle(idle),
            Self::In(span) => Expiry::At(now.plus(span).into()),
            Self::Ago(span) => Expiry::At(now.minus(span).into()),
            Self::Never => Expiry::At(SystemTime::UNIX_EPOCH - Duration::from_secs(1)),
            Self::Browser => Expiry::BrowserSession,
        }
    }
}
