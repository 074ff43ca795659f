//! sessiondb

mod clock;
mod disk;
mod engine;
mod error;
mod format;
mod index;
mod journal;
mod limits;
mod segments;
mod session_id;
pub use clock::{Clock, ManualClock, SystemClock};
pub use engine::Durability;
pub use error::{Error, Result};
pub use session_id::{SessionDigest, SessionId};
