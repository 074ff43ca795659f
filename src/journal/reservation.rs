//! Journal space that is set aside before any lock is taken, so that an append
//! under one never waits (4).
//!
//! INVARIANT: all reserved bytes fit into the rest of the current file, or
//! all of them into the next one.

use std::sync::Arc;

use super::allocator;
use super::reserve::{Purpose, Reserve};
use super::writer::{Journal, Shared};
use crate::error::{Error, Result};

/// More than this is not held in memory for the next sync.
const PENDING_BYTES: usize = 8 << 20;

/// Journal space for coming frames. What is not used is given back.
#[derive(Debug)]
pub(crate) struct Reservation {
    shared: Arc<Shared>,
    pub(super) bytes: u64,
    pub(super) purpose: Purpose,
    /// Why nothing may be put with it.
    refusal: Option<Error>,
}

/// What a put gets where only removals have space.
pub(super) fn only_removals() -> Error {
    Error::StorageFull {
        doing: "write anything but removals",
        source: None,
    }
}

impl Reservation {
    /// Makes sure that at least `bytes` are reserved. May wait for the
    /// allocator, which takes no other lock.
    pub(crate) fn cover(&mut self, bytes: u64) -> Result<()> {
        let missing = bytes.saturating_sub(self.bytes);
        if missing > 0 {
            // Given back first: the whole has to fit into one file.
            let whole = std::mem::take(&mut self.bytes).saturating_add(missing);
            self.shared.give_back(whole.saturating_sub(missing));
            self.shared.reserve(whole, self.purpose)?;
            self.bytes = whole;
        }
        Ok(())
    }

    /// Says why it is for removals only.
    pub(crate) fn refuse_puts(&mut self, why: Error) {
        self.purpose = Purpose::Removal;
        self.refusal = Some(why);
    }

    /// An error when only a removal may be written with it.
    pub(crate) fn check_put(&mut self) -> Result<()> {
        match self.purpose {
            Purpose::Put => Ok(()),
            Purpose::Removal => Err(self.refusal.take().unwrap_or_else(only_removals)),
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shared.give_back(self.bytes);
    }
}

impl Shared {
    fn give_back(&self, bytes: u64) {
        if bytes > 0 {
            let mut tail = self.tail.lock();
            tail.reserved = tail.reserved.saturating_sub(bytes);
            self.allocated.notify_all();
        }
    }

    /// Reserves space that is there already.
    fn try_reserve(&self, bytes: u64, purpose: Purpose) -> bool {
        let mut tail = self.tail.lock();
        let fits = tail.fits(bytes, purpose);
        if fits {
            tail.reserved = tail.reserved.saturating_add(bytes);
        }
        fits
    }

    fn reserve(&self, bytes: u64, purpose: Purpose) -> Result<()> {
        if bytes > self.max_frame() {
            return Err(Error::TooLarge {
                what: "a transaction",
                size: bytes,
                limit: self.max_frame(),
            });
        }
        let mut tail = self.tail.lock();
        while !tail.fits(bytes, purpose) {
            if tail.stopped {
                return Err(Error::Closed);
            }
            self.poison.check()?;
            tail.want(bytes, purpose);
            tail.failure = None;
            tail.reserve_failure = None;
            self.allocate.notify_one();
            self.allocated.wait(&mut tail);
            if !tail.fits(bytes, purpose)
                && let Some(error) = tail.refusal(purpose)
            {
                return Err(error);
            }
        }
        tail.reserved = tail.reserved.saturating_add(bytes);
        if allocator::wants_work(&tail, &self.options) {
            self.allocate.notify_one();
        }
        Ok(())
    }
}

impl Journal {
    /// Reserves space for a frame of `bytes`, waiting for the allocator when
    /// there is none. To be called before any lock is taken.
    pub(crate) fn reserve(&self, bytes: u64, purpose: Purpose) -> Result<Reservation> {
        self.check()?;
        let crowded = {
            let tail = self.shared.tail.lock();
            (tail.pending_bytes > PENDING_BYTES).then_some(tail.position.sequence)
        };
        if let Some(sequence) = crowded {
            self.wait(sequence)?;
        }
        self.shared.reserve(bytes, purpose)?;
        Ok(Reservation {
            shared: Arc::clone(&self.shared),
            bytes,
            purpose,
            refusal: None,
        })
    }

    /// Bytes of the reserve, while it is there.
    pub(crate) fn kept_bytes(&self) -> u64 {
        let is_ready = self.shared.tail.lock().reserve == Reserve::Ready;
        if is_ready {
            self.shared.options.reserve_bytes()
        } else {
            0
        }
    }

    /// Has the reserve made again where it is used, in the background.
    pub(crate) fn restore_reserve(&self) {
        let options = &self.shared.options;
        let has_space = options.disk.free_bytes() >= options.reserve_bytes();
        let mut tail = self.shared.tail.lock();
        let is_possible = has_space || !tail.spares.is_empty();
        if tail.reserve == Reserve::Missing && is_possible {
            tail.reserve = Reserve::Wanted;
            self.shared.allocate.notify_one();
        }
    }

    /// Reserves space where nobody has to be waited for.
    pub(crate) fn try_reserve(&self, bytes: u64, purpose: Purpose) -> Option<Reservation> {
        let is_reserved = self.shared.try_reserve(bytes, purpose);
        is_reserved.then(|| Reservation {
            shared: Arc::clone(&self.shared),
            bytes,
            purpose,
            refusal: None,
        })
    }
}
