//! The owners of sessions: who has which, logging one out everywhere, how many
//! one may have, and what happens when several do that at once.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod support;

/// What a journal file looks like.
#[path = "../journal/layout.rs"]
#[expect(dead_code, reason = "only frames are counted here")]
mod layout;
/// Starts for many threads, and a watch against deadlock.
#[path = "../races/support.rs"]
mod racing;

mod cap;
mod cap_is_one_frame;
mod changes;
mod crashes;
mod inspect;
mod joins_against_revokes;
mod listing;
mod names;
mod purge_against_renewal;
mod reentrant;
mod revoke_is_one_frame;
mod revokes_against_transactions;
mod revoking;
mod walk_beside_writers;
mod walking;
