//! Sealing: what a browser keeps for us and must not read or change. JWE in compact form (RFC 7516), `dir` with A256GCM.
//!
//! Each purpose and each realm has a key of its own, derived by HKDF-SHA256 (RFC 5869) from a symmetric key of the ring.
//! The nonce is random, 96 bits: seal at most 2^32 things for one purpose with one key of the ring (NIST SP 800-38D section
//! 8.3), which is one a second for 136 years.

use std::borrow::Cow;
use std::io;

use aes_gcm::aead::AeadInPlace;
use aes_gcm::{Aes256Gcm, KeyInit};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::base64::{self, Buffer};
use super::key::Key;
use super::ring::KeyRing;
use crate::clock::RandomSource;

/// In bytes: nothing longer is looked at. A sealed cookie is far below.
const MAX_SEALED: usize = 4096;
const MAX_HEADER: usize = 1024;
const NONCE: usize = 12;
const TAG: usize = 16;

/// What something is sealed for. Nothing that was sealed for one purpose opens for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// What a flow's cookie holds.
    Flow,
    /// A message for the next page.
    Flash,
}

impl Purpose {
    /// The header's `typ` (RFC 8725 section 3.11).
    const fn typ(self) -> &'static str {
        match self {
            Self::Flow => "session-flow+jwe",
            Self::Flash => "session-flash+jwe",
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

    /// Seals with the ring's first key.
    pub(crate) fn seal(
        &self,
        purpose: Purpose,
        random: &dyn RandomSource,
        mut content: Vec<u8>,
    ) -> Result<String, SealError> {
        let key = self.keys.signing();
        let cipher = self.cipher(&key, purpose).ok_or(SealError::NoKey)?;
        let mut nonce = [0; NONCE];
        random.fill(&mut nonce).map_err(SealError::Randomness)?;
        let header = Header { alg: "dir", enc: "A256GCM", typ: purpose.typ(), kid: key.kid().into() };
        // Four strings always serialize.
        let mut sealed = base64::encode(serde_json::to_vec(&header).unwrap_or_default());
        // It fails above 64 GiB only.
        let tag = cipher
            .encrypt_in_place_detached(&nonce.into(), sealed.as_bytes(), &mut content)
            .map_err(|_| SealError::NoKey)?;
        // There is no encrypted key with `dir` (RFC 7516 section 5.1, step 5).
        sealed.push('.');
        for part in [&nonce[..], &content, &tag] {
            sealed.push('.');
            base64::append(part, &mut sealed);
        }
        Ok(sealed)
    }

    /// What was sealed for this purpose and realm by a key that is still in the ring.
    pub(crate) fn open(&self, purpose: Purpose, sealed: &[u8]) -> Option<Vec<u8>> {
        if sealed.len() > MAX_SEALED {
            return None;
        }
        let [header, encrypted_key, nonce, content, tag] = parts(sealed)?;
        if !encrypted_key.is_empty() {
            return None;
        }
        let keys = self.keys.read();
        let cipher = self.cipher(keys.named(&kid(header, purpose)?)?, purpose)?;
        let (mut nonce_place, mut tag_place) = (Buffer::<NONCE>::new(), Buffer::<TAG>::new());
        let nonce: [u8; NONCE] = nonce_place.decode(nonce)?.try_into().ok()?;
        let tag: [u8; TAG] = tag_place.decode(tag)?.try_into().ok()?;
        let mut content = base64::to_vec(std::str::from_utf8(content).ok()?)?;
        cipher.decrypt_in_place_detached(&nonce.into(), header, &mut content, &tag.into()).ok()?;
        Some(content)
    }

    fn cipher(&self, key: &Key, purpose: Purpose) -> Option<Aes256Gcm> {
        let mut derived = Zeroizing::new([0; 32]);
        let info = [b"session-core sealed\0", purpose.typ().as_bytes(), b"\0", self.realm.as_bytes()];
        key.derive(&info, &mut derived).then(|| Aes256Gcm::new((&*derived).into()))
    }
}

/// The five segments.
fn parts(sealed: &[u8]) -> Option<[&[u8]; 5]> {
    let mut parts = sealed.split(|&byte| byte == b'.');
    let five = [parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(five)
}

/// The name of the key, if the header is one that we write.
fn kid(segment: &[u8], purpose: Purpose) -> Option<String> {
    let mut place = Buffer::<MAX_HEADER>::new();
    let json = std::str::from_utf8(place.decode(segment)?).ok()?;
    // A derived struct would read a JSON list as well.
    let header: Header<'_> =
        if json.starts_with('{') { serde_json::from_str(json).ok()? } else { return None };
    let is_ours = header.alg == "dir" && header.enc == "A256GCM" && header.typ == purpose.typ();
    is_ours.then(|| header.kid.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::SystemRandom;

    fn ring(byte: u8) -> KeyRing {
        KeyRing::from_secret([byte; 32]).unwrap()
    }

    fn sealing(byte: u8) -> Sealing {
        Sealing::new(ring(byte), "users")
    }

    fn sealed(by: &Sealing) -> String {
        by.seal(Purpose::Flow, &SystemRandom, b"verifier".to_vec()).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_and_does_not_show() {
        let sealing = sealing(1);
        let text = sealed(&sealing);
        assert_eq!(sealing.open(Purpose::Flow, text.as_bytes()).unwrap(), b"verifier");
        assert!(!text.contains(&base64::encode(b"verifier")));
        assert_ne!(text, sealed(&sealing), "a nonce came twice");
    }

    #[test]
    fn it_is_a_jwe_with_five_segments_and_no_encrypted_key() {
        let text = sealed(&Sealing::new(
            KeyRing::new(Key::hs256([1; 32]).unwrap().with_kid("\"k\"").unwrap()).unwrap(),
            "users",
        ));
        let header = base64::to_vec(text.split('.').next().unwrap()).unwrap();
        assert_eq!(
            String::from_utf8(header).unwrap(),
            r#"{"alg":"dir","enc":"A256GCM","typ":"session-flow+jwe","kid":"\"k\""}"#
        );
        assert_eq!(text.split('.').map(str::len).collect::<Vec<_>>()[1..], [0, 16, 11, 22]);
    }

    #[test]
    fn another_key_purpose_or_realm_opens_nothing() {
        let text = sealed(&sealing(1));
        assert!(sealing(2).open(Purpose::Flow, text.as_bytes()).is_none());
        assert!(sealing(1).open(Purpose::Flash, text.as_bytes()).is_none());
        assert!(Sealing::new(ring(1), "admins").open(Purpose::Flow, text.as_bytes()).is_none());
    }

    #[test]
    fn a_key_of_the_same_name_is_not_the_same_key() {
        let named = |byte| {
            Sealing::new(KeyRing::new(Key::hs256([byte; 32]).unwrap().with_kid("k").unwrap()).unwrap(), "u")
        };
        assert!(named(2).open(Purpose::Flow, sealed(&named(1)).as_bytes()).is_none());
    }

    #[test]
    fn every_key_of_the_ring_opens_until_it_is_retired() {
        let ring = ring(1);
        let sealing = Sealing::new(ring.clone(), "users");
        let (old, text) = (ring.signing_kid(), sealed(&sealing));
        ring.add(Key::hs512([2; 64]).unwrap().with_kid("next").unwrap()).unwrap();
        ring.promote("next").unwrap();
        assert!(sealing.open(Purpose::Flow, text.as_bytes()).is_some());
        assert!(sealing.open(Purpose::Flow, sealed(&sealing).as_bytes()).is_some());
        ring.retire(&old).unwrap();
        assert!(sealing.open(Purpose::Flow, text.as_bytes()).is_none());
    }

    #[test]
    fn no_changed_byte_and_no_other_shape_opens() {
        let sealing = sealing(1);
        let text = sealed(&sealing);
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert!(sealing.open(Purpose::Flow, &bytes).is_none(), "{at}");
        }
        let long = format!("{text}{}", "A".repeat(MAX_SEALED));
        for other in ["", "....", &text[1..], &format!("{text}."), &text.replacen("..", ".AA.", 1), &long] {
            assert!(sealing.open(Purpose::Flow, other.as_bytes()).is_none(), "{other}");
        }
    }

    #[cfg(feature = "asymmetric")]
    #[test]
    fn a_ring_of_key_pairs_seals_nothing() {
        let pair = Key::ed25519_pem(include_bytes!("tests/keys/ed25519.pem")).unwrap();
        let sealing = Sealing::new(KeyRing::new(pair).unwrap(), "users");
        let sealed = sealing.seal(Purpose::Flow, &SystemRandom, Vec::new());
        assert!(matches!(sealed, Err(SealError::NoKey)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(sealing(1).open(Purpose::Flow, &bytes).is_none());
        }
    }
}
