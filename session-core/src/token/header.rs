//! Headers of tokens that are not, byte for byte, one that we would write.
//!
//! Read by a type of our own: `jsonwebtoken`'s takes members that have no place here (a key, a list of what is critical)
//! and copies them all, before anybody has shown a signature.

use std::borrow::Cow;

use serde::de::DeserializeSeed as _;
use serde::{Deserialize, Deserializer};

use super::algorithm::SigningAlgorithm;
use super::base64::Buffer;
use super::name::NameSeed;

/// The `typ` of our tokens (RFC 8725 section 3.11): no other kind of token passes for a session.
pub(super) const TYP: &str = "session+jwt";
/// More than the longest legal header needs, with each byte of its `kid` written as an escape.
const MAX_BYTES: usize = 1024;

/// A header: `alg`, `typ` and `kid`, and nothing else: `crit`, `jwk`, `jku`, `x5u`, `zip`, `b64` have no place.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header<'a> {
    #[serde(borrow)]
    alg: &'a str,
    #[serde(borrow, default, deserialize_with = "text")]
    typ: Option<&'a str>,
    /// A name may need escapes.
    #[serde(borrow, default, deserialize_with = "name")]
    pub(super) kid: Option<Cow<'a, str>>,
}

/// Which kind of token `typ` says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `session+jwt`.
    Session,
    /// No `typ`, or `JWT`.
    Plain,
    /// Anything else.
    Other,
}

impl<'a> Header<'a> {
    /// The header in one segment of a token, or `None`. Escapes in `alg` and `typ` are refused: no legal value
    /// needs one.
    pub(super) fn parse(segment: &[u8], buffer: &'a mut Buffer<MAX_BYTES>) -> Option<Self> {
        let json = std::str::from_utf8(buffer.decode(segment)?).ok()?;
        // A derived struct would read a JSON list as well.
        if json.starts_with('{') { serde_json::from_str(json).ok() } else { None }
    }

    /// `None` for one that no key of ours has.
    pub(super) fn algorithm(&self) -> Option<SigningAlgorithm> {
        self.alg.parse().ok().and_then(SigningAlgorithm::of)
    }

    pub(super) fn kind(&self) -> Kind {
        let Some(typ) = self.typ.map(media_type) else { return Kind::Plain };
        if typ.eq_ignore_ascii_case(TYP) {
            Kind::Session
        } else if typ.eq_ignore_ascii_case("JWT") {
            Kind::Plain
        } else {
            Kind::Other
        }
    }
}

/// Media types are case-insensitive and may come with or without `application/` (RFC 7515 section 4.1.9).
pub(super) fn media_type(typ: &str) -> &str {
    match typ.split_once('/') {
        Some((family, rest)) if family.eq_ignore_ascii_case("application") => rest,
        _ => typ,
    }
}

pub(super) const fn buffer() -> Buffer<MAX_BYTES> {
    Buffer::new()
}

/// A string, and not null.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de str>, D::Error> {
    <&str>::deserialize(deserializer).map(Some)
}

/// The same, with or without escapes.
fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'de, str>>, D::Error> {
    NameSeed.deserialize(deserializer).map(Some)
}
