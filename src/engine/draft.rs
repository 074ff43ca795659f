//! A transaction before it is committed: its own writes over the session.
//!
//! The session's writer lock is held from the first read to the commit, so
//! what was read is still so when the writes are applied.

use std::sync::Arc;

use super::Engine;
use super::cell::Cell;
use super::commit::Bound;
use super::delta::{Answer, Delta};
use super::iterate::{self, Chunk};
use super::stored::{Held, Stored};
use crate::error::{Error, Result};
use crate::format::identity::Timestamp;
use crate::format::record::ExpiryOverride;
use crate::limits::MAX_TRANSACTION_BYTES;
use crate::session_id::SessionDigest;

/// Bytes of a change in the journal besides its key and value, at most.
const CHANGE_BYTES: u64 = 24;

/// Chunks of keys that are looked at for one that is there.
const CHUNKS: usize = 4;

/// An owner, or nobody.
#[derive(Debug)]
pub(super) struct NewOwner(pub(super) Option<Box<str>>);

/// A transaction under way.
#[derive(Debug)]
pub(crate) struct Draft<'e> {
    pub(super) engine: &'e Engine,
    pub(super) cell: &'e Arc<Cell>,
    pub(super) digest: SessionDigest,
    /// What it wrote so far.
    pub(super) overlay: Delta,
    /// Whether it cleared the session first.
    pub(super) cleared: bool,
    /// When it began: the one time that it knows.
    pub(super) now: Timestamp,
    /// The owner that it gave the session.
    pub(super) owner: Option<NewOwner>,
    /// The expiry that it gave the session.
    pub(super) expiry: Option<ExpiryOverride>,
    /// Whether it says that the session was seen.
    pub(super) touched: bool,
    /// No key that it puts ends before this.
    pub(super) first_deadline: Option<Timestamp>,
    /// Bytes it will take in the journal, about.
    pub(super) size: u64,
    /// The size at which it was refused: nothing of it may be applied then,
    /// also when its closure goes on.
    refused: Option<u64>,
}

impl<'e> Draft<'e> {
    /// A transaction that has done nothing. The caller holds the writer lock.
    pub(crate) fn new(
        engine: &'e Engine,
        cell: &'e Arc<Cell>,
        digest: SessionDigest,
        now: Timestamp,
    ) -> Result<Self> {
        engine.check_session(&cell.state.read(), digest, now)?;
        Ok(Self {
            engine,
            cell,
            digest,
            overlay: Delta::default(),
            cleared: false,
            now,
            owner: None,
            expiry: None,
            touched: false,
            first_deadline: None,
            size: 256,
            refused: None,
        })
    }

    /// When the transaction began.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Gives the session an owner, or none.
    pub(crate) fn set_owner(&mut self, owner: Option<&str>) {
        self.owner = Some(NewOwner(owner.map(Box::from)));
    }

    /// Gives the session an expiry.
    pub(crate) fn set_expiry(&mut self, expiry: ExpiryOverride) {
        self.expiry = Some(expiry);
    }

    /// Says that the session was seen.
    pub(crate) fn touch(&mut self) {
        self.touched = true;
    }

    /// The value of a key, as this transaction sees it.
    pub(crate) fn find(&self, key: &str) -> Result<Option<Held>> {
        let found = match self.overlay.find(key) {
            Answer::Present(held) => Some(held),
            Answer::Absent => None,
            Answer::Unknown => self.find_below(key)?,
        };
        Ok(found.filter(|held| held.is_there(self.now)))
    }

    /// The value of a key without this transaction's own writes.
    fn find_below(&self, key: &str) -> Result<Option<Held>> {
        if self.cleared {
            return Ok(None);
        }
        let found = self.engine.with_index(|| {
            let state = self.cell.state.read();
            // It may be revoked meanwhile.
            self.engine.check_session(&state, self.digest, self.now)?;
            match state.find(key) {
                Answer::Present(held) => Ok(Some(held)),
                Answer::Absent => Ok(None),
                Answer::Unknown => self.engine.find_in_base(self.cell, &state, key),
            }
        })?;
        Ok(found.filter(|held| held.is_there(self.now)))
    }

