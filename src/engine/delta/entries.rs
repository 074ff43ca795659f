//! A map in the order of keys that is small while it holds little: most
//! sessions change a key or two between two checkpoints, and a tree's first
//! node has room for eleven.

use std::collections::BTreeMap;
use std::mem;
use std::ops::Bound;

/// As many lie in a row, which is searched by halves.
const FEW: usize = 8;

/// Values by key.
#[derive(Debug)]
pub(super) enum Entries<V> {
    /// In order, and in no more memory than they need.
    Few(Vec<(Box<str>, V)>),
    /// Once there were more.
    Many(BTreeMap<Box<str>, V>),
}

impl<V> Default for Entries<V> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

fn place<V>(few: &[(Box<str>, V)], key: &str) -> Result<usize, usize> {
    few.binary_search_by(|(other, _)| (**other).cmp(key))
}

impl<V> Entries<V> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(few) => few.len(),
            Self::Many(many) => many.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn get(&self, key: &str) -> Option<&V> {
        match self {
            Self::Few(few) => {
                let (_, value) = few.get(place(few, key).ok()?)?;
                Some(value)
            }
            Self::Many(many) => many.get(key),
        }
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        match self {
            Self::Few(few) => {
                let place = place(few, key).ok()?;
                few.get_mut(place).map(|(_, value)| value)
            }
            Self::Many(many) => many.get_mut(key),
        }
    }

    /// Puts a key that is not there.
    pub(super) fn insert(&mut self, key: Box<str>, value: V) {
        match self {
            Self::Few(few) if few.len() < FEW => {
                let place = place(few, &key).unwrap_or_else(|place| place);
                few.reserve_exact(1);
                few.insert(place, (key, value));
            }
            Self::Few(few) => {
                let mut many: BTreeMap<_, _> = mem::take(few).into_iter().collect();
                many.insert(key, value);
                *self = Self::Many(many);
            }
            Self::Many(many) => {
                many.insert(key, value);
            }
        }
    }

    pub(super) fn remove(&mut self, key: &str) -> Option<V> {
        match self {
            Self::Few(few) => {
                let place = place(few, key).ok()?;
                Some(few.remove(place).1)
            }
            Self::Many(many) => many.remove(key),
        }
    }

    /// Those at or after `from`, in order.
    pub(super) fn range(&self, from: &str) -> impl Iterator<Item = (&Box<str>, &V)> {
        let (few, many) = match self {
            Self::Few(few) => {
                let start = place(few, from).unwrap_or_else(|place| place);
                (few.get(start..).unwrap_or_default(), None)
            }
            Self::Many(many) => {
                let bounds = (Bound::Included(from), Bound::Unbounded);
                (&[][..], Some(many.range::<str, _>(bounds)))
            }
        };
        let few = few.iter().map(|(key, value)| (key, value));
        few.chain(many.into_iter().flatten())
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Box<str>, &V)> {
        self.range("")
    }
}

impl<V> IntoIterator for Entries<V> {
    type Item = (Box<str>, V);
    type IntoIter = std::iter::Chain<
        std::vec::IntoIter<(Box<str>, V)>,
        std::collections::btree_map::IntoIter<Box<str>, V>,
    >;

    fn into_iter(self) -> Self::IntoIter {
        let (few, many) = match self {
            Self::Few(few) => (few, BTreeMap::new()),
            Self::Many(many) => (Vec::new(), many),
        };
        few.into_iter().chain(many)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn all(entries: &Entries<u8>) -> Vec<(&str, u8)> {
        let all = entries.iter().map(|(key, value)| (&**key, *value));
        all.collect()
    }

    proptest! {
        /// Also while it grows from few to many.
        #[test]
        fn it_is_a_map_in_the_order_of_keys(
            changes in vec(("[a-e]{0,2}", any::<Option<u8>>()), 0..60),
            from in "[a-e]{0,2}",
        ) {
            let mut entries = Entries::default();
            let mut model: BTreeMap<String, u8> = BTreeMap::new();
            for (key, change) in changes {
                match (change, entries.get_mut(&key)) {
                    (Some(value), Some(old)) => *old = value,
                    (Some(value), None) => entries.insert(key.as_str().into(), value),
                    (None, _) => prop_assert_eq!(entries.remove(&key), model.get(&key).copied()),
                }
                match change {
                    Some(value) => drop(model.insert(key.clone(), value)),
                    None => drop(model.remove(&key)),
                }
                prop_assert_eq!(entries.get(&key), model.get(&key));
                prop_assert_eq!(entries.len(), model.len());
                prop_assert_eq!(entries.is_empty(), model.is_empty());
            }
            let expected: Vec<_> = model.iter().map(|(key, value)| (&**key, *value)).collect();
            prop_assert_eq!(all(&entries), expected.clone());
            let rest: Vec<_> = entries.range(&from).map(|(key, value)| (&**key, *value)).collect();
            let start = expected.partition_point(|(key, _)| *key < from.as_str());
            prop_assert_eq!(&rest[..], &expected[start..]);
            let owned: Vec<_> = entries.into_iter().collect();
            let owned: Vec<_> = owned.iter().map(|(key, value)| (&**key, *value)).collect();
            prop_assert_eq!(owned, expected);
        }
    }
}
