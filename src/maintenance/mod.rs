//! What a user asks about the database as a whole.

mod owners;
mod session_info;
mod sessions;
mod stats;
mod verified;

pub use session_info::SessionInfo;
pub use sessions::Sessions;
pub use stats::Stats;
pub use verified::Verified;
