//! Journal space that is kept for what only removes: a file beside the journal
//! that is allocated while there is space on disk.
//!
//! INVARIANT: while the tail says that the reserve is ready, the file is there
//! with its full size and holds no frame, and nothing but a removal may go
//! where the journal goes once it is used: on a full disk the file becomes the
//! journal's next one. Its slot is marked then, and puts get `StorageFull`
//! until there is a reserve again; the marked slot is an ordinary one from
//! then on.
//!
//! What is counted: half of the longest journal file, 16 MiB of the usual 32, is 100,000
//! frames of 167 bytes. The removal of a key of up to 100 bytes takes no more,
//! the end of a session 80 bytes, and of each further one in the same frame 52
//! at most. When all of it is used, removals get `StorageFull` too.

use std::path::Path;

use super::files::JournalOptions;
use super::tail::{Slot, Tail};
use super::writer::Shared;
use crate::disk::DiskFile;
use crate::error::{Error, Result};
use crate::format::header::JOURNAL_HEADER_BYTES;
use crate::format::identity::JournalNumber;

const RESERVE: &str = "RESERVE";

/// What journal space is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Anything.
    Put,
    /// What only removes.
    Removal,
}

/// What has become of the reserve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reserve {
    /// The file is there.
    Ready,
    /// It is used, or there was no space for it.
    Missing,
    /// The same, and somebody waits for one.
    Wanted,
}

impl JournalOptions {
    /// How much is kept.
    pub(super) fn reserve_bytes(&self) -> u64 {
        self.longest_segment_bytes / 2
    }

    fn reserve_failed(&self, doing: &'static str, error: std::io::Error) -> Error {
        Error::io(doing, &self.disk.root().join(RESERVE), error)
    }

    /// Makes sure that there is a reserve of full size.
    pub(super) fn make_reserve(&self) -> Result<()> {
        let path = Path::new(RESERVE);
        let opened = match self.disk.open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.disk.create(path),
            opened => opened,
        };
        let file = opened.map_err(|error| self.reserve_failed("create", error))?;
        let length = length_of(&*file, &self.disk.root().join(RESERVE))?;
        // Also one that is long enough: a copy of the directory may have holes.
        if let Err(error) = file.allocate(self.reserve_bytes()) {
            drop(file);
            // A part of it would only take space away.
            let _ = self.disk.remove(path);
            return Err(self.reserve_failed("allocate", error));
        }
        if length >= self.reserve_bytes() {
            return Ok(());
        }
        let path = self.disk.root().join(RESERVE);
        file.sync_all()
            .map_err(|error| Error::failed_sync(&path, error))?;
        let synced = self.disk.sync_directory(Path::new(""));
        synced.map_err(|error| Error::failed_sync(self.disk.root(), error))
    }

    /// Makes a file of the journal of the reserve; `None` where there is none.
    pub(super) fn use_reserve(&self, number: JournalNumber) -> Result<Option<Slot>> {
        let path = Path::new(RESERVE);
        match self.disk.rename(path, &Self::relative(number)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            renamed => renamed.map_err(|error| self.reserve_failed("rename", error))?,
        }
        self.sync_directory()?;
        let file = self.open(number)?;
        let length = length_of(&*file, &self.path(number))?;
        Ok(Some(Slot {
            is_reserve: true,
            ..Slot::new(number, file, length.min(self.longest_segment_bytes))
        }))
    }
}

pub(super) fn length_of(file: &dyn DiskFile, path: &Path) -> Result<u64> {
    file.length()
        .map_err(|error| Error::io("read", path, error))
}

/// Whether removals wait for what the reserve can give.
pub(super) fn is_wanted(tail: &Tail, options: &JournalOptions) -> bool {
    let holds = options
        .reserve_bytes()
        .saturating_sub(JOURNAL_HEADER_BYTES as u64);
    tail.reserve == Reserve::Ready && (1..=holds).contains(&tail.wanted_by_removals)
}

/// Puts the reserve behind the current file. The allocator does it.
pub(super) fn put_on(shared: &Shared) -> Result<()> {
    let number = {
        let mut tail = shared.tail.lock();
        // All that is reserved has to fit into the current file: the next one
        // goes, where it is too short and cannot grow.
        if tail.reserved > tail.current.free() && tail.next.is_some() {
            shared.rotate(&mut tail)?;
        }
        tail.reserve = Reserve::Missing;
        let short = tail.next.take();
        let number = short.map_or_else(|| tail.highest.next(), |slot| slot.number);
        tail.highest = tail.highest.max(number);
        number
    };
    tracing::warn!("the disk is full: removals go on in the journal's reserve");
    let slot = shared.options.use_reserve(number)?;
    shared.tail.lock().next = slot;
    Ok(())
}

/// Removes files that are kept for another use, where that gives space enough.
fn remove_spares(shared: &Shared) -> Result<bool> {
    let options = &shared.options;
    let mut free = options.disk.free_bytes();
    let spares = shared.tail.lock().spares.clone();
    for number in &spares {
        let length = length_of(&*options.open(*number)?, &options.path(*number))?;
        free = free.saturating_add(length);
    }
    if free < options.reserve_bytes() {
        return Ok(false);
    }
    let spares = std::mem::take(&mut shared.tail.lock().spares);
    for spare in &spares {
        options.remove(*spare)?;
    }
    options.sync_directory()?;
    Ok(!spares.is_empty())
}

/// Makes a reserve again. What was used of the last one is ordinary space then.
pub(super) fn restore(shared: &Shared) -> Result<()> {
    let made = match shared.options.make_reserve() {
        Err(Error::StorageFull { .. }) if remove_spares(shared)? => shared.options.make_reserve(),
        made => made,
    };
    made?;
    let mut tail = shared.tail.lock();
    tail.reserve = Reserve::Ready;
    tail.current.is_reserve = false;
    if let Some(next) = &mut tail.next {
        next.is_reserve = false;
    }
    Ok(())
}
