//! Finding a key below the memtable: image, index, page.
//!
//! Every page says which keys it is responsible for, and every lookup checks
//! it: an index that points to the wrong page is noticed, not believed.

use super::Engine;
use super::cell::{Base, Cell, Life, State};
use super::commit::Bound;
use super::first_page::Place;
use super::options::Durability;
use super::registry::Resident;
use super::stored::{Held, Stored};
use crate::error::{Error, Result};
use crate::format::identity::{Generation, Location, Timestamp};
use crate::format::page::Page;
use crate::format::record::{PageRow, RowContent, SessionRecord, SessionRow};
use crate::index::{Outcome, Trouble};
use crate::session_id::SessionDigest;
use std::sync::Arc;

/// How often an operation has the index rebuilt before it gives up.
const REBUILDS: usize = 2;

/// Why something could not be found out.
#[derive(Debug)]
pub(crate) enum Setback {
    /// The caller's to know.
    Error(Error),
    /// The index is at fault: rebuild it and ask again.
    Index(Trouble),
}

impl From<Error> for Setback {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Trouble> for Setback {
    fn from(trouble: Trouble) -> Self {
        Self::Index(trouble)
    }
}

impl Engine {
    /// Runs a read that may meet trouble with the index; mends it in between.
    pub(crate) fn with_index<T>(
        &self,
        mut attempt: impl FnMut() -> Result<T, Setback>,
    ) -> Result<T> {
        let mut rebuilds = 0;
        loop {
            let generation = self.index.generation();
            match attempt() {
                Ok(found) => return Ok(found),
                Err(Setback::Error(error)) => return Err(error),
                Err(Setback::Index(trouble)) if rebuilds < REBUILDS => {
                    rebuilds += 1;
                    self.mend_index(generation, &trouble)?;
                }
                Err(Setback::Index(trouble)) => {
                    return Err(Error::corrupted(
                        &self.index.path(),
                        0,
                        format_args!("the index stays wrong after a rebuild: {trouble}"),
                    ));
                }
            }
        }
    }

    /// The session of a digest, when it exists.
    pub(crate) fn find_session(
        &self,
        digest: SessionDigest,
        durability: Durability,
    ) -> Result<Option<Bound>> {
        let found = self.find_session_at(digest, durability, self.glance())?;
        Ok(found.map(|cell| Bound { digest, cell }))
    }

    /// The same at a time that the operation has read already.
    pub(super) fn find_session_at(
        &self,
        digest: SessionDigest,
        durability: Durability,
        now: Timestamp,
    ) -> Result<Option<Arc<Cell>>> {
        self.check()?;
        loop {
            let cell = match self.registry.obtain(digest) {
                Resident::Hidden(sequence, _) => {
                    self.observe(sequence, durability)?;
                    return Ok(None);
                }
                Resident::Cell(cell) => cell,
            };
            let is_settled = cell.is_settled();
            if !is_settled {
                self.with_index(|| self.load_to_read(&cell, digest))?;
            }
            let state = cell.state.read();
            if state.life == Life::Absent {
                // Under the lock: somebody may be about to make it live.
                self.registry.remove(digest, &cell);
            }
            let here = state.exists() && state.digest == digest && !self.is_expired(&state, now);
            drop(state);
            // The session may have been born, with a cell of its own, and
            // been checkpointed since this one was obtained.
            if here && !is_settled {
                if !self.registry.knows(digest, &cell) {
                    continue;
                }
                cell.settle();
            }
            self.observe(cell.last(), durability)?;
            return Ok(here.then_some(cell));
        }
    }

    /// Asks the index about a cell that was not asked about yet.
    pub(crate) fn load(&self, cell: &Cell, digest: SessionDigest) -> Result<(), Setback> {
        if cell.state.read().life != Life::Unloaded {
            return Ok(());
        }
        let mut state = cell.state.write();
        if state.life == Life::Unloaded {
            let row = self.index.get()?.session(&digest)?;
            state.load(row)?;
        }
        Ok(())
    }