    /// Puts a key, for ever or until a time.
    pub(crate) fn put(
        &mut self,
        key: &str,
        value: Stored,
        deadline: Option<Timestamp>,
    ) -> Result<()> {
        self.charge(self.overlay.size_of(key), key.len() + value.len())?;
        let first = self.first_deadline.into_iter();
        self.first_deadline = first.chain(deadline).min();
        self.overlay.write(key, Some(Held { value, deadline }));
        Ok(())
    }

    /// Removes a key that `find` has just found.
    pub(crate) fn remove(&mut self, key: &str) -> Result<()> {
        self.charge(self.overlay.size_of(key), key.len())?;
        let own = matches!(self.overlay.find(key), Answer::Present(_));
        // A key that was both put and removed here leaves no trace, so that a
        // transaction without a net effect writes nothing.
        if own && !self.overlay.has_prefixes() && self.find_below(key)?.is_none() {
            self.overlay.forget(key);
        } else {
            self.overlay.write(key, None);
        }
        Ok(())
    }

    /// Removes all keys with a prefix.
    pub(crate) fn remove_prefix(&mut self, prefix: &str) -> Result<()> {
        if !self.holds_any(prefix)? {
            return Ok(());
        }
        self.charge(0, prefix.len())?;
        // Its own keys go without a trace, so that a transaction without a
        // net effect writes nothing; then only what lies below counts.
        self.overlay.forget_prefix(prefix);
        if self.holds_any(prefix)? {
            self.overlay.remove_prefix(prefix);
        }
        Ok(())
    }

    /// Removes all keys.
    pub(crate) fn clear(&mut self) -> Result<()> {
        self.overlay = Delta::default();
        self.cleared = self.cleared || self.holds_any("")?;
        Ok(())
    }

