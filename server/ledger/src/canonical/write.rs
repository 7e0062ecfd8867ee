//! The writing half: a serde serializer straight into one buffer.
//!
//! Members are written as they come; an object sorts them in place at its end, and only if they came out
//! of order. Types whose fields are declared in sorted order therefore cost no more than plain JSON.

use std::ops::Range;

use serde::ser::{self, Serialize};
use smallvec::SmallVec;

use super::{MAX_DEPTH, compare_keys};

/// The largest integer, 2^53 - 1, that every JSON reader holds exactly (RFC 7493, section 2.2).
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Why a value has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CanonicalError {
    /// An integer that a double cannot hold exactly.
    #[error("an integer is beyond ±(2^53 - 1) and would lose digits in JSON: write it as a string")]
    Integer,
    /// NaN or an infinity.
    #[error("JSON has no NaN and no infinity: leave the number out or write a string")]
    NotFinite,
    /// Arrays and objects nested deeper than [`MAX_DEPTH`].
    #[error("the value nests deeper than {MAX_DEPTH} levels: flatten it")]
    Depth,
    /// An object key that is neither a string nor an integer.
    #[error("an object key must be a string or an integer")]
    Key,
    /// The same key twice in one object.
    #[error("an object has the same key twice")]
    DuplicateKey,
    /// Raw JSON text (`serde_json::value::RawValue` or an arbitrary-precision number).
    #[error("raw JSON text cannot be made canonical: parse it first")]
    Raw,
    /// What the value's own `Serialize` said.
    #[error("{0}")]
    Custom(String),
}

impl ser::Error for CanonicalError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }
}

/// The canonical bytes of `value`.
///
/// # Errors
///
/// [`CanonicalError`] where the value has no canonical form.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::with_capacity(256);
    write(&mut out, value)?;
    Ok(out)
}

/// Appends the canonical bytes of `value` to `out`. After an error, `out` holds a part of them.
///
/// # Errors
///
/// [`CanonicalError`] where the value has no canonical form.
pub fn write<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), CanonicalError> {
    value.serialize(Writer { out, depth: 0 })
}

/// Appends `text` as a canonical JSON string.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        let (clean, tail) = rest.split_at(at);
        out.extend_from_slice(clean);
        let Some((&byte, tail)) = tail.split_first() else { break };
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0x08 => out.extend_from_slice(b"\\b"),
            0x09 => out.extend_from_slice(b"\\t"),
            0x0a => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            0x0d => out.extend_from_slice(b"\\r"),
            _ => {
                out.extend_from_slice(b"\\u00");
                for nibble in [byte >> 4, byte & 15] {
                    out.extend(HEX.get(usize::from(nibble)));
                }
            }
        }
        rest = tail;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Appends `number` in decimal.
pub(crate) fn write_u64(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut length = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + u8::try_from(number % 10).unwrap_or(0);
        length += 1;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    if let Some(written) = digits.get(digits.len() - length..) {
        out.extend_from_slice(written);
    }
}

fn write_integer(out: &mut Vec<u8>, negative: bool, magnitude: u128) -> Result<(), CanonicalError> {
    let magnitude = u64::try_from(magnitude).map_err(|_| CanonicalError::Integer)?;
    if magnitude > MAX_SAFE_INTEGER {
        return Err(CanonicalError::Integer);
    }
    if negative {
        out.push(b'-');
    }
    write_u64(out, magnitude);
    Ok(())
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
}

impl<'a> Writer<'a> {
    fn object(self) -> Result<Object<'a>, CanonicalError> {
        if self.depth >= MAX_DEPTH {
            return Err(CanonicalError::Depth);
        }
        self.out.push(b'{');
        Ok(Object {
            start: self.out.len(),
            out: self.out,
            depth: self.depth + 1,
            members: SmallVec::new(),
            sorted: true,
            wrapped: false,
        })
    }

    fn array(self) -> Result<Array<'a>, CanonicalError> {
        if self.depth >= MAX_DEPTH {
            return Err(CanonicalError::Depth);
        }
        self.out.push(b'[');
        Ok(Array { out: self.out, depth: self.depth + 1, first: true, wrapped: false })
    }

    /// `{"variant":` … `}`; the caller closes the brace.
    fn variant(self, name: &str) -> Result<Self, CanonicalError> {
        if self.depth >= MAX_DEPTH {
            return Err(CanonicalError::Depth);
        }
        self.out.push(b'{');
        write_string(self.out, name);
        self.out.push(b':');
        Ok(Self { out: self.out, depth: self.depth + 1 })
    }
}

macro_rules! integers {
    ($($name:ident: $type:ty),*) => {$(
        fn $name(self, value: $type) -> Result<(), CanonicalError> {
            #[allow(unused_comparisons, reason = "one macro for signed and unsigned integers")]
            let negative = value < 0;
            #[allow(clippy::unnecessary_cast, reason = "one macro for all integer widths")]
            write_integer(self.out, negative, if negative { (value as i128).unsigned_abs() } else { value as u128 })
        }
    )*};
}

impl<'a> ser::Serializer for Writer<'a> {
    type Ok = ();
    type Error = CanonicalError;
    type SerializeSeq = Array<'a>;
    type SerializeTuple = Array<'a>;
    type SerializeTupleStruct = Array<'a>;
    type SerializeTupleVariant = Array<'a>;
    type SerializeMap = Object<'a>;
    type SerializeStruct = Object<'a>;
    type SerializeStructVariant = Object<'a>;

    integers!(
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128
    );

