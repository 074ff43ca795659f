//! From a user's type to stored bytes.
//!
//! INVARIANT: what a container has written so far is a whole number of nodes
//! from its own start to the end of the buffer, so sorting its entries or
//! correcting its count moves only its own bytes.

use serde::ser::{self, Serialize};

use super::{MAX_VALUE_DEPTH, Token, ValueError};
use containers::{MapWriter, SequenceWriter};

mod containers;

/// Most values are small; growing from empty would cost several allocations.
const FIRST_CAPACITY: usize = 128;

/// Writes one value.
pub(super) struct Writer {
    buffer: Vec<u8>,
    /// The entries of all open maps, the innermost map's last.
    entries: Vec<Entry>,
    /// Containers open around the next node.
    depth: usize,
    /// `Some`s and newtypes since the last token.
    wrappers: usize,
}

/// Where an entry of an open map lies.
struct Entry {
    start: usize,
    key_end: usize,
    /// 0 until the value has been written.
    end: usize,
}

impl Writer {
    pub(super) fn new(tag: u8) -> Self {
        let mut buffer = Vec::with_capacity(FIRST_CAPACITY);
        buffer.push(tag);
        Self {
            buffer,
            entries: Vec::new(),
            depth: 0,
            wrappers: 0,
        }
    }

    /// The stored bytes.
    pub(super) fn finish(self) -> Result<Vec<u8>, ValueError> {
        self.expect_depth(0)?;
        ValueError::check_size(self.buffer.len())?;
        Ok(self.buffer)
    }

    fn token(&mut self, token: Token) -> Result<(), ValueError> {
        self.wrappers = 0;
        token.append(&mut self.buffer)?;
        ValueError::check_size(self.buffer.len())
    }

    fn token_and_bytes(&mut self, token: Token, bytes: &[u8]) -> Result<(), ValueError> {
        ValueError::check_size(self.buffer.len().saturating_add(bytes.len()))?;
        self.token(token)?;
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), ValueError> {
        self.token_and_bytes(Token::Text(text.len() as u64), text.as_bytes())
    }

    /// An integer, in the one form that all types share.
    fn integer(&mut self, integer: i128) -> Result<(), ValueError> {
        self.token(match u128::try_from(integer) {
            Ok(unsigned) => Token::Unsigned(unsigned),
            Err(_) => Token::Signed(integer),
        })
    }

    /// A layer that leaves no bytes. Counted, so that a type made of nothing
    /// else ends in an error instead of at the end of the stack.
    fn wrapped<T: Serialize + ?Sized>(&mut self, inner: &T) -> Result<(), ValueError> {
        self.wrappers += 1;
        if self.wrappers > MAX_VALUE_DEPTH {
            return Err(ValueError::TooDeep);
        }
        inner.serialize(self)
    }

    fn enter(&mut self) -> Result<(), ValueError> {
        self.depth += 1;
        if self.depth > MAX_VALUE_DEPTH {
            return Err(ValueError::TooDeep);
        }
        Ok(())
    }

    /// Refuses a part that was begun and not finished, which is what a
    /// `Serialize` leaves that swallows the error of that part.
    fn expect_depth(&self, depth: usize) -> Result<(), ValueError> {
        if self.depth == depth {
            return Ok(());
        }
        Err(unfinished())
    }

    /// The map of one entry that a variant with a payload is, up to the payload.
    fn enter_variant(&mut self, name: &str) -> Result<(), ValueError> {
        self.enter()?;
        self.token(Token::Map(1))?;
        self.text(name)
    }

