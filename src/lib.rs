#![doc = include_str!("../README.md")]

mod clock;
mod config;
mod database;
mod disk;
mod engine;
mod error;
mod format;
mod index;
mod journal;
mod limits;
mod maintenance;
mod segments;
mod session;
mod session_id;
mod sync;

pub use clock::{Clock, ManualClock, SystemClock};
pub use config::Builder;
pub use database::{Committed, Database, Sessions};
#[cfg(feature = "simulation")]
pub use disk::{
    Crash, Disk, DiskFile, DiskLock, Fault, FaultEffect, IndexFate, Operation, SimulatedDisk,
};
pub use engine::{Durability, Loss, LossKind, Phase, Upkeep};
pub use error::{Error, Result};
#[cfg(feature = "simulation")]
#[doc(hidden)]
pub use format::decode_anything;
pub use limits::{
    MAX_KEY_BYTES, MAX_OWNER_BYTES, MAX_TRANSACTION_BYTES, MAX_VALUE_BYTES, MAX_VALUE_DEPTH,
};
pub use maintenance::{Reclaimed, Repaired, SegmentStats, SessionInfo, Stats, Verified};
pub use session::{Entry, Expiry, Iter, Keys, Session, Transaction, ValueBytes};
pub use session_id::{SessionDigest, SessionId};
