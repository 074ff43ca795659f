//! What a user asks about the database as a whole.

mod reclaimed;
mod repaired;
mod session_info;
mod stats;
mod verified;

pub use reclaimed::Reclaimed;
pub use repaired::Repaired;
pub use session_info::SessionInfo;
pub use stats::{SegmentStats, Stats};
pub use verified::Verified;
