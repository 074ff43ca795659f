//! A flipped bit anywhere in the files of a database: what is read is right, or
//! the answer is `Corrupted` and names the file and the place.
//!
//! What nobody needs any more may be refused as well: a frame of the journal that
//! is in a checkpoint, or a footer of sessions that are gone.
//!
//! The limits of this promise, each of them held by a test here:
//! - The last frames of the journal, from the first one on that no other frame,
//!   no header and no footer declares synced, are the torn tail of a power cut if
//!   one of them is damaged: it and what was done after it are missing, and all
//!   that was done before is there.
//! - The header of a journal file whose frames are all such a tail takes them
//!   with it.
//! - Padding, what a file held in an earlier use, the reserve, the ballast and
//!   the mark of a clean stop are not read, or need not be: nothing is missing.
//! - The files of the index can be made anew: whatever happens to them, all is
//!   right.
//!
//! `SESSIONDB_EXHAUSTIVE=1` flips every bit of every byte that holds something,
//! `SESSIONDB_EXHAUSTIVE=bytes` one of each.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod at_rest;
mod in_use;
mod index;
#[path = "../journal/layout.rs"]
mod layout;
mod look;
mod many_sessions;
#[path = "../shared/patience.rs"]
mod patience;
mod place;
mod scene;
mod support;
