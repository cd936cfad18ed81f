//! The names of the keys. All keys of a realm share a hash tag, so that a cluster keeps them in one slot:
//!
//! | key | type | what |
//! |---|---|---|
//! | `prefix:{realm}` | string | the realm's epoch, 4 bytes |
//! | `prefix:{realm}.` and the 16 bytes of an id | string | a session |
//! | `prefix:{realm}#` and 2 bytes | hash | the ids of the accounts of a bucket, by subject |

use session_core::SessionId;
use session_core::store::StoreError;

pub(crate) type Epoch = [u8; 4];

/// Accounts share this many hashes: a million accounts then make small hashes, which Redis packs tightly.
const BUCKETS: u32 = 1 << 14;

/// What comes before the colon: no braces, which would take the place of the realm's.
#[derive(Clone, Debug)]
pub(crate) struct Prefix(String);

impl Prefix {
    pub(crate) fn new(prefix: String) -> Result<Self, StoreError> {
        if prefix.is_empty() || prefix.contains(['{', '}']) {
            return Err(StoreError::permanent(
                "the key prefix must not be empty and must not contain { or }, which Redis Cluster gives a meaning",
            ));
        }
        Ok(Self(prefix))
    }

    /// The key of the realm; the others begin with it.
    pub(crate) fn realm(&self, realm: &str) -> Base {
        let mut base = String::with_capacity(self.0.len() + realm.len() + 3);
        base.push_str(&self.0);
        base.push_str(":{");
        for &byte in realm.as_bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'~' => base.push(byte.into()),
                _ => base.push_str(&format!("%{byte:02X}")),
            }
        }
        base.push('}');
        Base(base)
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("session".into())
    }
}

/// The key of a realm.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Base(String);

impl Base {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The cluster's slot of all keys of this realm: CRC16 (XMODEM) of the hash tag, as the cluster specification has it.
    #[cfg(feature = "cluster")]
    pub(crate) fn slot(&self) -> u16 {
        let tag = self.0.split_once('{').map_or("", |(_, tag)| tag).trim_end_matches('}');
        let crc = tag.bytes().fold(0_u16, |crc, byte| {
            (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
            })
        });
        crc % 16_384
    }

    pub(crate) fn session(&self, id: SessionId) -> Vec<u8> {
        [self.as_bytes(), b".", id.as_bytes()].concat()
    }

    /// The id in the key of a session of this realm.
    pub(crate) fn id_in<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        let id = key.strip_prefix(self.as_bytes())?.strip_prefix(b".")?;
        (id.len() == 16).then_some(id)
    }

    /// The glob pattern of the realm's sessions.
    pub(crate) fn pattern(&self) -> String {
        let mut pattern = String::with_capacity(self.0.len() + 2);
        for letter in self.0.chars() {
            if matches!(letter, '*' | '?' | '[' | ']' | '^' | '-' | '\\') {
                pattern.push('\\');
            }
            pattern.push(letter);
        }
        pattern + ".*"
    }
}

/// The bucket of a subject: FNV-1a (32 bits). Part of the layout: another choice would lose every index.
pub(crate) fn bucket_of(subject: &str) -> [u8; 2] {
    let hash = subject
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let [_, _, bucket @ ..] = ((hash ^ hash >> 16) % BUCKETS).to_be_bytes();
    bucket
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(realm: &str) -> Base {
        Prefix::default().realm(realm)
    }

    #[test]
    fn the_key_of_a_realm_is_readable_and_its_tag_is_the_realm() {
        assert_eq!(base("__Host-session").0, "session:{__Host-session}");
        assert_eq!(base("a}b{c d*é").0, "session:{a%7Db%7Bc%20d%2A%C3%A9}");
    }

    #[test]
    fn an_id_is_found_in_its_own_realm_only() {
        let id = SessionId::from_bytes([b'.'; 16]);
        let key = base("a").session(id);
        assert_eq!(base("a").id_in(&key), Some(&id.as_bytes()[..]));
        assert_eq!(base("ab").id_in(&key), None);
        assert_eq!(base("a").id_in(b"session:{a}#12"), None);
    }

    #[cfg(feature = "cluster")]
    #[test]
    fn the_slot_is_that_of_the_specification() {
        assert_eq!(base("123456789").slot(), 0x31c3);
        assert_eq!(base("foo").slot(), 12_182);
    }

    #[test]
    fn a_pattern_matches_itself_only() {
        let prefix = Prefix::new("my*app[1]".into()).unwrap();
        assert_eq!(prefix.realm("r-1").pattern(), r"my\*app\[1\]:{r\-1}.*");
    }

    #[test]
    fn braces_and_nothing_are_no_prefix() {
        for prefix in ["", "{", "a}"] {
            assert!(Prefix::new(prefix.into()).is_err());
        }
    }

    #[test]
    fn buckets_stay_what_they_are() {
        assert_eq!([bucket_of("a"), bucket_of("user-1")], [[13, 32], [12, 39]]);
    }
}
