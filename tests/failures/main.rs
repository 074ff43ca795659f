//! The failure policy: what a failed operation of the disk stops, what it
//! leaves, and what works again.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod background_trouble;
mod every_operation;
mod full_disk;
mod full_from_a_step;
mod limits;
mod openings;
#[path = "../shared/patience.rs"]
mod patience;
mod poisoning;
mod real_disk;
mod recorder;
mod removals;
mod support;
mod workload;
