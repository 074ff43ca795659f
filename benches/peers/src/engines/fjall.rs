//! fjall 3: one keyspace, batches for what has to change at once, and the
//! journal persisted with `SyncData`, once for all who wait.
//!
//! Its documentation gives durability that way, and asks for a hint where
//! lookups mostly find something, which they do here. Its transactional
//! databases would do in place of the locks of sessions, at the cost of a lock
//! of the whole database. It has no removal of a range within a keyspace: a
//! flush is a batch of as many removals as the session has keys.

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::striped::{Change, Look, Map, Striped};
use crate::Outcome;
use crate::engine::{Engine, Id, Setup};
use crate::shared_sync::SharedSync;

struct Fjall {
    database: Database,
    sessions: Keyspace,
    syncs: SharedSync,
}

pub(super) fn open(setup: &Setup) -> Outcome<Option<Box<dyn Engine>>> {
    if !setup.background {
        return Ok(None);
    }
    let database = Database::builder(&setup.directory)
        .cache_size(setup.cache_bytes)
        .open()?;
    let options = || KeyspaceCreateOptions::default().expect_point_read_hits(true);
    let map = Fjall {
        sessions: database.keyspace("sessions", options)?,
        database,
        syncs: SharedSync::default(),
    };
    Ok(Some(Box::new(Striped::new(map, setup)?)))
}

impl Map for Fjall {
    fn get(&self, key: &[u8], look: &mut dyn FnMut(&[u8])) -> Outcome<bool> {
        let value = self.sessions.get(key)?;
        if let Some(value) = &value {
            look(value);
        }
        Ok(value.is_some())
    }

    fn scan(&self, id: &Id, look: Look<'_>) -> Outcome<()> {
        for row in self.sessions.prefix(id) {
            let (key, value) = row.into_inner()?;
            look(&key, &value)?;
        }
        Ok(())
    }

    fn write(&self, changes: Vec<Change>) -> Outcome<()> {
        if let [(key, value)] = changes.as_slice() {
            match value {
                Some(value) => self.sessions.insert(key.as_slice(), value.as_slice())?,
                None => self.sessions.remove(key.as_slice())?,
            }
            return Ok(());
        }
        let mut batch = self.database.batch();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(&self.sessions, key, value),
                None => batch.remove(&self.sessions, key),
            }
        }
        Ok(batch.commit()?)
    }

    fn remove_all(&self, id: &Id) -> Outcome<()> {
        let mut batch = self.database.batch();
        for row in self.sessions.prefix(id) {
            batch.remove(&self.sessions, row.key()?);
        }
        Ok(batch.commit()?)
    }

    fn sync(&self) -> Outcome<()> {
        self.syncs
            .wait(|| Ok(self.database.persist(PersistMode::SyncData)?))
    }

    fn close(self) -> Outcome<()> {
        Ok(())
    }
}
