//! The names of the keys. A realm is spread over 256 shards by the first byte of its sessions' ids, and all keys of a shard
//! share a hash tag, so that a cluster keeps them in one slot. A shard is spelled in two letters from `@` to `O`, four bits
//! each: CRC16, which finds the slot, spreads these within 3 % over three nodes, whatever the realm's name is, and
//! hexadecimal digits within 10 %. For the shard 0x7F:
//!
//! | key | type | what |
//! |---|---|---|
//! | `prefix:{realm/GO}` | string | the shard's epoch, 4 bytes, and until when this key lives |
//! | .. and the other 17 bytes of an id | string | a session |
//! | .. and `#` and a byte | hash | the ids of the accounts of a bucket, by subject |
//! | .. and `!` | hash | marks |
//! | .. and `~` and the other 17 bytes of an id | string | until when this id is not adopted again, in digits |
//! | .. and `^` | hash | bars against adoptions, by subject; the realm's under the empty name |
//!
//! No other key is as long as a session's: whoever looks for these passes over it.
//!
//! A usual session has a key of 44 bytes, which the allocator of Redis keeps in 48.

use session_core::store::{Account, StoreError};
use session_core::{Place, SessionId};

pub(crate) type Epoch = [u8; 4];

/// The bytes of an id that are in its key, behind the shard's.
pub(crate) const REST: usize = SessionId::LEN - 1;
/// Behind the name of the realm: a slash, two letters and a brace.
const SHARD: usize = 4;
const FIRST_LETTER: u8 = b'@';

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

    pub(crate) fn realm(&self, realm: &str) -> Realm {
        let mut base = String::with_capacity(self.0.len() + realm.len() + 2 + SHARD);
        base.push_str(&self.0);
        base.push_str(":{");
        for &byte in realm.as_bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'~' => base.push(byte.into()),
                _ => base.push_str(&format!("%{byte:02X}")),
            }
        }
        Realm(base)
    }

    /// The shard that has an id.
    pub(crate) fn shard_of(&self, realm: &str, id: SessionId) -> Base {
        self.realm(realm).shard(shard_of(id))
    }

    /// The shard that has an account, and what its ids begin with there.
    pub(crate) fn account(&self, account: Account<'_>) -> (Base, [u8; 1]) {
        let [shard, rest] = *Place::of(account.subject).as_bytes();
        (self.realm(account.realm).shard(shard), [rest])
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("session".into())
    }
}

pub(crate) fn shard_of(id: SessionId) -> u8 {
    let [shard, ..] = *id.as_bytes();
    shard
}

/// What an id is called within its shard.
pub(crate) fn rest_of(id: &SessionId) -> &[u8] {
    id.as_bytes().get(1..).unwrap_or_default()
}

/// The id of which this is the rest.
pub(crate) fn id_at(shard: u8, rest: &[u8]) -> Option<SessionId> {
    let rest: [u8; REST] = rest.try_into().ok()?;
    let mut id = [0; SessionId::LEN];
    id.iter_mut().zip([shard].into_iter().chain(rest)).for_each(|(to, from)| *to = from);
    Some(SessionId::from_bytes(id))
}

/// What the keys of a realm begin with: prefix and name, up to the shard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Realm(String);

impl Realm {
    /// A shard: the key of its epoch.
    pub(crate) fn shard(&self, shard: u8) -> Base {
        let mut key = String::with_capacity(self.0.len() + SHARD);
        key.push_str(&self.0);
        key.push('/');
        key.push(char::from(FIRST_LETTER | shard >> 4));
        key.push(char::from(FIRST_LETTER | shard & 0x0f));
        key.push('}');
        Base { key, shard }
    }

    pub(crate) fn shards(&self) -> impl Iterator<Item = Base> {
        (0..=u8::MAX).map(|shard| self.shard(shard))
    }

    /// Where it is told which of its sessions have ended.
    pub(crate) fn channel(&self) -> String {
        format!("{}}}", self.0)
    }

    /// The id in the key of a session of this realm.
    pub(crate) fn id_in(&self, key: &[u8]) -> Option<SessionId> {
        let [b'/', high, low, b'}', rest @ ..] = key.strip_prefix(self.0.as_bytes())? else { return None };
        let letters = [*high, *low];
        let is_shard = letters.iter().all(|letter| letter & 0xf0 == FIRST_LETTER);
        id_at((high & 0x0f) << 4 | low & 0x0f, rest).filter(|_| is_shard)
    }

