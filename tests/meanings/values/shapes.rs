//! `Option`, enums of every kind, tuples, structs, and a wrong type, which is
//! an error and never a wrong value.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{is_read_as, is_refused_as, round_trips};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(u32);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pair(u8, String);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    age: Option<u8>,
    roles: Vec<String>,
}

fn user() -> User {
    User {
        name: "ada".into(),
        age: Some(36),
        roles: vec!["admin".into(), "poet".into()],
    }
}

#[test]
fn options_round_trip() {
    round_trips(&[Some(1_u8), None]);
    round_trips(&[Some(String::new()), None]);
    round_trips(&[Some(vec![Some(1), None]), None]);
    round_trips(&[None::<User>, Some(user())]);
}

#[test]
fn some_and_the_bare_value_are_the_same() {
    is_read_as(&[5_u8], &[Some(5_u8)]);
    is_read_as(&[Some(5_u8)], &[5_u8]);
    is_read_as(&[None::<u8>], &[()]);
}

#[test]
fn a_null_is_refused_as_a_bare_value() {
    is_refused_as::<u8, _>(&[None::<u8>]);
    is_refused_as::<String, _>(&[()]);
}

#[test]
fn structs_tuples_and_text_round_trip() {
    round_trips(&[Unit]);
    round_trips(&[()]);
    round_trips(&[Newtype(7)]);
    round_trips(&[Pair(1, "x".into())]);
    round_trips(&[user()]);
    round_trips(&[(1_u8, -2_i64, "three".to_owned(), 4.5_f32)]);
    round_trips(&[true, false]);
    round_trips(&['a', 'é', '\u{10ffff}']);
    round_trips(&["", "text", "\0", "日本語"].map(str::to_owned));
    round_trips(&[vec![vec![1_u8], vec![]], vec![]]);
    round_trips(&[[1_u16; 3]]);
}

