//! The failure after which nothing is written any more.

use crate::error::{Error, Result};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};

/// Set once, by the first failed write or sync.
#[derive(Debug, Default)]
pub(super) struct Poison {
    set: AtomicBool,
    cause: Mutex<Option<String>>,
}

impl Poison {
    /// Remembers the first cause.
    pub(super) fn set(&self, cause: &Error) {
        let text = match cause {
            Error::Poisoned { cause } => cause.clone(),
            other => other.to_string(),
        };
        let mut first = self.cause.lock();
        if first.is_none() {
            tracing::error!(cause = %text, "the database stops writing");
            *first = Some(text);
        }
        self.set.store(true, Ordering::Release);
    }

    /// An error once poisoned.
    pub(super) fn check(&self) -> Result<()> {
        if !self.set.load(Ordering::Acquire) {
            return Ok(());
        }
        let cause = self.cause.lock().clone().unwrap_or_default();
        Err(Error::Poisoned { cause })
    }
}
