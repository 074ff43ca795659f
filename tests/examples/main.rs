//! The examples do what they say.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod devices;
mod differences;
mod log_lines;
mod quickstart;
mod replay;
#[path = "../../examples/replay/main.rs"]
#[expect(dead_code, reason = "its main is not called")]
mod replay_example;
mod support;
