//! SQLite for a server: one connection that writes, and one for each thread
//! that reads.
//!
//! WAL, so that readers and the writer do not wait for each other, and
//! `synchronous=FULL`, so that every commit is synced; `NORMAL`, where they are
//! deferred. Statements are prepared once for each connection. A connection has
//! a cache of its own: each gets a share of the size that everybody has, and
//! what lies behind is read through a map of the file, as SQLite's
//! documentation advises for reading. The writer's turn is a lock, so nobody
//! runs into SQLite's busy handler, which is set all the same. What it has in
//! the background is the checkpoint of the WAL, which the writer does.

use std::path::PathBuf;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::Outcome;
use crate::engine::{Durability, Setup};

/// Among so many connections the cache is shared.
const SHARES: u64 = 8;
const MAP_BYTES: u64 = 1 << 30;
const PATIENCE: Duration = Duration::from_secs(60);
/// More than any engine here prepares.
const STATEMENTS: usize = 32;

pub(super) struct Connections {
    path: PathBuf,
    pragmas: String,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl Connections {
    pub(super) fn open(setup: &Setup, schema: &str) -> Outcome<Self> {
        let synchronous = match setup.durability {
            Durability::Immediate => "FULL",
            Durability::Deferred => "NORMAL",
        };
        let checkpoint = if setup.background { 1000 } else { 0 };
        let pragmas = format!(
            "PRAGMA journal_mode=WAL;
             PRAGMA synchronous={synchronous};
             PRAGMA wal_autocheckpoint={checkpoint};
             PRAGMA cache_size=-{};
             PRAGMA mmap_size={MAP_BYTES};",
            setup.cache_bytes / SHARES / 1024,
        );
        let path = setup.directory.join("sessions.sqlite");
        let writer = connect(&path, &pragmas)?;
        writer.execute_batch(schema)?;
        Ok(Self {
            path,
            pragmas,
            writer: Mutex::new(writer),
            readers: Mutex::default(),
        })
    }

    /// Reads with a connection that nobody else has meanwhile.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Connection) -> Outcome<T>) -> Outcome<T> {
        let kept = self.readers.lock().pop();
        let connection = match kept {
            Some(connection) => connection,
            None => connect(&self.path, &self.pragmas)?,
        };
        let worked = work(&connection);
        self.readers.lock().push(connection);
        worked
    }

    /// A transaction that is committed where it comes to something.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction) -> Outcome<Option<T>>,
    ) -> Outcome<Option<T>> {
        let mut writer = self.writer.lock();
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let worked = work(&transaction)?;
        if worked.is_some() {
            transaction.commit()?;
        } else {
            transaction.rollback()?;
        }
        Ok(worked)
    }

    /// The WAL is synced, and what is in it where it belongs.
    pub(super) fn sync(&self) -> Outcome<()> {
        let writer = self.writer.lock();
        Ok(writer.query_row("PRAGMA wal_checkpoint(FULL)", [], |_| Ok(()))?)
    }

    pub(super) fn close(self) -> Outcome<()> {
        self.sync()?;
        for reader in self.readers.into_inner() {
            reader.close().map_err(|(_, error)| error)?;
        }
        let writer = self.writer.into_inner();
        Ok(writer.close().map_err(|(_, error)| error)?)
    }
}

fn connect(path: &PathBuf, pragmas: &str) -> Outcome<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch(pragmas)?;
    Ok(connection)
}
