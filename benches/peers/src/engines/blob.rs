//! A session as one row, all of which is written again with every change: what
//! the stores of `tower-sessions` do, here with `MessagePack` on SQLite, as its
//! SQLite store does.
//!
//! Those stores load and save without a transaction, and of two requests that
//! change one session the later undoes the earlier. Here both keep what they
//! wrote, and a pop goes to one caller, as with everybody else: what is
//! changed is read in the transaction that writes it. Expiry is moved with
//! every save, as it costs nothing there. How connections are set up,
//! `connections.rs` says.

use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction, params};
use serde_bytes::ByteBuf;

use super::connections::Connections;
use crate::Outcome;
use crate::engine::{Engine, Entry, Id, Setup};
use crate::row::{Timeout, new_id, now};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS sessions (
        id BLOB PRIMARY KEY NOT NULL,
        data BLOB NOT NULL,
        expires INTEGER NOT NULL
    );";
const LOAD: &str = "SELECT data FROM sessions WHERE id = ?1 AND expires > ?2";
const SAVE: &str = "INSERT INTO sessions VALUES (?1, ?2, ?3)
    ON CONFLICT DO UPDATE SET data = excluded.data, expires = excluded.expires";
const DELETE: &str = "DELETE FROM sessions WHERE id = ?1 AND expires > ?2";

type Data = BTreeMap<String, ByteBuf>;

struct Blob {
    connections: Connections,
    timeout: Timeout,
}

pub(super) fn open(setup: &Setup) -> Outcome<Option<Box<dyn Engine>>> {
    Ok(Some(Box::new(Blob {
        connections: Connections::open(setup, SCHEMA)?,
        timeout: Timeout::new(setup.idle_timeout)?,
    })))
}

fn data(connection: &Connection, id: &Id, now: u64) -> Outcome<Option<Data>> {
    let mut statement = connection.prepare_cached(LOAD)?;
    let mut rows = statement.query(params![id, i64::try_from(now)?])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(rmp_serde::from_slice(row.get_ref(0)?.as_blob()?)?))
}

impl Blob {
    fn save(&self, transaction: &Transaction, id: &Id, data: &Data, now: u64) -> Outcome<()> {
        let bytes = rmp_serde::to_vec(data)?;
        let expires = i64::try_from(self.timeout.begin(now).expires)?;
        transaction
            .prepare_cached(SAVE)?
            .execute(params![id, bytes, expires])?;
        Ok(())
    }

    /// Changes a session that lives, where the change comes to something.
    fn change<T>(
        &self,
        id: &Id,
        change: impl FnOnce(&mut Data) -> Option<T>,
    ) -> Outcome<Option<T>> {
        self.connections.write(|transaction| {
            let now = now()?;
            let Some(mut data) = data(transaction, id, now)? else {
                return Ok(None);
            };
            let changed = change(&mut data);
            if changed.is_some() {
                self.save(transaction, id, &data, now)?;
            }
            Ok(changed)
        })
    }
}

impl Engine for Blob {
    fn create(&self, sessions: &[Vec<Entry>]) -> Outcome<Vec<Id>> {
        let now = now()?;
        let ids = self.connections.write(|transaction| {
            let ids = sessions.iter().map(|entries| {
                let id = new_id()?;
                let data = entries
                    .iter()
                    .map(|(key, value)| (key.clone(), ByteBuf::from(value.clone())));
                self.save(transaction, &id, &data.collect(), now)?;
                Ok(id)
            });
            Ok(Some(ids.collect::<Outcome<Vec<Id>>>()?))
        })?;
        Ok(ids.unwrap_or_default())
    }

    fn set(&self, id: &Id, key: &str, value: &[u8]) -> Outcome<bool> {
        let written = self.change(id, |data| {
            data.insert(key.into(), ByteBuf::from(value));
            Some(())
        })?;
        Ok(written.is_some())
    }

    fn get(&self, id: &Id, key: &str, look: &mut dyn FnMut(&[u8])) -> Outcome<bool> {
        let data = self
            .connections
            .read(|connection| data(connection, id, now()?))?;
        let value = data.as_ref().and_then(|data| data.get(key));
        if let Some(value) = value {
            look(value);
        }
        Ok(value.is_some())
    }

    fn pop(&self, id: &Id, key: &str) -> Outcome<Option<Vec<u8>>> {
        self.change(id, |data| data.remove(key).map(ByteBuf::into_vec))
    }

    fn load(&self, id: &Id, look: &mut dyn FnMut(&str, &[u8])) -> Outcome<bool> {
        let data = self
            .connections
            .read(|connection| data(connection, id, now()?))?;
        let Some(data) = data else {
            return Ok(false);
        };
        for (key, value) in &data {
            look(key, value);
        }
        Ok(true)
    }

    fn request(
        &self,
        id: &Id,
        changes: &[Entry],
        look: &mut dyn FnMut(&str, &[u8]),
    ) -> Outcome<bool> {
        let written = self.change(id, |data| {
            for (key, value) in &*data {
                look(key, value);
            }
            let changes = changes.iter().cloned();
            data.extend(changes.map(|(key, value)| (key, ByteBuf::from(value))));
            Some(())
        })?;
        Ok(written.is_some())
    }

    fn flush(&self, id: &Id) -> Outcome<Option<Id>> {
        let flushed = self.connections.write(|transaction| {
            let mut delete = transaction.prepare_cached(DELETE)?;
            let deleted = delete.execute(params![id, i64::try_from(now()?)?])?;
            Ok((deleted > 0).then_some(()))
        })?;
        flushed.map(|()| new_id()).transpose()
    }

    fn sync(&self) -> Outcome<()> {
        self.connections.sync()
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        self.connections.close()
    }
}
