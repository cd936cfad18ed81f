//! The registered claims: their names, and what a token said for each.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::plain::{self, Member};
use crate::few::{Few, repeated};
use crate::id::SessionId;
use crate::terms::{MOST_METHODS, Terms, USUAL_LEVEL};
use crate::time::Timestamp;

/// The names that belong to the token and never to the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    Iss,
    Aud,
    Sub,
    Exp,
    Nbf,
    Iat,
    Jti,
    Sid,
    AuthTime,
    Gen,
    Amr,
    Acr,
    Act,
    EndsBy,
    AtMost,
    Unremembered,
}

impl Claim {
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"iss" => Self::Iss,
            b"aud" => Self::Aud,
            b"sub" => Self::Sub,
            b"exp" => Self::Exp,
            b"nbf" => Self::Nbf,
            b"iat" => Self::Iat,
            b"jti" => Self::Jti,
            b"sid" => Self::Sid,
            b"auth_time" => Self::AuthTime,
            b"gen" => Self::Gen,
            b"amr" => Self::Amr,
            b"acr" => Self::Acr,
            b"act" => Self::Act,
            b"ends_by" => Self::EndsBy,
            b"at_most" => Self::AtMost,
            b"unremembered" => Self::Unremembered,
            _ => return None,
        })
    }
}

/// What is found in one pass over a token's claims. Nothing in it is judged but its JSON types and ranges.
pub(super) struct Found<'de, 'c> {
    audience: &'c str,
    issuer: Option<&'c str>,
    seen: u16,
    /// The payload's own top-level names ...
    names: Few<&'de str, 16>,
    /// ... and those that are written with escapes.
    escaped: Vec<String>,
    /// Whether others may have written the token: dates may have fractions, and what the payload leaves out is kept.
    pub(super) is_plain: bool,
    /// What is kept.
    pub(super) left_out: Vec<Member<'de>>,
    /// Whether `aud` is ours.
    pub(super) aud: Option<bool>,
    /// Whether `iss` is the configured one.
    pub(super) iss: Option<bool>,
    pub(super) sid: Option<Named>,
    pub(super) generation: Option<u64>,
    pub(super) iat: Option<Timestamp>,
    pub(super) exp: Option<Timestamp>,
    pub(super) nbf: Option<Timestamp>,
    pub(super) auth_time: Option<Timestamp>,
    pub(super) ends_by: Option<Timestamp>,
    amr: Vec<String>,
    acr: Option<u8>,
    at_most: Option<u64>,
    unremembered: bool,
}

impl<'de, 'c> Found<'de, 'c> {
    pub(super) fn new(audience: &'c str, issuer: Option<&'c str>) -> Self {
        Self {
            audience,
            issuer,
            seen: 0,
            names: Few::new(),
            escaped: Vec::new(),
            is_plain: false,
            left_out: Vec::new(),
            aud: None,
            iss: None,
            sid: None,
            generation: None,
            iat: None,
            exp: None,
            nbf: None,
            auth_time: None,
            ends_by: None,
            amr: Vec::new(),
            acr: None,
            at_most: None,
            unremembered: false,
        }
    }

    /// The same in a token that others may have written.
    pub(super) fn of_plain(mut self, is_plain: bool) -> Self {
        self.is_plain = is_plain;
        self
    }

    /// What the token says of its login beyond the usual.
    pub(super) fn terms(&mut self) -> Option<Arc<Terms>> {
        let usual = Terms::default();
        let terms = Terms {
            at_most: self.at_most.map(Duration::from_secs),
            ends_by: self.ends_by,
            is_remembered: !self.unremembered,
            level: self.level(),
            methods: std::mem::take(&mut self.amr),
            left_out: plain::to_json(&self.left_out),
            ..usual
        };
        terms.unless_usual()
    }

    /// Without our audience `acr` may mean anything (OpenID Connect Core section 2), and proves no more than a login.
    fn level(&self) -> u8 {
        let most = if self.aud == Some(true) { u8::MAX } else { USUAL_LEVEL };
        self.acr.unwrap_or(USUAL_LEVEL).min(most)
    }

