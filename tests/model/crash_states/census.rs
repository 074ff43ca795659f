//! How many different states a crash has left, and in which steps.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard};

/// Each of them has to have been hit.
pub(crate) const STEPS: [&str; 16] = [
    "create",
    "open",
    "close",
    "current",
    "commit",
    "journal_ahead",
    "recycling",
    "checkpoint",
    "split",
    "publish",
    "sweep",
    "purge",
    "compaction",
    "erasure",
    "renewal",
    "rebuild",
];

/// Besides: the opening after a crash is cut off.
pub(crate) const TWICE: &str = "opened twice";
/// The opening after an acknowledged close is.
pub(crate) const AFTER_CLOSE: &str = "after a close";
/// The newest that is promised was written without waiting, and seen since.
pub(crate) const SEEN: &str = "just seen";
const BESIDES: [&str; 3] = [TWICE, AFTER_CLOSE, SEEN];

#[derive(Debug, Default)]
struct Counts {
    /// The hashes of the images of all files, of states with unsynced bytes; in
    /// an opening after a close also of those with unsynced names alone.
    images: HashSet<u64>,
    /// How many of these states were left in each step.
    steps: BTreeMap<&'static str, u64>,
    /// All that was opened and compared with the model.
    judged: u64,
    /// Of which more was asked than what they hold.
    lived_on: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Census(Mutex<Counts>);

impl Census {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().expect("nobody panics with it")
    }

    /// A state was opened, and is what it may be. `image` is of one that had
    /// something unsynced.
    pub(crate) fn count(&self, image: Option<u64>, steps: &[&'static str]) {
        let mut counts = self.lock();
        counts.judged += 1;
        if image.is_some_and(|image| counts.images.insert(image)) {
            for step in steps {
                *counts.steps.entry(step).or_default() += 1;
            }
        }
    }

    pub(crate) fn count_life(&self) {
        self.lock().lived_on += 1;
    }

    /// How many different states there were.
    pub(crate) fn states(&self) -> u64 {
        self.lock().images.len() as u64
    }

    /// Of the steps, the number of states of the one that has the fewest.
    pub(crate) fn fewest(&self) -> (&'static str, u64) {
        let counts = self.lock();
        let steps = STEPS.into_iter().chain(BESIDES);
        let states = steps.map(|step| (step, counts.steps.get(step).copied().unwrap_or(0)));
        states
            .min_by_key(|(_, states)| *states)
            .expect("there are some")
    }
}

impl fmt::Display for Census {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.lock();
        writeln!(formatter, "{:>14}  states", "step")?;
        for step in STEPS.into_iter().chain(BESIDES) {
            let states = counts.steps.get(step).copied().unwrap_or(0);
            writeln!(formatter, "{step:>14}  {states}")?;
        }
        writeln!(
            formatter,
            "{} different states with unsynced bytes, {} openings judged, {} of them used further, \
             0 violations",
            counts.images.len(),
            counts.judged,
            counts.lived_on
        )
    }
}
