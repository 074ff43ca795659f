//! The file that an opened journal goes on in.
//!
//! Promises: on a full disk there is one all the same, while there is space
//! behind the frames of the last file, or a reserve.

use std::path::Path;

use super::files::JournalOptions;
use super::reader::Recovered;
use super::tail::Slot;
use super::{allocator, reserve};
use crate::error::{Error, Result};
use crate::format::header::JournalHeader;
use crate::format::identity::JournalNumber;

/// File systems count in blocks of this size, or in smaller ones.
const BLOCK_BYTES: u64 = 4096;

/// Begins the file behind what was recovered: its header says where the
/// frames before it end, and is on disk (8).
pub(super) fn first_slot(options: &JournalOptions, recovered: &Recovered) -> Result<Slot> {
    let number = recovered.highest.next();
    let path = options.path(number);
    let bytes = allocator::first_step(options.segment_bytes);
    let slot = match created(options, number, bytes) {
        Err(error @ Error::StorageFull { .. }) => {
            on_full_disk(options, recovered, number)?.ok_or(error)?
        }
        created => created?,
    };
    let header = JournalHeader {
        database: options.database,
        number,
        first: recovered.last.next(),
        // Recovery synced what it read.
        synced_through: recovered.last,
        previous: recovered.end,
        declaration: recovered.declaration,
    };
    let bytes = encode_header(&header, &path)?;
    slot.file
        .write_all_at(&bytes, 0)
        .map_err(|error| Error::io("write", &path, error))?;
    slot.file
        .sync_all()
        .map_err(|error| Error::failed_sync(&path, error))?;
    options.sync_directory()?;
    Ok(slot)
}

fn created(options: &JournalOptions, number: JournalNumber, allocated: u64) -> Result<Slot> {
    let path = options.path(number);
    let file = options.create(number)?;
    let first = allocated.min(allocator::first_step(options.segment_bytes));
    let zeros = vec![0; usize::try_from(first).unwrap_or(0)];
    let filled = file.allocate(allocated);
    if let Err(error) = filled.and_then(|()| file.write_all_at(&zeros, 0)) {
        drop(file);
        options.remove(number)?;
        return Err(Error::io("write", &path, error));
    }
    Ok(Slot::new(number, file, allocated))
}

/// Takes the space that lies behind the last frame, where nothing counts any
/// more, or the reserve.
fn on_full_disk(
    options: &JournalOptions,
    recovered: &Recovered,
    number: JournalNumber,
) -> Result<Option<Slot>> {
    if let Some((last, end)) = recovered.end {
        let cut = cut_behind(options, last, end)? / BLOCK_BYTES * BLOCK_BYTES;
        let bytes = cut.min(options.longest_segment_bytes);
        if bytes > 0 {
            match created(options, number, bytes) {
                Err(Error::StorageFull { .. }) => {}
                created => return created.map(Some),
            }
        }
    }
    options.use_reserve(number)
}

/// Cuts a file behind its last frame; how many bytes that frees.
fn cut_behind(options: &JournalOptions, number: JournalNumber, end: u64) -> Result<u64> {
    let path = options.path(number);
    let file = options.open(number)?;
    let cut = reserve::length_of(&*file, &path)?.saturating_sub(end);
    if cut > 0 {
        file.set_length(end)
            .map_err(|error| Error::io("cut", &path, error))?;
        // Free for certain only then.
        file.sync_all()
            .map_err(|error| Error::failed_sync(&path, error))?;
    }
    Ok(cut)
}

/// The bytes of a header.
pub(super) fn encode_header(header: &JournalHeader, path: &Path) -> Result<Vec<u8>> {
    header
        .encode()
        .map_err(|malformed| Error::corrupted(path, 0, malformed))
}
