//! Sealing: what a browser or a store keeps for us and must not read or change. JWE in compact form (RFC 7516), `dir` with
//! A256GCM.
//!
//! Each purpose and each realm has a key of its own, derived by HKDF-SHA256 (RFC 5869) from a symmetric key of the ring:
//! no salt, and `info` is `session-core sealed`, the purpose's `typ` and the realm, with a zero byte between them.
//! The nonce is random, 96 bits: seal at most 2^32 things for one purpose with one key of the ring (NIST SP 800-38D section
//! 8.3), which is one a second for 136 years.
//!
//! What does not open is `None`, whatever the reason: damaged, for something else, or by somebody else. A tag is checked
//! in constant time and before anything is decrypted, so time tells no more than length and header do, which the sender
//! wrote.

use std::borrow::Cow;
use std::io;

use aes_gcm::aead::AeadInPlace;
use aes_gcm::{Aes256Gcm, KeyInit};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::base64::{self, Buffer};
use super::envelope::MAX_TOKEN_LEN;
use super::header::media_type;
use super::key::Key;
use super::ring::KeyRing;
use crate::clock::RandomSource;

const MAX_HEADER: usize = 1024;
const NONCE: usize = 12;
const TAG: usize = 16;

/// What something is sealed for. Nothing that was sealed for one purpose opens for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A session's token.
    Session,
    /// What a flow's cookie holds.
    Flow,
    /// A message for the next page.
    Flash,
    /// The payload of a record.
    Record,
}

impl Purpose {
    /// The header's `typ` (RFC 8725 section 3.11).
    const fn typ(self) -> &'static str {
        match self {
            Self::Session => "session+jwe",
            Self::Flow => "session-flow+jwe",
            Self::Flash => "session-flash+jwe",
            Self::Record => "session-record+jwe",
        }
    }
}

/// The keys that seal, for one realm.
pub(crate) struct Sealing {
    keys: KeyRing,
    realm: Box<str>,
}

/// Why nothing was sealed.
#[derive(Debug)]
pub(crate) enum SealError {
    /// The ring's keys are public-key pairs, from which no key is derived.
    NoKey,
    Randomness(io::Error),
}

/// In this order, and nothing else: no `zip`, no `crit`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    #[serde(borrow)]
    alg: &'a str,
    #[serde(borrow)]
    enc: &'a str,
    #[serde(borrow)]
    typ: &'a str,
    /// A name may need escapes.
    #[serde(borrow)]
    kid: Cow<'a, str>,
}

impl Sealing {
    pub(crate) fn new(keys: KeyRing, realm: &str) -> Self {
        Self { keys, realm: realm.into() }
    }

    /// Seals for a cookie, with the ring's first key.
    pub(crate) fn seal(
        &self,
        purpose: Purpose,
        random: &dyn RandomSource,
        content: Vec<u8>,
    ) -> Result<String, SealError> {
        self.seal_bound(purpose, &[], random, content)
    }

    /// The same for what belongs to one place: it opens for whoever names that.
    pub(crate) fn seal_bound(
        &self,
        purpose: Purpose,
        bound: &[u8],
        random: &dyn RandomSource,
        mut content: Vec<u8>,
    ) -> Result<String, SealError> {
        let key = self.keys.signing();
        let cipher = self.cipher(&key, purpose).ok_or(SealError::NoKey)?;
        let mut nonce = [0; NONCE];
        random.fill(&mut nonce).map_err(SealError::Randomness)?;
        let mut sealed = header(&key, purpose, content.len());
        // It fails above 64 GiB only.
        let tag = cipher
            .encrypt_in_place_detached(&nonce.into(), &associated(sealed.as_bytes(), bound), &mut content)
            .map_err(|_| SealError::NoKey)?;
        // There is no encrypted key with `dir` (RFC 7516 section 5.1, step 5).
        sealed.push('.');
        for part in [&nonce[..], &content, &tag] {
            sealed.push('.');
            base64::append(part, &mut sealed);
        }
        Ok(sealed)
    }

    /// What was sealed for a cookie with this purpose, for this realm, by a key that is still in the ring. Nothing longer
    /// than a cookie is looked at.
    pub(crate) fn open(&self, purpose: Purpose, sealed: &[u8]) -> Option<Vec<u8>> {
        self.open_in(purpose, sealed, &mut Buffer::new()).map(|content| content.to_vec())
    }