    /// The same of a session whose keys are about to be read: where its image
    /// is known to lie, that says as much as its row.
    fn load_to_read(&self, cell: &Arc<Cell>, digest: SessionDigest) -> Result<(), Setback> {
        if cell.state.read().life != Life::Unloaded {
            return Ok(());
        }
        let mut state = cell.state.write();
        if state.life == Life::Unloaded {
            let index = self.index.get()?;
            let location = index.image_of(&digest);
            let image = location.and_then(|location| self.own_image(digest, location));
            let Some((row, page)) = image else {
                let row = index.session_to_read(&digest)?;
                return Ok(state.load(row)?);
            };
            // Whoever was born meanwhile has a cell of its own.
            debug_assert!(
                is_of_row(&row, &index.session(&digest)) || !self.registry.knows(digest, cell),
                "INVARIANT: a place that is known is that of the session's row"
            );
            let place = (row.location, row.generation());
            state.load(Some(row))?;
            cell.first_page.keep(place, page.clone());
            self.keep_page(place, page, Some(digest));
        }
        Ok(())
    }

    /// A session's row and page by its image. Whatever is wrong with that is
    /// told by who comes from the row.
    fn own_image(&self, digest: SessionDigest, location: Location) -> Option<(SessionRow, Page)> {
        let (head, page) = self.segments.read_image(location).ok()?;
        let row = SessionRow {
            location,
            sequence: head.sequence,
            content: RowContent::Whole {
                table: head.table,
                record: head.record,
            },
        };
        (head.digest == digest).then_some((row, page))
    }

    /// Whether a session's time is over.
    pub(super) fn is_expired(&self, state: &State, now: Timestamp) -> bool {
        let is_expired =
            state.life == Life::Live && self.options.timeouts.is_expired(&state.record, now);
        if is_expired {
            self.note_over(now);
        }
        is_expired
    }

    /// Whether a handle with this digest may use the session.
    pub(crate) fn check_session(
        &self,
        state: &State,
        digest: SessionDigest,
        now: Timestamp,
    ) -> Result<()> {
        match state.life {
            Life::Live if self.is_expired(state, now) => Err(Error::SessionGone),
            Life::Live | Life::Unborn if state.digest == digest => Ok(()),
            Life::Damaged if state.digest == digest => Err(self.damaged_session(state)),
            _ => Err(Error::SessionGone),
        }
    }

    pub(super) fn damaged_session(&self, state: &State) -> Error {
        let place = state.base.as_ref().map(|base| base.location);
        self.damage_at(place.unwrap_or_default())
    }

    /// What is said of a session whose image is damaged.
    pub(super) fn damage_at(&self, place: Location) -> Error {
        Error::corrupted(
            &self.segments.path(place.segment),
            place.offset.into(),
            "what the session holds is damaged; flush or destroy the session",
        )
    }

    /// What is known of a session besides its keys. Of one that was never
    /// written: if it were written now.
    pub(crate) fn record(&self, bound: &Bound) -> Result<SessionRecord> {
        let now = self.now();
        let state = bound.cell.state.read();
        self.check_session(&state, bound.digest, now)?;
        let mut record = state.record.clone();
        if state.life == Life::Unborn {
            record.created = now;
            record.last_seen = now;
        }
        Ok(record)
    }

    /// The value of a key below the active layer's own answer.
    pub(crate) fn find_in_base(
        &self,
        cell: &Cell,
        state: &State,
        key: &str,
    ) -> Result<Option<Held>, Setback> {
        let Some(page) = self.page_of(cell, state, key)? else {
            return Ok(None);
        };
        let found = page.find(key);
        let found = found.map(|found| (found.value, found.deadline));
        Ok(found.map(|(place, deadline)| Held {
            value: Stored::within(page.into_raw(), place),
            deadline,
        }))
    }

    /// The page that is responsible for a key, where there is any.
    pub(crate) fn page_of(
        &self,
        cell: &Cell,
        state: &State,
        key: &str,
    ) -> Result<Option<Page>, Setback> {
        let Some(image) = self.image(cell, state)? else {
            return Ok(None);
        };
        if image.fences().contain(key) {
            return Ok(Some(image));
        }
        let page = self.page_behind_image(state.record.generation, key)?;
        Ok(Some(page))
    }

    /// The same of a key that is not in the image.
    pub(super) fn page_behind_image(
        &self,
        generation: Generation,
        key: &str,
    ) -> Result<Page, Setback> {
        let page = self.page_at(generation, key)?;
        if !page.fences().contain(key) {
            return Err(Trouble::new("a page row points to the wrong page").into());
        }
        Ok(page)
    }

