//! [`is_finite`]: whether JSON has every number of a value.
//!
//! Encoding turns a number that is infinite or not a number into `null`, which reads back as a missing value or not
//! at all. So a value is looked through before it is encoded.

use std::fmt;

use serde::{
    Serialize, Serializer,
    ser::{
        self, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant,
    },
};

/// Whether a value holds no number that is infinite or not a number.
pub(super) fn is_finite<T>(value: &T) -> bool
where
    T: Serialize + ?Sized,
{
    !matches!(value.serialize(Look), Err(Found::NotFinite))
}

/// Looks at every number, and writes nothing.
#[derive(Clone, Copy)]
struct Look;

#[derive(Debug)]
enum Found {
    NotFinite,
    /// An error of the value's own, which its encoding tells.
    Other,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value cannot be looked through")
    }
}

impl std::error::Error for Found {}

impl ser::Error for Found {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Other
    }
}

type Looked = Result<(), Found>;

const fn look(is_finite: bool) -> Looked {
    if is_finite {
        Ok(())
    } else {
        Err(Found::NotFinite)
    }
}

macro_rules! nothing_to_see {
    ($($method:ident: $type:ty,)+) => {
        $(fn $method(self, _: $type) -> Looked {
            Ok(())
        })+
    };
}

impl Serializer for Look {
    type Ok = ();
    type Error = Found;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    nothing_to_see! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_i128: i128,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_u128: u128,
        serialize_char: char,
        serialize_str: &str,
        serialize_bytes: &[u8],
        serialize_unit_struct: &'static str,
    }

    fn serialize_f32(self, value: f32) -> Looked {
        look(value.is_finite())
    }

    fn serialize_f64(self, value: f64) -> Looked {
        look(value.is_finite())
    }

    fn serialize_none(self) -> Looked {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Looked {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Looked {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Looked {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Looked {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Looked {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, Found> {
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Found> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Found> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Found> {
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, Found> {
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Found> {
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Found> {
        Ok(self)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Looked {
        Ok(())
    }
}

macro_rules! each_part {
    ($($trait:ident: $method:ident($($name:ty)?);)+) => {
        $(impl $trait for Look {
            type Ok = ();
            type Error = Found;

            fn $method<T: Serialize + ?Sized>(&mut self, $(_: $name,)? value: &T) -> Looked {
                value.serialize(*self)
            }

            fn end(self) -> Looked {
                Ok(())
            }
        })+
    };
}

each_part! {
    SerializeSeq: serialize_element();
    SerializeTuple: serialize_element();
    SerializeTupleStruct: serialize_field();
    SerializeTupleVariant: serialize_field();
    SerializeStruct: serialize_field(&'static str);
    SerializeStructVariant: serialize_field(&'static str);
}

impl SerializeMap for Look {
    type Ok = ();
    type Error = Found;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Looked {
        key.serialize(*self)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Looked {
        value.serialize(*self)
    }

    fn end(self) -> Looked {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::is_finite;

    #[derive(Serialize)]
    enum Shape {
        Unit,
        Newtype(f64),
        Tuple(u8, f32),
        Struct { name: &'static str, at: Option<f64> },
    }

    #[derive(Serialize)]
    struct Tuple(u8, f64);

    #[derive(Serialize)]
    struct Newtype(f64);

    #[test]
    fn a_number_that_json_lacks_is_found_wherever_it_is() {
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(!is_finite(&odd));
            #[expect(clippy::cast_possible_truncation, reason = "to the same odd number")]
            let short = odd as f32;
            assert!(!is_finite(&short));
            assert!(!is_finite(&Some(odd)));
            assert!(!is_finite(&vec![1.0, odd]));
            assert!(!is_finite(&(1, "x", odd)));
            assert!(!is_finite(&BTreeMap::from([("a", odd)])));
            assert!(!is_finite(&Newtype(odd)));
            assert!(!is_finite(&Tuple(1, odd)));
            assert!(!is_finite(&Shape::Newtype(odd)));
            assert!(!is_finite(&Shape::Tuple(1, short)));
            let nested = Shape::Struct {
                name: "x",
                at: Some(odd),
            };
            assert!(!is_finite(&[nested]));
        }
    }

    #[test]
    fn all_else_passes() {
        assert!(is_finite(&f64::MAX));
        assert!(is_finite(&(0.0, -1_i8, 1_u128, 'c', (), true)));
        assert!(is_finite(&[
            Shape::Unit,
            Shape::Newtype(1.5),
            Shape::Tuple(1, 0.5)
        ]));
        let nested = Shape::Struct {
            name: "x",
            at: None,
        };
        assert!(is_finite(&BTreeMap::from([(1, nested)])));
        assert!(is_finite("text"));
    }
}
