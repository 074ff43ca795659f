//! Rows: read, put and removed one by one.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::guard::{Guard, Outcome, Trouble, protect};
use super::live::Live;
use super::places::Places;
use super::relocation::Relocated;
use super::renewal::{RowCount, Successor};
use super::stains::Stains;
use crate::format::identity::{Batch, Generation, Location, PageNumber, Timestamp};
use crate::format::record::{PageRow, page_key, split_page_key};
use crate::sync::RwLock;
use crate::sync::thread;

/// How long opening waits for a lock that the last owner is about to drop.
const OPEN_PATIENCE: Duration = Duration::from_secs(5);
const WATERMARK: &[u8] = b"watermark";
const HINTS_ARE_FOR: &[u8] = b"hints are for";
const FORGOTTEN_THROUGH: &[u8] = b"forgotten through";
const SIZES: &[u8] = b"sizes";
/// A session's key.
pub(super) const DIGEST_BYTES: usize = 16;
/// sled takes its space by segments, uses again only those that are empty, and
/// clears those that are half empty: with larger ones the file is twice as
/// large. It also keeps some in memory that it has written. With smaller ones
/// nodes of long keys would lie in files of their own, which it never syncs.
const SEGMENT_BYTES: usize = 512 << 10;

/// What became of a row that was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Put<R> {
    /// There was none.
    Inserted,
    /// It took the place of this older one.
    Replaced(R),
    /// A newer one, or itself, was there already.
    Kept(R),
}

/// What a slice of the sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Swept {
    /// Rows removed.
    pub(crate) rows: usize,
    /// Bytes in the segments that became garbage.
    pub(crate) bytes: u64,
    /// Whether the generation has no rows left.
    pub(crate) finished: bool,
}

/// The index.
#[derive(Debug)]
pub(crate) struct Index {
    pub(super) guard: Guard,
    pub(super) database: sled::Db,
    pub(super) sessions: sled::Tree,
    pub(super) pages: sled::Tree,
    pub(super) dead: sled::Tree,
    pub(super) expiry: sled::Tree,
    pub(super) owners: sled::Tree,
    pub(super) retired: sled::Tree,
    pub(super) meta: sled::Tree,
    pub(super) live: Live,
    pub(super) places: Places,
    pub(super) relocated: Relocated,
    pub(super) successor: Successor,
    pub(super) count: RowCount,
    pub(super) stains: Stains,
    /// Held to itself by who cuts a row of retired IDs.
    pub(super) retired_lock: RwLock<()>,
    /// Our own handle on sled's file, opened before the first write: an error
    /// of writing back is reported to handles that were open then.
    file: File,
    directory: PathBuf,
}

impl Index {
    /// Opens the index in a directory, or makes an empty one.
    pub(crate) fn open(directory: &Path, cache_bytes: u64) -> Outcome<Self> {
        super::files::prepare(directory).map_err(|error| Trouble::io("index directory", &error))?;
        let database = open_patiently(directory, cache_bytes)?;
        let tree = |name: &str| protect(|| database.open_tree(name));
        let file = File::options()
            .read(true)
            .write(true)
            .open(directory.join("db"))
            .map_err(|error| Trouble::io("index file", &error))?;
        let sessions = tree("sessions")?;
        Ok(Self {
            guard: Guard::default(),
            relocated: Relocated::of(&sessions),
            sessions,
            pages: tree("pages")?,
            dead: tree("dead_generations")?,
            expiry: tree("expiry")?,
            owners: tree("owners")?,
            retired: tree("retired")?,
            meta: tree("meta")?,
            live: Live::default(),
            places: Places::default(),
            successor: Successor::default(),
            count: RowCount::default(),
            stains: Stains::default(),
            retired_lock: RwLock::default(),
            file,
            directory: directory.to_path_buf(),
            database,
        })
    }

    pub(super) fn get(&self, tree: &sled::Tree, key: &[u8]) -> Outcome<Option<sled::IVec>> {
        self.guard.run(|| tree.get(key))
    }

    pub(super) fn insert(&self, tree: &sled::Tree, key: &[u8], row: Vec<u8>) -> Outcome<()> {
        self.hand_on(tree, key, Some(&row));
        self.put(tree, key, row)
    }

