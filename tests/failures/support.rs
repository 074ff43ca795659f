//! Opening, faults, and waiting.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sessiondb::{
    Builder, Database, Durability, Error, Fault, FaultEffect, Operation, SimulatedDisk,
};

use crate::patience::within;

/// Nothing is synced before somebody asks for it.
pub(crate) const NEVER: Durability = Durability::Deferred {
    sync_within: Duration::from_secs(3600),
};

pub(crate) fn builder() -> Builder {
    Database::builder()
        .journal_segment_bytes(64 << 10)
        .cache_bytes(1 << 20)
        .background(false)
}

pub(crate) fn disk(seed: u64) -> SimulatedDisk {
    SimulatedDisk::new(seed).unwrap()
}

pub(crate) fn open(disk: &SimulatedDisk) -> sessiondb::Result<Database> {
    builder().open_on(Arc::new(disk.clone()))
}

/// The next such operation fails.
pub(crate) fn fault(operation: Operation, path: &str, effect: FaultEffect) -> Fault {
    Fault {
        operation,
        path_contains: path.to_owned(),
        after: 0,
        times: 1,
        kind: ErrorKind::Other,
        effect,
    }
}

/// An error that says that the outcome is unknown, or why.
pub(crate) fn is_failure(error: &Error) -> bool {
    matches!(error, Error::Poisoned { .. } | Error::Io { .. })
}

/// The first cause is told again and again.
pub(crate) fn is_poisoned(error: &Error) -> bool {
    matches!(error, Error::Poisoned { cause } if cause.contains("injected"))
}

/// Until `condition` holds; nothing has to happen at any speed.
pub(crate) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} does not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs a test that must not hang.
pub(crate) fn without_hanging(work: impl FnOnce() + Send + 'static) {
    within(Duration::from_secs(120), work);
}
