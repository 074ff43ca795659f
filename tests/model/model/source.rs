//! Where choices come from.

use std::time::Duration;

/// Makes choices.
pub(crate) trait Source {
    /// A number under `limit`, which is not 0.
    fn below(&mut self, limit: u32) -> u32;

    fn one_in(&mut self, count: u32) -> bool {
        self.below(count) == 0
    }

    fn index(&mut self, limit: u32) -> usize {
        self.below(limit) as usize
    }

    /// From nanoseconds to days.
    fn span(&mut self) -> Duration {
        match self.below(20) {
            0..=3 => Duration::from_nanos(self.below(40).into()),
            4..=7 => Duration::from_millis(self.below(1000).into()),
            8..=14 => Duration::from_secs(self.below(40).into()),
            15..=16 => Duration::from_secs(60 * u64::from(self.below(60))),
            17 => Duration::from_secs(3600 * u64::from(self.below(30))),
            18 => Duration::from_secs(86_400 * u64::from(self.below(8))),
            _ => Duration::ZERO,
        }
    }
}

impl Source for fastrand::Rng {
    fn below(&mut self, limit: u32) -> u32 {
        self.u32(..limit.max(1))
    }
}

/// The bytes of a fuzzer, two for each choice; zeros once they are spent.
#[derive(Debug)]
pub(crate) struct Bytes<'b>(pub(crate) &'b [u8]);

impl Bytes<'_> {
    pub(crate) fn is_spent(&self) -> bool {
        self.0.is_empty()
    }
}

impl Source for Bytes<'_> {
    fn below(&mut self, limit: u32) -> u32 {
        let mut number = 0;
        for _ in 0..2 {
            if let Some((first, rest)) = self.0.split_first() {
                number = number << 8 | u32::from(*first);
                self.0 = rest;
            }
        }
        number % limit.max(1)
    }
}
