//! What ours has to reach, all in one place.

use crate::engines::OURS;
use crate::report::MACHINE;
use crate::workloads::names;

/// What a factor is multiplied with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Than {
    /// One unit of the row.
    Unit,
    /// The best of the peers.
    BestPeer,
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

pub(crate) const TARGETS: &[Target] = &[
    target(names::SET_1, 0.8, Than::Row(names::BARE_WRITE, MACHINE)),
    target(names::SET_64, 12.0, Than::Row(names::SET_1, OURS)),
    target(names::SET_64, 1.0, Than::BestPeer),
    target(names::IN_FLIGHT, 40.0, Than::Row(names::SET_1, OURS)),
    target(names::FLUSH_MANY, 1.2, Than::Row(names::FLUSH_ONE, OURS)),
    target(names::FLUSH_MANY, 1.0, Than::BestPeer),
    target(names::STALL, 100.0, Than::Unit),
];
