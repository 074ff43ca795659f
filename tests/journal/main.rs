//! The journal as a user meets it: what comes back after a power cut, what is
//! refused, and how many files there are.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod bit_rot;
mod history;
mod layout;
mod missing_batches;
#[path = "../shared/patience.rs"]
mod patience;
mod recycling;
mod scene;
mod support;
mod synced_reads;
mod torn_tails;
mod truncation;
