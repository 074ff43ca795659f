//! Every shape that serde can describe round-trips.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

#[test]
fn a_none_is_a_present_null() {
    assert_eq!(encode(&None::<u32>).unwrap(), [TYPED, 0]);
    assert_eq!(convert::<Option<u32>>(&None::<u32>).unwrap(), None);
    assert_eq!(convert::<Option<u32>>(&Some(None::<u32>)).unwrap(), None);
    assert!(convert::<u32>(&None::<u32>).is_err());
}

#[test]
fn options_round_trip() {
    round_trips(Some(5u8));
    round_trips(None::<u8>);
    round_trips(Some(Some("x".to_owned())));
    round_trips(vec![Some(1), None, Some(2)]);
    assert_eq!(convert::<Option<u8>>(&5u8).unwrap(), Some(5));
    assert_eq!(convert::<u8>(&Some(5u8)).unwrap(), 5);
}

#[test]
fn nested_nones_and_a_present_unit_become_one_none() {
    assert_eq!(
        convert::<Option<Option<u8>>>(&Some(None::<u8>)).unwrap(),
        None
    );
    assert_eq!(convert::<Option<()>>(&Some(())).unwrap(), None);
}

#[test]
fn scalars_and_plain_structs_round_trip() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Unit;
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Newtype(String);
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Pair(Newtype, Unit);
    round_trips(());
    round_trips(true);
    round_trips('\0');
    round_trips('\u{10ffff}');
    round_trips(String::new());
    round_trips("text \0 ü 🦀".to_owned());
    round_trips(Unit);
    round_trips(Newtype("n".into()));
    round_trips(Pair(Newtype("n".into()), Unit));
    round_trips((1u8, "two".to_owned(), [3.0, 4.0], ((),)));
    round_trips(std::time::Duration::new(1, 2));
    round_trips(std::time::SystemTime::now());
    round_trips(Ok::<u8, String>(1));
    assert_eq!(convert::<String>(&'x').unwrap(), "x");
    assert_eq!(convert::<char>("x").unwrap(), 'x');
    assert!(convert::<char>("xy").is_err());
    assert!(convert::<char>("").is_err());
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Newtype(Box<Tree>),
    Tuple(Box<Tree>, u8),
    Struct {
        left: Box<Tree>,
        right: Option<Box<Tree>>,
    },
    Unit(()),
    Nothing(Option<u8>),
    Empty {},
    List(Vec<Tree>),
}

#[test]
fn every_kind_of_variant_nests_in_every_other() {
    let mut tree = Tree::List(vec![
        Tree::Leaf,
        Tree::Unit(()),
        Tree::Nothing(None),
        Tree::Empty {},
    ]);
    for _ in 0..3 {
        tree = Tree::Struct {
            left: Box::new(Tree::Tuple(Box::new(tree.clone()), 1)),
            right: Some(Box::new(Tree::Newtype(Box::new(tree)))),
        };
    }
    round_trips(tree);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    Pair(u8, String),
    Record { id: u64, note: Option<String> },
    List(Vec<Untagged>),
    Nothing,
}

