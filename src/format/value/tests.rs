//! What a stored value promises, each promise a test.

use std::fmt;

use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::*;

mod bytes;
mod evolution;
mod hostile;
mod messages;
mod numbers;
mod shapes;

/// Writes one type and reads another.
fn convert<T: DeserializeOwned>(written: &(impl Serialize + ?Sized)) -> Result<T, ValueError> {
    decode(&encode(written).unwrap())
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "shorter where it is called")]
fn round_trips<T: Serialize + DeserializeOwned + PartialEq + fmt::Debug>(value: T) {
    let stored = encode(&value).unwrap();
    assert_eq!(decode::<T>(&stored).unwrap(), value);
    assert_eq!(encode(&value).unwrap(), stored);
}

/// Bytes to serde, as `serde_bytes` has them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Blob(Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BlobVisitor;
        impl<'de> Visitor<'de> for BlobVisitor {
            type Value = Blob;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Blob, E> {
                Ok(Blob(text.as_bytes().to_vec()))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut bytes: A,
            ) -> Result<Blob, A::Error> {
                let mut blob = Vec::new();
                while let Some(byte) = bytes.next_element()? {
                    blob.push(byte);
                }
                Ok(Blob(blob))
            }
        }
        deserializer.deserialize_byte_buf(BlobVisitor)
    }
}
