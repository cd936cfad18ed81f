//! Names as numbers: what rows and indexes carry instead of the names themselves.
//!
//! A realm's name in each row and in each index cost 15 to 60 bytes a session. Its hash needs no table of names, which
//! somebody would have to look up, cache and lock. What a collision means:
//!
//! * Of two sessions, or of two accounts: nothing is mixed up. The hash only finds rows; realm and id, or realm and
//!   subject, are compared in the same statement. A new session whose hash is taken counts as one whose id is taken, and
//!   the manager takes another id.
//! * Of two realms (2^-64 for two names, which developers choose): [`hash`] covers the realm's name, so a session of the
//!   one is found in the other only if that collides, too. To end everybody's sessions in the one would end them in both,
//!   and both would be counted.
//!
//! The names of realms can be read in the table of marks.

use sha2::{Digest, Sha256};

/// A realm, as rows carry it.
pub(crate) fn realm(name: &str) -> i64 {
    number(&["realm", name].map(str::as_bytes))
}

/// What finds a session by its id.
pub(crate) fn hash(realm: &str, name: &[u8]) -> i64 {
    number(&[b"name", realm.as_bytes(), name])
}

/// 32 bits that find an account: those of another one among the answers are left out by its subject.
pub(crate) fn account(realm: &str, subject: &str) -> i64 {
    hash(realm, subject.as_bytes()) >> 32
}

/// 64 bits of a hash over several parts.
pub(crate) fn number(parts: &[&[u8]]) -> i64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(8).fold(0, |number, byte| (number << 8) | i64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_join_to_the_same_are_apart() {
        assert_ne!(hash("ab", b"c"), hash("a", b"bc"));
        assert_ne!(hash("a\0", b"b"), hash("a", b"\0b"));
        assert_ne!(realm("a"), realm("b"));
    }
}
