//! What ours has to reach, all in one place.

use crate::engines::OURS;
use crate::report::MACHINE;
use crate::workloads::names;

/// What a factor is multiplied with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Than {
    /// One unit of the row.
    Unit,
    /// The best of the peers, of those that are durable where the row is.
    BestPeer,
    /// The best of these, durable or not.
    BestOf(&'static [&'static str]),
    /// What somebody comes to in another row.
    Row(&'static str, &'static str),
}

/// So many times as much, at least where more is better, and at most where less
/// is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) workload: &'static str,
    pub(crate) factor: f64,
    pub(crate) than: Than,
}

const fn target(workload: &'static str, factor: f64, than: Than) -> Target {
    Target {
        workload,
        factor,
        than,
    }
}

/// Who deletes a session key by key.
const WITHOUT_RANGE_DELETE: &[&str] = &["sled", "redb", "fjall", "lmdb", "sqlite"];
/// Who is durable within the process.
const EMBEDDED: &[&str] = &["redb", "fjall", "lmdb", "sqlite", "sqlite-blob", "rocksdb"];
const LMDB: &[&str] = &["lmdb"];
const ROCKSDB: &[&str] = &["rocksdb"];

pub(crate) const TARGETS: &[Target] = &[
    target(
        names::FLUSH_MANY,
        1.0 / 300.0,
        Than::BestOf(WITHOUT_RANGE_DELETE),
    ),
    target(names::FLUSH_MANY, 1.1, Than::BestOf(ROCKSDB)),
    target(names::SET_1, 1.0, Than::BestPeer),
    target(
        names::SET_1,
        1.0 / 1.1,
        Than::Row(names::BARE_WRITE, MACHINE),
    ),
    target(names::POP, 1.0, Than::BestPeer),
    target(names::POP, 1.0 / 1.1, Than::Row(names::BARE_WRITE, MACHINE)),
    target(names::SET_64, 2.0, Than::BestOf(EMBEDDED)),
    target(names::IN_FLIGHT, 5.0, Than::BestPeer),
    target(names::GET_1, 2.0, Than::BestOf(LMDB)),
    target(names::GET_1, 0.25, Than::Row(names::MAP_1, MACHINE)),
    target(names::GET_2, 1.8, Than::Row(names::GET_1, OURS)),
    target(names::SMALL, 1.0, Than::BestOf(LMDB)),
    target(names::SMALL, 3.0, Than::BestOf(&["sqlite-blob"])),
    target(names::COLD, 1.0, Than::BestOf(ROCKSDB)),
    target(names::COLD, 1.0, Than::BestOf(&["redb"])),
    target(names::REQUEST, 3.0, Than::BestPeer),
    target(names::P999, 2.0, Than::BestPeer),
    target(names::STALL, 50.0, Than::Unit),
    target(
        names::BACKGROUND,
        2.0,
        Than::Row(names::NO_BACKGROUND, OURS),
    ),
    target(names::CHURNED, 1.0, Than::BestPeer),
    target(names::LOAD, 1.0, Than::BestOf(LMDB)),
    target(names::OPEN, 500.0, Than::Unit),
];
