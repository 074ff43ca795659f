//! What a few bytes claim to hold is not believed: nothing is allocated
//! before it has been seen.

use serde::de::value::Error as Refusal;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, SeqAccess, VariantAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

use super::super::codec::Bytes;
use super::super::segment_frame::{Footer, Kind};
use super::*;

/// Counts that no input can hold, up to the largest.
const HUGE: [u64; 4] = [1 << 20, 1 << 40, u64::MAX / 2, u64::MAX];

#[test]
fn a_payload_of_more_effects_than_bytes_is_an_error() {
    for count in HUGE {
        let bytes = codec::encode(&(0_u32, count)).unwrap();
        assert!(Payload::decode(&bytes).is_err());
        let retired = (2_u32, DIGEST, LATER);
        let bytes = codec::encode(&(0_u32, count, retired)).unwrap();
        assert!(Payload::decode(&bytes).is_err());
    }
}

#[test]
fn an_effect_of_more_changes_than_bytes_is_an_error() {
    for count in HUGE {
        let head = (3_u32, DIGEST, Generation(7), LATER);
        let bytes = codec::encode(&(0_u32, 1_u64, head, count)).unwrap();
        assert!(Payload::decode(&bytes).is_err());
    }
}

#[test]
fn a_key_or_value_of_more_bytes_than_there_are_is_an_error() {
    let head = (0_u32, 1_u64, 3_u32, DIGEST, Generation(7), LATER, 1_u64);
    for length in HUGE {
        let key = codec::encode(&(head, 0_u32, length)).unwrap();
        assert!(Payload::decode(&key).is_err());
        let value = codec::encode(&(head, 0_u32, "key", length)).unwrap();
        assert!(Payload::decode(&value).is_err());
    }
    let whole = codec::encode(&(head, 0_u32, "key", Bytes(b"\0"), 0_u8)).unwrap();
    assert!(Payload::decode(&whole).is_ok());
}

#[test]
fn a_mark_of_more_files_than_bytes_is_an_error() {
    for count in HUGE {
        let claimed = (DATABASE, Batch(5), count);
        let bytes = codec::seal(*b"sdbCLEAN", &claimed).unwrap();
        assert!(CleanMark::decode(&bytes).is_err());
        let name = (DATABASE, Batch(5), 1_u64, count);
        let bytes = codec::seal(*b"sdbCLEAN", &name).unwrap();
        assert!(CleanMark::decode(&bytes).is_err());
    }
}

#[test]
fn a_sealed_payload_longer_than_its_file_is_an_error() {
    for length in [100, u32::MAX / 2, u32::MAX] {
        let mut bytes = codec::seal(*b"sdbCURRE", &(DATABASE, "index-0001")).unwrap();
        assert!(Current::decode(&bytes).is_ok());
        bytes[12..16].copy_from_slice(&length.to_le_bytes());
        assert!(Current::decode(&bytes).is_err());
    }
}

#[test]
fn a_footer_of_more_entries_than_bytes_is_an_error() {
    for count in HUGE {
        let claimed = (Batch(5), true, Sequence(9), Generation(8), [0_u8; 5], count);
        let mut bytes = Vec::new();
        segment_frame::write(
            &mut bytes,
            SEGMENT_PLACE,
            Kind::Footer,
            &claimed,
            |_| Ok(()),
        )
        .unwrap();
        let frame = segment_frame::parse(&bytes, 0, SEGMENT_PLACE).unwrap();
        assert!(frame.head::<Footer>().is_err());
    }
}

