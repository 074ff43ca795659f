//! From stored bytes to a user's type, without a tree in between.
//!
//! INVARIANT: whenever a container has been opened, every node that is still
//! owed to it and to those around it has a byte of its own left. So all size
//! hints given to a user's types add up to less than the input.

use serde::de::value::SeqDeserializer;
use serde::de::{Deserializer, Expected, Visitor};

use super::{MAX_VALUE_DEPTH, Token, ValueError};
use containers::{Elements, Entries, Variant};

mod containers;

/// Integers up to here have an exact `f64`; some beyond have none.
const EXACT_IN_F64: u64 = 1 << f64::MANTISSA_DIGITS;
/// Likewise for `f32`.
const EXACT_IN_F32: u64 = 1 << f32::MANTISSA_DIGITS;

/// Reads one value.
pub(super) struct Reader<'de> {
    rest: &'de [u8],
    /// Nodes that must still follow.
    owed: usize,
    /// Containers open around the next node.
    depth: usize,
    /// `Some`s and newtypes since the last token.
    wrappers: usize,
    /// What was left where a key of a general map begins, see `deserialize_identifier`.
    key_at: usize,
}

impl<'de> Reader<'de> {
    pub(super) fn new(payload: &'de [u8]) -> Self {
        Self {
            rest: payload,
            owed: 1,
            depth: 0,
            wrappers: 0,
            key_at: usize::MAX,
        }
    }

    /// All was read. Also fails when a `Deserialize` swallowed the error of a
    /// part and went on in the middle of it.
    pub(super) fn finish(self) -> Result<(), ValueError> {
        if self.rest.is_empty() && self.owed == 0 {
            return Ok(());
        }
        Err(ValueError::Malformed("more follows than was read"))
    }

    fn peek(&self) -> Result<Token, ValueError> {
        Token::parse(&mut { self.rest })
    }

    fn token(&mut self) -> Result<Token, ValueError> {
        let token = Token::parse(&mut self.rest)?;
        self.wrappers = 0;
        self.owed = self.owed.saturating_sub(1);
        let children = match token {
            Token::Sequence(count) => count,
            Token::Map(count) => count.saturating_mul(2),
            _ => return Ok(token),
        };
        self.owed = usize::try_from(children)
            .ok()
            .and_then(|children| self.owed.checked_add(children))
            .filter(|&owed| owed <= self.rest.len())
            .ok_or(ValueError::Malformed("it counts more than it holds"))?;
        Ok(token)
    }

    fn take(&mut self, length: u64) -> Result<&'de [u8], ValueError> {
        let (taken, rest) = usize::try_from(length)
            .ok()
            .and_then(|length| self.rest.split_at_checked(length))
            .ok_or(ValueError::Malformed("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn text(&mut self, length: u64) -> Result<&'de str, ValueError> {
        std::str::from_utf8(self.take(length)?)
            .map_err(|_| ValueError::Malformed("its text is not UTF-8"))
    }

    /// Reads within a container.
    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, ValueError>,
    ) -> Result<T, ValueError> {
        self.depth += 1;
        if self.depth > MAX_VALUE_DEPTH {
            return Err(ValueError::TooDeep);
        }
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    /// A layer that has no bytes. Counted, because a type made of nothing else,
    /// such as `struct Layer(Option<Box<Layer>>)`, would otherwise go through
    /// its layers until the stack ends.
    fn wrapped(&mut self) -> Result<&mut Self, ValueError> {
        self.wrappers += 1;
        if self.wrappers > MAX_VALUE_DEPTH {
            return Err(ValueError::TooDeep);
        }
        Ok(self)
    }

    /// Hands the node behind `token` to the visitor, which refuses what it does not want.
    fn visit<V: Visitor<'de>>(&mut self, token: Token, visitor: V) -> Result<V::Value, ValueError> {
        match token {
            Token::Null => visitor.visit_unit(),
            Token::Bool(value) => visitor.visit_bool(value),
            Token::Unsigned(integer) => match u64::try_from(integer) {
                Ok(small) => visitor.visit_u64(small),
                Err(_) => visitor.visit_u128(integer),
            },
            Token::Signed(integer) => match i64::try_from(integer) {
                Ok(small) => visitor.visit_i64(small),
                Err(_) => visitor.visit_i128(integer),
            },
            Token::Float(value) => visitor.visit_f64(value),
            Token::Text(length) => visitor.visit_borrowed_str(self.text(length)?),
            Token::Bytes(length) => visitor.visit_borrowed_bytes(self.take(length)?),
            Token::Sequence(count) => self.visit_sequence(count, visitor),
            Token::Map(count) => self.visit_map(count, false, visitor),
        }
    }

