//! The background leaves the processor to those who write, for an instant,
//! every now and then.
//!
//! A thread that works without a break keeps its processor for as long as the
//! scheduler's slices are, which is milliseconds. Who becomes runnable on that
//! processor waits as long, and if he leads a group commit, so do all whose
//! frames he was to bring to disk.

use std::time::{Duration, Instant};

use super::Engine;
use crate::sync::{Mutex, thread};

/// How long the background works without a break.
const STINT: Duration = Duration::from_micros(200);
/// How long a break is, at least: systems make it some fifty microseconds.
const BREAK: Duration = Duration::from_micros(1);
/// How long somebody counts as writing who wrote: he may be waiting for the
/// processor.
const AFTERMATH: Duration = Duration::from_millis(20);

#[derive(Debug)]
struct Last {
    /// The last break, or the last look for who writes.
    stop: Instant,
    /// When something had been written since the look before.
    write: Option<Instant>,
    /// What had been written by then.
    written: u64,
}

/// When the last break was, and who needed it.
#[derive(Debug)]
pub(super) struct Breaks(Mutex<Last>);

impl Breaks {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Last {
            stop: Instant::now(),
            write: None,
            written: 0,
        }))
    }

    /// Whether it is time for a break: there was none for long, and somebody
    /// writes.
    fn are_due(&self, now: Instant, written: impl FnOnce() -> u64) -> bool {
        let mut last = self.0.lock();
        if now.saturating_duration_since(last.stop) < STINT {
            return false;
        }
        last.stop = now;
        let written = written();
        if written != last.written {
            last.written = written;
            last.write = Some(now);
        }
        let write = last.write;
        write.is_some_and(|write| now.saturating_duration_since(write) < AFTERMATH)
    }

    fn note(&self, now: Instant) {
        self.0.lock().stop = now;
    }
}

impl Engine {
    /// Called between two small pieces of the background's work, with no lock
    /// of a session held. Writers that wait for memory already are waiting for
    /// this work: it goes on.
    pub(super) fn give_way(&self) {
        let written = || self.journal.position().sequence.0;
        if self.memtable.is_scarce() || !self.breaks.are_due(Instant::now(), written) {
            return;
        }
        thread::sleep(BREAK);
        self.breaks.note(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Database;
    use crate::engine::compaction::Worth;

    /// What had been written when the background last asked who writes.
    fn noticed(database: &Database) -> u64 {
        database.engine().breaks.0.lock().written
    }

    /// The last break was a stint ago.
    fn end_stint(database: &Database) {
        let earlier = Instant::now().checked_sub(STINT).unwrap();
        database.engine().breaks.note(earlier);
    }

    #[test]
    fn checkpoints_and_compaction_look_for_who_writes() {
        let builder = Database::builder().background(false);
        let database = builder.temporary().unwrap();
        let sessions: Vec<_> = (0..2_000).map(|_| database.create_session()).collect();
        let mut before = noticed(&database);
        for _ in 0..2 {
            for session in &sessions {
                session.set("user", "ada").unwrap();
            }
            end_stint(&database);
            database.checkpoint().unwrap();
            assert!(noticed(&database) > before);
            before = noticed(&database);
        }
        sessions[0].set("user", "grace").unwrap();
        end_stint(&database);
        while database.engine().compact_step(Worth::AT_REST).unwrap().more {}
        assert!(noticed(&database) > before);
    }

    #[test]
    fn a_break_is_due_after_a_stint_while_somebody_writes() {
        let breaks = Breaks::new();
        let start = Instant::now();
        let at = |stints: u32| start + STINT * stints;
        assert!(breaks.are_due(at(2), || 10));
        breaks.note(at(3));
        assert!(!breaks.are_due(at(3) + STINT / 2, || 20), "it had one");
        assert!(breaks.are_due(at(4), || 20));
        assert!(breaks.are_due(at(5), || 20), "somebody wrote a moment ago");
        let later = at(4) + AFTERMATH;
        assert!(!breaks.are_due(later, || 20), "nobody has for long");
        assert!(breaks.are_due(later + STINT, || 21));
    }
}
