//! Locks, atomics and threads, from one place.
//!
//! Owns: the choice between the real ones and those of the scheduler that the
//! test of interleavings runs under (`--cfg shuttle`): there each step of each
//! thread is one that the test chooses.
//! Promises: the same names and meanings in both.

#[cfg(not(shuttle))]
mod real {
    pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard, RwLock, RwLockWriteGuard};
    pub(crate) use std::{sync::atomic, thread, thread_local};
}

#[cfg(shuttle)]
mod scheduled;

#[cfg(not(shuttle))]
pub(crate) use real::*;
#[cfg(shuttle)]
pub(crate) use scheduled::*;
