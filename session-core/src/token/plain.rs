//! What tokens of others say beyond ours: claims that the payload leaves out, and a `sub` that is a field of the payload.
//!
//! Nothing of it happens for tokens of our own form.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::value::RawValue;

use super::name::NameSeed;

/// A name and its value, as it is spelled.
pub(super) type Member<'de> = (Cow<'de, str>, &'de RawValue);

/// A value that the payload may leave out, which is known when it asks for it.
pub(super) struct Value<'a, 'de> {
    pub(super) name: Cow<'de, str>,
    pub(super) value: &'de RawValue,
    pub(super) left_out: &'a mut Vec<Member<'de>>,
}

impl<'de> Deserializer<'de> for Value<'_, 'de> {
    type Error = serde_json::Error;

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        self.left_out.push((self.name, self.value));
        visitor.visit_unit()
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        self.value.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> serde_json::Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        self.value.deserialize_option(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> serde_json::Result<V::Value> {
        self.value.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier
    }
}

/// What was left out, as one JSON object, for the next token.
pub(super) fn to_json(left_out: &[Member<'_>]) -> Option<Box<str>> {
    if left_out.is_empty() {
        return None;
    }
    let mut json = Vec::from(b"{");
    left_out.iter().for_each(|member| append(&mut json, member));
    json.pop();
    json.push(b'}');
    String::from_utf8(json).ok().map(String::into_boxed_str)
}

/// Writes what an earlier token said and `payload`, a JSON object, does not, with a comma behind each member. Where `sub`
/// is a field, that says who it is; `sid` is written with our claims.
pub(super) fn append_left_out(
    json: &mut Vec<u8>,
    payload: &str,
    left_out: &str,
    sub_is_a_field: bool,
) -> serde_json::Result<()> {
    let known = members(payload)?;
    let left_out = members(left_out)?;
    let is_known = |name: &str| {
        name == "sid" || (sub_is_a_field && name == "sub") || known.iter().any(|(known, _)| known == name)
    };
    left_out.iter().filter(|(name, _)| !is_known(name)).for_each(|member| append(json, member));
    Ok(())
}

/// What an earlier token said under this name, as it was spelled.
pub(super) fn value_of<'a>(left_out: &'a str, name: &str) -> Option<&'a RawValue> {
    members(left_out).ok()?.into_iter().find(|(found, _)| found == name).map(|(_, value)| value)
}

/// Writes the value of the payload's `field` as the claim `sub`, and a comma. `false`: there is none, and this is no guest.
pub(super) fn append_sub(
    json: &mut Vec<u8>,
    payload: &str,
    field: &str,
    is_guest: bool,
) -> serde_json::Result<bool> {
    let members = members(payload)?;
    let value = members.iter().find(|(name, _)| name == field).map(|(_, value)| *value);
    match value.filter(|value| value.get() != "null") {
        // A StringOrURI (RFC 7519 section 4.1.2).
        Some(value) if value.get().starts_with('"') => append(json, &("sub".into(), value)),
        None => return Ok(is_guest),
        _ => return Ok(false),
    }
    Ok(true)
}

/// The claims with `sub` as `field` of the payload, too, where that is missing. `None` when the two differ, so that the
/// other side and this one could take the token for two accounts.
pub(super) fn with_sub_as<'de>(json: &'de str, field: &str) -> Option<Cow<'de, str>> {
    let members = members(json).ok()?;
    let value = |wanted: &str| members.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
    let Some(sub) = value("sub") else { return Some(Cow::Borrowed(json)) };
    match value(field) {
        Some(same) => is_same(sub, same).then_some(Cow::Borrowed(json)),
        None => {
            let mut with = Vec::from(b"{");
            append(&mut with, &(field.into(), sub));
            with.extend_from_slice(json.trim_start().strip_prefix('{')?.as_bytes());
            String::from_utf8(with).ok().map(Cow::Owned)
        }
    }
}

/// Whether two values say the same in perhaps different spellings.
fn is_same(one: &RawValue, other: &RawValue) -> bool {
    let value = |raw: &RawValue| serde_json::from_str::<serde_json::Value>(raw.get()).ok();
    one.get() == other.get() || value(one).is_some_and(|one| Some(one) == value(other))
}

fn append(json: &mut Vec<u8>, (name, value): &Member<'_>) {
    json.extend_from_slice(serde_json::Value::from(&**name).to_string().as_bytes());
    json.push(b':');
    json.extend_from_slice(value.get().as_bytes());
    json.push(b',');
}

fn members(json: &str) -> serde_json::Result<Vec<Member<'_>>> {
    let mut parser = serde_json::Deserializer::from_str(json);
    let members = parser.deserialize_map(Members)?;
    parser.end()?;
    Ok(members)
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<Member<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = map.next_key_seed(NameSeed)? {
            members.push((name, map.next_value()?));
        }
        Ok(members)
    }
}
