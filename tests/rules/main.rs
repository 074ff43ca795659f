//! The numbered rules of the design, a file each: every rule closes a hole,
//! and every test here fails when its rule is taken out of the engine.
//!
//! Rule 6 is tested where owners are, in `tests/owners`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod batches_in_order;
mod current_missing;
mod cycle_moves_the_lock;
mod damaged_frames;
mod damaged_session;
mod dead_at_the_freeze;
#[path = "../shared/directory.rs"]
mod directory;
mod missing_base;
mod nothing_waits_under_a_lock;
mod observed_is_on_disk;
mod readers_during_publish;
mod recycled_journal;
mod sides_of_the_freeze;
mod support;
mod tails_are_synced;
mod tombstones;
mod torn_tail;
mod uncommitted_frames;
