//! The index in use, and the change to another one.

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::index::Index;
use crate::sync::RwLock;
use crate::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug)]
struct Current {
    /// `None` once the database is closed.
    index: Option<Arc<Index>>,
    name: String,
    path: PathBuf,
}

/// Holds the index.
#[derive(Debug)]
pub(crate) struct IndexSlot {
    current: RwLock<Current>,
    generation: AtomicU64,
}

impl IndexSlot {
    /// The first index.
    pub(crate) fn new(index: Index, name: String, path: PathBuf) -> Self {
        Self {
            current: RwLock::new(Current {
                index: Some(Arc::new(index)),
                name,
                path,
            }),
            generation: AtomicU64::new(0),
        }
    }

    /// The index; `Closed` when it was let go of.
    pub(crate) fn get(&self) -> Result<Arc<Index>> {
        self.current.read().index.clone().ok_or(Error::Closed)
    }

    /// Lets go of the index, and so of its files' lock.
    pub(crate) fn close(&self) {
        let index = self.current.write().index.take();
        drop(index);
    }

    /// Counts up with each change, so that one trouble is mended once: who
    /// asks for it before it asks for the index has met that trouble in this
    /// one or in a later one.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The name of its directory.
    pub(crate) fn name(&self) -> String {
        self.current.read().name.clone()
    }

    /// Its directory, for messages.
    pub(crate) fn path(&self) -> PathBuf {
        self.current.read().path.clone()
    }

    /// Changes to another index; returns the directory of the old one.
    pub(crate) fn replace(&self, index: Arc<Index>, name: String, path: PathBuf) -> PathBuf {
        let new = Current {
            index: Some(index),
            name,
            path,
        };
        let mut current = self.current.write();
        let old = std::mem::replace(&mut *current, new);
        self.generation.fetch_add(1, Ordering::AcqRel);
        old.path
    }
}
