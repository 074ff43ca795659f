//! No bytes and no type panic, overflow the stack or allocate without bound.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::limits::MAX_VALUE_DEPTH;

/// Recursion in all the ways that types recurse, the buffered ones included.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Recursive {
    Layer(Vec<Recursive>),
    Node { next: Option<Box<Recursive>> },
    Map(BTreeMap<String, Recursive>),
    Leaf(Option<i64>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct FlatList {
    value: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, FlatList>,
}

/// Nothing but layers without bytes.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Layer(Option<Box<Layer>>);

fn nested_json(depth: usize) -> serde_json::Value {
    let mut value = serde_json::Value::Null;
    for level in 0..depth {
        value = if level % 2 == 0 {
            serde_json::Value::Array(vec![value])
        } else {
            serde_json::Value::Object([("k".to_owned(), value)].into_iter().collect())
        };
    }
    value
}

fn nested_sequences(depth: usize) -> Vec<u8> {
    [&[TYPED][..], &[7, 1].repeat(depth), &[0]].concat()
}

#[test]
fn nesting_ends_at_the_limit() {
    round_trips(nested_json(MAX_VALUE_DEPTH));
    assert!(matches!(
        encode(&nested_json(MAX_VALUE_DEPTH + 1)),
        Err(ValueError::TooDeep)
    ));
    let stored = nested_sequences(MAX_VALUE_DEPTH);
    assert!(decode::<serde_json::Value>(&stored).is_ok());
    assert!(decode::<Recursive>(&stored).is_ok());
    let stored = nested_sequences(MAX_VALUE_DEPTH + 1);
    assert!(matches!(
        decode::<serde_json::Value>(&stored),
        Err(ValueError::TooDeep)
    ));
    assert!(decode::<Recursive>(&stored).is_err());
    assert!(matches!(
        decode::<serde::de::IgnoredAny>(&stored),
        Err(ValueError::TooDeep)
    ));
}

#[test]
fn nesting_far_beyond_the_limit_is_an_error_and_no_overflow() {
    let deep = nested_json(10_000);
    assert!(matches!(encode(&deep), Err(ValueError::TooDeep)));
    // Dropping it recurses, in serde_json.
    std::mem::forget(deep);
    for stored in [
        nested_sequences(500_000),
        [&[TYPED][..], &[8, 1, 5, 1, b'k'].repeat(200_000), &[0]].concat(),
        [&[TYPED][..], &[8, 1].repeat(500_000)].concat(),
    ] {
        assert!(decode::<serde_json::Value>(&stored).is_err());
        assert!(decode::<Recursive>(&stored).is_err());
        assert!(decode::<FlatList>(&stored).is_err());
        assert!(decode::<serde::de::IgnoredAny>(&stored).is_err());
    }
}

#[test]
fn recursive_types_round_trip_up_to_the_limit() {
    let mut list = FlatList {
        value: 0,
        rest: BTreeMap::new(),
    };
    let mut tree = Recursive::Leaf(Some(1));
    for _ in 1..MAX_VALUE_DEPTH {
        list = FlatList {
            value: 1,
            rest: [("next".to_owned(), list)].into(),
        };
        tree = Recursive::Node {
            next: Some(Box::new(tree)),
        };
    }
    round_trips(tree);
    // serde asks each level whether it takes an entry, and keeps one buffer per level.
    let stored = encode(&list).unwrap();
    assert_eq!(decode::<FlatList>(&stored).unwrap(), list);
}

#[test]
fn a_type_of_nothing_but_layers_ends_in_an_error() {
    for stored in [
        encode(&true).unwrap(),
        encode("x").unwrap(),
        encode(&[1]).unwrap(),
    ] {
        assert!(matches!(decode::<Layer>(&stored), Err(ValueError::TooDeep)));
    }
    let mut layers = Layer::default();
    for _ in 0..10_000 {
        layers = Layer(Some(Box::new(layers)));
    }
    assert!(matches!(encode(&layers), Err(ValueError::TooDeep)));
    assert!(decode::<Layer>(&encode(&Layer::default()).unwrap()).is_ok());
}

#[test]
fn a_count_beyond_the_input_is_refused_before_anything_is_allocated() {
    /// Fails the test when it is asked for elements.
    #[derive(Debug)]
    struct Untouched;
    impl<'de> Deserialize<'de> for Untouched {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct UntouchedVisitor;
            impl<'de> Visitor<'de> for UntouchedVisitor {
                type Value = Untouched;

                fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                    formatter.write_str("nothing")
                }

                fn visit_seq<A: serde::de::SeqAccess<'de>>(
                    self,
                    _: A,
                ) -> Result<Untouched, A::Error> {
                    panic!("the count was believed");
                }

                fn visit_map<A: serde::de::MapAccess<'de>>(
                    self,
                    _: A,
                ) -> Result<Untouched, A::Error> {
                    panic!("the count was believed");
                }
            }
            deserializer.deserialize_any(UntouchedVisitor)
        }
    }
    let huge = [&[253][..], &[255; 8]].concat();
    for token in [7, 8] {
        for count in [huge.clone(), vec![4], vec![251, 255, 255]] {
            let stored = [&[TYPED, token][..], &count, &[0, 0, 0]].concat();
            assert!(matches!(
                decode::<Untouched>(&stored),
                Err(ValueError::Malformed(_))
            ));
        }
    }
    for token in [5, 6] {
        let stored = [&[TYPED, token][..], &huge, &[0, 0, 0]].concat();
        assert!(matches!(
            decode::<String>(&stored),
            Err(ValueError::Malformed(_) | ValueError::WrongType { .. })
        ));
        assert!(matches!(
            decode::<serde::de::IgnoredAny>(&stored),
            Err(ValueError::Malformed(_))
        ));
    }
}