    /// Without handing it on.
    pub(super) fn put(&self, tree: &sled::Tree, key: &[u8], row: Vec<u8>) -> Outcome<()> {
        self.exchange(tree, key, row).map(drop)
    }

    /// The same; returns the row that was there.
    pub(super) fn exchange(
        &self,
        tree: &sled::Tree,
        key: &[u8],
        row: Vec<u8>,
    ) -> Outcome<Option<sled::IVec>> {
        let old = self.guard.run(|| tree.insert(key, row))?;
        if old.is_none() {
            self.count.add();
        }
        Ok(old)
    }

    pub(super) fn remove(&self, tree: &sled::Tree, key: &[u8]) -> Outcome<()> {
        self.hand_on(tree, key, None);
        self.take(tree, key)
    }

    /// Without handing it on.
    pub(super) fn take(&self, tree: &sled::Tree, key: &[u8]) -> Outcome<()> {
        let old = self.guard.run(|| tree.remove(key))?;
        if old.is_some() {
            self.count.remove();
            if self.names(tree) {
                self.stains.note_removed();
            }
        }
        Ok(())
    }

    /// Whether the keys of a tree are names that users gave. What rows hold of
    /// owners goes together with a row of theirs.
    fn names(&self, tree: &sled::Tree) -> bool {
        [&self.pages, &self.owners]
            .iter()
            .any(|named| std::ptr::eq(*named, tree))
    }

    /// A row with a key of so many bytes leads to another place than before.
    pub(super) fn account(
        &self,
        key_bytes: usize,
        (old, new): (Option<Location>, Option<Location>),
    ) {
        if let Some(old) = old {
            self.live.remove(old, key_bytes);
            self.stains.stain(old.segment);
        }
        if let Some(new) = new {
            self.live.add(new, key_bytes);
        }
    }

    /// The last page of a generation that begins at or before `key`.
    pub(crate) fn page_at(
        &self,
        generation: Generation,
        key: &str,
    ) -> Outcome<Option<(Box<str>, PageRow)>> {
        let end = page_key(generation, key);
        self.last_page(generation, || self.pages.range(..=end).next_back())
    }

    /// The last page of a generation that begins before `key`.
    pub(crate) fn page_before(
        &self,
        generation: Generation,
        key: &str,
    ) -> Outcome<Option<(Box<str>, PageRow)>> {
        let end = page_key(generation, key);
        self.last_page(generation, || self.pages.range(..end).next_back())
    }

    fn last_page(
        &self,
        generation: Generation,
        find: impl FnOnce() -> Option<sled::Result<(sled::IVec, sled::IVec)>>,
    ) -> Outcome<Option<(Box<str>, PageRow)>> {
        let Some((key, row)) = self.guard.run(|| find().transpose())? else {
            return Ok(None);
        };
        let (owner, lower) = split_page_key(&key).ok_or_else(undecodable)?;
        if owner != generation {
            return Ok(None);
        }
        let row = PageRow::decode(&row).map_err(Trouble::new)?;
        Ok(Some((lower.into(), row)))
    }

    /// Some pages of a generation in order, those that begin at or after `from`.
    pub(crate) fn pages(
        &self,
        generation: Generation,
        from: &str,
        limit: usize,
    ) -> Outcome<Vec<(Box<str>, PageRow)>> {
        let start = page_key(generation, from);
        let rows = self.guard.run(|| {
            self.pages
                .range(start..)
                .take(limit)
                .collect::<sled::Result<Vec<_>>>()
        })?;
        let mut pages = Vec::with_capacity(rows.len());
        for (key, row) in rows {
            let (owner, lower) = split_page_key(&key).ok_or_else(undecodable)?;
            if owner != generation {
                break;
            }
            pages.push((lower.into(), PageRow::decode(&row).map_err(Trouble::new)?));
        }
        Ok(pages)
    }

