//! A store that holds what is going to be deleted.

use std::path::Path;

use crate::Outcome;
use crate::call::Call;
use crate::growth::settle;
use crate::operation::Operation;
use crate::plan::Samples;
use crate::store::{Store, key};

/// From so many keys on, a deletion leaves much to be freed.
const LARGE: usize = 10_000;

/// Sessions of one size.
pub(crate) struct Scene<S: Store> {
    store: S,
    keys: usize,
    /// For the operations of which each ends a session, more or less.
    whole: Vec<S::Id>,
    /// For those that remove one key: a session serves many of them, as long
    /// as it keeps almost all of its keys.
    by_key: Vec<S::Id>,
    /// How many of the former were used.
    ended: usize,
    /// How many keys were removed one by one.
    removed: usize,
}

impl<S: Store> Scene<S> {
    /// Makes sessions for so many samples of each operation.
    pub(crate) fn new(
        place: &Path,
        keys: usize,
        operations: &[Operation],
        samples: Samples,
    ) -> Outcome<Self> {
        let count = |by_key: bool| {
            let operations = operations.iter();
            let of_kind = operations.filter(|operation| operation.removes_one_key() == by_key);
            of_kind.count()
        };
        let by_key = (count(true) * samples.by_key).div_ceil(removals(keys));
        let store = S::open_still(place)?;
        let create = |sessions: usize| -> Outcome<Vec<S::Id>> {
            (0..sessions).map(|_| store.create(0..keys)).collect()
        };
        let by_key = create(by_key)?;
        let whole = create(count(false) * samples.whole)?;
        store.checkpoint()?;
        settle()?;
        Ok(Self {
            store,
            keys,
            whole,
            by_key,
            ended: 0,
            removed: 0,
        })
    }

    /// Deletes from a session that has not been deleted from in this way.
    pub(crate) fn run(&mut self, operation: Operation) -> Outcome<Call> {
        let removals = removals(self.keys);
        let (id, number) = if operation.removes_one_key() {
            let apart = self.keys / removals;
            let number = self.removed % removals * apart + apart / 2;
            let id = self.by_key.get(self.removed / removals);
            self.removed += 1;
            (id, number)
        } else {
            let id = self.whole.get(self.ended);
            self.ended += 1;
            (id, 0)
        };
        let id = id.ok_or("no session is left")?;
        // What another deletion left is no part of this one.
        if !operation.removes_one_key() && self.keys >= LARGE {
            settle()?;
        }
        // A request reads before it deletes.
        self.expect(id, 0, true)?;
        let taken = self.store.run(operation, id, &key(number))?;
        let last = self.keys - 1;
        match operation {
            Operation::Pop | Operation::Delete => {
                self.expect(id, number, false)?;
                self.expect(id, 0, number > 0)?;
            }
            Operation::RemovePrefix => {
                self.expect(id, last / 2 * 2, false)?;
                self.expect(id, 1, self.keys > 1)?;
            }
            Operation::Clear | Operation::Flush | Operation::Destroy => {
                self.expect(id, 0, false)?;
                self.expect(id, last, false)?;
            }
        }
        Ok(taken)
    }

    /// What was measured did what it should.
    fn expect(&self, id: &S::Id, number: usize, expected: bool) -> Outcome<()> {
        let key = key(number);
        if self.store.has(id, &key)? == expected {
            return Ok(());
        }
        let what = if expected {
            "is gone"
        } else {
            "is still there"
        };
        Err(format!("{}: {key} of {} keys {what}", S::NAME, self.keys).into())
    }

    /// Closes the store, and lets its files be.
    pub(crate) fn leave(self) -> Outcome<()> {
        self.store.close()
    }
}

/// How many keys of a session are removed one by one.
fn removals(keys: usize) -> usize {
    (keys / 100).max(1)
}
