//! A child process that is killed while it works, again and again on one
//! directory: what it reported as acknowledged is there, what it had begun is
//! there wholly or not at all, and nothing that was taken away comes back.
//!
//! `SESSIONDB_KILLS` sets the number of kills, `SESSIONDB_KILLS_SEED` the seed.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod child;
#[path = "../shared/contents.rs"]
mod contents;
mod ledger;
#[path = "../shared/operation.rs"]
mod operation;
mod parent;
#[path = "../shared/slot.rs"]
mod slot;
#[path = "../shared/worker.rs"]
mod worker;
