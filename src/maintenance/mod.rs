//! What a user asks about the database as a whole.

mod stats;
mod verified;

pub use stats::Stats;
pub use verified::Verified;
