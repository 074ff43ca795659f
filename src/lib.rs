//! sessiondb
mod clock;
mod disk;
mod error;
mod format;
mod limits;
mod session_id;
pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{Error, Result};
pub use session_id::{SessionDigest, SessionId};
