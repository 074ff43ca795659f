//! The stored bytes themselves: pinned, canonical, and told apart by their tag.

use std::collections::{BTreeMap, HashMap};

use super::*;
use crate::limits::MAX_VALUE_BYTES;

#[track_caller]
fn is_stored_as(value: &(impl Serialize + ?Sized), stored: &[u8]) {
    assert_eq!(encode(value).unwrap(), stored);
}

#[test]
fn the_stored_form_never_changes() {
    is_stored_as(&(), &[1, 0]);
    is_stored_as(&false, &[1, 1, 0]);
    is_stored_as(&true, &[1, 1, 1]);
    is_stored_as(&0u8, &[1, 2, 0]);
    is_stored_as(&250u8, &[1, 2, 250]);
    is_stored_as(&251u8, &[1, 2, 251, 251, 0]);
    is_stored_as(&0x1_0000i64, &[1, 2, 252, 0, 0, 1, 0]);
    is_stored_as(
        &u64::MAX,
        &[1, 2, 253, 255, 255, 255, 255, 255, 255, 255, 255],
    );
    is_stored_as(&u128::MAX, &[&[1, 2, 254][..], &[255; 16]].concat());
    is_stored_as(&-1i8, &[1, 3, 1]);
    is_stored_as(&-2i64, &[1, 3, 3]);
    is_stored_as(&i128::MIN, &[&[1, 3, 254][..], &[255; 16]].concat());
    is_stored_as(&1.5f32, &[1, 4, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f]);
    is_stored_as(&1.5f64, &[1, 4, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f]);
    is_stored_as("hé", &[1, 5, 3, b'h', 0xc3, 0xa9]);
    is_stored_as(&Blob(vec![1, 255]), &[1, 6, 2, 1, 255]);
    is_stored_as(&[1u8, 2], &[1, 7, 2, 2, 1, 2, 2]);
    is_stored_as(&[(1u8, -1i64)], &[1, 7, 1, 7, 2, 2, 1, 3, 1]);
    is_stored_as(&Some("x"), &[1, 5, 1, b'x']);
    is_stored_as(&None::<u8>, &[1, 0]);
    assert_eq!(encode_raw(b"raw"), [0, b'r', b'a', b'w']);
}

#[test]
fn the_stored_form_of_structs_and_variants_never_changes() {
    #[derive(Serialize)]
    struct Cart {
        items: u8,
        id: &'static str,
    }
    #[derive(Serialize)]
    enum Step {
        Start,
        Paid(u8),
        Sent(u8, u8),
        Lost { at: u8 },
    }
    // The fields are sorted: the shorter name has the smaller bytes.
    let cart = Cart { items: 3, id: "a" };
    is_stored_as(
        &cart,
        b"\x01\x08\x02\x05\x02id\x05\x01a\x05\x05items\x02\x03",
    );
    is_stored_as(&Step::Start, b"\x01\x05\x05Start");
    is_stored_as(&Step::Paid(7), b"\x01\x08\x01\x05\x04Paid\x02\x07");
    is_stored_as(
        &Step::Sent(1, 2),
        b"\x01\x08\x01\x05\x04Sent\x07\x02\x02\x01\x02\x02",
    );
    is_stored_as(
        &Step::Lost { at: 9 },
        b"\x01\x08\x01\x05\x04Lost\x08\x01\x05\x02at\x02\x09",
    );
}

#[test]
fn equal_maps_are_equal_bytes() {
    let ordered: BTreeMap<String, Vec<u32>> = (0..200)
        .map(|number| (format!("key {number}"), vec![number; 3]))
        .collect();
    let shuffled: HashMap<String, Vec<u32>> = ordered.clone().into_iter().collect();
    assert_eq!(encode(&ordered).unwrap(), encode(&shuffled).unwrap());

    let nested: HashMap<u8, HashMap<String, Vec<u32>>> =
        [(1, shuffled.clone()), (2, shuffled)].into();
    let nested_ordered: BTreeMap<u8, BTreeMap<String, Vec<u32>>> =
        [(1, ordered.clone()), (2, ordered)].into();
    assert_eq!(encode(&nested).unwrap(), encode(&nested_ordered).unwrap());
    assert_eq!(
        convert::<BTreeMap<u8, BTreeMap<String, Vec<u32>>>>(&nested).unwrap(),
        nested_ordered
    );
}

#[test]
fn equal_structs_are_equal_bytes_whatever_the_order_of_their_fields() {
    #[derive(Serialize)]
    struct Before {
        name: &'static str,
        age: u8,
    }
    #[derive(Serialize)]
    struct After {
        age: u64,
        name: &'static str,
    }
    assert_eq!(
        encode(&Before { name: "n", age: 1 }).unwrap(),
        encode(&After { age: 1, name: "n" }).unwrap()
    );
}

