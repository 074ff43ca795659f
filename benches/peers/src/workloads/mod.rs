//! What is measured: each file fills the engines with what it needs, has them
//! work, and adds its rows.

mod background;
mod flush;
mod get;
mod load;
mod mixed;
mod open;
mod pop;
mod request;
mod set;
mod shared;
mod space;
mod whole;
mod written;

use crate::Outcome;
use crate::run::Run;

pub(crate) use written::{WRITE, tell_written};

/// Rows that targets speak of.
pub(crate) mod names {
    pub(crate) const BARE_WRITE: &str = "bare write + fsync";
    pub(crate) const SET_1: &str = "durable set, 1 writer";
    pub(crate) const SET_8: &str = "durable set, 8 writers";
    pub(crate) const SET_64: &str = "durable set, 64 writers";
    pub(crate) const IN_FLIGHT: &str = "durable set, 1,000 in flight";
    pub(crate) const GET_1: &str = "hot get, 1 thread";
    pub(crate) const GET_2: &str = "hot get, 2 threads";
    pub(crate) const MAP_1: &str = "lookup in a RwLock<HashMap>, 1 thread";
    pub(crate) const MAP_2: &str = "lookup in a RwLock<HashMap>, 2 threads";
    pub(crate) const FLUSH_ONE: &str = "durable flush of 1 key";
    pub(crate) const FLUSH_MANY: &str = "durable flush of 1,000,000 keys";
    pub(crate) const OPEN: &str = "clean open of 1,000,000 sessions";
    pub(crate) const POP: &str = "durable pop, 1 caller";
    pub(crate) const SMALL: &str = "load of a session of 10 keys";
    pub(crate) const P999: &str = "mixed, 8 threads: p99.9";
    pub(crate) const COLD: &str = "get in data of 10 times the cache, 1 thread";
    pub(crate) const LOAD: &str = "load of 1,000,000 keys";
    pub(crate) const REQUEST: &str = "web request, 8 threads";
    pub(crate) const STALL: &str = "mixed, 8 threads: longest stall";
    pub(crate) const BACKGROUND: &str = "mixed, with background work: p99";
    pub(crate) const NO_BACKGROUND: &str = "mixed, background work off: p99";
    pub(crate) const CHURNED: &str = "disk after churn / raw bytes";
    pub(crate) const EMPTIED: &str = "disk after deleting all";
    pub(crate) const WRITTEN: &str = "bytes written per byte, 64 writers";
}

pub(crate) fn measure(run: &mut Run) -> Outcome<()> {
    shared::measure(run)?;
    open::measure(run)?;
    flush::measure(run)?;
    background::measure(run)?;
    space::measure(run)?;
    written::measure(run)
}
