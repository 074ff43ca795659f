//! Making space: files filled with zeros ahead of the frames, off the commit
//! path, so that a commit overwrites and its sync changes no metadata.

use std::sync::Arc;

use super::files::JournalOptions;
use super::reserve::{self, Reserve};
use super::tail::{Leaving, Slot, Tail};
use super::writer::Shared;
use crate::disk::DiskFile;
use crate::error::{Error, Result};
use crate::format::identity::JournalNumber;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// How much is filled at a time.
const STEP: u64 = 1 << 20;
/// Files kept for another use: a checkpoint makes several unnecessary at once,
/// and by the next one as many are full again.
const SPARES: usize = 4;

/// Which file the allocator is syncing. A sync that fails may take the failure
/// of a frame's write upon itself, and let the frame's own sync succeed.
#[derive(Debug, Default)]
pub(super) struct Filling {
    number: AtomicU64,
    lock: Mutex<()>,
}

impl Filling {
    /// Syncs, and poisons where that fails, before anybody passes `wait`.
    fn during<T>(&self, number: JournalNumber, sync: impl FnOnce() -> T) -> T {
        let _guard = self.lock.lock();
        self.number.store(number.0, Ordering::SeqCst);
        let outcome = sync();
        self.number.store(0, Ordering::SeqCst);
        outcome
    }

    /// Waits until no sync of this file is under way: its failure is known then.
    pub(super) fn wait(&self, number: JournalNumber) {
        if self.number.load(Ordering::SeqCst) == number.0 {
            drop(self.lock.lock());
        }
    }
}

/// How much of the first file is filled before the first append.
pub(super) fn first_step(segment_bytes: u64) -> u64 {
    segment_bytes.min(STEP)
}

/// Whether the current file is to be left.
fn leaves(tail: &Tail) -> bool {
    tail.leaving == Leaving::Leaves
}

/// Free space behind the last frame, in both files; in the next one where the
/// current one is to be left.
fn ahead(tail: &Tail) -> u64 {
    let next = tail.next.as_ref().map_or(0, Slot::free);
    let current = if leaves(tail) { 0 } else { tail.current.free() };
    current.saturating_add(next)
}

/// Whether the allocator should work, though nobody waits yet. When both
/// files are filled it cannot: there is no third one.
fn is_short(tail: &Tail, options: &JournalOptions) -> bool {
    let least = tail.reserved.saturating_add(STEP / 2);
    let is_full = tail.current.allocated >= options.segment_bytes
        && (tail.next.as_ref())
            .is_some_and(|next| next.allocated >= options.size_for(tail.reserved));
    !is_full && ahead(tail) < least
}

/// The same where the last attempt did not find the disk full.
pub(super) fn wants_work(tail: &Tail, options: &JournalOptions) -> bool {
    !tail.is_full && is_short(tail, options)
}

/// The allocator's thread.
pub(super) fn run(shared: &Shared) {
    let mut tail = shared.tail.lock();
    while !tail.stopped {
        let wanted = tail.wanted;
        let options = &shared.options;
        let idle = wanted == 0 && !wants_work(&tail, options);
        if tail.reserve == Reserve::Wanted {
            let restored = MutexGuard::unlocked(&mut tail, || reserve::restore(shared));
            if restored.is_err() {
                tail.reserve = Reserve::Missing;
            }
            let was_full = std::mem::replace(&mut tail.is_full, restored.is_err());
            tail.reserve_failure = restored
                .err()
                .inspect(|error| stop_unless_full(shared, error, was_full));
            shared.allocated.notify_all();
            continue;
        }
        if idle || !can_extend(&tail, wanted, options) {
            shared.allocate.wait(&mut tail);
            continue;
        }
        let worked = MutexGuard::unlocked(&mut tail, || extend(shared, wanted));
        let worked = match worked {
            Err(Error::StorageFull { .. }) if reserve::is_wanted(&tail, options) => {
                MutexGuard::unlocked(&mut tail, || reserve::put_on(shared))
            }
            worked => worked,
        };
        if let Err(error) = worked {
            stop_unless_full(shared, &error, tail.is_full);
            tail.is_full = true;
            tail.failure = Some(error);
            tail.wanted = 0;
            tail.wanted_by_removals = 0;
            shared.allocated.notify_all();
            // It may have been stopped while the lock was away: nobody would
            // wake it again.
            if !tail.stopped {
                shared.allocate.wait(&mut tail);
            }
            continue;
        }
        tail.is_full = false;
        // Who still finds too little says so again.
        if fits(&tail, wanted) || !can_extend(&tail, wanted, options) {
            tail.wanted = 0;
            tail.wanted_by_removals = 0;
        }
        shared.allocated.notify_all();
    }
}

/// A full disk is foreseen. Everything else stops the writing: what the files
/// look like then is not known.
fn stop_unless_full(shared: &Shared, error: &Error, was_full: bool) {
    if !was_full {
        tracing::warn!(%error, "journal space cannot be allocated");
    }
    if !matches!(error, Error::StorageFull { .. }) {
        shared.poison.set(error);
        shared.commit.wake_all();
    }
}

/// Whether there is anything to fill. When both files are full of zeros, the
/// next one is as long as any may be, and still too small for all that is
/// reserved, space comes only from writers that give theirs back.
fn can_extend(tail: &Tail, wanted: u64, options: &JournalOptions) -> bool {
    let size = options.size_for(wanted.max(tail.reserved));
    current_grows(tail, wanted, options)
        || tail.next.as_ref().is_none_or(|next| next.allocated < size)
}

