//! Between sled and the rest: errors and panics become trouble.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::sync::atomic::{AtomicBool, Ordering};

/// The index cannot be trusted any more; it has to be rebuilt.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Trouble {
    reason: String,
    /// What the operating system said, when it was asked.
    kind: io::ErrorKind,
}

impl Trouble {
    /// Trouble, and what is wrong.
    pub(crate) fn new(reason: impl fmt::Display) -> Self {
        Self {
            reason: reason.to_string(),
            kind: io::ErrorKind::Other,
        }
    }

    /// Trouble that the operating system made.
    pub(crate) fn io(doing: &str, error: &io::Error) -> Self {
        Self {
            reason: format!("{doing}: {error}"),
            kind: error.kind(),
        }
    }

    /// For a caller who cannot do without an index.
    pub(crate) fn into_io(self) -> io::Error {
        io::Error::new(self.kind, self.reason)
    }
}

/// What an operation of the index gives.
pub(crate) type Outcome<T> = Result<T, Trouble>;

/// Remembers the first trouble: sled after an error or a panic is not asked again.
#[derive(Debug, Default)]
pub(super) struct Guard {
    failed: AtomicBool,
}

impl Guard {
    /// Runs an operation of sled.
    pub(super) fn run<T>(&self, operation: impl FnOnce() -> sled::Result<T>) -> Outcome<T> {
        if self.failed.load(Ordering::Relaxed) {
            return Err(Trouble::new("the index has failed before"));
        }
        let outcome = protect(operation);
        if outcome.is_err() {
            self.fail();
        }
        outcome
    }

    /// There is trouble of another kind.
    pub(super) fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }
}

/// Runs an operation of sled once.
pub(super) fn protect<T>(operation: impl FnOnce() -> sled::Result<T>) -> Outcome<T> {
    match catch_unwind(AssertUnwindSafe(operation)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(sled::Error::Io(error))) => Err(Trouble::io("sled", &error)),
        Ok(Err(error)) => Err(Trouble::new(format_args!("sled: {error}"))),
        Err(_) => Err(Trouble::new("sled panicked")),
    }
}
