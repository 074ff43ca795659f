//! How a run opens its database.

use std::time::Duration;

use sessiondb::{Builder, Database, Durability};

use super::source::Source;
use super::terms::Terms;

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
    /// Of a usual file, and of the longest.
    pub(crate) journal_bytes: (u64, u64),
    /// Of the longest file, and of the shortest.
    pub(crate) segment_bytes: (u32, u32),
    pub(crate) memtable_bytes: usize,
    pub(crate) cache_bytes: u64,
    pub(crate) durabilities: Durabilities,
    /// When deferred writes reach the disk though nobody waits for them.
    pub(crate) sync_within: Duration,
    pub(crate) background: bool,
    /// An index of so many bytes may be copied into a fresh directory.
    pub(crate) index_bytes: u64,
    pub(crate) terms: Terms,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            journal_bytes: (64 << 10, 64 << 10),
            segment_bytes: (32 << 10, 32 << 10),
            memtable_bytes: 64 << 10,
            cache_bytes: 256 << 10,
            durabilities: Durabilities::Immediate,
            sync_within: Duration::from_secs(3600),
            background: false,
            index_bytes: 0,
            terms: Terms::default(),
        }
    }
}

impl Config {
    pub(crate) fn draw(source: &mut impl Source) -> Self {
        Self {
            journal_bytes: [
                (64 << 10, 64 << 10),
                (16 << 10, 64 << 10),
                (64 << 10, 256 << 10),
            ][source.index(3)],
            segment_bytes: [
                (8 << 10, 8 << 10),
                (32 << 10, 32 << 10),
                (32 << 10, 4 << 10),
                (256 << 10, 256 << 10),
            ][source.index(4)],
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
            index_bytes: [0, 16 << 20][source.index(2)],
            terms: Terms::draw(source),
        }
    }

    pub(crate) fn builder(&self) -> Builder {
        let builder = Database::builder()
            .journal_segment_bytes(self.journal_bytes.0)
            .longest_journal_segment_bytes(self.journal_bytes.1)
            .segment_bytes(self.segment_bytes.0)
            .shortest_segment_bytes(self.segment_bytes.1)
            .memtable_bytes(self.memtable_bytes)
            .cache_bytes(self.cache_bytes)
            .background(self.background)
            .index_renewal_bytes(self.index_bytes)
            .idle_checkpoint_after(Duration::from_millis(5));
        self.terms.tell(builder)
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
