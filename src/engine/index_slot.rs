//! The index in use, and the change to another one.

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::index::Index;
use crate::sync::RwLock;

#[derive(Debug)]
struct Current {
    /// `None` once the database is closed.
    index: Option<Arc<Index>>,
    name: String,
    path: PathBuf,
    generation: u64,
}

/// Holds the index.
#[derive(Debug)]
pub(crate) struct IndexSlot(RwLock<Current>);

impl IndexSlot {
    /// The first index.
    pub(crate) fn new(index: Index, name: String, path: PathBuf) -> Self {
        Self(RwLock::new(Current {
            index: Some(Arc::new(index)),
            name,
            path,
            generation: 0,
        }))
    }

    /// The index; `Closed` when it was let go of.
    pub(crate) fn get(&self) -> Result<Arc<Index>> {
        self.0.read().index.clone().ok_or(Error::Closed)
    }

    /// Lets go of the index, and so of its files' lock.
    pub(crate) fn close(&self) {
        let index = self.0.write().index.take();
        drop(index);
    }

    /// Counts up with each change, so that one trouble is mended once.
    pub(crate) fn generation(&self) -> u64 {
        self.0.read().generation
    }

    /// The name of its directory.
    pub(crate) fn name(&self) -> String {
        self.0.read().name.clone()
    }

    /// Its directory, for messages.
    pub(crate) fn path(&self) -> PathBuf {
        self.0.read().path.clone()
    }

    /// Changes to another index; returns the directory of the old one.
    pub(crate) fn replace(&self, index: Arc<Index>, name: String, path: PathBuf) -> PathBuf {
        let mut current = self.0.write();
        let generation = current.generation.saturating_add(1);
        let old = std::mem::replace(
            &mut *current,
            Current {
                index: Some(index),
                name,
                path,
                generation,
            },
        );
        old.path
    }
}
