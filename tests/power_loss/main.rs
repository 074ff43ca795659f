//! Power cuts of a whole directory, the files of the index included. What a
//! running database really asks of the operating system is recorded; a disk is
//! rebuilt as it may be after a power cut at any point of that, and opened:
//! what was acknowledged is there, what had begun is there wholly or not at
//! all, and nothing that was taken away comes back.
//!
//! `SESSIONDB_POWER_LOSS` sets the number of power cuts,
//! `SESSIONDB_POWER_LOSS_SEED` the seed of the work and of the cuts; in what
//! order threads come is not repeated by it. What is found wrong is kept under
//! `target/tmp` with all that was recorded, and `SESSIONDB_POWER_LOSS_RECORDING`
//! takes the directory that it names in place of a new recording: with as many
//! power cuts they are the same ones.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod account;
mod alarm;
mod calls;
mod child;
#[path = "../shared/contents.rs"]
mod contents;
mod cuts;

mod expectation;
mod history;
mod image;
mod kept;
mod observer;
#[path = "../shared/operation.rs"]
mod operation;
mod recording;
mod replay;
#[path = "../shared/slot.rs"]
mod slot;
mod small_recordings;
mod trace;
mod tracer;
#[path = "../shared/worker.rs"]
mod worker;
