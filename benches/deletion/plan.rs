//! How much is measured.

use crate::arguments::Length;
use crate::operation::Operation;

/// So many samples let a 99th percentile mean something.
const ENOUGH_FOR_P99: usize = 200;

/// Samples of an operation in a round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Samples {
    /// Of one that removes a key: they are cheap for a session of any size.
    pub(crate) by_key: usize,
    /// Of one that needs a session for itself.
    pub(crate) whole: usize,
}

/// Keys of the largest sessions.
pub(crate) fn largest(length: Length) -> usize {
    length.choose(100_000, 1_000_000, 1_000_000)
}

/// Sizes of sessions, smallest first.
pub(crate) fn sizes(length: Length) -> impl Iterator<Item = usize> {
    let powers = (0..).map(|power| 10_usize.pow(power));
    powers.take_while(move |keys| *keys <= largest(length))
}

pub(crate) fn rounds(length: Length) -> usize {
    length.choose(1, 3, 7)
}

pub(crate) fn samples(keys: usize) -> Samples {
    let whole = match keys {
        0..=1000 => ENOUGH_FOR_P99,
        1001..=10_000 => 10,
        10_001..=100_000 => 2,
        _ => 1,
    };
    Samples {
        by_key: ENOUGH_FOR_P99,
        whole,
    }
}

impl Samples {
    pub(crate) fn of(self, operation: Operation) -> usize {
        if operation.removes_one_key() {
            self.by_key
        } else {
            self.whole
        }
    }
}

/// Whether so many samples of a round have a 99th percentile.
pub(crate) fn is_enough_for_p99(samples: usize) -> bool {
    samples >= ENOUGH_FOR_P99
}