#[test]
fn untagged_enums_round_trip() {
    round_trips(vec![
        Untagged::Number(u64::MAX),
        Untagged::Signed(i64::MIN),
        Untagged::Float(2.5),
        Untagged::Text("x".into()),
        Untagged::Pair(1, "y".into()),
        Untagged::Record { id: 1, note: None },
        Untagged::Record {
            id: 1,
            note: Some("z".into()),
        },
        Untagged::List(vec![Untagged::Nothing, Untagged::Number(1)]),
        Untagged::Nothing,
    ]);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Internal {
    Unit,
    Newtype(Inner),
    Struct {
        a: i8,
        zzz: f32,
        when: Option<char>,
        nested: Box<Option<Internal>>,
    },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Inner {
    number: i64,
    kind: External,
    bytes: Vec<u8>,
    blob: Blob,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum External {
    Unit,
    Newtype(f32),
    Tuple(u8, u8),
    Struct { x: String },
}

fn inner(kind: External) -> Inner {
    Inner {
        number: -1,
        kind,
        bytes: vec![0, 255],
        blob: Blob(vec![7]),
    }
}

#[test]
fn internally_tagged_enums_round_trip() {
    round_trips(Internal::Unit);
    round_trips(Internal::Newtype(inner(External::Unit)));
    round_trips(Internal::Newtype(inner(External::Tuple(1, 2))));
    round_trips(Internal::Struct {
        a: -1,
        zzz: 0.1,
        when: Some('x'),
        nested: Box::new(Some(Internal::Newtype(inner(External::Newtype(0.1))))),
    });
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", content = "content")]
enum Adjacent {
    Unit,
    Newtype(Inner),
    Tuple(u8, Option<String>),
    Struct { x: u128 },
}

/// The content sorts before the tag, so serde has to buffer it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "tag", content = "c")]
enum ContentFirst {
    Unit,
    Newtype(Inner),
    Tuple(u8, Option<String>),
}

#[test]
fn adjacently_tagged_enums_round_trip() {
    round_trips(Adjacent::Unit);
    round_trips(Adjacent::Newtype(inner(External::Unit)));
    round_trips(Adjacent::Tuple(1, None));
    round_trips(Adjacent::Struct { x: u128::MAX });
    round_trips(ContentFirst::Unit);
    round_trips(ContentFirst::Newtype(inner(External::Struct {
        x: "x".into(),
    })));
    round_trips(ContentFirst::Tuple(1, Some("x".into())));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    id: u64,
    #[serde(flatten)]
    inner: Inner,
    #[serde(flatten)]
    maybe: Option<Extra>,
    #[serde(flatten)]
    choice: Internal,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Extra {
    extra: IpAddr,
}

#[test]
fn flattened_structs_enums_and_maps_round_trip() {
    for maybe in [
        None,
        Some(Extra {
            extra: "::1".parse().unwrap(),
        }),
    ] {
        // The rest of a flattened struct sees no entry that a named part took,
        // but does see those of enums.
        let value = Flat {
            id: 1,
            inner: inner(External::Newtype(0.1)),
            maybe,
            choice: Internal::Unit,
            rest: BTreeMap::new(),
        };
        let read: Flat = convert(&value).unwrap();
        assert_eq!(
            (read.id, &read.inner, &read.maybe),
            (1, &value.inner, &value.maybe)
        );
        assert_eq!(read.choice, Internal::Unit);
    }
}

#[test]
fn what_a_flattened_map_or_enum_holds_round_trips() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Open {
        id: u64,
        #[serde(flatten)]
        rest: BTreeMap<String, serde_json::Value>,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct ByNumber {
        id: u64,
        #[serde(flatten)]
        rest: BTreeMap<i32, String>,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct WithEnum {
        id: u64,
        #[serde(flatten)]
        kind: External,
    }
    let rest = [("a".to_owned(), serde_json::json!([1, {"b": null}]))].into();
    round_trips(Open { id: 1, rest });
    round_trips(ByNumber {
        id: 1,
        rest: [(0, "x".into()), (-5, "y".into())].into(),
    });
    round_trips(WithEnum {
        id: 1,
        kind: External::Struct { x: "x".into() },
    });
    round_trips(WithEnum {
        id: 1,
        kind: External::Tuple(1, 2),
    });
}

/// serde's own buffer has no 128-bit integers.
#[test]
fn integers_of_128_bits_in_flattened_types_are_an_error_on_reading() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Wide {
        wide: u128,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Outer {
        #[serde(flatten)]
        wide: Wide,
    }
    round_trips(Wide { wide: u128::MAX });
    assert!(
        convert::<Outer>(&Outer {
            wide: Wide { wide: u128::MAX }
        })
        .is_err()
    );
}

#[test]
fn addresses_round_trip_plainly_and_in_buffered_types() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Address(IpAddr),
        Number(u8),
    }
    round_trips::<IpAddr>("127.0.0.1".parse().unwrap());
    round_trips(Either::Address("::1".parse().unwrap()));
}

#[test]
fn maps_with_keys_of_every_kind_round_trip() {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    enum Key {
        Low,
        High(u8),
    }
    round_trips::<HashMap<String, u8>>([("a".into(), 1), (String::new(), 2)].into());
    round_trips::<BTreeMap<String, u8>>(
        [("a".into(), 1), ("aa".into(), 2), ("b".into(), 3)].into(),
    );
    round_trips::<HashMap<i64, u8>>((-300..300).map(|key| (key, 0)).collect());
    round_trips::<BTreeMap<u128, String>>([(u128::MAX, "x".into()), (0, "y".into())].into());
    round_trips::<HashMap<Key, Key>>([(Key::Low, Key::High(1)), (Key::High(1), Key::Low)].into());
    round_trips::<BTreeMap<Key, Option<u8>>>(
        [
            (Key::Low, None),
            (Key::High(0), Some(0)),
            (Key::High(1), None),
        ]
        .into(),
    );
    round_trips::<BTreeMap<(u8, Option<char>), u8>>([((1, None), 1), ((1, Some('x')), 2)].into());
    round_trips::<BTreeMap<BTreeMap<u8, u8>, u8>>([([(2, 1), (1, 2)].into(), 1)].into());
    round_trips::<HashMap<bool, HashMap<char, u8>>>([(true, [('x', 1)].into())].into());
    round_trips::<BTreeMap<Blob, u8>>([(Blob(vec![1, 2]), 1), (Blob(vec![]), 2)].into());
    round_trips::<BTreeMap<String, u8>>(BTreeMap::new());
    assert!(convert::<HashMap<String, u8>>(&HashMap::from([(1, 1)])).is_err());
    assert!(convert::<HashMap<u8, u8>>(&HashMap::from([("1", 1)])).is_err());
}

#[test]
fn bytes_are_read_from_bytes_and_from_a_sequence() {
    let bytes = vec![0u8, 1, 250, 251, 255];
    round_trips(bytes.clone());
    round_trips(Blob(bytes.clone()));
    round_trips(Blob(vec![]));
    assert_eq!(convert::<Vec<u8>>(&Blob(bytes.clone())).unwrap(), bytes);
    assert_eq!(convert::<[u8; 5]>(&Blob(bytes.clone())).unwrap(), bytes[..]);
    assert_eq!(convert::<Blob>(&bytes).unwrap(), Blob(bytes));
}

#[test]
fn text_and_bytes_are_not_confused() {
    assert!(convert::<String>(&Blob(b"ascii".to_vec())).is_err());
    assert!(convert::<char>(&Blob(b"a".to_vec())).is_err());
    assert!(convert::<External>(&Blob(b"Unit".to_vec())).is_err());
    assert!(convert::<Blob>("ascii").is_err());
    assert!(convert::<Vec<u8>>("ascii").is_err());
    assert!(convert::<String>(&b"ascii".to_vec()).is_err());
}

#[test]
fn a_json_value_round_trips() {
    round_trips(serde_json::json!({
        "null": null, "yes": true, "no": false, "zero": 0, "negative": -1, "large": u64::MAX,
        "small": i64::MIN, "float": 0.1, "negative zero": -0.0, "whole float": 1.0, "text": "ü",
        "": [], "object": {}, "nested": [[{"a": [null]}], [1, "2", 3.5]],
    }));
    round_trips(serde_json::Value::Null);
    let negative_zero: serde_json::Value = convert(&-0.0f64).unwrap();
    assert!(negative_zero.as_f64().unwrap().is_sign_negative());
    assert!(convert::<serde_json::Value>(&1.0f64).unwrap().is_f64());
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(serde_json::Value::Array),
            prop::collection::vec((any::<String>(), inner), 0..8)
                .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Leaf),
        Just(Tree::Unit(())),
        Just(Tree::Empty {}),
        any::<Option<u8>>().prop_map(Tree::Nothing),
    ];
    leaf.prop_recursive(8, 64, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            boxed.clone().prop_map(Tree::Newtype),
            (boxed.clone(), any::<u8>()).prop_map(|(tree, number)| Tree::Tuple(tree, number)),
            (boxed.clone(), prop::option::of(boxed))
                .prop_map(|(left, right)| Tree::Struct { left, right }),
            prop::collection::vec(inner, 0..4).prop_map(Tree::List),
        ]
    })
}

