//! How a run opens its database, and what it has met.

use std::ops::AddAssign;
use std::time::Duration;

use sessiondb::{Builder, Database, Durability};

use super::draw::Source;

/// Which durability the handles have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durabilities {
    Immediate,
    Deferred,
    /// Each handle has its own.
    Both,
}

#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) journal_bytes: u64,
    pub(crate) segment_bytes: u32,
    pub(crate) memtable_bytes: usize,
    pub(crate) cache_bytes: u64,
    pub(crate) durabilities: Durabilities,
    /// When deferred writes reach the disk though nobody waits for them.
    pub(crate) sync_within: Duration,
    pub(crate) background: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            journal_bytes: 64 << 10,
            segment_bytes: 32 << 10,
            memtable_bytes: 64 << 10,
            cache_bytes: 256 << 10,
            durabilities: Durabilities::Immediate,
            sync_within: Duration::from_secs(3600),
            background: false,
        }
    }
}

impl Config {
    pub(crate) fn draw(source: &mut impl Source) -> Self {
        Self {
            journal_bytes: [64 << 10, 64 << 10, 256 << 10][source.index(3)],
            segment_bytes: [8 << 10, 32 << 10, 32 << 10, 256 << 10][source.index(4)],
            memtable_bytes: [64 << 10, 64 << 10, 512 << 10, 4 << 20][source.index(4)],
            cache_bytes: [64 << 10, 256 << 10, 4 << 20][source.index(3)],
            durabilities: match source.below(3) {
                0 => Durabilities::Immediate,
                1 => Durabilities::Deferred,
                _ => Durabilities::Both,
            },
            // Sometimes the journal's own thread comes in between.
            sync_within: Duration::from_secs([3600, 3600, 3600, 0][source.index(4)]),
            background: false,
        }
    }

    pub(crate) fn builder(&self) -> Builder {
        Database::builder()
            .journal_segment_bytes(self.journal_bytes)
            .segment_bytes(self.segment_bytes)
            .memtable_bytes(self.memtable_bytes)
            .cache_bytes(self.cache_bytes)
            .background(self.background)
            .idle_checkpoint_after(Duration::from_millis(5))
    }

    /// Whether a handle that would rather be deferred waits for the disk.
    pub(crate) fn is_immediate(&self, deferred: bool) -> bool {
        match self.durabilities {
            Durabilities::Immediate => true,
            Durabilities::Deferred => false,
            Durabilities::Both => !deferred,
        }
    }

    pub(crate) fn durability(&self, immediate: bool) -> Durability {
        if immediate {
            Durability::Immediate
        } else {
            Durability::Deferred {
                sync_within: self.sync_within,
            }
        }
    }
}

/// What happened, so that a test can tell that it was worth running.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) operations: u64,
    pub(crate) changes: u64,
    pub(crate) checkpoints: u64,
    pub(crate) reopens: u64,
    pub(crate) crashes: u64,
    /// Crashes in the middle of an operation.
    pub(crate) interrupted: u64,
    /// Of openings.
    pub(crate) openings_cut: u64,
    /// Crashes that took something which nobody was promised.
    pub(crate) crashes_that_took: u64,
    /// Changes that were under way when the power went, and are there.
    pub(crate) unacknowledged_kept: u64,
    /// The most pages besides the images that were verified at a time.
    pub(crate) pages: u64,
    pub(crate) segment_files: u64,
    /// The highest number of a journal file.
    pub(crate) journal_files: u64,
    /// Changes that a page went away with, between two verifications.
    pub(crate) pages_gone: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.operations += other.operations;
        self.changes += other.changes;
        self.checkpoints += other.checkpoints;
        self.reopens += other.reopens;
        self.crashes += other.crashes;
        self.interrupted += other.interrupted;
        self.openings_cut += other.openings_cut;
        self.crashes_that_took += other.crashes_that_took;
        self.unacknowledged_kept += other.unacknowledged_kept;
        self.pages = self.pages.max(other.pages);
        self.segment_files = self.segment_files.max(other.segment_files);
        self.journal_files = self.journal_files.max(other.journal_files);
        self.pages_gone += other.pages_gone;
    }
}
