//! Space on disk for what is put.
//!
//! A put is let in only while what the pending checkpoints will write fits
//! behind it, so that they come to their end whatever is let in: of each
//! changed session its changes, and the pages that they fall into, which are
//! written again as a whole. It is an estimate, on the safe side but for pages
//! that are much larger than the others of their session.

use super::Engine;
use super::cell::State;
use super::draft::Draft;
use crate::error::{Error, Result};
use crate::sync::atomic::{AtomicU64, Ordering};

/// Bytes that are let in between two looks at the disk, at most.
const LOOK_EVERY: u64 = 1 << 20;

/// A page of usual size that has grown, with its frame and its rows.
const PAGE_BYTES: u64 = 8 << 10;

/// What a changed session has written besides its keys and its owner: record,
/// frames, its entry in the footer, what is said of its old ID.
const SESSION_BYTES: u64 = 512;

/// The same of one that is gone.
const GONE_BYTES: u64 = 192;

/// What may be let in before the next look.
#[derive(Debug, Default)]
pub(super) struct Allowance(AtomicU64);

impl Allowance {
    fn spend(&self, bytes: u64) -> bool {
        let spent = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            });
        spent.is_ok()
    }

    fn set(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

impl State {
    /// What the next checkpoint writes of this session, about.
    pub(super) fn owed_bytes(&self) -> u64 {
        if !self.exists() {
            return GONE_BYTES;
        }
        let changes = self.active.bytes() as u64;
        let base = self.live_base();
        let below = base.map_or(0, |base| base.bytes);
        let frozen = self.frozen_delta().map_or(0, |delta| delta.bytes() as u64);
        let below = below.saturating_add(frozen);
        let pages = base.map_or(1, |base| u64::from(base.table.pages).saturating_add(1));
        let page = PAGE_BYTES.max(below / pages * 2);
        let touched = (self.active.changes_count() as u64).saturating_add(1);
        let again = if self.active.has_prefixes() {
            below
        } else {
            below.min(touched.saturating_mul(page))
        };
        let owner = self.record.owner.as_deref().map_or(0, str::len) as u64;
        let own = SESSION_BYTES.saturating_add(owner.saturating_mul(2));
        own.saturating_add(changes).saturating_add(again)
    }
}

impl Engine {
    /// Notes what a session that has just changed makes the next checkpoint
    /// write.
    pub(super) fn note_owed(&self, state: &mut State) {
        let owed = state.owed_bytes();
        let before = std::mem::replace(&mut state.owed, owed);
        self.memtable.owe(before, owed);
    }

    /// Refuses a put of `bytes` that the disk has no space for.
    pub(super) fn admit_space(&self, bytes: u64) -> Result<()> {
        let bytes = bytes.saturating_add(PAGE_BYTES);
        if self.allowance.spend(bytes) {
            return Ok(());
        }
        // What is refused is refused to all, also to those that are smaller.
        self.allowance.set(0);
        let owed = self.memtable.owed().saturating_add(bytes);
        let full = |doing| Error::StorageFull {
            doing,
            source: None,
        };
        let left = self.ballast.free_for_puts().checked_sub(owed);
        let left = left.ok_or_else(|| full("write anything but removals"))?;
        let allowed = self.options.max_disk_bytes.map_or(Some(left), |limit| {
            limit.checked_sub(self.disk.used_bytes().saturating_add(owed))
        });
        let allowed = allowed.ok_or_else(|| full("grow within `max_disk_bytes`"))?;
        self.allowance.set(LOOK_EVERY.min(left.min(allowed) / 4));
        Ok(())
    }

    /// Refuses a draft that puts something into a session that is too large
    /// with it. The caller holds the session's writer lock.
    pub(super) fn check_session_bytes(&self, draft: &Draft<'_>) -> Result<()> {
        let Some(limit) = self.options.max_session_bytes else {
            return Ok(());
        };
        if !draft.overlay.has_puts() {
            return Ok(());
        }
        let size = draft.bytes_at_most();
        let size = if size > limit { draft.bytes()? } else { size };
        if size <= limit {
            return Ok(());
        }
        Err(Error::TooLarge {
            what: "a session",
            size,
            limit,
        })
    }

    /// Takes again what a full disk has made give away, where there is space.
    /// The caller holds the checkpointer's lock.
    pub(super) fn regain(&self) {
        self.journal.restore_reserve();
        self.ballast.take(self.memtable.owed());
    }

    /// The same, where no batch is being written.
    pub(super) fn regain_unless_busy(&self) {
        if let Some(_checkpointer) = self.checkpointer.try_lock() {
            self.regain();
        }
    }
}