    /// The glob pattern of the realm's sessions.
    pub(crate) fn pattern(&self) -> String {
        let mut pattern = String::with_capacity(self.0.len() + 2 + SHARD + REST);
        for letter in self.0.chars() {
            if matches!(letter, '*' | '?' | '[' | ']' | '^' | '-' | '\\') {
                pattern.push('\\');
            }
            pattern.push(letter);
        }
        pattern + "/??}" + &"?".repeat(REST)
    }
}

/// A shard of a realm, and the key of its epoch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Base {
    key: String,
    pub(crate) shard: u8,
}

impl Base {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.key.as_bytes()
    }

    /// The cluster's slot of all keys of this shard: CRC16 (XMODEM) of the hash tag, as the cluster specification has it.
    #[cfg(feature = "cluster")]
    pub(crate) fn slot(&self) -> u16 {
        let tag = self.key.split_once('{').map_or("", |(_, tag)| tag).trim_end_matches('}');
        let crc = tag.bytes().fold(0_u16, |crc, byte| {
            (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
            })
        });
        crc % 16_384
    }

    pub(crate) fn session(&self, id: &SessionId) -> Vec<u8> {
        [self.as_bytes(), rest_of(id)].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn realm(name: &str) -> Realm {
        Prefix::default().realm(name)
    }

    #[test]
    fn the_key_of_a_shard_is_readable_and_its_tag_is_realm_and_shard() {
        assert_eq!(realm("__Host-session").shard(0x7f).key, "session:{__Host-session/GO}");
        assert_eq!(realm("a}b{c d*é").shard(0).key, "session:{a%7Db%7Bc%20d%2A%C3%A9/@@}");
        assert_eq!(realm("a/b").channel(), "session:{a%2Fb}");
    }

    #[test]
    fn the_key_of_a_usual_session_is_44_bytes_long() {
        let id = SessionId::from_bytes([7; SessionId::LEN]);
        assert_eq!(realm("__Host-session").shard(7).session(&id).len(), 44);
    }

    #[test]
    fn an_id_is_found_in_its_own_realm_only() {
        let id = SessionId::from_bytes([b'.'; SessionId::LEN]);
        let key = Prefix::default().shard_of("a", id).session(&id);
        assert_eq!(realm("a").id_in(&key), Some(id));
        for other in ["ab", "b", ""] {
            assert_eq!(realm(other).id_in(&key), None);
        }
        for no_session in [&b"session:{a/AB}#1"[..], b"session:{a/AB}", b"session:{a/12}12345678901234567"] {
            assert_eq!(realm("a").id_in(no_session), None);
        }
    }

    #[cfg(feature = "cluster")]
    #[test]
    fn the_slot_is_that_of_the_specification() {
        let base = |tag: &str| Base { key: format!("session:{{{tag}}}"), shard: 0 };
        assert_eq!(base("123456789").slot(), 0x31c3);
        assert_eq!(base("foo").slot(), 12_182);
    }

    #[cfg(feature = "cluster")]
    #[test]
    fn the_shards_of_a_realm_are_spread_evenly_over_the_nodes_of_a_cluster() {
        for count in [3, 6] {
            for name in ["__Host-session", "a", "admin", "__Host-session/flows", "x-1", "x-2", "shop.example"]
            {
                let mut nodes = vec![0.0; count];
                realm(name).shards().for_each(|base| nodes[usize::from(base.slot()) * count / 16_384] += 1.0);
                let mean = 256.0 / count as f64;
                assert!(nodes.iter().all(|shards| (shards / mean - 1.0).abs() < 0.04), "{name}: {nodes:?}");
            }
        }
    }

    #[test]
    fn a_pattern_matches_itself_only() {
        let prefix = Prefix::new("my*app[1]".into()).unwrap();
        assert_eq!(prefix.realm("r-1").pattern(), r"my\*app\[1\]:{r\-1/??}?????????????????");
    }

    #[test]
    fn braces_and_nothing_are_no_prefix() {
        for prefix in ["", "{", "a}"] {
            assert!(Prefix::new(prefix.into()).is_err());
        }
    }
}
