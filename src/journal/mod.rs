//! The journal: transactions that are not checkpointed yet.
//!
//! Owns: the files under `journal/`, preallocated and recycled, and the
//! reserve that is kept for removals.
//! Promises: a sequence that `wait` returned for survives a power cut; what
//! is recovered is a prefix of what was appended, and holds all of that; a
//! torn tail is told from damage.
//! Refuses: to retry a sync. After a failed write or sync everything is
//! [`Error::Poisoned`](crate::Error::Poisoned).

mod allocator;
mod commit;
mod files;
mod leaving;
mod poison;
mod reader;
mod reservation;
mod reserve;
mod salvage;
mod start;
mod tail;
mod unproven;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use files::JournalOptions;
pub(crate) use reader::{Recovered, recover};
pub(crate) use reservation::Reservation;
pub(crate) use reserve::Purpose;
pub(crate) use salvage::{Found, Gap, Salvage};
pub(crate) use tail::Position;
pub(crate) use writer::Journal;
