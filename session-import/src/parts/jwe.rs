//! JWE in compact form (RFC 7516) with a shared key, `dir`: A256CBC-HS512 (RFC 7518 section 5.2) and A256GCM (5.3).

use std::borrow::Cow;

use aes_gcm::aead::AeadInPlace;
use aes_gcm::{Aes256Gcm, KeyInit};
use base64_simd::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use serde::Deserialize;
use session_core::Timestamp;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::cbc;
use super::mac::{HmacSha512, verify_left};
use super::times::numeric_date;
use crate::session::Opened;

/// In bytes. Those that are read here are below 300.
const MAX_HEADER: usize = 1024;
/// In seconds: the libraries take what another server's clock dates so far into the future.
const TOLERANCE: f64 = 15.0;

/// How the content is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Encryption {
    A256CbcHs512,
    A256Gcm,
}

impl Encryption {
    /// Of its key, in bytes.
    pub(crate) const fn key_length(self) -> usize {
        match self {
            Self::A256CbcHs512 => 64,
            Self::A256Gcm => 32,
        }
    }
}

/// Nothing else: no `zip`, no `crit`. The key's name is not needed, as the tag says whether a key is the right one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    enc: Cow<'a, str>,
    #[serde(borrow, rename = "kid", default)]
    _kid: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "typ", default)]
    _typ: Option<Cow<'a, str>>,
}

/// A JWE, taken apart.
pub(crate) struct Jwe<'a> {
    header: &'a str,
    pub(crate) encryption: Encryption,
    nonce: Vec<u8>,
    content: Vec<u8>,
    tag: Vec<u8>,
}

impl<'a> Jwe<'a> {
    pub(crate) fn parse(token: &'a str) -> Option<Self> {
        let mut parts = token.split('.');
        let [header, key, nonce, content, tag] = [(); 5].map(|()| parts.next());
        let (header, decode) = (header?, |text: &str| URL_SAFE_NO_PAD.decode_to_vec(text).ok());
        // There is no encrypted key with `dir` (RFC 7516 section 5.1, step 5).
        if parts.next().is_some() || !key?.is_empty() || header.len() > MAX_HEADER {
            return None;
        }
        let encryption = encryption(&decode(header)?)?;
        Some(Self {
            header,
            encryption,
            nonce: decode(nonce?)?,
            content: decode(content?)?,
            tag: decode(tag?)?,
        })
    }

    /// The content, if this is the key that it was encrypted with.
    pub(crate) fn open(&self, key: &[u8]) -> Option<Vec<u8>> {
        match self.encryption {
            _ if key.len() != self.encryption.key_length() => None,
            Encryption::A256CbcHs512 => self.open_cbc(key.split_at(32)),
            Encryption::A256Gcm => self.open_gcm(key),
        }
    }

    /// The first half of the key is for the MAC, the second for the cipher (RFC 7518 section 5.2.2.1).
    fn open_cbc(&self, (mac_key, cipher_key): (&[u8], &[u8])) -> Option<Vec<u8>> {
        let header = self.header.as_bytes();
        let bits = u64::try_from(header.len()).ok()?.checked_mul(8)?.to_be_bytes();
        let parts = [header, &self.nonce, &self.content, &bits];
        verify_left::<HmacSha512>(mac_key, &parts, &self.tag)
            .then(|| cbc::decrypt(cipher_key, &self.nonce, self.content.clone()))?
    }

    fn open_gcm(&self, key: &[u8]) -> Option<Vec<u8>> {
        let nonce: [u8; 12] = self.nonce.as_slice().try_into().ok()?;
        let tag: [u8; 16] = self.tag.as_slice().try_into().ok()?;
        let cipher = Aes256Gcm::new_from_slice(key).ok()?;
        let mut content = self.content.clone();
        let header = self.header.as_bytes();
        cipher.decrypt_in_place_detached(&nonce.into(), header, &mut content, &tag.into()).ok()?;
        Some(content)
    }
}

fn encryption(header: &[u8]) -> Option<Encryption> {
    // A derived struct would read a JSON list as well.
    let header: Header<'_> =
        if header.starts_with(b"{") { serde_json::from_slice(header).ok()? } else { return None };
    match (&*header.alg, &*header.enc) {
        ("dir", "A256CBC-HS512") => Some(Encryption::A256CbcHs512),
        ("dir", "A256GCM") => Some(Encryption::A256Gcm),
        _ => None,
    }
}

/// HKDF-SHA256 (RFC 5869).
pub(crate) fn derive(secret: &[u8], salt: &[u8], info: &[u8], length: usize) -> Option<Zeroizing<Vec<u8>>> {
    let mut key = Zeroizing::new(vec![0; length]);
    Hkdf::<Sha256>::new(Some(salt), secret).expand(info, &mut key).ok()?;
    Some(key)
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    iat: Option<f64>,
    #[serde(default)]
    exp: Option<f64>,
    #[serde(default)]
    nbf: Option<f64>,
}

/// A set of claims, read as one; `None` if it is none, or not valid now.
pub(crate) fn claims(json: Vec<u8>, now: Timestamp) -> Option<Opened> {
    let claims: Claims =
        if json.starts_with(b"{") { serde_json::from_slice(&json).ok()? } else { return None };
    if claims.nbf.is_some_and(|from| from - TOLERANCE > now.unix_seconds() as f64) {
        return None;
    }
    let mut opened = Opened::new(json);
    opened.issued_at = claims.iat.map(numeric_date);
    opened.ends_at = claims.exp.map(numeric_date);
    opened.at(now)
}
