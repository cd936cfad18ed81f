//! A cookie as a browser keeps it, and what can be read in it.

use serde::Deserialize;
use session_core::SessionId;

#[derive(Clone, Debug)]
pub(crate) struct Token {
    /// `name=value`.
    pub(crate) cookie: String,
    pub(crate) sid: SessionId,
    pub(crate) generation: Option<u64>,
    /// In seconds since 1970.
    pub(crate) expires_at: i64,
    pub(crate) kid: String,
}

/// What a `Set-Cookie` line does.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Keep(Token),
    Forget,
}

#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    kid: String,
}

#[derive(Deserialize)]
struct Claims {
    sid: String,
    exp: i64,
    #[serde(rename = "gen")]
    generation: Option<u64>,
}

impl Change {
    /// `None` for a line that nobody can read.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let cookie = line.split(';').next()?;
        let (_, value) = cookie.split_once('=')?;
        if value.is_empty() {
            return Some(Self::Forget);
        }
        let mut parts = value.split('.');
        let header: Header = decode(parts.next()?)?;
        let claims: Claims = decode(parts.next()?)?;
        Some(Self::Keep(Token {
            cookie: cookie.to_owned(),
            sid: SessionId::from_text(&claims.sid)?,
            generation: claims.generation,
            expires_at: claims.exp,
            kid: header.kid,
        }))
    }
}

fn decode<T: serde::de::DeserializeOwned>(part: &str) -> Option<T> {
    let bytes = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}