    /// The page that a row leads to. Compaction may have moved it and removed
    /// its file since the row was read; then the row leads elsewhere by now.
    fn page_at(&self, generation: Generation, key: &str) -> Result<Page, Setback> {
        let mut last = None;
        loop {
            let row = self.index.get()?.page_at(generation, key)?;
            let Some((_, row)) = row else {
                return Err(Trouble::new("a page row is missing").into());
            };
            match self.page(&row, generation) {
                Err(Setback::Error(Error::Corrupted { .. }))
                    if !self.segments.counts(row.location) && last != Some(row.location) =>
                {
                    last = Some(row.location);
                }
                Err(Setback::Error(Error::Corrupted { .. }))
                    if !self.segments.counts(row.location) =>
                {
                    return Err(misplaced());
                }
                found => return found,
            }
        }
    }

    /// The first page of a session, where it has any.
    fn image(&self, cell: &Cell, state: &State) -> Result<Option<Page>, Setback> {
        if let Some(seen) = cell.first_page.get(state.record.generation) {
            debug_assert_eq!(
                state.live_base().map(Base::place),
                Some(seen.place),
                "INVARIANT: a session keeps the image of its base"
            );
            if seen.is_to_be_told {
                self.cache.get(seen.place);
            }
            return Ok(Some(seen.page));
        }
        let Some(base) = state.live_base() else {
            return Ok(None);
        };
        let place = base.place();
        let page = match self.cache.get(place) {
            Some(page) => page,
            None => self.read_image(base)?,
        };
        cell.first_page.keep(place, page.clone());
        self.keep_page(place, page.clone(), Some(base.digest));
        Ok(Some(page))
    }

    /// Keeps a page in the cache. Sessions let go of what had to go for it.
    pub(super) fn keep_page(&self, place: Place, page: Page, of: Option<SessionDigest>) {
        for (digest, evicted) in self.cache.insert(place, page, of) {
            // What it replaces counts as evicted, too.
            if evicted == place && self.cache.peek(place).is_some() {
                continue;
            }
            if let Some(resident) = self.registry.look(digest) {
                resident.cell().first_page.forget(evicted);
            }
        }
    }

    /// The first page of a base that is about to be written anew. It is not
    /// kept: what is kept in its place may be asked for again.
    pub(super) fn image_to_replace(&self, base: &Base) -> Result<Page, Setback> {
        match self.cache.peek(base.place()) {
            Some(page) => Ok(page),
            None => self.read_image(base),
        }
    }

    fn read_image(&self, base: &Base) -> Result<Page, Setback> {
        let (head, page) = match self.segments.read_image(base.location) {
            Err(Error::Corrupted { .. }) if !self.segments.counts(base.location) => {
                return Err(misplaced());
            }
            found => found?,
        };
        if head.record.generation != base.generation || head.sequence != base.sequence {
            return Err(Trouble::new("a session row points to another session").into());
        }
        Ok(page)
    }

    fn page(&self, row: &PageRow, generation: Generation) -> Result<Page, Setback> {
        let place = (row.location, generation);
        if let Some(page) = self.cache.get(place) {
            return Ok(page);
        }
        let (head, page) = self.segments.read_page(row.location)?;
        if head.generation != generation || head.sequence != row.sequence {
            return Err(Trouble::new("a page row points to another page").into());
        }
        self.keep_page(place, page.clone(), None);
        Ok(page)
    }

    /// Whether a lookup of `key` would stay in memory.
    pub(crate) fn is_resident(&self, cell: &Cell) -> bool {
        let state = cell.state.read();
        match state.live_base() {
            None => true,
            Some(base) if base.is_damaged => true,
            Some(base) => {
                let place = base.place();
                let is_kept = || self.cache.peek(place).is_some();
                base.table.pages == 0 && (cell.first_page.is_kept(place) || is_kept())
            }
        }
    }
}

/// Whether an image is the one that a row leads to, wherever it was moved.
fn is_of_row(image: &SessionRow, row: &Outcome<Option<SessionRow>>) -> bool {
    let is_it =
        |row: &SessionRow| (row.sequence, row.generation()) == (image.sequence, image.generation());
    row.as_ref()
        .map_or(true, |row| row.as_ref().is_some_and(is_it))
}

/// The index leads to a file that compaction has removed.
fn misplaced() -> Setback {
    Trouble::new("a row leads to where nothing is any more").into()
}

#[cfg(test)]
mod tests;
