//! This database, as its documentation says: raw bytes as values, and for writes
//! at once a deferred view whose futures are awaited. Its memtables together are
//! as large as RocksDB's are by default; those of fjall take up to 64 MiB each.

use std::time::{Duration, Instant};

use sessiondb::{Database, Session, SessionId, Upkeep};

use crate::Outcome;
use crate::engine::{Durability, Engine, Entry, Id, Setup};
use crate::executor::keep_in_flight;

/// Where nobody waits for the disk.
const DEFERRED: sessiondb::Durability = sessiondb::Durability::Deferred {
    sync_within: Duration::from_millis(100),
};
/// Changes that are not checkpointed yet: two memtables of 64 MiB.
const MEMTABLE_BYTES: usize = 128 << 20;
/// Threads that look after writes at once.
const EXECUTORS: usize = 2;
/// A transaction has at most 16 MiB.
const TRANSACTION_KEYS: usize = 10_000;

struct Sessions {
    database: Database,
    quick: Database,
}

pub(super) fn open(setup: &Setup) -> Outcome<Option<Box<dyn Engine>>> {
    let durability = match setup.durability {
        Durability::Immediate => sessiondb::Durability::Immediate,
        Durability::Deferred => DEFERRED,
    };
    let upkeep = Upkeep::default();
    let upkeep = if setup.background {
        upkeep
    } else {
        upkeep
            .purge(false)
            .sweep(false)
            .compaction(false)
            .index_renewal(false)
    };
    let mut builder = Database::builder()
        .cache_bytes(setup.cache_bytes)
        .memtable_bytes(MEMTABLE_BYTES)
        .durability(durability)
        .idle_timeout(Some(setup.idle_timeout))
        .upkeep(upkeep);
    if !setup.background {
        builder = builder.erase_within(None);
    }
    let database = builder.open(&setup.directory)?;
    Ok(Some(Box::new(Sessions {
        quick: database.with_durability(DEFERRED),
        database,
    })))
}

impl Sessions {
    fn session(&self, id: &Id) -> Outcome<Option<Session>> {
        Ok(self.database.open_session(&SessionId::from_bytes(*id))?)
    }
}

fn show(session: &Session, look: &mut dyn FnMut(&str, &[u8])) -> Outcome<()> {
    for entry in session.iter()? {
        let entry = entry?;
        look(entry.key(), entry.bytes()?);
    }
    Ok(())
}

impl Engine for Sessions {
    fn create(&self, sessions: &[Vec<Entry>]) -> Outcome<Vec<Id>> {
        let ids = sessions.iter().map(|entries| -> Outcome<Id> {
            let session = self.quick.create_session();
            for some in entries.chunks(TRANSACTION_KEYS) {
                session.transaction(|tx| {
                    let mut some = some.iter();
                    some.try_for_each(|(key, value)| tx.set_bytes(key, value))
                })?;
            }
            Ok(session.id().to_bytes())
        });
        ids.collect()
    }

    fn set(&self, id: &Id, key: &str, value: &[u8]) -> Outcome<bool> {
        let Some(session) = self.session(id)? else {
            return Ok(false);
        };
        session.set_bytes(key, value)?;
        Ok(true)
    }

    fn get(&self, id: &Id, key: &str, look: &mut dyn FnMut(&[u8])) -> Outcome<bool> {
        let Some(session) = self.session(id)? else {
            return Ok(false);
        };
        let value = session.get_bytes(key)?;
        if let Some(value) = &value {
            look(value);
        }
        Ok(value.is_some())
    }

    fn pop(&self, id: &Id, key: &str) -> Outcome<Option<Vec<u8>>> {
        let Some(session) = self.session(id)? else {
            return Ok(None);
        };
        Ok(session.pop_bytes(key)?.map(|value| value.to_vec()))
    }

    fn load(&self, id: &Id, look: &mut dyn FnMut(&str, &[u8])) -> Outcome<bool> {
        let Some(session) = self.session(id)? else {
            return Ok(false);
        };
        show(&session, look)?;
        Ok(true)
    }

    fn request(
        &self,
        id: &Id,
        changes: &[Entry],
        look: &mut dyn FnMut(&str, &[u8]),
    ) -> Outcome<bool> {
        let Some(session) = self.session(id)? else {
            return Ok(false);
        };
        show(&session, look)?;
        session.transaction(|tx| {
            let mut changes = changes.iter();
            changes.try_for_each(|(key, value)| tx.set_bytes(key, value))
        })?;
        session.touch()?;
        Ok(true)
    }

    fn flush(&self, id: &Id) -> Outcome<Option<Id>> {
        let Some(mut session) = self.session(id)? else {
            return Ok(None);
        };
        Ok(Some(session.flush()?.to_bytes()))
    }

    fn sync(&self) -> Outcome<()> {
        Ok(self.database.commit()?)
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        Ok(self.database.close()?)
    }

    fn set_at_once(
        &self,
        ids: &[Id],
        in_flight: usize,
        entry: &Entry,
        end: Instant,
    ) -> Outcome<u64> {
        let fly = |first: usize| {
            let mut turn = first;
            keep_in_flight(in_flight / EXECUTORS, |_| {
                if Instant::now() >= end {
                    return Ok(None);
                }
                turn += EXECUTORS;
                let id = ids.get(turn % ids.len()).ok_or("there is no session")?;
                let id = SessionId::from_bytes(*id);
                let session = self.quick.open_session(&id)?;
                let session = session.ok_or("a session is missing")?;
                session.set_bytes(&entry.0, &entry.1)?;
                Ok(Some(session.committed()))
            })
        };
        std::thread::scope(|scope| {
            let executors: Vec<_> = (0..EXECUTORS)
                .map(|first| scope.spawn(move || fly(first)))
                .collect();
            let finished = executors
                .into_iter()
                .map(|executor| executor.join().map_err(|_| "an executor panicked")?);
            finished.sum()
        })
    }
}