    /// Puts a page's row; only a newer one replaces one that is there.
    pub(crate) fn put_page(
        &self,
        generation: Generation,
        lower: &str,
        row: &PageRow,
    ) -> Outcome<Put<PageRow>> {
        let key = page_key(generation, lower);
        let old = self.page(&key)?;
        if let Some(old) =
            old.filter(|old| !is_newer((row.sequence, row.location), (old.sequence, old.location)))
        {
            return Ok(Put::Kept(old));
        }
        let bytes = row.encode().map_err(Trouble::new)?;
        self.insert(&self.pages, &key, bytes)?;
        let places = (old.map(|old| old.location), Some(row.location));
        self.account(key.len(), places);
        Ok(old.map_or(Put::Inserted, Put::Replaced))
    }

    fn page(&self, key: &[u8]) -> Outcome<Option<PageRow>> {
        let row = self.get(&self.pages, key)?;
        row.map(|row| PageRow::decode(&row).map_err(Trouble::new))
            .transpose()
    }

    /// Removes a page's row if it is of this page and older than `sequence`.
    pub(crate) fn remove_page(
        &self,
        generation: Generation,
        lower: &str,
        number: PageNumber,
        sequence: Batch,
    ) -> Outcome<Option<PageRow>> {
        let key = page_key(generation, lower);
        let is_it = |old: &PageRow| old.number == number && old.sequence < sequence;
        let old = self.page(&key)?.filter(is_it);
        if let Some(old) = &old {
            self.remove(&self.pages, &key)?;
            self.account(key.len(), (Some(old.location), None));
        }
        Ok(old)
    }

    /// The row of the page of a generation that begins at a key.
    pub(crate) fn page_row(&self, generation: Generation, lower: &str) -> Outcome<Option<PageRow>> {
        self.page(&page_key(generation, lower))
    }

    /// Whether a generation is dead and waits for the sweep.
    pub(crate) fn is_buried(&self, generation: Generation) -> Outcome<bool> {
        let grave = self.get(&self.dead, &generation.0.to_be_bytes())?;
        Ok(grave.is_some())
    }

    /// Marks a generation as dead: its pages are for the sweep.
    pub(crate) fn bury(&self, generation: Generation) -> Outcome<()> {
        self.insert(&self.dead, &generation.0.to_be_bytes(), Vec::new())
    }

    /// What sled may do at any time.
    #[cfg(test)]
    pub(crate) fn fail(&self) {
        self.guard.fail();
    }

    /// What sled may do to a page's row.
    #[cfg(test)]
    pub(crate) fn lose_page(&self, generation: Generation, lower: &str) -> Outcome<()> {
        self.remove(&self.pages, &page_key(generation, lower))
    }

    /// What a crash may do to a grave.
    #[cfg(test)]
    pub(crate) fn forget_grave(&self, generation: Generation) -> Outcome<()> {
        self.remove(&self.dead, &generation.0.to_be_bytes())
    }

    /// Some dead generations, oldest first.
    pub(crate) fn dead_generations(&self, limit: usize) -> Outcome<Vec<Generation>> {
        let rows = self.guard.run(|| {
            self.dead
                .iter()
                .keys()
                .take(limit)
                .collect::<sled::Result<Vec<_>>>()
        })?;
        rows.iter().map(|key| dead_generation(key)).collect()
    }

    /// Removes up to `limit` page rows of a dead generation.
    pub(crate) fn sweep(&self, generation: Generation, limit: usize) -> Outcome<Swept> {
        let pages = self.pages(generation, "", limit)?;
        let mut swept = Swept {
            finished: pages.len() < limit,
            ..Swept::default()
        };
        for (lower, row) in pages {
            let key = page_key(generation, &lower);
            self.remove(&self.pages, &key)?;
            self.account(key.len(), (Some(row.location), None));
            swept.rows += 1;
            swept.bytes = swept.bytes.saturating_add(row.location.length.into());
        }
        if swept.finished {
            self.remove(&self.dead, &generation.0.to_be_bytes())?;
        }
        Ok(swept)
    }

    /// The last batch that is known to be wholly in the index.
    pub(crate) fn watermark(&self) -> Outcome<Batch> {
        let Some(row) = self.get(&self.meta, WATERMARK)? else {
            return Ok(Batch(0));
        };
        let batch = row.as_ref().try_into().map_err(|_| undecodable())?;
        Ok(Batch(u64::from_le_bytes(batch)))
    }

