//! Session ids: 128 bits from the system's random source (ASVS 5.0, 7.2.3).

use std::fmt;

use sha2::{Digest, Sha256};

const BASE64URL: base64_simd::Base64 = base64_simd::URL_SAFE_NO_PAD;

/// The id of one session: 128 random bits, drawn at login and never taken from a client.
///
/// An id alone opens nothing (a token carries it under a signature), but it is kept out of logs all the same:
/// `Debug` shows the first bytes of a hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// Length of the text form: base64url without padding.
    pub const TEXT_LEN: usize = 22;

    /// The id with these bytes, for stores that read one back.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes, for stores.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The id in `text` (22 characters of base64url), or `None`.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        if text.len() != Self::TEXT_LEN {
            return None;
        }
        let mut bytes = [0; 16];
        let decoded = BASE64URL.decode(text.as_bytes(), base64_simd::Out::from_slice(&mut bytes)).ok()?;
        (decoded.len() == 16).then_some(Self(bytes))
    }

    /// The id as 22 characters of base64url, the claim `sid`.
    #[must_use]
    pub fn to_text(&self) -> String {
        BASE64URL.encode_to_string(self.0)
    }

    /// A hash of realm and id (SHA-256, 128 bits kept, base64url): names the session in lists and events,
    /// and is useless as a credential.
    #[must_use]
    pub fn handle(&self, realm: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(b"session handle\0");
        hash.update(realm.as_bytes());
        hash.update([0]);
        hash.update(self.0);
        BASE64URL.encode_to_string(&hash.finalize()[..16])
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId(#{})", &self.handle("debug")[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        let id = SessionId::from_bytes(*b"0123456789abcdef");
        assert_eq!(SessionId::from_text(&id.to_text()), Some(id));
    }

    #[test]
    fn text_that_is_not_canonical_is_no_id() {
        for text in
            ["", "short", "AAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAA+A"]
        {
            assert_eq!(SessionId::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn debug_does_not_show_the_id() {
        let id = SessionId::from_bytes(*b"0123456789abcdef");
        assert!(!format!("{id:?}").contains(&id.to_text()[..6]));
    }

    #[test]
    fn handles_differ_by_realm() {
        let id = SessionId::from_bytes([7; 16]);
        assert_ne!(id.handle("users"), id.handle("admins"));
    }
}
