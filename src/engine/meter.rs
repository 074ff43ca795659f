//! How far something is that goes through phases, as one count that only goes
//! up and ends at its total.

use crate::session_id::SessionDigest;

/// A count of bytes, phase by phase.
pub(super) struct Meter<'m> {
    report: &'m mut dyn FnMut(u64, u64),
    total: u64,
    /// What was reported last.
    done: u64,
    /// Where the phase begins, and how much of the total it is.
    phase: (u64, u64),
}

impl<'m> Meter<'m> {
    pub(super) fn new(total: u64, report: &'m mut dyn FnMut(u64, u64)) -> Self {
        Self {
            report,
            total,
            done: 0,
            phase: (0, 0),
        }
    }

    /// The next phase begins, which has this share of the total.
    pub(super) fn begin(&mut self, share: u64) {
        let (start, before) = self.phase;
        self.phase = (start.saturating_add(before), share);
        self.set(0, 1);
    }

    /// So much of the phase is done, of so much.
    pub(super) fn set(&mut self, done: u64, of: u64) {
        let (start, share) = self.phase;
        let part = u128::from(share) * u128::from(done.min(of)) / u128::from(of.max(1));
        let part = u64::try_from(part).unwrap_or(share);
        self.reach(start.saturating_add(part));
    }

    /// All sessions up to this one are done. Digests are spread evenly.
    pub(super) fn pass(&mut self, digest: SessionDigest) {
        let [high, next, ..] = digest.to_bytes();
        let place = u16::from_be_bytes([high, next]);
        self.set(place.into(), u16::MAX.into());
    }

    /// All is done.
    pub(super) fn finish(mut self) {
        self.reach(self.total);
    }

    fn reach(&mut self, done: u64) {
        self.done = self.done.max(done.min(self.total));
        (self.report)(self.done, self.total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_add_up_to_the_total_and_nothing_goes_back() {
        let mut seen = Vec::new();
        let mut report = |done, total| seen.push((done, total));
        let mut meter = Meter::new(100, &mut report);
        meter.begin(40);
        meter.set(1, 2);
        meter.set(1, 4);
        meter.set(9, 4);
        meter.begin(60);
        meter.set(0, 0);
        meter.finish();
        let done: Vec<u64> = seen.iter().map(|(done, _)| *done).collect();
        assert_eq!(done, [0, 20, 20, 40, 40, 40, 100]);
        assert!(seen.iter().all(|(_, total)| *total == 100));
    }
}
