//! Checksums of many stretches of the same bytes.
//!
//! Who looks for a frame behind damage asks at every place, and whatever lies
//! there claims a length. A value can be made up so that each place in it
//! claims all that follows: to sum that up each time would take hours.
//!
//! Promises: besides one pass over all bytes, no checksum costs more than a
//! look at [`STEP`] bytes twice, however long its stretch is.

use super::codec::Checksum;

/// Bytes between two places that the checksum of all before them is kept of.
pub(crate) const STEP: usize = 512;

/// Bytes, and checksums of what lies before some places in them.
pub(crate) struct Sums<'b> {
    bytes: &'b [u8],
    /// Of all bytes before each multiple of the step but the first, as far as
    /// anybody asked.
    before: Vec<u32>,
}

impl<'b> Sums<'b> {
    /// Costs nothing before the first question.
    pub(crate) fn of(bytes: &'b [u8]) -> Self {
        Self {
            bytes,
            before: Vec::new(),
        }
    }

    pub(crate) fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// What `sum` is once the bytes of a stretch are added; `None` where they
    /// are not all there.
    pub(crate) fn add(&mut self, mut sum: Checksum, start: usize, length: usize) -> Option<u32> {
        let end = start.checked_add(length)?;
        let stretch = self.bytes.get(start..end)?;
        if length <= STEP {
            sum.update(stretch);
            return Some(sum.finish());
        }
        let (before, with) = (self.before(start)?, self.before(end)?);
        Some(sum.add_between(before, with, length))
    }

    /// The checksum of all bytes before a place.
    fn before(&mut self, place: usize) -> Option<u32> {
        let steps = place / STEP;
        while self.before.len() < steps {
            let start = self.before.len() * STEP;
            let step = self.bytes.get(start..start + STEP)?;
            let sum = added(self.before.last(), step);
            self.before.push(sum);
        }
        let last = steps.checked_sub(1).and_then(|last| self.before.get(last));
        Some(added(last, self.bytes.get(steps * STEP..place)?))
    }
}

/// The checksum of some bytes and more of them.
fn added(before: Option<&u32>, bytes: &[u8]) -> u32 {
    let mut sum = Checksum::of(before.copied().unwrap_or(0));
    sum.update(bytes);
    sum.finish()
}

#[cfg(test)]
mod tests {
    use super::super::codec::{checksum, summed};
    use super::*;

    const BYTES: usize = 40 * STEP + 77;

    fn bytes() -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(1);
        std::iter::repeat_with(|| random.u8(..))
            .take(BYTES)
            .collect()
    }

    fn head() -> Checksum {
        let mut head = Checksum::default();
        head.update(b"head");
        head
    }

    #[test]
    fn the_sum_of_any_stretch_is_that_of_its_bytes() {
        let bytes = bytes();
        let mut random = fastrand::Rng::with_seed(2);
        for _ in 0..50 {
            let mut sums = Sums::of(&bytes);
            for _ in 0..50 {
                let start = random.usize(..=BYTES);
                let length = random.usize(..=BYTES - start);
                let expected = checksum(&[b"head", &bytes[start..start + length]]);
                assert_eq!(sums.add(head(), start, length), Some(expected));
            }
        }
        for step in [STEP - 1, STEP, STEP + 1] {
            let mut sums = Sums::of(&bytes);
            let expected = checksum(&[b"head", &bytes[step..][..=STEP]]);
            assert_eq!(sums.add(head(), step, STEP + 1), Some(expected));
        }
    }

    #[test]
    fn a_stretch_that_is_not_all_there_has_no_sum() {
        let bytes = bytes();
        let mut sums = Sums::of(&bytes);
        assert!(sums.add(head(), 0, BYTES).is_some());
        for (start, length) in [(0, BYTES + 1), (BYTES, 1), (1, usize::MAX), (BYTES + 1, 0)] {
            assert_eq!(sums.add(head(), start, length), None);
        }
    }

    #[test]
    fn a_sum_looks_at_few_bytes_however_long_its_stretch_is() {
        let bytes = bytes();
        let mut sums = Sums::of(&bytes);
        sums.add(head(), 0, BYTES).unwrap();
        for start in 0..BYTES {
            let head = head();
            let before = summed();
            sums.add(head, start, BYTES - start).unwrap();
            let looked_at = summed() - before;
            assert!(looked_at <= 2 * STEP as u64, "{looked_at} bytes at {start}");
        }
    }
}