    /// Takes down a name of the payload's.
    #[inline]
    pub(super) fn note(&mut self, name: Cow<'de, str>) {
        match name {
            Cow::Borrowed(name) => self.names.push(name),
            Cow::Owned(name) => self.escaped.push(name),
        }
    }

    /// Whether any claim was found.
    pub(super) fn has_claims(&self) -> bool {
        self.seen != 0
    }

    /// Whether the payload has a name twice.
    pub(super) fn repeats_a_name(&self) -> bool {
        if self.escaped.is_empty() {
            return repeated(&self.names).is_some();
        }
        let escaped = self.escaped.iter().map(String::as_str);
        repeated(&self.names.iter().copied().chain(escaped).collect::<Vec<_>>()).is_some()
    }

    /// Reads the value of `claim`; a second one is an error.
    #[inline]
    pub(super) fn read<A: MapAccess<'de>>(&mut self, claim: Claim, map: &mut A) -> Result<(), A::Error> {
        self.first(claim)?;
        match claim {
            Claim::Aud => self.aud = Some(map.next_value_seed(Is(self.audience))?),
            Claim::Iss if self.issuer.is_some() => {
                self.iss = self.issuer.map(|iss| map.next_value_seed(Is(iss))).transpose()?;
            }
            Claim::Sid if self.is_plain => self.sid = Some(self.any_sid(map.next_value()?)?),
            Claim::Sid => self.sid = Some(map.next_value_seed(Sid)?),
            Claim::Gen => self.generation = Some(map.next_value()?),
            Claim::Iat => self.iat = Some(self.date(map, f64::floor)?),
            Claim::Exp => self.exp = Some(self.date(map, f64::floor)?),
            Claim::Nbf => self.nbf = Some(self.date(map, f64::ceil)?),
            Claim::AuthTime => self.auth_time = Some(self.date(map, f64::floor)?),
            Claim::EndsBy => self.ends_by = Some(self.date(map, f64::floor)?),
            Claim::Amr => self.amr = map.next_value_seed(Methods)?,
            Claim::Acr => self.acr = map.next_value_seed(Level)?,
            Claim::AtMost => self.at_most = Some(map.next_value()?),
            Claim::Unremembered => self.unremembered = map.next_value()?,
            // Who acts as somebody is in a record, and in no token of ours (RFC 8693 section 4.1).
            Claim::Act => return Err(de::Error::custom("somebody acts as the user")),
            // The other side may look at them in the next token, too.
            Claim::Sub | Claim::Jti | Claim::Iss if self.is_plain => {
                let name = match claim {
                    Claim::Sub => "sub",
                    Claim::Jti => "jti",
                    _ => "iss",
                };
                self.left_out.push((name.into(), map.next_value()?));
            }
            Claim::Sub | Claim::Jti | Claim::Iss => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }

    /// One of another form is kept, so that a list of ended ids on the other side goes on knowing it.
    fn any_sid<E: de::Error>(&mut self, value: &'de RawValue) -> Result<Named, E> {
        let named = Named::of_json(value).map_err(E::custom)?;
        if let Named::Theirs(_) = named {
            self.left_out.push(("sid".into(), value));
        }
        Ok(named)
    }

    /// A date, in the whole seconds that `round` makes of it where it may have a fraction.
    #[inline]
    fn date<A: MapAccess<'de>>(&self, map: &mut A, round: fn(f64) -> f64) -> Result<Timestamp, A::Error> {
        map.next_value_seed(Seconds(self.is_plain.then_some(round)))
    }

    fn first<E: de::Error>(&mut self, claim: Claim) -> Result<(), E> {
        let bit = 1 << claim as u16;
        if self.seen & bit != 0 {
            return Err(E::custom("a claim is there twice"));
        }
        self.seen |= bit;
        Ok(())
    }
}

