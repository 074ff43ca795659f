//! How long a session lives, and how long its keys do: expiry, IDs that
//! somebody else chose, logins and logouts in one frame, and IDs that are
//! dead. The time is a clock that stands still until a test moves it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unchecked_time_subtraction,
    reason = "a failed helper is a failed test"
)]

mod chosen_ids;
mod closures;
mod django;
mod expiry;
mod operations;
mod retired;
mod support;

/// Starts for many threads.
#[path = "../races/support.rs"]
#[expect(dead_code, reason = "the rest is for longer races")]
mod racing;
mod ttl;
