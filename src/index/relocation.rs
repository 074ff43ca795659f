//! Rows that lead to another place than before, changed where they lie: one
//! walk down the tree, which finds the row and puts it.

use std::sync::Arc;

use super::guard::{Outcome, Trouble};
use super::rows::{DIGEST_BYTES, Index};
use super::sessions::image_of;
use crate::format::codec;
use crate::format::identity::Location;
use crate::format::record::SessionRow;
use crate::session_id::SessionDigest;
use crate::sync::Mutex;

/// The row that the last relocation changed, as it is now: sled gives back
/// what is there then, and does not tell whether that is new.
#[derive(Debug, Default)]
pub(super) struct Relocated(Arc<Mutex<Option<SessionRow>>>);

impl Relocated {
    /// Has a tree of sessions' rows know what a relocation does.
    pub(super) fn of(sessions: &sled::Tree) -> Self {
        let relocated = Self::default();
        let note = Arc::clone(&relocated.0);
        sessions.set_merge_operator(move |_: &[u8], old: Option<&[u8]>, order: &[u8]| {
            let row = old.and_then(|old| relocate(old, order));
            let bytes = row.as_ref().and_then(|row| row.encode().ok());
            *note.lock() = row.filter(|_| bytes.is_some());
            // What is to stay, and what does not decode, stays as it is.
            bytes.or_else(|| old.map(<[u8]>::to_vec))
        });
        relocated
    }
}

/// The row, if it leads to where the order says.
fn relocate(old: &[u8], order: &[u8]) -> Option<SessionRow> {
    let (from, to): (Location, Location) = codec::decode(order, "an order to move a row").ok()?;
    let row = SessionRow::decode(old).ok()?;
    (row.location == from).then_some(SessionRow {
        location: to,
        ..row
    })
}

impl Index {
    /// Has a session's row lead to another place; whether it did lead to `from`.
    /// One caller at a time: who holds the checkpointer.
    pub(crate) fn relocate_session(
        &self,
        digest: &SessionDigest,
        from: Location,
        to: Location,
    ) -> Outcome<bool> {
        let order = codec::encode(&(from, to)).map_err(Trouble::new)?;
        let key = digest.to_bytes();
        let relocated = self.places.change(digest, || {
            self.relocated.0.lock().take();
            let bytes = self.guard.run(|| self.sessions.merge(key, &order))?;
            let relocated = self.relocated.0.lock().take();
            match (&relocated, bytes) {
                (Some(_), Some(bytes)) => self.hand_on(&self.sessions, &key, Some(&bytes)),
                (Some(_), None) => return Err(Trouble::new("a row went while it was moved")),
                // What stays has to be a row.
                (None, Some(bytes)) => drop(SessionRow::decode(&bytes).map_err(Trouble::new)?),
                (None, None) => {}
            }
            let location = relocated.as_ref().and_then(image_of);
            Ok((relocated, location))
        })?;
        if relocated.is_some() {
            self.account(DIGEST_BYTES, (Some(from), Some(to)));
        }
        Ok(relocated.is_some())
    }
}

#[cfg(test)]
mod tests;
