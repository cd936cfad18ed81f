//! Session ids: 128 bits from the system's random source (ASVS 5.0, 7.2.3), behind the place where they are kept.

use std::fmt;

use sha2::{Digest, Sha256};

const BASE64URL: base64_simd::Base64 = base64_simd::URL_SAFE_NO_PAD;

/// The id of one session: its [`Place`] and 128 random bits, drawn at login and never taken from a client.
///
/// An id alone opens nothing (a token carries it under a signature), but it is kept out of logs all the same:
/// `Debug` shows the first bytes of a hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; Self::LEN]);

/// Where a store that is spread over machines keeps a session: the same for all sessions of an account, and chosen at
/// random for a guest's. It says nothing about who the user is but 14 bits of a hash: eight for one of 256 shards, and six
/// for one of 64 lists of accounts in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place([u8; 2]);

impl Place {
    /// The place of an account: 14 bits of SHA-256. Part of every stored id, so it never changes.
    #[must_use]
    pub fn of(subject: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"session place\0");
        hash.update(subject);
        let [high, low, ..] = <[u8; 32]>::from(hash.finalize());
        Self([high, low & 0x3f])
    }

    /// The place with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 2]) -> Self {
        Self(bytes)
    }

    /// The bytes with which the ids of this place begin.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 2] {
        &self.0
    }
}

impl SessionId {
    /// Length in bytes: two of place, 16 random ones.
    pub const LEN: usize = 18;
    /// Length of the text form: base64url without padding.
    pub const TEXT_LEN: usize = 24;

    /// An id at a place. The bytes must come from a source that nobody can foresee.
    #[must_use]
    pub fn new(place: Place, random: [u8; 16]) -> Self {
        let mut bytes = [0; Self::LEN];
        bytes.iter_mut().zip(place.0.into_iter().chain(random)).for_each(|(to, from)| *to = from);
        Self(bytes)
    }

    /// The id with these bytes, for stores that read one back.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes, for stores: those of the place first.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Where it is kept.
    #[must_use]
    pub const fn place(&self) -> Place {
        let [high, low, ..] = self.0;
        Place([high, low])
    }

    /// The id in `text` (24 characters of base64url), or `None`.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        if text.len() != Self::TEXT_LEN {
            return None;
        }
        let mut bytes = [0; Self::LEN];
        let decoded = BASE64URL.decode(text.as_bytes(), base64_simd::Out::from_slice(&mut bytes)).ok()?;
        (decoded.len() == Self::LEN).then_some(Self(bytes))
    }

    /// The id as 24 characters of base64url, the claim `sid`.
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
        let id = SessionId::from_bytes(*b"0123456789abcdefgh");
        assert_eq!(SessionId::from_text(&id.to_text()), Some(id));
    }

    #[test]
    fn text_that_is_not_canonical_is_no_id() {
        for text in
            ["", "short", "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAAA+A"]
        {
            assert_eq!(SessionId::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn debug_does_not_show_the_id() {
        let id = SessionId::from_bytes(*b"0123456789abcdefgh");
        assert!(!format!("{id:?}").contains(&id.to_text()[..6]));
    }

    #[test]
    fn handles_differ_by_realm() {
        let id = SessionId::from_bytes([7; 18]);
        assert_ne!(id.handle("users"), id.handle("admins"));
    }

    #[test]
    fn the_place_of_an_account_stays_what_it_is_and_begins_its_ids() {
        assert_eq!(Place::of("user-1"), Place::from_bytes([249, 31]));
        let id = SessionId::new(Place::of("user-1"), *b"0123456789abcdef");
        assert_eq!(id.place(), Place::of("user-1"));
        assert_eq!(&id.as_bytes()[2..], b"0123456789abcdef");
    }

    #[test]
    fn accounts_are_spread_evenly() {
        let mut shards = [0; 256];
        for number in 0..25_600 {
            let [shard, _] = *Place::of(&format!("user-{number}")).as_bytes();
            shards[usize::from(shard)] += 1;
        }
        assert!(shards.iter().all(|count| (50..=150).contains(count)), "{shards:?}");
    }
}
