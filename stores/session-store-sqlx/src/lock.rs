//! Names of locks, equal in every process.

use sha2::{Digest, Sha256};

/// What is locked.
#[derive(Clone, Copy)]
pub(crate) enum Lock<'a> {
    /// The making of the tables.
    #[cfg(feature = "postgres")]
    Schema,
    /// A whole realm.
    #[cfg(feature = "postgres")]
    Realm(&'a str),
    /// The sessions of one account.
    Account(&'a str, &'a str),
}

impl Lock<'_> {
    /// 64 bits of a hash. Two accounts with the same ones wait for each other now and then, that is all.
    pub(crate) fn key(self, table: &str) -> i64 {
        let (kind, realm, subject) = match self {
            #[cfg(feature = "postgres")]
            Self::Schema => ("schema", "", ""),
            #[cfg(feature = "postgres")]
            Self::Realm(realm) => ("realm", realm, ""),
            Self::Account(realm, subject) => ("account", realm, subject),
        };
        let mut hash = Sha256::new();
        for part in ["session-store-sqlx", table, kind, realm, subject] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        hash.finalize().iter().take(8).fold(0, |key, byte| (key << 8) | i64::from(*byte))
    }
}