#[test]
fn types_of_the_standard_library_round_trip() {
    round_trips(&[Duration::new(1, 999_999_999)]);
    round_trips::<SystemTime>(&[UNIX_EPOCH + Duration::new(1_000_000_000, 1)]);
    round_trips(&["127.0.0.1".parse::<std::net::IpAddr>().unwrap()]);
    round_trips(&[std::ops::Range { start: 1, end: 7 }]);
    round_trips(&[Ok::<u8, String>(1), Err("no".into())]);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum External {
    Unit,
    Newtype(u8),
    Tuple(u8, String),
    Struct { name: String, size: Option<u64> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Internal {
    Unit,
    Newtype(Newtyped),
    Struct { size: i64 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Newtyped {
    inner: u8,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    Unit,
    Newtype(u8),
    Tuple(u8, u8),
    Struct { size: u64 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    Flags(Vec<bool>),
    Named { name: String },
    Address(std::net::IpAddr),
}

#[test]
fn tagged_enums_round_trip() {
    round_trips(&[
        External::Unit,
        External::Newtype(1),
        External::Tuple(2, "x".into()),
        External::Struct {
            name: "y".into(),
            size: None,
        },
    ]);
    round_trips(&[
        Internal::Unit,
        Internal::Newtype(Newtyped { inner: 1 }),
        Internal::Struct { size: -2 },
    ]);
    round_trips(&[
        Adjacent::Unit,
        Adjacent::Newtype(1),
        Adjacent::Tuple(2, 3),
        Adjacent::Struct { size: 4 },
    ]);
}

#[test]
fn untagged_enums_round_trip() {
    round_trips(&[
        Untagged::Number(-5),
        Untagged::Text("five".into()),
        Untagged::Flags(vec![true, false]),
        Untagged::Named { name: "ada".into() },
    ]);
    // The same value as text goes to the first variant that takes it.
    is_read_as(
        &[Untagged::Address("::1".parse().unwrap())],
        &[Untagged::Text("::1".into())],
    );
}

#[test]
fn an_untagged_enum_that_no_variant_takes_is_refused() {
    is_refused_as::<Untagged, _>(&[1.5_f64]);
    is_refused_as::<Untagged, _>(&[u64::MAX]);
    is_refused_as::<Untagged, _>(&[None::<u8>]);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Page {
    number: u32,
    #[serde(flatten)]
    kind: Internal,
    #[serde(flatten)]
    meta: Option<Newtyped>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Open {
    number: u32,
    #[serde(flatten)]
    meta: Option<Newtyped>,
    #[serde(flatten)]
    rest: std::collections::BTreeMap<String, serde_json::Value>,
}

#[test]
fn flattened_structs_enums_and_maps_round_trip() {
    round_trips(&[
        Page {
            number: 1,
            kind: Internal::Struct { size: 5 },
            meta: None,
        },
        Page {
            number: 2,
            kind: Internal::Unit,
            meta: Some(Newtyped { inner: 7 }),
        },
    ]);
    let rest = [
        ("extra".to_owned(), serde_json::json!([1, null, "x"])),
        ("more".to_owned(), serde_json::json!({"deep": {"er": -1.5}})),
    ];
    round_trips(&[
        Open {
            number: 1,
            meta: Some(Newtyped { inner: 7 }),
            rest: rest.into(),
        },
        Open {
            number: 2,
            meta: None,
            rest: std::collections::BTreeMap::new(),
        },
    ]);
}

#[test]
fn flattened_and_untagged_enums_go_together() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Tagged {
        id: u64,
        #[serde(flatten)]
        what: What,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum What {
        Sized { size: i8 },
        Named { name: String },
    }
    round_trips(&[
        Tagged {
            id: 1,
            what: What::Sized { size: -1 },
        },
        Tagged {
            id: 2,
            what: What::Named { name: "n".into() },
        },
    ]);
}

#[test]
fn json_values_round_trip() {
    round_trips(&[
        serde_json::Value::Null,
        serde_json::json!(true),
        serde_json::json!(0),
        serde_json::json!(-1),
        serde_json::json!(u64::MAX),
        serde_json::json!(i64::MIN),
        serde_json::json!(1.25),
        serde_json::json!("text"),
        serde_json::json!([]),
        serde_json::json!({}),
        serde_json::json!([1, [2, {"a": null}], "x", 1e300]),
        serde_json::json!({"z": 1, "a": {"b": [true, false]}, "": ""}),
    ]);
}

#[test]
fn a_struct_is_read_as_json_and_json_as_a_struct() {
    let json = serde_json::json!({"name": "ada", "age": 36, "roles": ["admin", "poet"]});
    is_read_as(&[user()], std::slice::from_ref(&json));
    is_read_as(&[json], &[user()]);
}

#[test]
fn a_wrong_type_is_an_error_and_never_a_wrong_value() {
    is_refused_as::<String, _>(&[1_u8]);
    is_refused_as::<u64, _>(&["1"]);
    is_refused_as::<bool, _>(&[1_u8, 0]);
    is_refused_as::<u8, _>(&[true, false]);
    is_refused_as::<char, _>(&["ab", ""]);
    is_refused_as::<Vec<u8>, _>(&["text"]);
    is_refused_as::<String, _>(&[vec!['t', 'e']]);
    is_refused_as::<User, _>(&[Pair(1, "x".into())]);
    is_refused_as::<Pair, _>(&[user()]);
    is_refused_as::<(u8, u8), _>(&[vec![1_u8], vec![1, 2, 3]]);
    is_refused_as::<[u8; 2], _>(&[vec![1_u8], vec![1, 2, 3]]);
    is_refused_as::<External, _>(&["Newtype", "Unknown", ""]);
    is_refused_as::<External, _>(&[0_u8, 1]);
    is_refused_as::<Option<u8>, _>(&["text"]);
    is_refused_as::<std::net::IpAddr, _>(&["not an address"]);
}