/// A JSON string: is it this one?
struct Is<'c>(&'c str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<bool, E> {
        Ok(text == self.0)
    }
}

/// Which session, as a token says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// In the canonical text form of ours.
    Ours(SessionId),
    /// In a form of somebody else's, of which ours is made.
    Theirs(SessionId),
}

impl Named {
    fn of(text: &str) -> Self {
        let theirs = || Self::Theirs(id_from(&[b"sid of another form\0", text.as_bytes()]));
        SessionId::from_text(text).map_or_else(theirs, Self::Ours)
    }

    /// As a member of a JSON object.
    fn of_json(value: &RawValue) -> serde_json::Result<Self> {
        Sid.deserialize(value)
    }

    /// The id, where it may have any form.
    pub(super) fn id(self) -> SessionId {
        match self {
            Self::Ours(id) | Self::Theirs(id) => id,
        }
    }

    /// The id, where it must have ours.
    pub(super) fn ours(self) -> Option<SessionId> {
        match self {
            Self::Ours(id) => Some(id),
            Self::Theirs(_) => None,
        }
    }
}

/// The `sid` of an earlier token, as it was spelled, if it is of another form and still names this session.
pub(super) fn their_sid(left_out: &str, sid: SessionId) -> Option<&RawValue> {
    let value = plain::value_of(left_out, "sid")?;
    Named::of_json(value).is_ok_and(|named| named.id() == sid).then_some(value)
}

/// The id that stands for what has none of ours.
pub(super) fn id_from(parts: &[&[u8]]) -> SessionId {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    let mut id = [0; SessionId::LEN];
    id.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    SessionId::from_bytes(id)
}

struct Sid;

impl<'de> DeserializeSeed<'de> for Sid {
    type Value = Named;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Named, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Sid {
    type Value = Named;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a session id")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Named, E> {
        Ok(Named::of(text))
    }
}

/// A NumericDate (RFC 7519 section 2) as we take it: a JSON integer from 0 to the end of the year 9999; in the plain form
/// any number in that range, rounded so that nothing begins earlier or lasts longer than it says.
struct Seconds(Option<fn(f64) -> f64>);

impl<'de> DeserializeSeed<'de> for Seconds {
    type Value = Timestamp;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Timestamp, D::Error> {
        deserializer.deserialize_u64(self)
    }
}

impl Visitor<'_> for Seconds {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whole seconds since 1970")
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Timestamp, E> {
        i64::try_from(seconds)
            .ok()
            .filter(|seconds| *seconds <= Timestamp::MAX.unix_seconds())
            .map(Timestamp::from_unix_seconds)
            .ok_or_else(|| E::custom("a time out of range"))
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Timestamp, E> {
        let round = self.0.ok_or_else(|| E::custom("a time with a fraction"))?;
        let most = Timestamp::MAX.unix_seconds();
        // Exact: whole numbers up to the year 9999 have their place in a double.
        let whole = Some(round(seconds)).filter(|_| seconds >= 0.0).filter(|whole| *whole <= most as f64);
        whole
            .map(|whole| Timestamp::from_unix_seconds(whole as i64))
            .ok_or_else(|| E::custom("a time out of range"))
    }
}

/// How the user was verified (RFC 8176): an array of strings.
struct Methods;

impl<'de> DeserializeSeed<'de> for Methods {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<String>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Methods {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of strings")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<String>, A::Error> {
        let mut methods = Vec::new();
        while let Some(method) = seq.next_element()? {
            if methods.len() == MOST_METHODS {
                return Err(de::Error::custom("more methods than there can be"));
            }
            methods.push(method);
        }
        Ok(methods)
    }
}

/// A level as we write it, a small number in a string. What others mean by theirs is not ours to know.
struct Level;

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Option<u8>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<u8>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Level {
    type Value = Option<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Option<u8>, E> {
        Ok(text.parse().ok().filter(|level: &u8| level.to_string() == text))
    }
}