#[test]
fn a_frame_longer_than_its_file_is_none() {
    for length in [40, u32::MAX / 2, u32::MAX] {
        let bytes = [&length.to_le_bytes()[..], &[1; 36]].concat();
        assert_eq!(journal_frame::parse(&bytes, 0, JOURNAL_PLACE), None);
        assert_eq!(segment_frame::parse(&bytes, 0, SEGMENT_PLACE), None);
    }
    for offset in [40, usize::MAX - 8, usize::MAX] {
        assert_eq!(journal_frame::parse(&[1; 40], offset, JOURNAL_PLACE), None);
        assert_eq!(segment_frame::parse(&[1; 40], offset, SEGMENT_PLACE), None);
        assert_eq!(segment_frame::claimed_kind(&[1; 40], offset), None);
        assert_eq!(segment_frame::claimed_length(&[1; 40], offset), None);
        assert_eq!(journal_frame::peek_sequence(&[1; 40], offset), None);
    }
}

/// The densest payload there is: a change of two bytes.
#[test]
fn what_is_decoded_takes_a_small_multiple_of_its_bytes() {
    for count in [1_u64, 100, 10_000] {
        let head = (0_u32, 1_u64, 3_u32, DIGEST, Generation(7), LATER, count);
        let mut bytes = codec::encode(&head).unwrap();
        for _ in 0..count {
            bytes.extend_from_slice(&[2, 0]);
        }
        let Payload::Transaction(effects) = Payload::decode(&bytes).unwrap() else {
            panic!("it is a transaction");
        };
        let [Effect::Change { changes, .. }] = effects.as_slice() else {
            panic!("it has one effect");
        };
        assert_eq!(changes.len() as u64, count);
        let memory = effects.capacity() * size_of::<Effect<'_>>()
            + changes.capacity() * size_of::<Change<'_>>();
        assert!(memory <= 64 * bytes.len(), "{memory} of {}", bytes.len());
    }
}

#[test]
fn no_list_makes_room_for_what_is_only_claimed() {
    let mark = CleanMark::deserialize(Boaster { variant: 0 }).unwrap();
    assert_eq!(mark.files.capacity(), 0);
    let footer = Footer::deserialize(Boaster { variant: 0 }).unwrap();
    assert_eq!(footer.entries.capacity(), 0);
    assert_eq!(footer.files.capacity(), 0);
    assert_eq!(footer.retirements.capacity(), 0);
    let Payload::Transaction(effects) = Payload::deserialize(Boaster { variant: 0 }).unwrap()
    else {
        panic!("it is a transaction");
    };
    assert_eq!(effects.capacity(), 0);
    let Effect::Change { changes, .. } = Effect::deserialize(Boaster { variant: 3 }).unwrap()
    else {
        panic!("it is a change");
    };
    assert_eq!(changes.capacity(), 0);
    // The boaster is one that `Vec` on its own believes.
    let believed = Vec::<Change<'_>>::deserialize(Boaster { variant: 0 }).unwrap();
    assert!(believed.capacity() > 1000);
}

/// Gives nothing but zeros, and lists that claim to be endless and are empty.
#[derive(Clone, Copy)]
struct Boaster {
    variant: u32,
}

impl<'de> Deserializer<'de> for Boaster {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_u8(0)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_bool(false)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_borrowed_str("")
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_none()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_seq(Parts {
            boaster: self,
            left: 0,
            claimed: usize::MAX,
        })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_seq(Parts {
            boaster: self,
            left: length,
            claimed: length,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_enum(self)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str bytes byte_buf unit
        unit_struct tuple_struct map identifier ignored_any
    }
}

/// The parts of a structure or a list.
struct Parts {
    boaster: Boaster,
    left: usize,
    claimed: usize,
}

impl<'de> SeqAccess<'de> for Parts {
    type Error = Refusal;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refusal> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(self.boaster).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.claimed)
    }
}

impl<'de> EnumAccess<'de> for Boaster {
    type Error = Refusal;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Refusal> {
        use serde::de::IntoDeserializer as _;
        let variant = seed.deserialize(self.variant.into_deserializer())?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Boaster {
    type Error = Refusal;

    fn unit_variant(self) -> Result<(), Refusal> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refusal> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.deserialize_tuple(fields.len(), visitor)
    }
}
