//! A cookie as a browser keeps it, and what can be read in it.

use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hkdf::Hkdf;
use serde::Deserialize;
use session_core::SessionId;
use sha2::Sha256;

use crate::node::{REALM, secret};

#[derive(Clone, Debug)]
pub(crate) struct Token {
    /// `name=value`.
    pub(crate) cookie: String,
    pub(crate) sid: SessionId,
    pub(crate) generation: Option<u64>,
    /// In seconds since 1970.
    pub(crate) expires_at: i64,
    pub(crate) kid: String,
    pub(crate) is_sealed: bool,
}

/// What a `Set-Cookie` line does.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Keep(Token),
    Forget,
}

#[derive(Deserialize)]
struct Header {
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
        let parts: Vec<&str> = value.split('.').collect();
        let header: Header = serde_json::from_slice(&decode(parts.first()?)?).ok()?;
        let (content, is_sealed) = match parts[..] {
            [_, claims, _signature] => (decode(claims)?, false),
            [protected, "", nonce, content, tag] => {
                (unseal(&header.kid, protected, nonce, content, tag)?, true)
            }
            _ => return None,
        };
        let claims: Claims = serde_json::from_slice(&content).ok()?;
        Some(Self::Keep(Token {
            cookie: cookie.to_owned(),
            sid: SessionId::from_text(&claims.sid)?,
            generation: claims.generation,
            expires_at: claims.exp,
            kid: header.kid,
            is_sealed,
        }))
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep(Token { sid, generation, expires_at, .. }) => {
                write!(f, "keeps {sid:?} {generation:?} until {expires_at}")
            }
            Self::Forget => write!(f, "forgets"),
        }
    }
}

fn decode(part: &str) -> Option<Vec<u8>> {
    base64_simd::URL_SAFE_NO_PAD.decode_to_vec(part).ok()
}

/// By what the documentation of `TokenForm::Sealed` says, and RFC 7516.
fn unseal(kid: &str, header: &str, nonce: &str, content: &str, tag: &str) -> Option<Vec<u8>> {
    let mut key = [0; 32];
    let info = format!("session-core sealed\0session+jwe\0{REALM}");
    Hkdf::<Sha256>::new(None, &secret(kid)).expand(info.as_bytes(), &mut key).ok()?;
    let nonce: [u8; 12] = decode(nonce)?.try_into().ok()?;
    let sealed = [decode(content)?, decode(tag)?].concat();
    let sealed = Payload { msg: &sealed, aad: header.as_bytes() };
    Aes256Gcm::new(&key.into()).decrypt(&Nonce::from(nonce), sealed).ok()
}
