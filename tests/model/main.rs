//! Random operations against a plain map, with crashes.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod background;
mod bytes;
mod checkpoint;
mod closing;
mod crash_states;
mod creation;
mod failing;
mod journal_files;
mod met;
mod model;
mod nothing_written;
mod owners;
mod power;
mod purging;
mod random;
mod twice;
