//! When a session is over, as its user says it.

use std::time::{Duration, SystemTime};

use crate::format::identity::Timestamp;
use crate::format::record::ExpiryOverride;

/// When a session expires, if nothing else ends it. Whatever is chosen, the
/// database's [absolute timeout](crate::Builder::absolute_timeout) caps it.
///
/// ```
/// # let db = sessiondb::Database::temporary()?;
/// use std::time::Duration;
/// use sessiondb::Expiry;
///
/// let session = db.create_session();
/// session.set("user", "ada")?;
/// session.set_expiry(Expiry::Idle(Duration::from_secs(1800)))?;
/// assert_eq!(session.expiry()?, Expiry::Idle(Duration::from_secs(1800)));
/// # Ok::<(), sessiondb::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Expiry {
    /// As the database says: its
    /// [idle timeout](crate::Builder::idle_timeout) after the last write or
    /// [`touch`](crate::Session::touch).
    #[default]
    Default,
    /// So long after the last write or touch. Up to 584 years; more counts as
    /// so much.
    Idle(Duration),
    /// At this time, whatever happens until then. Times up to the year 2554;
    /// later ones count as that.
    At(SystemTime),
    /// When the browser closes, which the server does not see: on this side
    /// the database's idle timeout. The cookie has neither `Max-Age` nor
    /// `Expires`.
    BrowserSession,
}

impl From<Expiry> for ExpiryOverride {
    fn from(expiry: Expiry) -> Self {
        match expiry {
            Expiry::Default => Self::Default,
            Expiry::Idle(idle) => Self::Idle(u64::try_from(idle.as_nanos()).unwrap_or(u64::MAX)),
            Expiry::At(time) => Self::At(Timestamp::from(time)),
            Expiry::BrowserSession => Self::BrowserSession,
        }
    }
}

impl From<ExpiryOverride> for Expiry {
    fn from(expiry: ExpiryOverride) -> Self {
        match expiry {
            ExpiryOverride::Default => Self::Default,
            ExpiryOverride::Idle(nanoseconds) => Self::Idle(Duration::from_nanos(nanoseconds)),
            ExpiryOverride::At(time) => Self::At(time.into()),
            ExpiryOverride::BrowserSession => Self::BrowserSession,
        }
    }
}
