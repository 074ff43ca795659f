//! Rows of sessions, and what memory keeps of them besides.

use super::guard::{Outcome, Trouble};
use super::places::Places;
use super::rows::{DIGEST_BYTES, Index, Put, is_newer};
use crate::format::identity::{Batch, Location};
use crate::format::record::{RowContent, SessionRow};
use crate::session_id::SessionDigest;

impl Index {
    /// With so much memory besides for places of images.
    pub(crate) fn with_places(mut self, bytes: u64) -> Self {
        self.places = Places::new(bytes);
        self
    }

    /// Nothing is known of places any more, and their memory is free: the index
    /// is about to be replaced by one that may say something else.
    pub(crate) fn forget_places(&self) {
        self.places.give_up();
    }

    /// A session's row.
    pub(crate) fn session(&self, digest: &SessionDigest) -> Outcome<Option<SessionRow>> {
        let row = self.get(&self.sessions, &digest.to_bytes())?;
        row.map(|row| SessionRow::decode(&row).map_err(Trouble::new))
            .transpose()
    }

    /// The same for a session that is asked for: where its image lies is known
    /// from now on.
    pub(crate) fn session_to_read(&self, digest: &SessionDigest) -> Outcome<Option<SessionRow>> {
        let known = self.places.get(digest);
        let row = self.session(digest)?;
        if let (Err(before), Some(location)) = (known, row.as_ref().and_then(image_of)) {
            self.places.note(digest, location, before);
        }
        Ok(row)
    }

    /// Where a session's image lies, if memory has it: nearly as much as the
    /// row. That it is this session's has to be seen there.
    pub(crate) fn image_of(&self, digest: &SessionDigest) -> Option<Location> {
        self.places.get(digest).ok()
    }

    /// Whether a session's row leads to this frame. Two sessions with half a
    /// digest in common may be taken for one another: a frame that lives may be
    /// taken for a dead one, and none that is dead for one that lives.
    pub(crate) fn leads_to(&self, digest: &SessionDigest, location: Location) -> Outcome<bool> {
        if let Some(known) = self.image_of(digest) {
            return Ok(known == location);
        }
        let row = self.session(digest)?;
        Ok(row.is_some_and(|row| row.location == location))
    }

    /// Puts a session's row; only a newer one replaces one that is there. The
    /// owner's row changes with it; its hint has been put.
    pub(crate) fn put_session(
        &self,
        digest: &SessionDigest,
        row: &SessionRow,
    ) -> Outcome<Put<SessionRow>> {
        let old = self.session(digest)?;
        if let Some(old) = old.as_ref().filter(|old| !is_newer_row(row, old)) {
            return Ok(Put::Kept(old.clone()));
        }
        self.replace_session(digest, old.as_ref(), Some(row))?;
        Ok(self.note_put(old, row))
    }

    /// The same for a row that was announced: the owner's is there, too. Nearly
    /// always it is newer, so it is put first, in one walk down the tree, and
    /// the old one is put back where it has to stay. Nobody asks for the row
    /// meanwhile: the session is in memory.
    pub(crate) fn put_announced(
        &self,
        digest: &SessionDigest,
        row: &SessionRow,
    ) -> Outcome<Put<SessionRow>> {
        let key = digest.to_bytes();
        let bytes = row.encode().map_err(Trouble::new)?;
        let old = self.places.change(digest, || {
            self.hand_on(&self.sessions, &key, Some(&bytes));
            let old = self.exchange(&self.sessions, &key, bytes)?;
            let Some(bytes) = old else {
                return Ok((None, image_of(row)));
            };
            let old = SessionRow::decode(&bytes).map_err(Trouble::new)?;
            let is_newer = is_newer_row(row, &old);
            if !is_newer {
                self.insert(&self.sessions, &key, bytes.to_vec())?;
            }
            let stays = if is_newer { row } else { &old };
            Ok((Some(old.clone()), image_of(stays)))
        })?;
        if let Some(old) = old.as_ref().filter(|old| !is_newer_row(row, old)) {
            return Ok(Put::Kept(old.clone()));
        }
        self.drop_stale_owner(digest, old.as_ref(), Some(row))?;
        Ok(self.note_put(old, row))
    }

    /// Notes where a row that was put leads to.
    fn note_put(&self, old: Option<SessionRow>, row: &SessionRow) -> Put<SessionRow> {
        let places = (old.as_ref().map(|old| old.location), Some(row.location));
        self.account(DIGEST_BYTES, places);
        self.stains.note_deadline(row);
        old.map_or(Put::Inserted, Put::Replaced)
    }

    /// Puts the announced row of a session that had none before; false if it
    /// has one after all. One walk down the tree instead of two.
    pub(crate) fn put_first(&self, digest: &SessionDigest, row: &SessionRow) -> Outcome<bool> {
        let bytes = sled::IVec::from(row.encode().map_err(Trouble::new)?);
        let key = digest.to_bytes();
        let put = self.places.change(digest, || {
            let put = self.guard.run(|| {
                self.sessions
                    .compare_and_swap(key, None::<&[u8]>, Some(&bytes))
            })?;
            let location = image_of(row).filter(|_| put.is_ok());
            Ok((put, location))
        })?;
        if put.is_ok() {
            self.hand_on(&self.sessions, &key, Some(&bytes));
            self.count.add();
            self.account(DIGEST_BYTES, (None, Some(row.location)));
            self.stains.note_deadline(row);
        }
        Ok(put.is_ok())
    }

    /// Removes a session's row if it is older than `sequence`, and its owner's.
    pub(crate) fn remove_session(
        &self,
        digest: &SessionDigest,
        sequence: Batch,
    ) -> Outcome<Option<SessionRow>> {
        let old = self.session(digest)?.filter(|old| old.sequence < sequence);
        if let Some(old) = &old {
            self.replace_session(digest, Some(old), None)?;
            self.account(DIGEST_BYTES, (Some(old.location), None));
        }
        Ok(old)
    }

    /// What sled may do to a session's row.
    #[cfg(test)]
    pub(crate) fn lose_session(&self, digest: &SessionDigest) -> Outcome<()> {
        self.remove(&self.sessions, &digest.to_bytes())
    }

    /// The same, where it is as it was before.
    #[cfg(test)]
    pub(crate) fn revive_session(&self, digest: &SessionDigest, row: &SessionRow) -> Outcome<()> {
        let bytes = row.encode().map_err(Trouble::new)?;
        self.insert(&self.sessions, &digest.to_bytes(), bytes)
    }

    /// What half a digest in common may do to a place.
    #[cfg(test)]
    pub(crate) fn mistake_place(&self, digest: &SessionDigest, location: Location) {
        let put = self.places.change(digest, || Ok(((), Some(location))));
        put.unwrap_or_default();
    }
}

/// Where the image is that a row leads to, if it is whole.
pub(super) fn image_of(row: &SessionRow) -> Option<Location> {
    match row.content {
        RowContent::Whole { .. } => Some(row.location),
        RowContent::Damaged { .. } => None,
    }
}

fn is_newer_row(new: &SessionRow, old: &SessionRow) -> bool {
    is_newer((new.sequence, new.location), (old.sequence, old.location))
}

#[cfg(test)]
mod tests;
