//! Erasure, as a user meets it: after its time no file of the directory
//! contains what was removed, whatever removed it and whatever happened
//! meanwhile, and everything else is still there.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed helper is a failed test"
)]

mod asked_for;
mod damage;
#[path = "../shared/directory.rs"]
mod directory;
mod kills;
mod places;
mod support;
mod time;
mod ttl;
mod ways;
