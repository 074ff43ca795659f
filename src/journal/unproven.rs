//! What recovery read and nothing declares synced.
//!
//! After a sync that failed, the system may show bytes that it will never
//! write: it counts them as clean, and another sync does nothing about them.
//! So what may be of that kind is written again before it is relied on (14).

use std::collections::VecDeque;

use super::files::JournalOptions;
use crate::error::{Error, Result};
use crate::format::identity::{JournalNumber, Sequence};

/// A header or a frame.
#[derive(Debug)]
struct Piece {
    /// Once this frame is declared synced, so is the piece.
    until: Sequence,
    number: JournalNumber,
    offset: usize,
    length: usize,
}

/// The pieces in the order of the journal.
#[derive(Debug, Default)]
pub(super) struct Unproven(VecDeque<Piece>);

impl Unproven {
    /// A piece was read.
    pub(super) fn note(
        &mut self,
        until: Sequence,
        number: JournalNumber,
        offset: usize,
        length: usize,
    ) {
        self.0.push_back(Piece {
            until,
            number,
            offset,
            length,
        });
    }

    /// Everything up to this frame was on disk.
    pub(super) fn prove(&mut self, through: Sequence) {
        while self.0.front().is_some_and(|piece| piece.until <= through) {
            self.0.pop_front();
        }
    }

    fn next_of(&mut self, number: JournalNumber) -> Option<Piece> {
        let is_next = self.0.front().is_some_and(|piece| piece.number == number);
        is_next.then(|| self.0.pop_front()).flatten()
    }

    /// Writes what is left again, durably.
    pub(super) fn write_again(mut self, options: &JournalOptions) -> Result<()> {
        while let Some(piece) = self.0.front() {
            let number = piece.number;
            let path = options.path(number);
            let file = options.open(number)?;
            while let Some(piece) = self.next_of(number) {
                let mut bytes = vec![0; piece.length];
                file.read_exact_at(&mut bytes, piece.offset as u64)
                    .map_err(|error| Error::io("read", &path, error))?;
                file.write_all_at(&bytes, piece.offset as u64)
                    .map_err(|error| Error::io("write", &path, error))?;
            }
            file.sync_data()
                .map_err(|error| Error::failed_sync(&path, error))?;
        }
        Ok(())
    }
}
