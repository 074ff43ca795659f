//! LMDB by heed: one named database, the default flags, so every commit is
//! synced; `MDB_NOSYNC` where writes are deferred.
//!
//! Readers have the slot of their thread, as is LMDB's default, and a read
//! transaction for each operation, as a server has it. It reads straight from
//! the map of its file: its cache is the system's, whatever size the others
//! are given. It has one writer at a time, and a commit of its own for each.
//! A removal of a range goes key by key under one cursor. Nothing happens in
//! the background that could be switched off.

use std::ops::Bound;

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, RoTxn, RwTxn};

use crate::Outcome;
use crate::engine::{Durability, Engine, Entry, Id, Setup};
use crate::ordered_keys::{end_of, key_of, text_of};
use crate::row::{Row, Timeout, new_id, now};

/// Addresses, not memory: more than any data set here.
const MAP_BYTES: usize = 64 << 30;
/// More threads than any workload has.
const READERS: u32 = 2048;

struct Lmdb {
    env: Env,
    sessions: Database<'static, Bytes, Bytes>,
    timeout: Timeout,
}

pub(super) fn open(setup: &Setup) -> Outcome<Option<Box<dyn Engine>>> {
    if !setup.background {
        return Ok(None);
    }
    let env = open_environment(setup)?;
    let transaction = env.write_txn()?;
    let made = env.create_databases_and_commit(transaction, |opener, transaction| {
        let made = opener.create_database(transaction, Some("sessions"));
        made.map(CommitOrAbort::<_, ()>::Commit)
    });
    let sessions = made?.commit().ok_or("LMDB made no database")?;
    Ok(Some(Box::new(Lmdb {
        env,
        sessions,
        timeout: Timeout::new(setup.idle_timeout)?,
    })))
}

#[expect(
    unsafe_code,
    reason = "LMDB maps its files: nobody else writes to them, as they are in a directory of the run"
)]
fn open_environment(setup: &Setup) -> Outcome<Env> {
    let mut options = EnvOpenOptions::new();
    options.map_size(MAP_BYTES).max_readers(READERS).max_dbs(1);
    // SAFETY: of the flags, NO_SYNC gives up durability and nothing else; the
    // files are the run's own and stay where they are until they are closed.
    let env = unsafe {
        if setup.durability == Durability::Deferred {
            options.flags(EnvFlags::NO_SYNC);
        }
        options.open(&setup.directory)?
    };
    Ok(env)
}

impl Lmdb {
    fn live(&self, transaction: &RoTxn, id: &Id, now: u64) -> Outcome<Option<Row>> {
        let row = self.sessions.get(transaction, id)?;
        let row = row.map(Row::decode).transpose()?;
        Ok(row.filter(|row| row.lives(now)))
    }

    /// The row of a session that lives, renewed where that is due.
    fn renew(&self, transaction: &mut RwTxn, id: &Id) -> Outcome<Option<Row>> {
        let now = now()?;
        let row = self.live(transaction, id, now)?;
        if let Some(renewed) = row.and_then(|row| self.timeout.renew(row, now)) {
            self.sessions.put(transaction, id, &renewed.encode())?;
        }
        Ok(row)
    }
}

impl Engine for Lmdb {
    fn create(&self, sessions: &[Vec<Entry>]) -> Outcome<Vec<Id>> {
        let row = self.timeout.begin(now()?).encode();
        let mut transaction = self.env.write_txn()?;
        let mut ids = Vec::with_capacity(sessions.len());
        for entries in sessions {
            let id = new_id()?;
            self.sessions.put(&mut transaction, &id, &row)?;
            for (key, value) in entries {
                self.sessions
                    .put(&mut transaction, &key_of(&id, key), value)?;
            }
            ids.push(id);
        }
        transaction.commit()?;
        Ok(ids)
    }

    fn set(&self, id: &Id, key: &str, value: &[u8]) -> Outcome<bool> {
        let mut transaction = self.env.write_txn()?;
        if self.renew(&mut transaction, id)?.is_none() {
            return Ok(false);
        }
        self.sessions
            .put(&mut transaction, &key_of(id, key), value)?;
        transaction.commit()?;
        Ok(true)
    }

    fn get(&self, id: &Id, key: &str, look: &mut dyn FnMut(&[u8])) -> Outcome<bool> {
        let transaction = self.env.read_txn()?;
        if self.live(&transaction, id, now()?)?.is_none() {
            return Ok(false);
        }
        let value = self.sessions.get(&transaction, &key_of(id, key))?;
        if let Some(value) = value {
            look(value);
        }
        Ok(value.is_some())
    }

    fn pop(&self, id: &Id, key: &str) -> Outcome<Option<Vec<u8>>> {
        let mut transaction = self.env.write_txn()?;
        if self.renew(&mut transaction, id)?.is_none() {
            return Ok(None);
        }
        let place = key_of(id, key);
        let value = self.sessions.get(&transaction, &place)?;
        let Some(value) = value.map(<[u8]>::to_vec) else {
            return Ok(None);
        };
        self.sessions.delete(&mut transaction, &place)?;
        transaction.commit()?;
        Ok(Some(value))
    }

    fn load(&self, id: &Id, look: &mut dyn FnMut(&str, &[u8])) -> Outcome<bool> {
        let now = now()?;
        let transaction = self.env.read_txn()?;
        let mut lives = false;
        for row in self.sessions.prefix_iter(&transaction, id)? {
            let (key, value) = row?;
            match text_of(key)? {
                None => lives = Row::decode(value)?.lives(now),
                Some(key) if lives => look(key, value),
                Some(_) => {}
            }
        }
        Ok(lives)
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
        let mut transaction = self.env.write_txn()?;
        if self.renew(&mut transaction, id)?.is_none() {
            return Ok(false);
        }
        for (key, value) in changes {
            self.sessions
                .put(&mut transaction, &key_of(id, key), value)?;
        }
        transaction.commit()?;
        Ok(true)
    }

    fn flush(&self, id: &Id) -> Outcome<Option<Id>> {
        let mut transaction = self.env.write_txn()?;
        if self.live(&transaction, id, now()?)?.is_none() {
            return Ok(None);
        }
        let end = end_of(id);
        let range = (
            Bound::Included(id.as_slice()),
            Bound::Excluded(end.as_slice()),
        );
        self.sessions.delete_range(&mut transaction, &range)?;
        transaction.commit()?;
        Ok(Some(new_id()?))
    }

    fn sync(&self) -> Outcome<()> {
        Ok(self.env.force_sync()?)
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        Engine::sync(&*self)?;
        self.env.prepare_for_closing().wait();
        Ok(())
    }

    fn writes_whole_blocks(&self) -> bool {
        true
    }
}
