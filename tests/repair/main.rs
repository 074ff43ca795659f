//! Repair: what can be proved right of a damaged directory is saved, the rest
//! is listed, and nobody who was logged out comes back.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed helper is a failed test"
)]

mod directories;
#[path = "../shared/directory.rs"]
mod directory;
mod flips;
mod identity;
mod journal;
mod kinds;
mod no_files;
mod progress;
mod scene;
mod segments;
mod undamaged;