    fn sequence(&mut self, announced: Option<usize>) -> Result<SequenceWriter<'_>, ValueError> {
        let depth_after = self.depth;
        self.sequence_within(announced.unwrap_or(0), depth_after)
    }

    fn sequence_within(
        &mut self,
        announced: usize,
        depth_after: usize,
    ) -> Result<SequenceWriter<'_>, ValueError> {
        self.enter()?;
        let depth = self.depth;
        let start = self.buffer.len();
        self.token(Token::Sequence(announced as u64))?;
        Ok(SequenceWriter {
            body: self.buffer.len(),
            writer: self,
            start,
            announced,
            count: 0,
            depth,
            depth_after,
        })
    }

    fn map(&mut self, announced: Option<usize>) -> Result<MapWriter<'_>, ValueError> {
        let depth_after = self.depth;
        self.map_within(announced.unwrap_or(0), depth_after)
    }

    fn map_within(
        &mut self,
        announced: usize,
        depth_after: usize,
    ) -> Result<MapWriter<'_>, ValueError> {
        self.enter()?;
        let depth = self.depth;
        let start = self.buffer.len();
        self.token(Token::Map(announced as u64))?;
        Ok(MapWriter {
            body: self.buffer.len(),
            first_entry: self.entries.len(),
            writer: self,
            start,
            announced,
            values: 0,
            depth,
            depth_after,
        })
    }

    /// Puts the right head before a finished body. The announced count is only
    /// a hint of the type's: none for an iterator, a wrong one for a careless type.
    fn correct_head(&mut self, start: usize, body: usize, head: Token) -> Result<(), ValueError> {
        let mut bytes = Vec::new();
        head.append(&mut bytes)?;
        self.buffer.splice(start..body, bytes);
        ValueError::check_size(self.buffer.len())
    }

    /// Sorts the entries from `first` on, whose bytes go to the end of the buffer.
    fn sort_entries(&mut self, first: usize, body: usize) -> Result<(), ValueError> {
        let Self {
            buffer, entries, ..
        } = self;
        let entries = entries.get_mut(first..).unwrap_or_default();
        let key = |entry: &Entry| buffer.get(entry.start..entry.key_end).unwrap_or_default();
        if entries.is_sorted_by(|left, right| key(left) < key(right)) {
            return Ok(());
        }
        entries.sort_unstable_by(|left, right| key(left).cmp(key(right)));
        if !entries.is_sorted_by(|left, right| key(left) < key(right)) {
            return Err(ValueError::DuplicateKey);
        }
        let mut sorted = Vec::with_capacity(buffer.len() - body);
        for entry in entries {
            sorted.extend_from_slice(buffer.get(entry.start..entry.end).unwrap_or_default());
        }
        buffer.truncate(body);
        buffer.extend_from_slice(&sorted);
        Ok(())
    }
}

fn unfinished() -> ValueError {
    ValueError::Refused("its `Serialize` implementation left a part of it unfinished")
}

macro_rules! serialize_integers {
    ($($method:ident($type:ty))*) => {
        $(fn $method(self, integer: $type) -> Result<(), ValueError> {
            self.integer(i128::from(integer))
        })*
    };
}

impl<'w> ser::Serializer for &'w mut Writer {
    type Ok = ();
    type Error = ValueError;
    type SerializeSeq = SequenceWriter<'w>;
    type SerializeTuple = SequenceWriter<'w>;
    type SerializeTupleStruct = SequenceWriter<'w>;
    type SerializeTupleVariant = SequenceWriter<'w>;
    type SerializeMap = MapWriter<'w>;
    type SerializeStruct = MapWriter<'w>;
    type SerializeStructVariant = MapWriter<'w>;

    serialize_integers! {
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
    }

    fn serialize_u128(self, integer: u128) -> Result<(), ValueError> {
        self.token(Token::Unsigned(integer))
    }

    fn serialize_bool(self, value: bool) -> Result<(), ValueError> {
        self.token(Token::Bool(value))
    }

    fn serialize_f32(self, value: f32) -> Result<(), ValueError> {
        self.token(Token::Float(f64::from(value)))
    }

    fn serialize_f64(self, value: f64) -> Result<(), ValueError> {
        self.token(Token::Float(value))
    }

    fn serialize_char(self, value: char) -> Result<(), ValueError> {
        self.text(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), ValueError> {
        self.text(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), ValueError> {
        self.token_and_bytes(Token::Bytes(value.len() as u64), value)
    }

    fn serialize_none(self) -> Result<(), ValueError> {
        self.token(Token::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), ValueError> {
        self.wrapped(value)
    }

    fn serialize_unit(self) -> Result<(), ValueError> {
        self.token(Token::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), ValueError> {
        self.token(Token::Null)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), ValueError> {
        self.text(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), ValueError> {
        self.wrapped(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), ValueError> {
        let depth_after = self.depth;
        self.enter_variant(variant)?;
        value.serialize(&mut *self)?;
        self.depth = depth_after;
        Ok(())
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<SequenceWriter<'w>, ValueError> {
        self.sequence(length)
    }

    fn serialize_tuple(self, length: usize) -> Result<SequenceWriter<'w>, ValueError> {
        self.sequence(Some(length))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        length: usize,
    ) -> Result<SequenceWriter<'w>, ValueError> {
        self.sequence(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<SequenceWriter<'w>, ValueError> {
        let depth_after = self.depth;
        self.enter_variant(variant)?;
        self.sequence_within(length, depth_after)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<MapWriter<'w>, ValueError> {
        self.map(length)
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<MapWriter<'w>, ValueError> {
        self.map(Some(length))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<MapWriter<'w>, ValueError> {
        let depth_after = self.depth;
        self.enter_variant(variant)?;
        self.map_within(length, depth_after)
    }

    fn is_human_readable(&self) -> bool {
        super::HUMAN_READABLE
    }
}
