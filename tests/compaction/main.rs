//! Compaction and the renewal of the index, as a user meets them: the space of
//! what is dead comes back, and nothing else goes, whatever happens meanwhile.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed helper is a failed test"
)]

mod beside;
mod crashes;
mod damage;
mod full_disk;
mod held;
mod lengths;
mod progress;
mod retired;
mod support;
