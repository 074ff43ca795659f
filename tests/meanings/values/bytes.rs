//! Raw bytes and typed values are told apart.

use serde::{Deserialize, Serialize};
use sessiondb::Error;

use super::super::support::Stage;
use super::round_trips;

#[test]
fn a_typed_read_of_raw_bytes_is_a_decode_error() {
    for mut stage in Stage::each(|session| session.set_bytes("raw", b"\x01\x02\x07").unwrap()) {
        stage.writes_nothing("a refused read", |session| {
            let refused = [
                session.get::<Vec<u8>>("raw").map(drop),
                session.get::<u64>("raw").map(drop),
                session.get::<String>("raw").map(drop),
                session.get::<Option<u8>>("raw").map(drop),
                session.get::<()>("raw").map(drop),
                session.get::<serde_json::Value>("raw").map(drop),
                session.get::<serde::de::IgnoredAny>("raw").map(drop),
                session.pop::<Vec<u8>>("raw").map(drop),
            ];
            for answer in refused {
                assert!(matches!(answer, Err(Error::Decode { .. })), "{answer:?}");
            }
        });
        assert!(stage.session.pop_bytes("raw").unwrap().is_some());
    }
}

#[test]
fn a_raw_read_of_a_typed_value_is_a_decode_error() {
    let prepare = |session: &sessiondb::Session| {
        session.set("number", &1).unwrap();
        session.set("sequence", &[1_u8, 2]).unwrap();
        session.set("bytes", &Blob(vec![1, 2])).unwrap();
        session.set("null", &()).unwrap();
    };
    for mut stage in Stage::each(prepare) {
        stage.writes_nothing("a refused read", |session| {
            for key in ["number", "sequence", "bytes", "null"] {
                assert!(matches!(session.get_bytes(key), Err(Error::Decode { .. })));
                assert!(matches!(session.pop_bytes(key), Err(Error::Decode { .. })));
            }
            assert_eq!(session.len().unwrap(), 4);
        });
    }
}

#[test]
fn raw_bytes_are_not_equal_to_a_typed_value_of_the_same_bytes() {
    for mut stage in Stage::each(|session| session.set_bytes("raw", b"ab").unwrap()) {
        stage.writes_nothing("a comparison", |session| {
            assert!(!session.pop_if("raw", &Blob(b"ab".to_vec())).unwrap());
            assert!(!session.pop_if("raw", "ab").unwrap());
        });
    }
}

/// Written and read as bytes of the data model.
#[derive(Debug, PartialEq)]
struct Blob(Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = Blob;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

#[test]
fn bytes_of_the_data_model_round_trip() {
    round_trips(&[Blob(vec![]), Blob(vec![0, 255]), Blob(vec![7; 3000])]);
}

#[test]
fn raw_bytes_of_every_value_and_many_lengths_come_back() {
    let every: Vec<u8> = (0..=255).collect();
    let blobs = [vec![], vec![0], every, vec![9; 5000], vec![1; 70_000]];
    let prepare = |session: &sessiondb::Session| {
        for (number, blob) in blobs.iter().enumerate() {
            session.set_bytes(&number.to_string(), blob).unwrap();
        }
    };
    for stage in Stage::each(prepare) {
        for (number, blob) in blobs.iter().enumerate() {
            let found = stage.session.get_bytes(&number.to_string()).unwrap();
            assert_eq!(found.as_deref(), Some(&**blob), "{stage}");
        }
    }
}
