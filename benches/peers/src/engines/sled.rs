//! sled 0.34, bare: one tree, plain inserts, and a batch where more than one
//! row has to change at once.
//!
//! Its `flush` never reaches the disk, so an `fdatasync` of its file follows,
//! one for all who wait. Even so a power cut may lose what was synced before,
//! since it overwrites in place what it has freed: it counts as not durable.
//! It has no removal of a range: a flush is a batch of as many removals as the
//! session has keys, or several where there are more than 10,000. That spares it
//! gigabytes, and costs the flush that it is atomic. Its own flusher thread is
//! off, as every write is flushed that should be.

use std::fs::File;

use sled::{Batch, Db, IVec, Tree};

use super::striped::{Change, Look, Map, Striped};
use crate::Outcome;
use crate::engine::{Engine, Id, Setup};
use crate::shared_sync::SharedSync;

/// Rows that change at once.
const BATCH_ROWS: usize = 10_000;

struct Sled {
    db: Db,
    tree: Tree,
    file: File,
    syncs: SharedSync,
}

pub(super) fn open(setup: &Setup) -> Outcome<Option<Box<dyn Engine>>> {
    if !setup.background {
        return Ok(None);
    }
    let db = sled::Config::new()
        .path(&setup.directory)
        .cache_capacity(setup.cache_bytes)
        .flush_every_ms(None)
        .open()?;
    let map = Sled {
        tree: db.open_tree("sessions")?,
        file: File::open(setup.directory.join("db"))?,
        syncs: SharedSync::default(),
        db,
    };
    Ok(Some(Box::new(Striped::new(map, setup)?)))
}

impl Sled {
    /// Changes rows, so many at once.
    fn apply(
        &self,
        changes: impl Iterator<Item = sled::Result<(IVec, Option<IVec>)>>,
    ) -> Outcome<()> {
        let mut batch = Batch::default();
        let mut rows = 0;
        for change in changes {
            let (key, value) = change?;
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
            rows += 1;
            if rows == BATCH_ROWS {
                self.tree.apply_batch(std::mem::take(&mut batch))?;
                rows = 0;
            }
        }
        Ok(self.tree.apply_batch(batch)?)
    }
}

impl Map for Sled {
    fn get(&self, key: &[u8], look: &mut dyn FnMut(&[u8])) -> Outcome<bool> {
        let value = self.tree.get(key)?;
        if let Some(value) = &value {
            look(value);
        }
        Ok(value.is_some())
    }

    fn scan(&self, id: &Id, look: Look<'_>) -> Outcome<()> {
        for row in self.tree.scan_prefix(id) {
            let (key, value) = row?;
            look(&key, &value)?;
        }
        Ok(())
    }

    fn write(&self, changes: Vec<Change>) -> Outcome<()> {
        // A batch takes a lock of the whole process.
        if let [(key, value)] = changes.as_slice() {
            match value {
                Some(value) => self.tree.insert(key, value.as_slice())?,
                None => self.tree.remove(key)?,
            };
            return Ok(());
        }
        let changes = changes.into_iter();
        self.apply(changes.map(|(key, value)| Ok((key.into(), value.map(IVec::from)))))
    }

    fn remove_all(&self, id: &Id) -> Outcome<()> {
        let keys = self.tree.scan_prefix(id).keys();
        self.apply(keys.map(|key| Ok((key?, None))))
    }

    fn sync(&self) -> Outcome<()> {
        self.syncs.wait(|| {
            self.db.flush()?;
            Ok(self.file.sync_data()?)
        })
    }

    fn close(self) -> Outcome<()> {
        Ok(())
    }
}