#[test]
fn counts_of_nested_containers_share_the_input() {
    // Each alone fits into what follows it; together they do not.
    let stored = [TYPED, 7, 5, 7, 5, 0, 0, 0, 0, 0, 0];
    assert!(matches!(
        decode::<Vec<Vec<()>>>(&stored),
        Err(ValueError::Malformed(_))
    ));
    let stored = [TYPED, 7, 3, 7, 2, 0, 0, 7, 1, 0, 7, 0];
    assert_eq!(decode::<Vec<Vec<()>>>(&stored).unwrap().len(), 3);
}

#[test]
fn malformed_bytes_are_errors() {
    for payload in [
        &[][..],
        &[9],                      // no such token
        &[255],                    // bincode's extension point
        &[1, 2],                   // neither true nor false
        &[2],                      // cut off
        &[2, 253, 1, 2, 3],        // cut off
        &[4, 0, 0, 0],             // cut off
        &[5, 3, b'a', b'b'],       // cut off
        &[5, 1, 0xff],             // not UTF-8
        &[7, 2, 0],                // cut off
        &[0, 0],                   // more than one node
        &[7, 0, 0],                // likewise
        &[8, 2, 2, 2, 0, 2, 1, 0], // keys descend
        &[8, 2, 2, 1, 0, 2, 1, 0], // a key twice
    ] {
        let stored = [&[TYPED][..], payload].concat();
        assert!(
            matches!(
                decode::<serde::de::IgnoredAny>(&stored),
                Err(ValueError::Malformed(_))
            ),
            "{payload:?}"
        );
        assert!(decode::<serde_json::Value>(&stored).is_err(), "{payload:?}");
    }
}

#[test]
fn no_prefix_of_a_value_decodes() {
    let value = serde_json::json!({"a": [1, -1, 0.5, "text", null, true], "b": {"c": []}});
    let stored = encode(&value).unwrap();
    for end in 0..stored.len() {
        assert!(decode::<serde_json::Value>(&stored[..end]).is_err());
    }
}

/// As many kinds of reading as there are.
fn read_as_everything(stored: &[u8]) {
    let _ = raw(stored);
    let _ = decode::<serde_json::Value>(stored);
    let _ = decode::<serde::de::IgnoredAny>(stored);
    let _ = decode::<Recursive>(stored);
    let _ = decode::<FlatList>(stored);
    let _ = decode::<Layer>(stored);
    let _ = decode::<Blob>(stored);
    let _ = decode::<Vec<Vec<[u64; 16]>>>(stored);
    let _ = decode::<BTreeMap<i128, Option<f32>>>(stored);
    let _ = decode::<Result<String, char>>(stored);
    let _ = decode::<(u8, f64, ())>(stored);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_as_everything(&bytes);
        read_as_everything(&[&[TYPED][..], &bytes].concat());
    }

    #[test]
    fn bytes_that_are_almost_tokens_never_panic(bytes in prop::collection::vec(0u8..10, 0..100)) {
        read_as_everything(&[&[TYPED][..], &bytes].concat());
    }

    #[test]
    fn a_changed_byte_never_panics(
        value in prop::collection::btree_map(".{0,9}", prop::collection::vec(any::<(Option<char>, i64, f32)>(), 0..4), 0..9),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut stored = encode(&value).unwrap();
        let place = place.index(stored.len());
        stored[place] = byte;
        read_as_everything(&stored);
        let _ = decode::<BTreeMap<String, Vec<(Option<char>, i64, f32)>>>(&stored);
    }

    #[test]
    fn what_is_read_from_any_bytes_is_written_and_read_alike(bytes in prop::collection::vec(0u8..10, 0..40)) {
        let stored = [&[TYPED][..], &bytes].concat();
        if let Ok(value) = decode::<serde_json::Value>(&stored) {
            prop_assert_eq!(decode::<serde_json::Value>(&encode(&value).unwrap()).unwrap(), value);
        }
    }
}
