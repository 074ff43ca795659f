//! The engine under a scheduler that decides at each lock, atomic and wait
//! which thread goes on: group commit, freeze, publish, the session lock. Each
//! test goes through many orders of the same few steps; an order that fails is
//! printed, with its seed, and comes again.
//!
//! `SESSIONDB_ORDERS` multiplies how many orders are tried,
//! `SESSIONDB_ORDERS_SEED` is the seed. The README has the command.

#![cfg_attr(shuttle, expect(clippy::expect_used, clippy::panic, reason = "tests"))]

#[cfg(shuttle)]
mod checkpoints;
#[cfg(shuttle)]
mod commits;
#[cfg(shuttle)]
mod disk;
#[cfg(shuttle)]
mod lifes;
#[cfg(shuttle)]
mod owners;
#[cfg(shuttle)]
mod support;

#[cfg(not(shuttle))]
#[test]
#[ignore = "needs RUSTFLAGS=\"--cfg shuttle\": without it no scheduler decides"]
fn interleavings() {
    panic!("built without --cfg shuttle, where nothing is tried");
}
