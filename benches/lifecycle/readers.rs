//! Readers of hot and of cold sessions, who go on while something else happens.
//!
//! Each works as a server's thread does: it opens a session, reads a value,
//! and rests a little. Half of what it reads is hot. The other half was not in
//! memory: where a session is found there by chance, the read is left out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sessiondb::{Database, SessionId};

use crate::Outcome;
use crate::load::Work;
use crate::samples::Histogram;

/// What a reader session holds.
pub(crate) const KEY: &str = "user";

/// Between two reads.
const REST: Duration = Duration::from_micros(100);
/// Times are kept by the slice in which they were taken.
const SLICE: Duration = Duration::from_millis(100);

/// All that was read.
#[derive(Debug)]
pub(crate) struct Reads {
    start: Instant,
    slices: Vec<[Histogram; 2]>,
}

/// What a read was of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Hot,
    Cold,
}

impl Reads {
    fn new(start: Instant) -> Self {
        Self {
            start,
            slices: Vec::new(),
        }
    }

    fn push(&mut self, at: Instant, kind: Kind, taken: Duration) {
        let slice = at.duration_since(self.start).as_millis() / SLICE.as_millis();
        let slice = usize::try_from(slice).unwrap_or(usize::MAX);
        while self.slices.len() <= slice {
            self.slices.push(Default::default());
        }
        let place = match kind {
            Kind::Hot => 0,
            Kind::Cold => 1,
        };
        let histogram = self
            .slices
            .get_mut(slice)
            .and_then(|two| two.get_mut(place));
        if let Some(histogram) = histogram {
            histogram.push(taken);
        }
    }

    /// Adds another reader's, who began at the same time.
    pub(crate) fn append(&mut self, other: &Self) {
        while self.slices.len() < other.slices.len() {
            self.slices.push(Default::default());
        }
        for (mine, theirs) in self.slices.iter_mut().zip(&other.slices) {
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                mine.append(theirs);
            }
        }
    }

    /// The hot and the cold reads that were begun in a time, slices that it
    /// touches included.
    pub(crate) fn during(&self, work: Work) -> [Histogram; 2] {
        let slice = |at: Instant| {
            let slice = at.saturating_duration_since(self.start).as_millis() / SLICE.as_millis();
            usize::try_from(slice).unwrap_or(usize::MAX)
        };
        let mut both: [Histogram; 2] = Default::default();
        let first = slice(work.from);
        let count = slice(work.until) + 1 - first;
        for of_slice in self.slices.iter().skip(first).take(count) {
            for (sum, part) in both.iter_mut().zip(of_slice) {
                sum.append(part);
            }
        }
        both
    }
}

/// Reads until it is over. `cold` is a reader's own.
pub(crate) fn read(
    database: &Database,
    start: Instant,
    hot: &[SessionId],
    cold: &[SessionId],
    over: &AtomicBool,
) -> Outcome<Reads> {
    let mut reads = Reads::new(start);
    let mut random = fastrand::Rng::with_seed(hot.len() as u64);
    let mut cold = cold.iter().cycle();
    while !over.load(Ordering::Relaxed) {
        let kind = if random.bool() { Kind::Hot } else { Kind::Cold };
        let id = match kind {
            Kind::Hot => random.choice(hot),
            Kind::Cold => cold.next(),
        };
        let id = id.ok_or("there is no session to read")?;
        let at = Instant::now();
        let session = database.open_session(id)?.ok_or("a session is missing")?;
        let opened = at.elapsed();
        let is_resident = session.is_resident();
        let start = Instant::now();
        let value: Option<String> = session.get(KEY)?;
        let taken = opened + start.elapsed();
        if value.is_none() {
            return Err("a session has lost its value".into());
        }
        if kind == Kind::Hot || !is_resident {
            reads.push(at, kind, taken);
        }
        std::thread::sleep(REST);
    }
    Ok(reads)
}
