//! What an engine that knows no sessions keeps of each, beside its keys.

use std::time::{Duration, SystemTime};

use crate::Outcome;
use crate::engine::Id;

/// A session's ID that nobody has.
pub(crate) fn new_id() -> Outcome<Id> {
    let mut id = [0; 16];
    getrandom::fill(&mut id)?;
    Ok(id)
}

/// Milliseconds since 1970.
pub(crate) fn now() -> Outcome<u64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(u64::try_from(since.as_millis())?)
}

/// The row of a session; all times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) created: u64,
    pub(crate) last_seen: u64,
    pub(crate) expires: u64,
}

pub(crate) const ROW_BYTES: usize = 24;

/// How long a session lives, and how rarely that is written down: as `sessiondb`
/// has it, so that nobody writes more than it does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeout {
    idle: u64,
    unrecorded: u64,
}

impl Timeout {
    pub(crate) fn new(idle: Duration) -> Outcome<Self> {
        let idle = u64::try_from(idle.as_millis())?;
        Ok(Self {
            idle,
            unrecorded: idle / 16,
        })
    }

    pub(crate) fn begin(self, now: u64) -> Row {
        Row {
            created: now,
            last_seen: now,
            expires: now + self.idle,
        }
    }

    /// The row to write when a session was seen, if it is worth that.
    pub(crate) fn renew(self, row: Row, now: u64) -> Option<Row> {
        (now.saturating_sub(row.last_seen) >= self.unrecorded.max(1)).then_some(Row {
            last_seen: now,
            expires: now + self.idle,
            ..row
        })
    }
}

impl Row {
    pub(crate) fn lives(self, now: u64) -> bool {
        now < self.expires
    }

    pub(crate) fn encode(self) -> [u8; ROW_BYTES] {
        let mut bytes = [0; ROW_BYTES];
        let times = [self.created, self.last_seen, self.expires];
        for (place, time) in bytes.chunks_exact_mut(8).zip(times) {
            place.copy_from_slice(&time.to_be_bytes());
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Outcome<Self> {
        let bytes: &[u8; ROW_BYTES] = bytes.try_into()?;
        let mut times = bytes
            .as_chunks::<8>()
            .0
            .iter()
            .map(|time| u64::from_be_bytes(*time));
        let mut time = || times.next().ok_or("a row is too short");
        Ok(Self {
            created: time()?,
            last_seen: time()?,
            expires: time()?,
        })
    }
}
