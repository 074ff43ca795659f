//! What both stores can do, so that both are measured in the same way.

use std::ops::Range;
use std::path::Path;

use crate::Outcome;
use crate::call::Call;
use crate::operation::Operation;

/// Bytes of a value.
pub(crate) const VALUE: usize = 100;
/// And of its key.
pub(crate) const KEY: usize = PREFIX.len() + 7;
/// What half of a session's keys begin with.
pub(crate) const PREFIX: &str = "cart/";

/// A key by its number: those with the prefix take turns with others.
pub(crate) fn key(number: usize) -> String {
    if number.is_multiple_of(2) {
        format!("{PREFIX}{number:07}")
    } else {
        format!("page/{number:07}")
    }
}

/// Sessions of keys and values, in a directory.
pub(crate) trait Store: Sized + Send {
    /// By which a session is known.
    type Id: Send;

    const NAME: &'static str;

    /// As it is by default.
    fn open(place: &Path) -> Outcome<Self>;

    /// The same, but nothing happens by itself that could be put off.
    fn open_still(place: &Path) -> Outcome<Self>;

    /// A new session that has these keys. Waits for nothing, and so does
    /// `add`.
    fn create(&self, keys: Range<usize>) -> Outcome<Self::Id>;

    /// Writes more keys of a session.
    fn add(&self, id: &Self::Id, keys: Range<usize>) -> Outcome<()>;

    /// Has all that was written on disk, at the place where it stays.
    fn checkpoint(&self) -> Outcome<()>;

    /// Whether there is a session that has the key.
    fn has(&self, id: &Self::Id, key: &str) -> Outcome<bool>;

    /// Deletes, and waits until that is on disk.
    fn run(&self, operation: Operation, id: &Self::Id, key: &str) -> Outcome<Call>;

    /// Flushes and waits for nothing.
    fn let_go(&self, id: &Self::Id) -> Outcome<()>;

    /// Waits until all is on disk.
    fn commit(&self) -> Outcome<()>;

    /// Whether the background knows of work that it has not done.
    fn is_behind(&self) -> bool;

    fn close(self) -> Outcome<()>;
}
