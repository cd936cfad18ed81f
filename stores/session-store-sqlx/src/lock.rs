//! Names of locks, equal in every process.

use crate::key;

/// What is locked.
#[derive(Clone, Copy)]
pub(crate) enum Lock<'a> {
    /// The making of the tables.
    #[cfg(feature = "postgres")]
    Schema,
    /// A whole realm.
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
            Self::Realm(realm) => ("realm", realm, ""),
            Self::Account(realm, subject) => ("account", realm, subject),
        };
        key::number(&["session-store-sqlx", table, kind, realm, subject].map(str::as_bytes))
    }
}
