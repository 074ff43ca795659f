//! Messages say what was expected, and never what is stored.

use std::collections::BTreeMap;

use super::*;

const SECRET: &str = "hunter2";

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only its errors are looked at")]
enum Choice {
    First,
    Second { number: u8 },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its errors are looked at")]
struct Strict {
    known: u8,
}

/// Quotes what it refuses.
#[derive(Debug)]
struct Chatty;

impl<'de> Deserialize<'de> for Chatty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Err(serde::de::Error::custom(format_args!("cannot use {text}")))
    }
}

impl Serialize for Chatty {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom(format_args!(
            "cannot store {SECRET}"
        )))
    }
}

#[track_caller]
fn refusal<T: DeserializeOwned + fmt::Debug>(written: &(impl Serialize + ?Sized)) -> String {
    let error = convert::<T>(written).unwrap_err();
    let (message, debug) = (error.to_string(), format!("{error:?}"));
    for text in [&message, &debug] {
        assert!(!text.contains(SECRET), "{text}");
        assert!(!text.contains("424242"), "{text}");
    }
    message
}

#[test]
fn no_message_contains_a_stored_value() {
    const NUMBER: u64 = 424_242;
    assert_eq!(refusal::<u32>(SECRET), "found text, expected u32");
    assert_eq!(
        refusal::<String>(&NUMBER),
        "found an integer, expected a string"
    );
    assert_eq!(refusal::<u8>(&NUMBER), "found an integer, expected u8");
    assert_eq!(refusal::<f64>(SECRET), "found text, expected f64");
    assert_eq!(
        refusal::<f32>(&424_242.1),
        "found a float of higher precision, expected f32"
    );
    assert_eq!(
        refusal::<bool>(&Blob(SECRET.into())),
        "found bytes, expected a boolean"
    );
    refusal::<u64>(&424_242_424_242_424_242_424_242u128);
    refusal::<i32>(&-424_242_424_242_424_242_424_242i128);
    refusal::<char>(SECRET);
    refusal::<std::net::IpAddr>(SECRET);
    assert_eq!(
        refusal::<Choice>(SECRET),
        r#"found an unknown variant, expected one of ["First", "Second"]"#
    );
    refusal::<Choice>(&BTreeMap::from([(SECRET, 1)]));
    refusal::<Choice>(&BTreeMap::from([("Second", SECRET)]));
    assert_eq!(
        refusal::<Strict>(&BTreeMap::from([(SECRET, 1)])),
        r#"found an unknown field, expected one of ["known"]"#
    );
    refusal::<Strict>(&BTreeMap::from([("known", SECRET)]));
    refusal::<Chatty>(SECRET);
    refusal::<()>(SECRET);
    refusal::<(u8, u8)>(&[SECRET, SECRET]);
}

#[test]
fn no_message_of_a_failed_write_contains_a_value() {
    let error = encode(&Chatty).unwrap_err();
    assert!(!error.to_string().contains(SECRET));
    assert!(!format!("{error:?}").contains(SECRET));
}

#[test]
fn a_message_names_what_the_type_wanted() {
    assert_eq!(
        refusal::<Strict>(&BTreeMap::<String, u8>::new()),
        "the field `known` is missing"
    );
    assert_eq!(
        refusal::<Strict>(&7),
        "found an integer, expected struct Strict"
    );
    assert_eq!(
        refusal::<Choice>(&7),
        "found an integer, expected enum Choice"
    );
    assert_eq!(
        decode::<u8>(&encode_raw(b"x")).unwrap_err().to_string(),
        "it holds raw bytes; read it with `get_bytes`"
    );
    assert_eq!(
        encode(&"x".repeat(2 << 20)).unwrap_err().to_string(),
        "it takes 2097153 bytes or more, over the limit of 1048576"
    );
}
