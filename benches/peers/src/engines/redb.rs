//! redb 4: one table, one write transaction for each commit, `Immediate`.
//!
//! Its own cache has the size that everybody's has. A removal of a range is
//! its `retain_in`. It has one writer at a time, and a commit of its own for
//! each: that is what it is. Deferred commits are its `Durability::None`.

use redb::{Database, ReadableDatabase, Table, TableDefinition};

use crate::Outcome;
use crate::engine::{Durability, Engine, Entry, Id, Setup};
use crate::ordered_keys::{end_of, key_of, text_of};
use crate::row::{Row, Timeout, new_id, now};

type Bytes = &'static [u8];
const SESSIONS: TableDefinition<Bytes, Bytes> = TableDefinition::new("sessions");

struct Redb {
    database: Database,
    durability: Durability,
    timeout: Timeout,
}

pub(super) fn open(setup: &Setup) -> Outcome<Option<Box<dyn Engine>>> {
    if !setup.background {
        return Ok(None);
    }
    let database = Database::builder()
        .set_cache_size(usize::try_from(setup.cache_bytes)?)
        .create(setup.directory.join("sessions.redb"))?;
    let redb = Redb {
        database,
        durability: setup.durability,
        timeout: Timeout::new(setup.idle_timeout)?,
    };
    // A table that was never written cannot be read.
    redb.write(|_| Ok(Some(())))?;
    Ok(Some(Box::new(redb)))
}

impl Redb {
    /// A transaction that is committed where it comes to something.
    fn write<T>(
        &self,
        work: impl FnOnce(&mut Table<'_, Bytes, Bytes>) -> Outcome<Option<T>>,
    ) -> Outcome<Option<T>> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(match self.durability {
            Durability::Immediate => redb::Durability::Immediate,
            Durability::Deferred => redb::Durability::None,
        })?;
        let mut table = transaction.open_table(SESSIONS)?;
        let worked = work(&mut table)?;
        drop(table);
        if worked.is_some() {
            transaction.commit()?;
        } else {
            transaction.abort()?;
        }
        Ok(worked)
    }

    /// The row of a session that lives, renewed where that is due.
    fn renew(&self, table: &mut Table<'_, Bytes, Bytes>, id: &Id) -> Outcome<Option<Row>> {
        let now = now()?;
        let row = live(table, id, now)?;
        if let Some(renewed) = row.and_then(|row| self.timeout.renew(row, now)) {
            table.insert(id.as_slice(), renewed.encode().as_slice())?;
        }
        Ok(row)
    }
}

fn live(table: &impl redb::ReadableTable<Bytes, Bytes>, id: &Id, now: u64) -> Outcome<Option<Row>> {
    let row = table.get(id.as_slice())?;
    let row = row.map(|row| Row::decode(row.value())).transpose()?;
    Ok(row.filter(|row| row.lives(now)))
}

/// Shows a session that lives, which is one range with its row in front.
fn show(
    table: &impl redb::ReadableTable<Bytes, Bytes>,
    id: &Id,
    look: &mut dyn FnMut(&str, &[u8]),
) -> Outcome<bool> {
    let now = now()?;
    let end = end_of(id);
    let mut lives = false;
    for row in table.range(id.as_slice()..end.as_slice())? {
        let (key, value) = row?;
        match text_of(key.value())? {
            None => lives = Row::decode(value.value())?.lives(now),
            Some(key) if lives => look(key, value.value()),
            Some(_) => {}
        }
    }
    Ok(lives)
}

impl Engine for Redb {
    fn create(&self, sessions: &[Vec<Entry>]) -> Outcome<Vec<Id>> {
        let row = self.timeout.begin(now()?).encode();
        let ids = self.write(|table| {
            let mut ids = Vec::with_capacity(sessions.len());
            for entries in sessions {
                let id = new_id()?;
                table.insert(id.as_slice(), row.as_slice())?;
                for (key, value) in entries {
                    table.insert(key_of(&id, key).as_slice(), value.as_slice())?;
                }
                ids.push(id);
            }
            Ok(Some(ids))
        })?;
        Ok(ids.unwrap_or_default())
    }

    fn set(&self, id: &Id, key: &str, value: &[u8]) -> Outcome<bool> {
        let written = self.write(|table| {
            if self.renew(table, id)?.is_none() {
                return Ok(None);
            }
            table.insert(key_of(id, key).as_slice(), value)?;
            Ok(Some(()))
        })?;
        Ok(written.is_some())
    }

    fn get(&self, id: &Id, key: &str, look: &mut dyn FnMut(&[u8])) -> Outcome<bool> {
        let table = self.database.begin_read()?.open_table(SESSIONS)?;
        if live(&table, id, now()?)?.is_none() {
            return Ok(false);
        }
        let value = redb::ReadableTable::get(&table, key_of(id, key).as_slice())?;
        if let Some(value) = &value {
            look(value.value());
        }
        Ok(value.is_some())
    }

    fn pop(&self, id: &Id, key: &str) -> Outcome<Option<Vec<u8>>> {
        self.write(|table| {
            if self.renew(table, id)?.is_none() {
                return Ok(None);
            }
            let removed = table.remove(key_of(id, key).as_slice())?;
            Ok(removed.map(|value| value.value().to_vec()))
        })
    }

    fn load(&self, id: &Id, look: &mut dyn FnMut(&str, &[u8])) -> Outcome<bool> {
        show(&self.database.begin_read()?.open_table(SESSIONS)?, id, look)
    }

    fn request(
        &self,
        id: &Id,
        changes: &[Entry],
        look: &mut dyn FnMut(&str, &[u8]),
    ) -> Outcome<bool> {
        // A server reads first, which needs no turn among the writers.
        if !self.load(id, look)? {
            return Ok(false);
        }
        let written = self.write(|table| {
            if self.renew(table, id)?.is_none() {
                return Ok(None);
            }
            for (key, value) in changes {
                table.insert(key_of(id, key).as_slice(), value.as_slice())?;
            }
            Ok(Some(()))
        })?;
        Ok(written.is_some())
    }

    fn flush(&self, id: &Id) -> Outcome<Option<Id>> {
        let flushed = self.write(|table| {
            if live(table, id, now()?)?.is_none() {
                return Ok(None);
            }
            let end = end_of(id);
            table.retain_in(id.as_slice()..end.as_slice(), |_, _| false)?;
            Ok(Some(()))
        })?;
        flushed.map(|()| new_id()).transpose()
    }

    fn sync(&self) -> Outcome<()> {
        // An immediate commit takes those before it to the disk.
        Ok(self.database.begin_write()?.commit()?)
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        Engine::sync(&*self)?;
        Ok(self.database.close()?)
    }

    fn writes_whole_blocks(&self) -> bool {
        true
    }
}
