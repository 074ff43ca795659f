//! The index is derived: whatever happens to its directory, all data is there
//! after the next open, and while the database is open.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod damaged_at_rest;
mod damaged_in_use;
#[path = "../shared/directory.rs"]
mod directory;
mod marks;
mod missing;
mod of_another_time;
mod rebuilt;
mod support;
