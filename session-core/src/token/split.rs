//! Registered claims and payload, told apart in one pass.
//!
//! The payload type sees an object without the registered claims: [`Split`] stands between it and the JSON
//! parser and takes them out as they come. No second pass, no intermediate tree, no copies.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::claim::{Claim, Found};
use super::name::{Name, NameSeed};
use super::{payload, plain};

/// Reads the whole of `json`: registered claims into `found`, everything else into `U`.
pub(super) fn split<'de, U: DeserializeOwned>(
    json: &'de str,
    found: &mut Found<'de, '_>,
) -> serde_json::Result<U> {
    let mut parser = serde_json::Deserializer::from_str(json);
    let payload = U::deserialize(Split { parser: &mut parser, found })?;
    parser.end()?;
    Ok(payload)
}

/// Where [`split`] fails, for people.
pub(super) fn place_of_fault<'de, U: DeserializeOwned>(json: &'de str, found: &mut Found<'de, '_>) -> String {
    payload::place_of_fault::<U, _>(Split { parser: &mut serde_json::Deserializer::from_str(json), found })
}

struct Split<'a, 'de, 'c, D> {
    parser: D,
    found: &'a mut Found<'de, 'c>,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Split<'_, 'de, '_, D> {
    type Error = D::Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.parser.deserialize_map(Object { visitor, found: self.found })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        v: V,
    ) -> Result<V::Value, D::Error> {
        v.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.parser.deserialize_map(Object { visitor: OneVariant(visitor), found: self.found })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The top-level object, shown to the payload's `visitor` without the registered claims.
struct Object<'a, 'de, 'c, V> {
    visitor: V,
    found: &'a mut Found<'de, 'c>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Object<'_, 'de, '_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let mut entries = PayloadEntries { map, found: self.found, name: Cow::Borrowed("") };
        let value = self.visitor.visit_map(&mut entries)?;
        entries.finish()?;
        Ok(value)
    }
}

/// An externally tagged enum: an object with one entry, the variant.
struct OneVariant<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for OneVariant<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(MapAccessDeserializer::new(map))
    }
}

struct PayloadEntries<'a, 'de, 'c, A> {
    map: A,
    found: &'a mut Found<'de, 'c>,
    /// Of the value that comes next, where what the payload leaves out is kept.
    name: Cow<'de, str>,
}

impl<'de, A: MapAccess<'de>> PayloadEntries<'_, 'de, '_, A> {
    /// Registered claims may stand behind the last entry that the payload wanted.
    fn finish(&mut self) -> Result<(), A::Error> {
        match self.next_key::<IgnoredAny>()? {
            Some(_) => Err(de::Error::custom("more entries than the payload has")),
            None => Ok(()),
        }
    }

    /// A value that is kept if the payload leaves it out.
    fn value_or_keep<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let (name, value) = (std::mem::take(&mut self.name), self.map.next_value()?);
        seed.deserialize(plain::Value { name, value, left_out: &mut self.found.left_out })
            .map_err(de::Error::custom)
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for PayloadEntries<'_, 'de, '_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(name) = self.map.next_key_seed(NameSeed)? {
            if let Some(claim) = Claim::named(name.as_bytes()) {
                self.found.read(claim, &mut self.map)?;
                continue;
            }
            self.found.note(name.clone());
            if self.found.is_plain {
                self.name = name.clone();
            }
            return seed.deserialize(Name::new(name)).map(Some);
        }
        Ok(None)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        // What is left out (`IgnoredAny`) has no size, so for all other values nothing more is compiled.
        if size_of::<S::Value>() == 0 && self.found.is_plain {
            return self.value_or_keep(seed);
        }
        self.map.next_value_seed(seed)
    }
}