    fn serialize_bool(self, value: bool) -> Result<(), CanonicalError> {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), CanonicalError> {
        self.serialize_f64(f64::from(value))
    }

    fn serialize_f64(self, value: f64) -> Result<(), CanonicalError> {
        if !value.is_finite() {
            return Err(CanonicalError::NotFinite);
        }
        self.out.extend_from_slice(ryu_js::Buffer::new().format_finite(value).as_bytes());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), CanonicalError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), CanonicalError> {
        write_string(self.out, value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), CanonicalError> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<(), CanonicalError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), CanonicalError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), CanonicalError> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), CanonicalError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), CanonicalError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), CanonicalError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), CanonicalError> {
        let inner = self.variant(variant)?;
        value.serialize(Writer { out: &mut *inner.out, depth: inner.depth })?;
        inner.out.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Array<'a>, CanonicalError> {
        self.array()
    }

    fn serialize_tuple(self, _length: usize) -> Result<Array<'a>, CanonicalError> {
        self.array()
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _length: usize,
    ) -> Result<Array<'a>, CanonicalError> {
        self.array()
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Array<'a>, CanonicalError> {
        Ok(Array { wrapped: true, ..self.variant(variant)?.array()? })
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Object<'a>, CanonicalError> {
        self.object()
    }

    fn serialize_struct(self, name: &'static str, _length: usize) -> Result<Object<'a>, CanonicalError> {
        // serde_json passes raw text through serializers under these private names; ours would write the
        // private form out, so refuse it.
        if name.starts_with("$serde_json::private::") {
            return Err(CanonicalError::Raw);
        }
        self.object()
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Object<'a>, CanonicalError> {
        Ok(Object { wrapped: true, ..self.variant(variant)?.object()? })
    }
}

/// An array being written. `wrapped`: it is the value of an enum variant, whose brace closes with it.
struct Array<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
    first: bool,
    wrapped: bool,
}

impl Array<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        value.serialize(Writer { out: self.out, depth: self.depth })
    }

    fn close(self) {
        self.out.extend_from_slice(if self.wrapped { b"]}" } else { b"]" });
    }
}

macro_rules! array {
    ($($trait:ident :: $method:ident),*) => {$(
        impl ser::$trait for Array<'_> {
            type Ok = ();
            type Error = CanonicalError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
                self.element(value)
            }

            fn end(self) -> Result<(), CanonicalError> {
                self.close();
                Ok(())
            }
        }
    )*};
}

array!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

/// One member's place in the buffer: its escaped key without quotes, and where the member ends.
#[derive(Clone)]
struct Member {
    key: Range<usize>,
    end: usize,
}

/// An object being written. `wrapped`: as in [`Array`].
struct Object<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    depth: usize,
    members: SmallVec<[Member; 12]>,
    sorted: bool,
    wrapped: bool,
}

impl Object<'_> {
    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CanonicalError> {
        if !self.members.is_empty() {
            self.out.push(b',');
        }
        let start = self.out.len();
        key.serialize(Writer { out: self.out, depth: MAX_DEPTH })
            .map_err(|error| if error == CanonicalError::Depth { CanonicalError::Key } else { error })?;
        match self.out.get(start) {
            Some(b'"') => {}
            Some(b'0'..=b'9' | b'-') if !self.out.iter().skip(start).any(|byte| b".e".contains(byte)) => {
                self.out.insert(start, b'"');
                self.out.push(b'"');
            }
            _ => return Err(CanonicalError::Key),
        }
        let key = start + 1..self.out.len() - 1;
        self.out.push(b':');
        if let Some(last) = self.members.last() {
            let (last, this) = (self.out.get(last.key.clone()), self.out.get(key.clone()));
            self.sorted &= compare_keys(last.unwrap_or_default(), this.unwrap_or_default()).is_lt();
        }
        self.members.push(Member { key, end: 0 });
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
        value.serialize(Writer { out: self.out, depth: self.depth })?;
        if let Some(last) = self.members.last_mut() {
            last.end = self.out.len();
        }
        Ok(())
    }

    fn close(mut self) -> Result<(), CanonicalError> {
        if !self.sorted {
            self.sort()?;
        }
        self.out.extend_from_slice(if self.wrapped { b"}}" } else { b"}" });
        Ok(())
    }

    /// Writes the members again in order, behind the object, and moves them to its beginning.
    fn sort(&mut self) -> Result<(), CanonicalError> {
        let text = |key: &Range<usize>| self.out.get(key.clone()).unwrap_or_default();
        self.members.sort_by(|a, b| compare_keys(text(&a.key), text(&b.key)));
        let same = |pair: &[Member]| matches!(pair, [a, b] if text(&a.key) == text(&b.key));
        if self.members.windows(2).any(same) {
            return Err(CanonicalError::DuplicateKey);
        }
        let end = self.out.len();
        for (at, member) in self.members.iter().enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            self.out.extend_from_within(member.key.start - 1..member.end);
        }
        self.out.copy_within(end.., self.start);
        self.out.truncate(end);
        Ok(())
    }
}

impl ser::SerializeMap for Object<'_> {
    type Ok = ();
    type Error = CanonicalError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CanonicalError> {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
        self.value(value)
    }

    fn end(self) -> Result<(), CanonicalError> {
        self.close()
    }
}

macro_rules! object {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Object<'_> {
            type Ok = ();
            type Error = CanonicalError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), CanonicalError> {
                self.key(key)?;
                self.value(value)
            }

            fn end(self) -> Result<(), CanonicalError> {
                self.close()
            }
        }
    )*};
}

object!(SerializeStruct, SerializeStructVariant);
