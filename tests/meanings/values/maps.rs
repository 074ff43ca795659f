//! Maps come back as they were written, whatever the order, and equal values
//! are equal for a comparison.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::super::support::Stage;
use super::{is_read_as, round_trips};

fn words() -> Vec<(String, i64)> {
    let words = ["pear", "apple", "fig", "", "zebra", "Ä"];
    words
        .iter()
        .zip(1..)
        .map(|(word, n)| ((*word).to_owned(), n))
        .collect()
}

#[test]
fn maps_round_trip() {
    round_trips(&[words().into_iter().collect::<BTreeMap<_, _>>()]);
    round_trips(&[words().into_iter().collect::<HashMap<_, _>>()]);
    round_trips(&[BTreeMap::<String, u8>::new()]);
    round_trips(&[BTreeSet::from(["b".to_owned(), "a".into()])]);
}

#[test]
fn maps_with_keys_other_than_text_round_trip() {
    round_trips(&[BTreeMap::from([
        (-1_i64, "a".to_owned()),
        (300, "b".into()),
    ])]);
    round_trips(&[HashMap::from([(u64::MAX, true), (0, false)])]);
    round_trips(&[BTreeMap::from([((1_u8, 'x'), 1.5_f64), ((2, 'y'), 2.5)])]);
    round_trips(&[BTreeMap::from([(true, 1_u8), (false, 0)])]);
    round_trips(&[BTreeMap::from([(Some(1_u8), 'a'), (None, 'b')])]);
}

#[test]
fn maps_within_maps_round_trip() {
    let inner = BTreeMap::from([("x".to_owned(), vec![1_u8]), ("y".into(), vec![])]);
    round_trips(&[BTreeMap::from([
        ("one".to_owned(), inner.clone()),
        ("two".into(), inner),
    ])]);
}

/// A map that is written in the order it was made.
struct Ordered(Vec<(String, i64)>);

impl Serialize for Ordered {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

#[test]
fn the_order_in_which_a_map_is_written_does_not_matter() {
    let mut backwards = words();
    backwards.reverse();
    let expected: HashMap<String, i64> = words().into_iter().collect();
    is_read_as(
        &[Ordered(words()), Ordered(backwards)],
        &[expected.clone(), expected],
    );
}

#[test]
fn equal_maps_compare_equal_whatever_their_order() {
    let mut backwards = words();
    backwards.reverse();
    for stage in Stage::each(|session| session.set("map", &Ordered(words())).unwrap()) {
        let session = &stage.session;
        let hashed: HashMap<String, i64> = words().into_iter().collect();
        let (forwards, backwards) = (Ordered(words()), Ordered(backwards.clone()));
        assert!(
            session
                .compare_and_set("map", Some(&backwards), Some(&forwards))
                .unwrap()
        );
        assert!(session.pop_if("map", &hashed).unwrap(), "{stage}");
        stage.holds(&[]);
    }
}

#[test]
fn a_struct_compares_equal_to_the_map_of_its_fields() {
    #[derive(Serialize, Deserialize)]
    struct Cart {
        pear: u8,
        apple: u8,
    }
    for stage in Stage::each(|session| session.set("cart", &Cart { pear: 1, apple: 2 }).unwrap()) {
        let map = BTreeMap::from([("apple", 2_i64), ("pear", 1)]);
        assert!(stage.session.pop_if("cart", &map).unwrap(), "{stage}");
        stage.holds(&[]);
    }
}
