//! RocksDB, where the feature `rocksdb` builds it: one column family, block
//! cache and Bloom filters as its tuning guide advises for lookups.
//!
//! A durable write is one with `set_sync`: its own writers' queue syncs once for
//! all that wait. A flush removes a range, `DeleteRange`. In the background it
//! flushes memtables and compacts; the latter can be switched off.

use rocksdb::{
    BlockBasedOptions, Cache, DB, IteratorMode, Options, ReadOptions, WriteBatch, WriteOptions,
};

use super::striped::{Change, Look, Map, Striped};
use crate::Outcome;
use crate::engine::{Durability, Engine, Id, Setup};
use crate::ordered_keys::end_of;

const FILTER_BITS: f64 = 10.0;

struct Rocks {
    db: DB,
    is_synced: bool,
}

pub(super) fn open(setup: &Setup) -> Outcome<Option<Box<dyn Engine>>> {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(&Cache::new_lru_cache(usize::try_from(setup.cache_bytes)?));
    blocks.set_bloom_filter(FILTER_BITS, false);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_block_based_table_factory(&blocks);
    options.set_disable_auto_compactions(!setup.background);
    let map = Rocks {
        db: DB::open(&options, &setup.directory)?,
        is_synced: setup.durability == Durability::Immediate,
    };
    Ok(Some(Box::new(Striped::new(map, setup)?)))
}

impl Rocks {
    fn commit(&self, batch: WriteBatch) -> Outcome<()> {
        let mut options = WriteOptions::default();
        options.set_sync(self.is_synced);
        Ok(self.db.write_opt(batch, &options)?)
    }
}

impl Map for Rocks {
    fn get(&self, key: &[u8], look: &mut dyn FnMut(&[u8])) -> Outcome<bool> {
        let value = self.db.get_pinned(key)?;
        if let Some(value) = &value {
            look(value);
        }
        Ok(value.is_some())
    }

    fn scan(&self, id: &Id, look: Look<'_>) -> Outcome<()> {
        let mut options = ReadOptions::default();
        options.set_iterate_range(id.to_vec()..end_of(id));
        for row in self.db.iterator_opt(IteratorMode::Start, options) {
            let (key, value) = row?;
            look(&key, &value)?;
        }
        Ok(())
    }

    fn write(&self, changes: Vec<Change>) -> Outcome<()> {
        let mut batch = WriteBatch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
        self.commit(batch)
    }

    fn remove_all(&self, id: &Id) -> Outcome<()> {
        let mut batch = WriteBatch::default();
        batch.delete_range(id.to_vec(), end_of(id));
        self.commit(batch)
    }

    fn sync(&self) -> Outcome<()> {
        if !self.is_synced {
            self.db.flush_wal(true)?;
        }
        Ok(())
    }

    fn close(self) -> Outcome<()> {
        Ok(())
    }
}
