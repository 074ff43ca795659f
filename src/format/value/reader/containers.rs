//! The parts of a container, as a user's type asks for them.

use serde::de::{self, DeserializeSeed, Deserializer, Expected, Visitor};

use super::{Reader, ValueError};

/// The elements of a sequence.
pub(super) struct Elements<'r, 'de> {
    pub(super) reader: &'r mut Reader<'de>,
    pub(super) remaining: u64,
}

impl<'de> de::SeqAccess<'de> for Elements<'_, 'de> {
    type Error = ValueError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ValueError> {
        if self.remaining == 0 {
            return Ok(None);
        }
        self.remaining -= 1;
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        usize::try_from(self.remaining).ok()
    }
}

/// The entries of a map.
pub(super) struct Entries<'r, 'de> {
    pub(super) reader: &'r mut Reader<'de>,
    pub(super) remaining: u64,
    /// The keys are names of fields.
    pub(super) is_struct: bool,
    /// The bytes of the key before.
    pub(super) previous: &'de [u8],
}

impl<'de> de::MapAccess<'de> for Entries<'_, 'de> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ValueError> {
        if self.remaining == 0 {
            return Ok(None);
        }
        self.remaining -= 1;
        let before = self.reader.rest;
        if !self.is_struct {
            self.reader.key_at = before.len();
        }
        let key = seed.deserialize(&mut *self.reader)?;
        let length = before.len() - self.reader.rest.len();
        let bytes = before.get(..length).unwrap_or_default();
        if bytes <= self.previous {
            return Err(ValueError::Malformed("the keys of a map do not ascend"));
        }
        self.previous = bytes;
        Ok(Some(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, ValueError> {
        seed.deserialize(&mut *self.reader)
    }

    fn size_hint(&self) -> Option<usize> {
        usize::try_from(self.remaining).ok()
    }
}

/// A variant: its name, and for some a payload behind it.
pub(super) struct Variant<'r, 'de> {
    pub(super) reader: &'r mut Reader<'de>,
    pub(super) has_payload: bool,
}

impl<'r, 'de> Variant<'r, 'de> {
    fn payload(self, expected: &dyn Expected) -> Result<&'r mut Reader<'de>, ValueError> {
        if self.has_payload {
            return Ok(self.reader);
        }
        Err(ValueError::wrong("a variant without a payload", expected))
    }
}

impl<'de> de::EnumAccess<'de> for Variant<'_, 'de> {
    type Error = ValueError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), ValueError> {
        let name = seed.deserialize(&mut *self.reader)?;
        Ok((name, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, 'de> {
    type Error = ValueError;

    /// A null payload is none at all, as a newtype variant of `()` is written.
    fn unit_variant(self) -> Result<(), ValueError> {
        if self.has_payload {
            return de::Deserialize::deserialize(self.reader);
        }
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, ValueError> {
        seed.deserialize(self.payload(&"a variant with a payload")?)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.payload(&visitor)?.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.payload(&visitor)?
            .deserialize_struct("", fields, visitor)
    }
}
