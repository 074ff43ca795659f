//! The segments: checkpointed sessions and pages, in committed batches.
//!
//! Owns: the files under `segments/`. They are append-only; a frame never
//! moves, so a location is right for as long as its file is there.
//! Promises: a frame outside a committed batch does not exist (12); batches
//! never interleave (11); a batch's frames are on disk before its footer is.
//! Refuses: to guess. A damaged frame is an error that names file and place.

mod contents;
mod files;
mod reader;
mod salvage;
mod scan;
mod writer;

pub(crate) use contents::Contents;
pub(crate) use files::{SegmentOptions, Segments, end_of};
pub(crate) use salvage::{Hole, Salvaged};
pub(crate) use writer::{BatchWriter, Standing};
