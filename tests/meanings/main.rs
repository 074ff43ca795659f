//! Every line under "Meanings", "Values" and "Errors" of the interface, by name.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed helper is a failed test"
)]

mod bad_input;
mod clear;
mod closed;
mod closures;
mod cycle;
mod decode;
mod deferred;
mod emptied;
mod errors;
mod flush;
mod gone;
mod handles;
mod iteration;
mod keys;
mod no_effect;
mod operations;
mod reads;
mod reentrant;
mod stats;
mod support;
mod time;
mod two_handles;
mod unwritten;
mod values;
