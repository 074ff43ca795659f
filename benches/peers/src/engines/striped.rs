//! Sessions in an ordered map that has atomic batches and no transactions, or
//! none that a session needs: what reads before it writes holds a lock of its
//! session meanwhile, of which a server that uses such a map would have some.
//! It is let go before a sync, so that one serves many.

use parking_lot::RwLock;

use crate::Outcome;
use crate::engine::{Durability, Engine, Entry, Id, Setup};
use crate::ordered_keys::{key_of, text_of};
use crate::row::{Row, Timeout, new_id, now};

/// Enough that two sessions rarely share one.
const STRIPES: usize = 1024;

/// A row to be written or, without a value, removed.
pub(super) type Change = (Vec<u8>, Option<Vec<u8>>);

/// Looks at a row.
pub(super) type Look<'l> = &'l mut dyn FnMut(&[u8], &[u8]) -> Outcome<()>;

/// An ordered map of bytes.
pub(super) trait Map: Send + Sync {
    fn get(&self, key: &[u8], look: &mut dyn FnMut(&[u8])) -> Outcome<bool>;

    /// Shows all whose keys begin with this, in order.
    fn scan(&self, id: &Id, look: Look<'_>) -> Outcome<()>;

    /// Writes all of it or nothing. It need not be on disk before a sync.
    fn write(&self, changes: Vec<Change>) -> Outcome<()>;

    /// Removes all whose keys begin with this, or none of them.
    fn remove_all(&self, id: &Id) -> Outcome<()>;

    /// What was written before is on disk. Many may call it at once.
    fn sync(&self) -> Outcome<()>;

    fn close(self) -> Outcome<()>;
}

pub(super) struct Striped<M> {
    map: M,
    stripes: Vec<RwLock<()>>,
    durability: Durability,
    timeout: Timeout,
}

impl<M: Map> Striped<M> {
    pub(super) fn new(map: M, setup: &Setup) -> Outcome<Self> {
        Ok(Self {
            map,
            stripes: (0..STRIPES).map(|_| RwLock::new(())).collect(),
            durability: setup.durability,
            timeout: Timeout::new(setup.idle_timeout)?,
        })
    }

    fn stripe(&self, id: &Id) -> Outcome<&RwLock<()>> {
        let [first, second, ..] = *id;
        let place = usize::from(u16::from_be_bytes([first, second])) % STRIPES;
        Ok(self.stripes.get(place).ok_or("there is no such lock")?)
    }

    /// A session's row, if it lives.
    fn live(&self, id: &Id, now: u64) -> Outcome<Option<Row>> {
        let mut row = None;
        self.map
            .get(id, &mut |bytes| row = Some(Row::decode(bytes)))?;
        Ok(row.transpose()?.filter(|row| row.lives(now)))
    }

    /// What is written to a session, and its row where that is due.
    fn write(&self, id: &Id, row: Row, now: u64, mut changes: Vec<Change>) -> Outcome<()> {
        if let Some(row) = self.timeout.renew(row, now) {
            changes.push((id.to_vec(), Some(row.encode().to_vec())));
        }
        self.map.write(changes)
    }

    fn make_durable(&self) -> Outcome<()> {
        match self.durability {
            Durability::Immediate => self.map.sync(),
            Durability::Deferred => Ok(()),
        }
    }

    fn show(&self, id: &Id, look: &mut dyn FnMut(&str, &[u8])) -> Outcome<Option<Row>> {
        let now = now()?;
        let mut row: Option<Row> = None;
        // The row comes first; of a session that is over nothing is shown.
        self.map.scan(id, &mut |key, value| {
            match text_of(key)? {
                None => row = Some(Row::decode(value)?),
                Some(key) if row.is_some_and(|row| row.lives(now)) => look(key, value),
                Some(_) => {}
            }
            Ok(())
        })?;
        Ok(row.filter(|row| row.lives(now)))
    }
}

fn put(id: &Id, (key, value): &Entry) -> Change {
    (key_of(id, key), Some(value.clone()))
}

impl<M: Map> Engine for Striped<M> {
    fn create(&self, sessions: &[Vec<Entry>]) -> Outcome<Vec<Id>> {
        let row = self.timeout.begin(now()?).encode();
        let mut changes = Vec::new();
        let mut ids = Vec::with_capacity(sessions.len());
        for entries in sessions {
            let id = new_id()?;
            changes.push((id.to_vec(), Some(row.to_vec())));
            changes.extend(entries.iter().map(|entry| put(&id, entry)));
            ids.push(id);
        }
        self.map.write(changes)?;
        Ok(ids)
    }

    fn set(&self, id: &Id, key: &str, value: &[u8]) -> Outcome<bool> {
        let now = now()?;
        // Others may write to the session too, but nobody may flush it.
        let shared = self.stripe(id)?.read();
        let Some(row) = self.live(id, now)? else {
            return Ok(false);
        };
        let change = (key_of(id, key), Some(value.to_vec()));
        self.write(id, row, now, vec![change])?;
        drop(shared);
        self.make_durable()?;
        Ok(true)
    }

    fn get(&self, id: &Id, key: &str, look: &mut dyn FnMut(&[u8])) -> Outcome<bool> {
        if self.live(id, now()?)?.is_none() {
            return Ok(false);
        }
        self.map.get(&key_of(id, key), look)
    }

    fn pop(&self, id: &Id, key: &str) -> Outcome<Option<Vec<u8>>> {
        let now = now()?;
        let alone = self.stripe(id)?.write();
        let Some(row) = self.live(id, now)? else {
            return Ok(None);
        };
        let place = key_of(id, key);
        let mut value = None;
        self.map
            .get(&place, &mut |bytes| value = Some(bytes.to_vec()))?;
        if value.is_some() {
            self.write(id, row, now, vec![(place, None)])?;
        }
        drop(alone);
        // Who finds nothing may have seen what is not on disk yet, too.
        self.make_durable()?;
        Ok(value)
    }

    fn load(&self, id: &Id, look: &mut dyn FnMut(&str, &[u8])) -> Outcome<bool> {
        let _shared = self.stripe(id)?.read();
        Ok(self.show(id, look)?.is_some())
    }

    fn request(
        &self,
        id: &Id,
        changes: &[Entry],
        look: &mut dyn FnMut(&str, &[u8]),
    ) -> Outcome<bool> {
        let alone = self.stripe(id)?.write();
        let Some(row) = self.show(id, look)? else {
            return Ok(false);
        };
        let changes = changes.iter().map(|entry| put(id, entry)).collect();
        self.write(id, row, now()?, changes)?;
        drop(alone);
        self.make_durable()?;
        Ok(true)
    }

    fn flush(&self, id: &Id) -> Outcome<Option<Id>> {
        let alone = self.stripe(id)?.write();
        if self.live(id, now()?)?.is_none() {
            return Ok(None);
        }
        self.map.remove_all(id)?;
        drop(alone);
        self.make_durable()?;
        Ok(Some(new_id()?))
    }

    fn sync(&self) -> Outcome<()> {
        self.map.sync()
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        self.map.sync()?;
        self.map.close()
    }
}