    fn visit_sequence<V: Visitor<'de>>(
        &mut self,
        count: u64,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.nested(|reader| {
            let mut elements = Elements {
                reader,
                remaining: count,
            };
            let value = visitor.visit_seq(&mut elements)?;
            expect_none(elements.remaining, "a shorter sequence")?;
            Ok(value)
        })
    }

    fn visit_map<V: Visitor<'de>>(
        &mut self,
        count: u64,
        is_struct: bool,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.nested(|reader| {
            let mut entries = Entries {
                reader,
                remaining: count,
                is_struct,
                previous: &[],
            };
            let value = visitor.visit_map(&mut entries)?;
            expect_none(entries.remaining, "a map with fewer entries")?;
            Ok(value)
        })
    }

    /// A sequence, or bytes as a sequence of small integers.
    fn visit_sequence_or_bytes<V: Visitor<'de>>(
        &mut self,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self.token()? {
            Token::Bytes(length) => {
                let mut bytes = SeqDeserializer::new(self.take(length)?.iter().copied());
                let value = visitor.visit_seq(&mut bytes)?;
                bytes.end()?;
                Ok(value)
            }
            token => self.visit(token, visitor),
        }
    }

    /// Text and nothing else: serde's own visitors would also take bytes for a
    /// string, or a number for the position of a field or variant.
    fn visit_text<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, ValueError> {
        match self.token()? {
            Token::Text(length) => visitor.visit_borrowed_str(self.text(length)?),
            token => Err(mismatch(token, &visitor)),
        }
    }
}

fn mismatch(found: Token, expected: &dyn Expected) -> ValueError {
    ValueError::wrong(found.kind(), expected)
}

fn expect_none(remaining: u64, expected: &'static str) -> Result<(), ValueError> {
    if remaining == 0 {
        return Ok(());
    }
    Err(ValueError::WrongType {
        found: "another number of elements",
        expected: expected.into(),
    })
}

/// The float that is this integer, for integers up to `limit`.
fn exact_float(token: Token, limit: u64) -> Option<f64> {
    let (magnitude, is_negative) = match token {
        Token::Unsigned(integer) => (integer, false),
        Token::Signed(integer) => (integer.unsigned_abs(), true),
        _ => return None,
    };
    let magnitude = u64::try_from(magnitude)
        .ok()
        .filter(|&size| size <= limit)?;
    #[expect(clippy::cast_precision_loss, reason = "exact up to the limit")]
    let float = magnitude as f64;
    Some(if is_negative { -float } else { float })
}

macro_rules! deserialize_by_visit {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
            let token = self.token()?;
            self.visit(token, visitor)
        })*
    };
}

macro_rules! deserialize_text {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
            self.visit_text(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = ValueError;

    deserialize_by_visit! {
        deserialize_any deserialize_bool
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_unit deserialize_map deserialize_ignored_any
    }

    deserialize_text! { deserialize_char deserialize_str deserialize_string }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        let token = self.token()?;
        let float = match token {
            Token::Float(float) => float,
            _ => match exact_float(token, EXACT_IN_F32) {
                Some(float) => float,
                None => return Err(mismatch(token, &visitor)),
            },
        };
        #[expect(clippy::cast_possible_truncation, reason = "compared on the next line")]
        let narrow = float as f32;
        if !float.is_nan() && f64::from(narrow).to_bits() != float.to_bits() {
            return Err(ValueError::wrong("a float of higher precision", "f32"));
        }
        visitor.visit_f32(narrow)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        let token = self.token()?;
        match token {
            Token::Float(float) => visitor.visit_f64(float),
            _ => match exact_float(token, EXACT_IN_F64) {
                Some(float) => visitor.visit_f64(float),
                None => Err(mismatch(token, &visitor)),
            },
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.token()? {
            token @ Token::Text(_) => Err(mismatch(token, &visitor)),
            token => self.visit(token, visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.peek()? {
            Token::Null => {
                self.token()?;
                visitor.visit_none()
            }
            _ => visitor.visit_some(self.wrapped()?),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self.wrapped()?)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        self.visit_sequence_or_bytes(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.visit_sequence_or_bytes(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.visit_sequence_or_bytes(visitor)
    }

    /// A map by field name; a derived visitor would also take a sequence and
    /// fill the fields by position.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self.token()? {
            Token::Map(count) => self.visit_map(count, true, visitor),
            token => Err(mismatch(token, &visitor)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self.peek()? {
            Token::Text(_) => visitor.visit_enum(Variant {
                reader: self,
                has_payload: false,
            }),
            Token::Map(1) => {
                self.token()?;
                self.nested(|reader| {
                    visitor.visit_enum(Variant {
                        reader,
                        has_payload: true,
                    })
                })
            }
            token => Err(mismatch(token, &visitor)),
        }
    }

    /// The name of a field, a variant or a tag. The key of a general map comes
    /// here as well when it is read by a struct with a flattened map, and may
    /// then be anything.
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        if self.rest.len() == self.key_at {
            return self.deserialize_any(visitor);
        }
        self.visit_text(visitor)
    }

    fn is_human_readable(&self) -> bool {
        super::HUMAN_READABLE
    }
}
