//! The numbers and names that occur on disk, each a type of its own.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$meta:meta])* $name:ident($inner:ty)) => {
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        pub(crate) struct $name(pub(crate) $inner);

        impl $name {
            /// The number after this one.
            pub(crate) fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, formatter)
            }
        }
    };
}

number!(
    /// The life of one set of keys. Never reused; 0 is never given out.
    Generation(u64)
);
number!(
    /// The place of a frame in the journal's order. The first is 1.
    Sequence(u64)
);
number!(
    /// A checkpoint's (or compaction step's) place in the order of batches.
    /// The first is 1. Also the age of what it wrote: of two frames of one
    /// identity the one of the higher batch is the newer.
    Batch(u64)
);
number!(
    /// The number of a journal file.
    JournalNumber(u64)
);
number!(
    /// The number of a segment file.
    SegmentNumber(u32)
);
number!(
    /// A page's number within its generation. 0 is the page in the image.
    PageNumber(u32)
);

/// Nanoseconds since the Unix epoch.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub(crate) struct Timestamp(pub(crate) u64);

impl From<SystemTime> for Timestamp {
    /// Times before 1970 become 1970, times after 2554 become 2554.
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        let since = Duration::from_nanos(time.0);
        UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
    }
}

impl Timestamp {
    /// So much later; the end of time at most.
    pub(crate) fn plus(self, duration: Duration) -> Self {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanoseconds))
    }

    /// How much later it is than another time.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Tells one database's files from another's. Random.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct DatabaseId(pub(crate) [u8; 16]);

impl fmt::Debug for DatabaseId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "DatabaseId({:032x})",
            u128::from_be_bytes(self.0)
        )
    }
}

/// Where a segment frame lies. Compaction copies a frame and never moves it,
/// and the number of a file is given once, so a location names one content for
/// ever.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub(crate) struct Location {
    /// The file.
    pub(crate) segment: SegmentNumber,
    /// Where the frame begins, in bytes.
    pub(crate) offset: u32,
    /// Length of the frame, its header included and its padding not.
    pub(crate) length: u32,
}
