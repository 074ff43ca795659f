//! The containers that a user's type fills part by part.

use serde::ser::{self, Serialize};

use super::{Entry, Token, ValueError, Writer, unfinished};

/// Writes the elements of a sequence.
pub(in super::super) struct SequenceWriter<'w> {
    pub(super) writer: &'w mut Writer,
    pub(super) start: usize,
    pub(super) body: usize,
    pub(super) announced: usize,
    pub(super) count: usize,
    /// What `Writer::depth` is when all parts have been finished.
    pub(super) depth: usize,
    /// What it was before this container, and the variant that it belongs to.
    pub(super) depth_after: usize,
}

impl SequenceWriter<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        value.serialize(&mut *self.writer)?;
        self.count += 1;
        Ok(())
    }

    fn close(self) -> Result<(), ValueError> {
        self.writer.expect_depth(self.depth)?;
        if self.count != self.announced {
            let head = Token::Sequence(self.count as u64);
            self.writer.correct_head(self.start, self.body, head)?;
        }
        self.writer.depth = self.depth_after;
        Ok(())
    }
}

macro_rules! serialize_elements {
    ($($trait:ident::$method:ident)*) => {
        $(impl ser::$trait for SequenceWriter<'_> {
            type Ok = ();
            type Error = ValueError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
                self.element(value)
            }

            fn end(self) -> Result<(), ValueError> {
                self.close()
            }
        })*
    };
}

serialize_elements! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

/// Writes the entries of a map.
pub(in super::super) struct MapWriter<'w> {
    pub(super) writer: &'w mut Writer,
    pub(super) start: usize,
    pub(super) body: usize,
    /// Where this map's entries begin among those of all open maps.
    pub(super) first_entry: usize,
    pub(super) announced: usize,
    pub(super) values: usize,
    /// What `Writer::depth` is when all parts have been finished.
    pub(super) depth: usize,
    /// What it was before this container, and the variant that it belongs to.
    pub(super) depth_after: usize,
}

impl MapWriter<'_> {
    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), ValueError> {
        let start = self.writer.buffer.len();
        key.serialize(&mut *self.writer)?;
        let key_end = self.writer.buffer.len();
        self.writer.entries.push(Entry {
            start,
            key_end,
            end: 0,
        });
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        value.serialize(&mut *self.writer)?;
        let end = self.writer.buffer.len();
        if let Some(entry) = self.writer.entries.last_mut() {
            entry.end = end;
        }
        self.values += 1;
        Ok(())
    }

    fn close(self) -> Result<(), ValueError> {
        self.writer.expect_depth(self.depth)?;
        let count = self.writer.entries.len() - self.first_entry;
        if count != self.values {
            return Err(unfinished());
        }
        self.writer.sort_entries(self.first_entry, self.body)?;
        self.writer.entries.truncate(self.first_entry);
        if count != self.announced {
            let head = Token::Map(count as u64);
            self.writer.correct_head(self.start, self.body, head)?;
        }
        self.writer.depth = self.depth_after;
        Ok(())
    }
}

impl ser::SerializeMap for MapWriter<'_> {
    type Ok = ();
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), ValueError> {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        self.value(value)
    }

    fn end(self) -> Result<(), ValueError> {
        self.close()
    }
}

macro_rules! serialize_fields {
    ($($trait:ident)*) => {
        $(impl ser::$trait for MapWriter<'_> {
            type Ok = ();
            type Error = ValueError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), ValueError> {
                self.key(name)?;
                self.value(value)
            }

            fn end(self) -> Result<(), ValueError> {
                self.close()
            }
        })*
    };
}

serialize_fields! { SerializeStruct SerializeStructVariant }
