//! The database that this is about.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use sessiondb::{Database, Durability, Session, SessionId};

use crate::Outcome;
use crate::call::Call;
use crate::operation::Operation;
use crate::store::{PREFIX, Store, VALUE, key};

const KEYS_PER_TRANSACTION: usize = 10_000;
const A_DAY: Duration = Duration::from_secs(86_400);

/// It, and a view of it where nobody waits for the disk.
pub(crate) struct Ours {
    database: Database,
    quick: Database,
}

impl Ours {
    fn new(database: Database) -> Self {
        let quick = database.with_durability(Durability::Deferred {
            sync_within: Duration::from_millis(100),
        });
        Self { database, quick }
    }

    fn session(database: &Database, id: &SessionId) -> Outcome<Session> {
        let session = database.open_session(id)?;
        Ok(session.ok_or("a session is missing")?)
    }
}

impl Store for Ours {
    type Id = SessionId;

    const NAME: &'static str = "sessiondb";

    fn open(place: &Path) -> Outcome<Self> {
        Ok(Self::new(Database::open(place)?))
    }

    fn open_still(place: &Path) -> Outcome<Self> {
        // Sweep and compaction begin with what a checkpoint has written.
        let builder = Database::builder().idle_checkpoint_after(A_DAY);
        Ok(Self::new(builder.open(place)?))
    }

    fn create(&self, keys: Range<usize>) -> Outcome<SessionId> {
        let session = self.quick.create_session();
        fill(&session, keys)?;
        Ok(session.id())
    }

    fn add(&self, id: &SessionId, keys: Range<usize>) -> Outcome<()> {
        fill(&Self::session(&self.quick, id)?, keys)
    }

    fn checkpoint(&self) -> Outcome<()> {
        self.database.checkpoint()?;
        match self.database.stats().memtable_bytes {
            0 => Ok(()),
            bytes => Err(format!("{bytes} bytes are still in the memtable").into()),
        }
    }

    fn has(&self, id: &SessionId, key: &str) -> Outcome<bool> {
        match self.database.open_session(id)? {
            Some(session) => Ok(session.contains_key(key)?),
            None => Ok(false),
        }
    }

    fn run(&self, operation: Operation, id: &SessionId, key: &str) -> Outcome<Call> {
        let mut session = Self::session(&self.database, id)?;
        Call::by(move || {
            match operation {
                Operation::Pop => {
                    session.pop_bytes(key)?.ok_or("there is nothing to pop")?;
                }
                Operation::Delete => session.delete(key)?,
                Operation::RemovePrefix => session.remove_prefix(PREFIX)?,
                Operation::Clear => session.clear()?,
                Operation::Flush => {
                    session.flush()?;
                }
                Operation::Destroy => session.destroy()?,
            }
            // The caller frees its handle, too.
            drop(session);
            Ok(())
        })
    }

    fn let_go(&self, id: &SessionId) -> Outcome<()> {
        Self::session(&self.quick, id)?.flush()?;
        Ok(())
    }

    fn commit(&self) -> Outcome<()> {
        Ok(self.database.commit()?)
    }

    fn is_behind(&self) -> bool {
        let stats = self.database.stats();
        stats.memtable_bytes > 0 || stats.dead_generations > 0 || stats.compaction.is_some()
    }

    fn close(self) -> Outcome<()> {
        Ok(self.database.close()?)
    }
}

fn fill(session: &Session, keys: Range<usize>) -> Outcome<()> {
    let value = [b'v'; VALUE];
    for from in keys.clone().step_by(KEYS_PER_TRANSACTION) {
        let mut numbers = from..keys.end.min(from + KEYS_PER_TRANSACTION);
        session
            .transaction(|tx| numbers.try_for_each(|number| tx.set_bytes(&key(number), &value)))?;
    }
    Ok(())
}
