//! What one would write with sled alone: rows of session ID and key, a scan of
//! a prefix and a batch.
//!
//! sled's `flush` writes and never syncs, so that it takes an `fdatasync` of
//! its file to have a deletion on disk as the other store has it. A batch is
//! atomic, but takes some kilobytes of memory for each of its keys: there are
//! several where there are more than 10,000 keys. That spares it gigabytes, and
//! means that a crash may leave a part of a session behind.
//!
//! sled is as it is by default. Both stores lie in one process, where the
//! first batch puts all operations of sled behind one lock, those of the other
//! store's index too; what that costs, it costs the other store.

use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::path::Path;

use sled::{Batch, Db};

use crate::Outcome;
use crate::call::Call;
use crate::operation::Operation;
use crate::store::{PREFIX, Store, VALUE, key};

/// Keys of a batch, at most.
pub(crate) const BATCH: usize = 10_000;

/// sled, and a handle of its file.
pub(crate) struct BareSled {
    rows: Db,
    file: File,
}

impl BareSled {
    fn pop(&self, id: &[u8], key: &str) -> Outcome<()> {
        let popped = self.rows.remove(row(id, key))?;
        popped.ok_or("there is nothing to pop")?;
        self.commit()
    }

    /// Removes all rows that begin so.
    fn remove(&self, prefix: &[u8]) -> Outcome<()> {
        let mut batch = Batch::default();
        let mut length = 0;
        for row in self.rows.scan_prefix(prefix).keys() {
            batch.remove(row?);
            length += 1;
            if length == BATCH {
                self.rows.apply_batch(std::mem::take(&mut batch))?;
                length = 0;
            }
        }
        Ok(self.rows.apply_batch(batch)?)
    }
}

/// A row's key.
fn row(id: &[u8], key: &str) -> Vec<u8> {
    [id, key.as_bytes()].concat()
}

impl Store for BareSled {
    type Id = [u8; 16];

    const NAME: &'static str = "bare sled";

    fn open(place: &Path) -> Outcome<Self> {
        let rows = sled::open(place)?;
        let file = OpenOptions::new().write(true).open(place.join("db"))?;
        Ok(Self { rows, file })
    }

    fn open_still(place: &Path) -> Outcome<Self> {
        Self::open(place)
    }

    fn create(&self, keys: Range<usize>) -> Outcome<[u8; 16]> {
        let id = fastrand::u128(..).to_be_bytes();
        self.add(&id, keys)?;
        Ok(id)
    }

    fn add(&self, id: &[u8; 16], keys: Range<usize>) -> Outcome<()> {
        for number in keys {
            self.rows
                .insert(row(id, &key(number)), [b'v'; VALUE].as_slice())?;
        }
        Ok(())
    }

    fn checkpoint(&self) -> Outcome<()> {
        self.commit()
    }

    fn has(&self, id: &[u8; 16], key: &str) -> Outcome<bool> {
        Ok(self.rows.contains_key(row(id, key))?)
    }

    fn run(&self, operation: Operation, id: &[u8; 16], key: &str) -> Outcome<Call> {
        Call::by(|| {
            match operation {
                Operation::Pop | Operation::Delete => return self.pop(id, key),
                Operation::RemovePrefix => self.remove(&row(id, PREFIX))?,
                Operation::Clear | Operation::Flush | Operation::Destroy => self.remove(id)?,
            }
            self.commit()
        })
    }

    fn let_go(&self, id: &[u8; 16]) -> Outcome<()> {
        self.remove(id)
    }

    fn commit(&self) -> Outcome<()> {
        self.rows.flush()?;
        Ok(self.file.sync_data()?)
    }

    fn is_behind(&self) -> bool {
        false
    }

    fn close(self) -> Outcome<()> {
        self.commit()
    }
}