    /// Whether any key has a prefix: what has no effect is not written. Looks
    /// at so many keys and no further: where only removed ones were met until
    /// then, the answer is yes, and at worst a frame is written for nothing.
    fn holds_any(&self, prefix: &str) -> Result<bool> {
        let mut from = prefix.to_owned();
        for _ in 0..CHUNKS {
            let mut chunk = self.entries(&from)?;
            if let Some(pair) = chunk.next() {
                return Ok(pair.key().starts_with(prefix));
            }
            match chunk.rest {
                Some(next) if next.starts_with(prefix) => from = next,
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// The next entries from `from` on, in key order.
    pub(crate) fn entries(&self, from: &str) -> Result<Chunk> {
        self.engine.with_index(|| {
            let state = self.cell.state.read();
            self.engine.check_session(&state, self.digest, self.now)?;
            if self.cleared {
                let layers = [&self.overlay];
                return iterate::chunk(self.engine, &layers, None, from, self.now);
            }
            let mut layers = vec![&self.overlay, &state.active];
            layers.extend(state.frozen_delta());
            let base = Some((&**self.cell, &*state));
            iterate::chunk(self.engine, &layers, base, from, self.now)
        })
    }

    /// What the session's keys and values take with it, if nothing that is
    /// removed or replaced were gone.
    pub(super) fn bytes_at_most(&self) -> u64 {
        let own = self.overlay.bytes() as u64;
        if self.cleared {
            return own;
        }
        let state = self.cell.state.read();
        let base = state.live_base().map_or(0, |base| base.bytes);
        let frozen = state.frozen_delta().map_or(0, Delta::bytes) as u64;
        let pending = frozen.saturating_add(state.active.bytes() as u64);
        base.saturating_add(pending).saturating_add(own)
    }

    /// What they take, by a look at all of them.
    pub(super) fn bytes(&self) -> Result<u64> {
        let mut bytes = 0_u64;
        let mut next = Some(String::new());
        while let Some(from) = next {
            let mut chunk = self.entries(&from)?;
            next = chunk.rest.take();
            let sizes = chunk.map(|pair| pair.bytes() as u64);
            bytes = bytes.saturating_add(sizes.sum());
        }
        Ok(bytes)
    }

    /// Whether it changes no key.
    pub(super) fn keeps_keys(&self) -> bool {
        self.overlay.is_empty() && !self.cleared
    }

    /// An error when the transaction was too large at any time.
    pub(super) fn check_size(&self) -> Result<()> {
        self.refused
            .map_or(Ok(()), |size| Err(self.too_large(size)))
    }

    /// Makes room for a change in place of another.
    fn charge(&mut self, old: usize, new: usize) -> Result<()> {
        let bytes = |size: usize| CHANGE_BYTES.saturating_add(size as u64);
        let freed = if old > 0 { bytes(old) } else { 0 };
        let size = self.size.saturating_sub(freed).saturating_add(bytes(new));
        if size > self.limit() {
            self.refused = Some(size);
            return Err(self.too_large(size));
        }
        self.size = size;
        Ok(())
    }

    fn limit(&self) -> u64 {
        (MAX_TRANSACTION_BYTES as u64).min(self.engine.journal.max_payload())
    }

    fn too_large(&self, size: u64) -> Error {
        Error::TooLarge {
            what: "a transaction",
            size,
            limit: self.limit(),
        }
    }
}

impl Engine {
    /// The value of a key, as it stands.
    pub(crate) fn find(&self, bound: &Bound, key: &str, now: Timestamp) -> Result<Option<Held>> {
        let found = self.with_index(|| {
            let state = bound.cell.state.read();
            self.check_session(&state, bound.digest, now)?;
            match state.find(key) {
                Answer::Present(held) => Ok(Some(held)),
                Answer::Absent => Ok(None),
                Answer::Unknown => self.find_in_base(&bound.cell, &state, key),
            }
        })?;
        Ok(found.filter(|held| {
            let is_there = held.is_there(now);
            if !is_there {
                self.note_over(now);
            }
            is_there
        }))
    }

    /// The next entries of a session from `from` on, in key order.
    pub(crate) fn entries(&self, cell: &Cell, digest: SessionDigest, from: &str) -> Result<Chunk> {
        let now = self.glance();
        self.with_index(|| {
            let state = cell.state.read();
            self.check_session(&state, digest, now)?;
            let base = Some((cell, &*state));
            match state.frozen_delta() {
                Some(frozen) => iterate::chunk(self, &[&state.active, frozen], base, from, now),
                None => iterate::chunk(self, &[&state.active], base, from, now),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Database, Session};

    fn journal_bytes(db: &Database) -> u64 {
        db.stats().journal_live_bytes
    }

    /// A session whose keys were all removed again, by prefix.
    fn emptied(db: &Database, keys: usize) -> Session {
        let session = db.create_session();
        let filled = session.transaction(|tx| {
            (0..keys).try_for_each(|number| tx.set(&format!("cart/{number:05}"), &number))
        });
        filled.unwrap();
        session.remove_prefix("cart/").unwrap();
        assert!(session.is_empty().unwrap());
        session
    }

    #[test]
    fn what_has_no_effect_among_some_removed_keys_writes_nothing() {
        let db = Database::builder().background(false).temporary().unwrap();
        let session = emptied(&db, 500);
        let before = journal_bytes(&db);
        session.remove_prefix("cart/").unwrap();
        session.clear().unwrap();
        assert_eq!(journal_bytes(&db), before);
    }

    #[test]
    fn the_look_for_a_key_ends_after_so_many_removed_ones() {
        let db = Database::builder().background(false).temporary().unwrap();
        let session = emptied(&db, 10_000);
        for remove in [
            |session: &Session| session.remove_prefix("cart/"),
            |session: &Session| session.clear(),
        ] {
            let before = journal_bytes(&db);
            remove(&session).unwrap();
            let written = journal_bytes(&db) - before;
            assert!((1..200).contains(&written), "{written} bytes");
            assert!(session.is_empty().unwrap());
        }
    }
}