    /// Makes everything durable, and then says so.
    pub(crate) fn set_watermark(&self, batch: Batch) -> Outcome<()> {
        self.flush()?;
        self.insert(&self.meta, WATERMARK, batch.0.to_le_bytes().to_vec())
    }

    /// Retired IDs up to this time may be forgotten.
    pub(super) fn forgotten_through(&self) -> Outcome<Timestamp> {
        let Some(row) = self.get(&self.meta, FORGOTTEN_THROUGH)? else {
            return Ok(Timestamp(0));
        };
        let time = row.as_ref().try_into().map_err(|_| undecodable())?;
        Ok(Timestamp(u64::from_le_bytes(time)))
    }

    /// Says that retired IDs up to a time may be forgotten from now on.
    pub(crate) fn set_forgotten_through(&self, time: Timestamp) -> Outcome<()> {
        let row = time.0.to_le_bytes().to_vec();
        self.insert(&self.meta, FORGOTTEN_THROUGH, row)
    }

    pub(super) fn sizes_note(&self) -> Outcome<Option<sled::IVec>> {
        self.get(&self.meta, SIZES)
    }

    pub(super) fn set_sizes_note(&self, note: Vec<u8>) -> Outcome<()> {
        self.insert(&self.meta, SIZES, note)
    }

    /// The note that hints are right for some timeouts.
    pub(crate) fn hints_are_for(&self) -> Outcome<Option<Vec<u8>>> {
        let row = self.get(&self.meta, HINTS_ARE_FOR)?;
        Ok(row.map(|row| row.to_vec()))
    }

    /// Makes everything durable, and then notes that hints are right.
    pub(crate) fn note_hints(&self, timeouts: Vec<u8>) -> Outcome<()> {
        self.flush()?;
        self.insert(&self.meta, HINTS_ARE_FOR, timeouts)
    }

    /// Hints may be wrong.
    pub(crate) fn forget_hints_note(&self) -> Outcome<()> {
        self.remove(&self.meta, HINTS_ARE_FOR)
    }

    /// Has sled hand its bytes to the operating system: space that rows have
    /// left is used again only then.
    pub(crate) fn write_out(&self) -> Outcome<()> {
        self.guard.run(|| self.database.flush().map(drop))
    }

    /// Makes everything durable: the syncs are ours.
    pub(crate) fn flush(&self) -> Outcome<()> {
        self.write_out()?;
        let synced = self
            .file
            .sync_all()
            .and_then(|()| File::open(&self.directory)?.sync_all());
        synced.map_err(|error| Trouble::io("index sync", &error))
    }

    /// Bytes on disk.
    pub(crate) fn disk_bytes(&self) -> u64 {
        super::files::size(&self.directory)
    }
}

pub(super) fn dead_generation(key: &[u8]) -> Outcome<Generation> {
    let bytes = key.try_into().map_err(|_| undecodable())?;
    Ok(Generation(u64::from_be_bytes(bytes)))
}

pub(super) fn undecodable() -> Trouble {
    Trouble::new("a row of the index does not decode")
}

pub(super) fn is_newer(new: (Batch, Location), old: (Batch, Location)) -> bool {
    new > old
}

/// Opening right after the last owner dropped can find its lock still held.
fn open_patiently(directory: &Path, cache_bytes: u64) -> Outcome<sled::Db> {
    let until = Instant::now() + OPEN_PATIENCE;
    loop {
        let config = sled::Config::new()
            .path(directory)
            .cache_capacity(cache_bytes.max(1 << 20))
            .segment_size(SEGMENT_BYTES)
            .flush_every_ms(None);
        match protect(|| config.open()) {
            Ok(database) => return Ok(database),
            Err(trouble) if !is_lock(&trouble) || Instant::now() >= until => return Err(trouble),
            Err(_) => thread::park_timeout(Duration::from_millis(10)),
        }
    }
}

fn is_lock(trouble: &Trouble) -> bool {
    let text = trouble.to_string();
    text.contains("WouldBlock") || text.contains("could not acquire lock")
}

#[cfg(test)]
mod tests;