#[test]
fn short_heads_are_read_as_bincode_reads_them() {
    let mut short = 0;
    for kind in 0..=u8::MAX {
        for operand in 0..=u8::MAX {
            let bytes = [kind, operand, 1, 2, 3];
            let Some((token, behind)) = Token::parse_short(&bytes) else {
                continue;
            };
            let mut rest = &bytes[..];
            assert_eq!(Token::parse_any(&mut rest).unwrap(), token);
            assert_eq!(rest, behind);
            short += 1;
        }
        assert!(kind == 0 || Token::parse_short(&[kind]).is_none());
    }
    // Null before any byte, two booleans, and five kinds with up to 250.
    assert_eq!(short, 256 + 2 + 5 * 251);
    assert!(Token::parse_short(&[]).is_none());
}

/// A map whose type announces and repeats whatever it likes.
struct Pairs(Option<usize>, Vec<(&'static str, u8)>);

impl Serialize for Pairs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(self.0)?;
        for (key, value) in &self.1 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[test]
fn a_map_with_two_equal_keys_is_refused_at_the_write() {
    for pairs in [vec![("a", 1), ("a", 1)], vec![("a", 1), ("b", 2), ("a", 3)]] {
        assert!(matches!(
            encode(&Pairs(Some(pairs.len()), pairs)),
            Err(ValueError::DuplicateKey)
        ));
    }
}

#[test]
fn a_wrong_or_unknown_length_is_corrected() {
    struct Numbers(Option<usize>);
    impl Serialize for Numbers {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq;
            let mut sequence = serializer.serialize_seq(self.0)?;
            for number in 0..300u32 {
                sequence.serialize_element(&number)?;
            }
            sequence.end()
        }
    }
    let numbers: Vec<u32> = (0..300).collect();
    for announced in [None, Some(0), Some(2), Some(300), Some(usize::MAX)] {
        assert_eq!(
            encode(&Numbers(announced)).unwrap(),
            encode(&numbers).unwrap()
        );
    }
    let map: BTreeMap<&str, u8> = [("a", 1), ("b", 2)].into();
    for announced in [None, Some(0), Some(2), Some(400)] {
        let pairs = vec![("b", 2), ("a", 1)];
        assert_eq!(
            encode(&Pairs(announced, pairs)).unwrap(),
            encode(&map).unwrap()
        );
        // Within another, whose own entries must not be disturbed.
        let outer = (Pairs(announced, vec![("b", 2), ("a", 1)]), "after");
        assert_eq!(encode(&outer).unwrap(), encode(&(&map, "after")).unwrap());
    }
}

#[test]
fn a_part_left_unfinished_is_an_error() {
    struct Fails;
    impl Serialize for Fails {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::{Error, SerializeSeq};
            serializer.serialize_seq(None)?.serialize_element("half")?;
            Err(S::Error::custom("no"))
        }
    }
    struct Swallows(bool);
    impl Serialize for Swallows {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeMap;
            let mut map = serializer.serialize_map(None)?;
            map.serialize_key("key")?;
            if self.0 {
                let _ = map.serialize_value(&Fails);
            }
            map.end()
        }
    }
    for value in [Swallows(false), Swallows(true)] {
        assert!(matches!(encode(&value), Err(ValueError::Refused(_))));
        assert!(matches!(encode(&[value]), Err(ValueError::Refused(_))));
    }
}

#[test]
fn a_value_over_the_limit_is_refused_and_one_at_the_limit_is_not() {
    // The tag, the token and a length of five bytes.
    let fits = "x".repeat(MAX_VALUE_BYTES - 7);
    assert_eq!(encode(&fits).unwrap().len(), MAX_VALUE_BYTES);
    round_trips(fits.clone());
    let too_long = fits + "x";
    let is_too_large = |result| {
        matches!(
            result,
            Err(ValueError::TooLarge { size, limit: 1_048_576 }) if size > 1_048_576
        )
    };
    assert!(is_too_large(encode(&too_long)));
    assert!(is_too_large(encode(&Blob(too_long.into_bytes()))));
    assert!(is_too_large(encode(&vec![1u8; MAX_VALUE_BYTES])));
}

#[test]
fn encoding_stops_soon_after_the_limit() {
    struct Endless;
    impl Serialize for Endless {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(std::iter::repeat("again"))
        }
    }
    assert!(matches!(encode(&Endless), Err(ValueError::TooLarge { .. })));
}

#[test]
fn raw_bytes_and_typed_values_are_not_confused() {
    for bytes in [&b""[..], b"\0", b"\x01\x02\x03", &[255; 300]] {
        let stored = encode_raw(bytes);
        assert_eq!(raw(&stored).unwrap(), bytes);
        assert!(matches!(decode::<Blob>(&stored), Err(ValueError::IsRaw)));
        assert!(matches!(
            decode::<Option<u8>>(&stored),
            Err(ValueError::IsRaw)
        ));
    }
    assert!(matches!(
        raw(&encode(&Blob(vec![1])).unwrap()),
        Err(ValueError::IsTyped)
    ));
    for unknown in [&[][..], &[2], &[255, 0]] {
        assert!(matches!(raw(unknown), Err(ValueError::Malformed(_))));
        assert!(matches!(
            decode::<()>(unknown),
            Err(ValueError::Malformed(_))
        ));
    }
}