/// Whether all that is reserved or wanted, and a step more, fits into the
/// current file once that is filled: no further than a usual one.
fn current_grows(tail: &Tail, wanted: u64, options: &JournalOptions) -> bool {
    let size = options.segment_bytes;
    let current = &tail.current;
    let target = wanted.max(tail.reserved.saturating_add(STEP));
    !leaves(tail) && current.allocated < size && current.offset.saturating_add(target) <= size
}

fn fits(tail: &Tail, bytes: u64) -> bool {
    bytes <= tail.current.free() || tail.next.as_ref().is_some_and(|next| bytes <= next.free())
}

/// Fills one more step: of the current file while what is wanted still fits
/// into it, and otherwise of the next.
fn extend(shared: &Shared, wanted: u64) -> Result<()> {
    let options = &shared.options;
    let (current, next, grows, size) = {
        let tail = shared.tail.lock();
        let grows = current_grows(&tail, wanted, options);
        let size = options.size_for(wanted.max(tail.reserved));
        (tail.current.clone(), tail.next.clone(), grows, size)
    };
    if grows {
        let end = fill(shared, &current, options.segment_bytes)?;
        let mut tail = shared.tail.lock();
        let slot = if tail.current.number == current.number {
            Some(&mut tail.current)
        } else {
            None
        };
        if let Some(slot) = slot {
            slot.allocated = end;
        }
        return Ok(());
    }
    let next = if let Some(next) = next {
        next
    } else {
        let next = begin_next(shared)?;
        // Kept also when it cannot be filled now: the next attempt goes on
        // with it, rather than with one more file.
        shared.tail.lock().next = Some(next.clone());
        next
    };
    let end = fill(shared, &next, size)?;
    let mut tail = shared.tail.lock();
    if tail.current.number == next.number {
        tail.current.allocated = end;
    } else {
        tail.next = Some(Slot {
            allocated: end,
            ..next
        });
    }
    Ok(())
}

/// Fills a step of a file with zeros, durably.
fn fill(shared: &Shared, slot: &Slot, size: u64) -> Result<u64> {
    // One that is longer already stays as it is.
    let size = size.max(slot.allocated);
    let end = slot.allocated.saturating_add(STEP).min(size);
    let length = usize::try_from(end.saturating_sub(slot.allocated)).unwrap_or(0);
    let path = shared.options.path(slot.number);
    if length > 0 {
        slot.file
            .write_all_at(&vec![0; length], slot.allocated)
            .map_err(|error| Error::io("allocate", &path, error))?;
        // A sync that fails here has lost zeros and nothing else, but it may
        // have been told of a frame's failure: also where it says that the
        // disk is full, it is not repeated.
        shared.filling.during(slot.number, || {
            let synced = slot.file.sync_data();
            synced.map_err(|error| {
                let error = Error::failed_sync(&path, error);
                shared.poison.set(&error);
                error
            })
        })?;
    }
    Ok(end)
}

/// The next file: a spare one under a new number, or a new one.
fn begin_next(shared: &Shared) -> Result<Slot> {
    let (number, spare) = {
        let mut tail = shared.tail.lock();
        let number = tail.highest.next();
        (number, tail.spares.pop())
    };
    let mut allocated = 0;
    let is_used = spare.is_some();
    let file: Arc<dyn DiskFile> = if let Some(spare) = spare {
        if let Err(error) = shared.options.rename(spare, number) {
            // It is still there, and must not be forgotten.
            shared.tail.lock().spares.push(spare);
            return Err(error);
        }
        let file = shared.options.open(number)?;
        let path = shared.options.path(number);
        let length = reserve::length_of(&*file, &path)?;
        allocated = length.min(shared.options.longest_segment_bytes);
        file
    } else {
        shared.options.create(number)?
    };
    shared.tail.lock().highest = number;
    shared.options.sync_directory()?;
    Ok(Slot {
        is_used,
        ..Slot::new(number, file, allocated)
    })
}

/// Keeps some of the unnecessary files and removes the others.
pub(super) fn recycle(shared: &Shared, unnecessary: &[JournalNumber]) -> Result<()> {
    let mut removed = false;
    for (place, number) in unnecessary.iter().copied().enumerate() {
        match put_away(shared, number) {
            Ok(is_kept) => removed |= !is_kept,
            Err(error) => {
                // They are still there, and must not be forgotten.
                let left = unnecessary.get(place..).unwrap_or_default();
                shared.tail.lock().spares.extend(left);
                return Err(error);
            }
        }
    }
    if removed {
        shared.options.sync_directory()?;
    }
    Ok(())
}

/// Keeps a file or removes it; whether it is kept. One that had to be longer
/// than usual would take its space for ever.
fn put_away(shared: &Shared, number: JournalNumber) -> Result<bool> {
    let options = &shared.options;
    let length = reserve::length_of(&*options.open(number)?, &options.path(number))?;
    {
        let mut tail = shared.tail.lock();
        let is_kept = tail.leaving == Leaving::No
            && tail.spares.len() < SPARES
            && length <= options.segment_bytes;
        if is_kept {
            tail.spares.push(number);
            return Ok(true);
        }
    }
    options.remove(number)?;
    Ok(false)
}
