//! Times, and what is said about many of them.

use std::time::Duration;

/// Every time that was measured.
#[derive(Debug, Default)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    pub(crate) fn push(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// The time that so many in a thousand do not exceed, in microseconds.
    pub(crate) fn per_mille(&self, share: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        let place = (sorted.len() * share / 1000).min(last);
        sorted.get(place).map_or(0.0, |sample| micros(*sample))
    }

    pub(crate) fn p50(&self) -> f64 {
        self.per_mille(500)
    }

    pub(crate) fn p99(&self) -> f64 {
        self.per_mille(990)
    }
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// The median of one figure per round, and how far the rounds lie apart.
#[derive(Debug, Default)]
pub(crate) struct Rounds(pub(crate) Vec<f64>);

impl Rounds {
    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted
    }

    /// The worst of them, where less is better.
    pub(crate) fn greatest(&self) -> f64 {
        self.0.iter().copied().fold(0.0, f64::max)
    }

    pub(crate) fn median(&self) -> f64 {
        let sorted = self.sorted();
        let upper = sorted.get(sorted.len() / 2);
        let lower = sorted.get(sorted.len().saturating_sub(1) / 2);
        f64::midpoint(
            upper.copied().unwrap_or(f64::NAN),
            lower.copied().unwrap_or(f64::NAN),
        )
    }

    pub(crate) fn spread(&self) -> String {
        let sorted = self.sorted();
        match (sorted.first(), sorted.last()) {
            (Some(least), Some(most)) => {
                format!("{least:.2} to {most:.2} in {} rounds", sorted.len())
            }
            _ => String::new(),
        }
    }
}

/// Halvings of a power of two that a histogram tells apart.
const STEPS_BITS: u32 = 5;
const STEPS: u64 = 1 << STEPS_BITS;

/// Times by magnitude, within 3 %, for more of them than should be kept.
#[derive(Debug)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    pub(crate) count: u64,
    pub(crate) longest: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: vec![0; 64 << STEPS_BITS],
            count: 0,
            longest: Duration::ZERO,
        }
    }
}

impl Histogram {
    pub(crate) fn push(&mut self, sample: Duration) {
        let nanos = u64::try_from(sample.as_nanos()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get_mut(bucket(nanos)) {
            *bucket += 1;
        }
        self.count += 1;
        self.longest = self.longest.max(sample);
    }

    pub(crate) fn append(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.longest = self.longest.max(other.longest);
    }

    /// The time that so many in ten thousand do not exceed.
    pub(crate) fn per_myriad(&self, share: u64) -> Duration {
        let wanted = self.count / 10_000 * share + self.count % 10_000 * share / 10_000;
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen > wanted {
                return Duration::from_nanos(upper_end(bucket)).min(self.longest);
            }
        }
        self.longest
    }
}

fn bucket(nanos: u64) -> usize {
    let shift = nanos.max(1).ilog2().saturating_sub(STEPS_BITS);
    let step = nanos >> shift;
    usize::try_from(u64::from(shift) * STEPS + step).unwrap_or(usize::MAX)
}

fn upper_end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket / STEPS).saturating_sub(1);
    let step = bucket - shift * STEPS;
    ((step + 1) << shift) - 1
}