    /// The same, in a place of the caller's.
    pub(super) fn open_in<'b>(
        &self,
        purpose: Purpose,
        sealed: &[u8],
        place: &'b mut Buffer<MAX_TOKEN_LEN>,
    ) -> Option<&'b mut [u8]> {
        if sealed.len() > MAX_TOKEN_LEN {
            return None;
        }
        let parts = Parts::of(sealed)?;
        let cipher = self.cipher_for(parts.header, purpose)?;
        let content = place.decode(parts.content)?;
        parts.decrypt(&cipher, &[], content)?;
        Some(content)
    }

    /// What was sealed for a place, at that place, however long: to be asked about what a store keeps.
    pub(crate) fn open_bound(&self, purpose: Purpose, bound: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let parts = Parts::of(sealed)?;
        let cipher = self.cipher_for(parts.header, purpose)?;
        let mut content = base64::to_vec(std::str::from_utf8(parts.content).ok()?)?;
        parts.decrypt(&cipher, bound, &mut content)?;
        Some(content)
    }

    /// Whether something was sealed with the key that would seal it now.
    pub(crate) fn is_newest(&self, purpose: Purpose, sealed: &[u8]) -> bool {
        let newest = header(&self.keys.signing(), purpose, 0);
        sealed.strip_prefix(newest.as_bytes()).is_some_and(|rest| rest.starts_with(b"."))
    }

    fn cipher(&self, key: &Key, purpose: Purpose) -> Option<Aes256Gcm> {
        let mut derived = Zeroizing::new([0; 32]);
        let info = [b"session-core sealed\0", purpose.typ().as_bytes(), b"\0", self.realm.as_bytes()];
        key.derive(&info, &mut derived).then(|| Aes256Gcm::new((&*derived).into()))
    }

    /// By the key that a header names, if the header is one that we write.
    fn cipher_for(&self, segment: &[u8], purpose: Purpose) -> Option<Aes256Gcm> {
        let mut place = Buffer::<MAX_HEADER>::new();
        let json = std::str::from_utf8(place.decode(segment)?).ok()?;
        // A derived struct would read a JSON list as well.
        let header: Header<'_> =
            if json.starts_with('{') { serde_json::from_str(json).ok()? } else { return None };
        let is_ours = header.alg == "dir"
            && header.enc == "A256GCM"
            && media_type(header.typ).eq_ignore_ascii_case(purpose.typ());
        let keys = self.keys.read();
        self.cipher(keys.named(&header.kid).filter(|_| is_ours)?, purpose)
    }
}

/// Whether bytes that are JSON otherwise are sealed: all that is begins with `{"` in base64url, and no JSON does.
pub(crate) fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(b"ey")
}

/// Something sealed, in its five segments, of which the second one is empty.
struct Parts<'a> {
    header: &'a [u8],
    nonce: &'a [u8],
    content: &'a [u8],
    tag: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(sealed: &'a [u8]) -> Option<Self> {
        let mut parts = sealed.split(|&byte| byte == b'.');
        let [header, encrypted_key] = [parts.next()?, parts.next()?];
        let [nonce, content, tag] = [parts.next()?, parts.next()?, parts.next()?];
        let is_whole = encrypted_key.is_empty() && parts.next().is_none();
        is_whole.then_some(Self { header, nonce, content, tag })
    }

    /// `content` is what the segment of that name holds.
    fn decrypt(&self, cipher: &Aes256Gcm, bound: &[u8], content: &mut [u8]) -> Option<()> {
        let (mut nonce_place, mut tag_place) = (Buffer::<NONCE>::new(), Buffer::<TAG>::new());
        let nonce: [u8; NONCE] = nonce_place.decode(self.nonce)?.try_into().ok()?;
        let tag: [u8; TAG] = tag_place.decode(self.tag)?.try_into().ok()?;
        let associated = associated(self.header, bound);
        cipher.decrypt_in_place_detached(&nonce.into(), &associated, content, &tag.into()).ok()
    }
}

/// The header's segment, with room for what follows it.
fn header(key: &Key, purpose: Purpose, content: usize) -> String {
    let header = Header { alg: "dir", enc: "A256GCM", typ: purpose.typ(), kid: key.kid().into() };
    // Four strings always serialize.
    let json = serde_json::to_vec(&header).unwrap_or_default();
    let lengths = [json.len(), NONCE, content, TAG];
    let mut segment = String::with_capacity(lengths.into_iter().map(base64::encoded_len).sum::<usize>() + 4);
    base64::append(json, &mut segment);
    segment
}

/// What is authenticated beside the content: the header, and the place where there is one (RFC 7516 section 5.1, step 14).
fn associated<'a>(header: &'a [u8], bound: &[u8]) -> Cow<'a, [u8]> {
    if bound.is_empty() {
        return Cow::Borrowed(header);
    }
    Cow::Owned([header, b".", base64::encode(bound).as_bytes()].concat())
}
