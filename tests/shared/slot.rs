//! What is known of one session of one thread.

use crate::operation::{Keys, OWNER};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Empty before there is one.
    pub(crate) token: String,
    /// `None` while nothing of it was written.
    pub(crate) keys: Option<Keys>,
}

impl Slot {
    /// Whether it was given to its thread.
    pub(crate) fn is_owned(&self) -> bool {
        let keys = self.keys.as_ref();
        keys.is_some_and(|keys| keys.contains_key(OWNER))
    }
}
