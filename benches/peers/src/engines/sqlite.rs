//! SQLite with a row for each key: both tables are clustered by what they are
//! asked for (`WITHOUT ROWID`), so the keys of a session lie side by side.
//!
//! A pop is `DELETE .. RETURNING`, and a flush deletes a range by its prefix of
//! the primary key. How connections are set up, `connections.rs` says.

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::connections::Connections;
use crate::Outcome;
use crate::engine::{Engine, Entry, Id, Setup};
use crate::row::{Row, Timeout, new_id, now};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS sessions (
        id BLOB PRIMARY KEY NOT NULL,
        created INTEGER NOT NULL,
        last_seen INTEGER NOT NULL,
        expires INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS keys (
        session BLOB NOT NULL,
        key TEXT NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (session, key)
    ) WITHOUT ROWID;";
const INSERT_SESSION: &str = "INSERT INTO sessions VALUES (?1, ?2, ?3, ?4)";
const SESSION: &str =
    "SELECT created, last_seen, expires FROM sessions WHERE id = ?1 AND expires > ?2";
const RENEW: &str = "UPDATE sessions SET last_seen = ?2, expires = ?3 WHERE id = ?1";
const PUT: &str = "INSERT INTO keys VALUES (?1, ?2, ?3)
    ON CONFLICT DO UPDATE SET value = excluded.value";
const GET: &str = "SELECT value FROM sessions JOIN keys ON session = id
    WHERE id = ?1 AND key = ?2 AND expires > ?3";
const LOAD: &str = "SELECT key, value FROM keys WHERE session = ?1 ORDER BY key";
const POP: &str = "DELETE FROM keys WHERE session = ?1 AND key = ?2 RETURNING value";
const DELETE_SESSION: &str = "DELETE FROM sessions WHERE id = ?1 AND expires > ?2";
const DELETE_KEYS: &str = "DELETE FROM keys WHERE session = ?1";

struct Sqlite {
    connections: Connections,
    timeout: Timeout,
}

pub(super) fn open(setup: &Setup) -> Outcome<Option<Box<dyn Engine>>> {
    Ok(Some(Box::new(Sqlite {
        connections: Connections::open(setup, SCHEMA)?,
        timeout: Timeout::new(setup.idle_timeout)?,
    })))
}

/// Times that SQLite can count.
fn signed(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

fn session(connection: &rusqlite::Connection, id: &Id, now: u64) -> Outcome<Option<Row>> {
    let mut statement = connection.prepare_cached(SESSION)?;
    let row = statement.query_row(params![id, signed(now)], |row| {
        Ok(Row {
            created: row.get::<_, i64>(0)?.cast_unsigned(),
            last_seen: row.get::<_, i64>(1)?.cast_unsigned(),
            expires: row.get::<_, i64>(2)?.cast_unsigned(),
        })
    });
    Ok(row.optional()?)
}

fn show(
    connection: &rusqlite::Connection,
    id: &Id,
    look: &mut dyn FnMut(&str, &[u8]),
) -> Outcome<()> {
    let mut statement = connection.prepare_cached(LOAD)?;
    let mut rows = statement.query([id])?;
    while let Some(row) = rows.next()? {
        look(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_blob()?);
    }
    Ok(())
}

impl Sqlite {
    /// The row of a session that lives, renewed where that is due.
    fn renew(&self, transaction: &Transaction, id: &Id) -> Outcome<Option<Row>> {
        let now = now()?;
        let row = session(transaction, id, now)?;
        if let Some(renewed) = row.and_then(|row| self.timeout.renew(row, now)) {
            let times = (signed(renewed.last_seen), signed(renewed.expires));
            transaction
                .prepare_cached(RENEW)?
                .execute(params![id, times.0, times.1])?;
        }
        Ok(row)
    }
}

impl Engine for Sqlite {
    fn create(&self, sessions: &[Vec<Entry>]) -> Outcome<Vec<Id>> {
        let row = self.timeout.begin(now()?);
        let [created, last_seen, expires] = [row.created, row.last_seen, row.expires].map(signed);
        let ids = self.connections.write(|transaction| {
            let mut insert = transaction.prepare_cached(INSERT_SESSION)?;
            let mut put = transaction.prepare_cached(PUT)?;
            let mut ids = Vec::with_capacity(sessions.len());
            for entries in sessions {
                let id = new_id()?;
                insert.execute(params![id, created, last_seen, expires])?;
                for (key, value) in entries {
                    put.execute(params![id, key, value])?;
                }
                ids.push(id);
            }
            Ok(Some(ids))
        })?;
        Ok(ids.unwrap_or_default())
    }

    fn set(&self, id: &Id, key: &str, value: &[u8]) -> Outcome<bool> {
        let written = self.connections.write(|transaction| {
            if self.renew(transaction, id)?.is_none() {
                return Ok(None);
            }
            transaction
                .prepare_cached(PUT)?
                .execute(params![id, key, value])?;
            Ok(Some(()))
        })?;
        Ok(written.is_some())
    }

    fn get(&self, id: &Id, key: &str, look: &mut dyn FnMut(&[u8])) -> Outcome<bool> {
        self.connections.read(|connection| {
            let mut statement = connection.prepare_cached(GET)?;
            let mut rows = statement.query(params![id, key, signed(now()?)])?;
            let row = rows.next()?;
            if let Some(row) = row {
                look(row.get_ref(0)?.as_blob()?);
            }
            Ok(row.is_some())
        })
    }

    fn pop(&self, id: &Id, key: &str) -> Outcome<Option<Vec<u8>>> {
        self.connections.write(|transaction| {
            if self.renew(transaction, id)?.is_none() {
                return Ok(None);
            }
            let mut statement = transaction.prepare_cached(POP)?;
            let popped = statement.query_row(params![id, key], |row| row.get(0));
            Ok(popped.optional()?)
        })
    }

    fn load(&self, id: &Id, look: &mut dyn FnMut(&str, &[u8])) -> Outcome<bool> {
        self.connections.read(|connection| {
            // Both statements see the same state.
            let transaction = connection.unchecked_transaction()?;
            if session(&transaction, id, now()?)?.is_none() {
                return Ok(false);
            }
            show(&transaction, id, look)?;
            transaction.commit()?;
            Ok(true)
        })
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
        let written = self.connections.write(|transaction| {
            if self.renew(transaction, id)?.is_none() {
                return Ok(None);
            }
            let mut put = transaction.prepare_cached(PUT)?;
            for (key, value) in changes {
                put.execute(params![id, key, value])?;
            }
            Ok(Some(()))
        })?;
        Ok(written.is_some())
    }

    fn flush(&self, id: &Id) -> Outcome<Option<Id>> {
        let flushed = self.connections.write(|transaction| {
            let mut session = transaction.prepare_cached(DELETE_SESSION)?;
            if session.execute(params![id, signed(now()?)])? == 0 {
                return Ok(None);
            }
            transaction.prepare_cached(DELETE_KEYS)?.execute([id])?;
            Ok(Some(()))
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
