//! What happened, so that a test can tell that it was worth running.

use std::ops::AddAssign;

/// Counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) operations: u64,
    pub(crate) changes: u64,
    pub(crate) checkpoints: u64,
    pub(crate) compactions: u64,
    /// Compactions that removed a file.
    pub(crate) files_emptied: u64,
    /// Erasures that came to their end.
    pub(crate) erasures: u64,
    /// Copies of the index that took its place.
    pub(crate) renewals: u64,
    pub(crate) reopens: u64,
    pub(crate) crashes: u64,
    /// Crashes in the middle of an operation.
    pub(crate) interrupted: u64,
    /// Of openings.
    pub(crate) openings_cut: u64,
    /// Crashes right after something had failed.
    pub(crate) failures: u64,
    /// Failed operations of the disk that nothing told of.
    pub(crate) failures_unnoticed: u64,
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
    pub(crate) life: Life,
}

/// Counts of what ends, and of what is done about it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Life {
    /// Answers that said that a session's time was over.
    pub(crate) sessions_over: u64,
    /// Answers about a key whose time was over.
    pub(crate) keys_over: u64,
    /// Sessions that a purge said it removed.
    pub(crate) purged: u64,
    /// Openings that found what was over in the one before.
    pub(crate) seen_again: u64,
    /// Sessions that an expiry in the past ended.
    pub(crate) ended_by_expiry: u64,
    /// Sessions that went because their owner had too many.
    pub(crate) evicted: u64,
    pub(crate) revoked: u64,
    /// Frames that ended several sessions of an owner.
    pub(crate) owners_revoked: u64,
    /// Touches that were written, and those that were not worth it.
    pub(crate) touched: u64,
    pub(crate) untouched: u64,
    /// Flushes and cycles with writes in the same frame.
    pub(crate) ended_with_writes: u64,
    /// Sessions with an ID of the caller's choice, and refusals of such a one.
    pub(crate) chosen: u64,
    pub(crate) chosen_again: u64,
    pub(crate) refused: u64,
    /// IDs that had to be known as dead, and were.
    pub(crate) retired: u64,
    /// Dead IDs that had to be forgotten, and were.
    pub(crate) forgotten: u64,
    /// Openings at a time before that of the opening before.
    pub(crate) set_back: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.operations += other.operations;
        self.changes += other.changes;
        self.checkpoints += other.checkpoints;
        self.compactions += other.compactions;
        self.files_emptied += other.files_emptied;
        self.erasures += other.erasures;
        self.renewals += other.renewals;
        self.reopens += other.reopens;
        self.crashes += other.crashes;
        self.interrupted += other.interrupted;
        self.openings_cut += other.openings_cut;
        self.failures += other.failures;
        self.failures_unnoticed += other.failures_unnoticed;
        self.crashes_that_took += other.crashes_that_took;
        self.unacknowledged_kept += other.unacknowledged_kept;
        self.pages = self.pages.max(other.pages);
        self.segment_files = self.segment_files.max(other.segment_files);
        self.journal_files = self.journal_files.max(other.journal_files);
        self.pages_gone += other.pages_gone;
        self.life += other.life;
    }
}

impl AddAssign for Life {
    fn add_assign(&mut self, other: Self) {
        self.sessions_over += other.sessions_over;
        self.keys_over += other.keys_over;
        self.purged += other.purged;
        self.seen_again += other.seen_again;
        self.ended_by_expiry += other.ended_by_expiry;
        self.evicted += other.evicted;
        self.revoked += other.revoked;
        self.owners_revoked += other.owners_revoked;
        self.touched += other.touched;
        self.untouched += other.untouched;
        self.ended_with_writes += other.ended_with_writes;
        self.chosen += other.chosen;
        self.chosen_again += other.chosen_again;
        self.refused += other.refused;
        self.retired += other.retired;
        self.forgotten += other.forgotten;
        self.set_back += other.set_back;
    }
}
