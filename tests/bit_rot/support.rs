//! Opening, flipping, and not hanging.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use sessiondb::{Builder, Clock, Database, ManualClock, Result, SimulatedDisk};

use crate::patience::within;

/// Set to flip every bit where the everyday run flips one of each byte, or of
/// some; set to `bytes`, to flip one of each.
const EXHAUSTIVE: &str = "SESSIONDB_EXHAUSTIVE";

/// One clock for all databases: it stands still, so that nothing ends.
fn clock() -> Arc<dyn Clock> {
    static CLOCK: LazyLock<Arc<ManualClock>> = LazyLock::new(Arc::default);
    Arc::<ManualClock>::clone(&CLOCK)
}

pub(crate) fn builder() -> Builder {
    Database::builder()
        .background(false)
        .clock(clock())
        .cache_bytes(1 << 20)
        .journal_segment_bytes(16 << 10)
        .segment_bytes(8 << 10)
}

pub(crate) fn open(disk: &SimulatedDisk) -> Result<Database> {
    builder().open_on(Arc::new(disk.clone()))
}

/// Ends a database whose files are of no further interest.
pub(crate) fn discard(disk: &SimulatedDisk, db: Database) {
    disk.power_off();
    drop(db);
}

pub(crate) fn is_exhaustive() -> bool {
    std::env::var_os(EXHAUSTIVE).is_some()
}

/// How far to step: 1 where everything is to be looked at.
pub(crate) fn stride(everyday: usize) -> usize {
    if is_exhaustive() { 1 } else { everyday }
}

/// What to flip in the byte at a place: one of its bits, or each in turn.
pub(crate) fn masks(place: usize) -> impl Iterator<Item = u8> {
    let one = fastrand::Rng::with_seed(place as u64).u8(..8);
    let is_one = !is_exhaustive() || std::env::var(EXHAUSTIVE).is_ok_and(|set| set == "bytes");
    let bits = if is_one { one..one + 1 } else { 0..8 };
    bits.map(|bit| 1 << bit)
}

/// Runs a test that must not hang, and says where it did.
pub(crate) fn without_hanging(work: impl FnOnce() + Send + 'static) {
    let limit = Duration::from_secs(if is_exhaustive() { 7200 } else { 300 });
    within(limit, work);
}