type InnerMap = BTreeMap<String, Vec<(Option<char>, u16)>>;

fn inner_map() -> impl Strategy<Value = InnerMap> {
    let pairs = prop::collection::vec(any::<(Option<char>, u16)>(), 0..4);
    prop::collection::btree_map(any::<String>(), pairs, 0..6)
}

proptest! {
    #[test]
    fn any_json_value_round_trips(value in json()) {
        prop_assert_eq!(&convert::<serde_json::Value>(&value).unwrap(), &value);
    }

    #[test]
    fn any_nested_enum_round_trips(value in tree()) {
        prop_assert_eq!(&convert::<Tree>(&value).unwrap(), &value);
        // Through a type that knows nothing of it, and back.
        let value_as_json: serde_json::Value = convert(&value).unwrap();
        prop_assert_eq!(encode(&value_as_json).unwrap(), encode(&value).unwrap());
        prop_assert_eq!(&convert::<Tree>(&value_as_json).unwrap(), &value);
    }

    #[test]
    fn any_nested_map_round_trips(
        value in prop::collection::hash_map(any::<i32>(), inner_map(), 0..20),
    ) {
        let stored = encode(&value).unwrap();
        let ordered: BTreeMap<i32, InnerMap> =
            value.clone().into_iter().collect();
        prop_assert_eq!(&encode(&ordered).unwrap(), &stored);
        prop_assert_eq!(&decode::<HashMap<i32, _>>(&stored).unwrap(), &value);
    }
}
