//! Threads against each other and against the background: one wins, nothing
//! is lost, nothing comes back.
//!
//! Memtable and segments are small here, so that checkpoints, splits, joins
//! and sweeps happen while the threads race. Each test runs under a watch that
//! turns a deadlock into a failure. `SESSIONDB_RACES_ROUNDS` multiplies the
//! rounds.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod support;

mod close;
mod counters;
mod cycles;
mod flushes;
mod futures;
mod groups;
mod observers;
mod pops;
mod pressure;
mod readers;
mod residents;
