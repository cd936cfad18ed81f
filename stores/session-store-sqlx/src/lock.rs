//! Names of locks, equal in every process.

use session_core::SessionId;
use session_core::store::SessionRecord;

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
    /// One session that is adopted and nobody's.
    Guest(&'a str, SessionId),
}

impl<'a> Lock<'a> {
    /// What the adoptions of a session take turns at, with the logins and revocations of its account.
    pub(crate) fn of_adoption(realm: &'a str, record: &'a SessionRecord) -> Self {
        match &record.subject {
            Some(subject) => Self::Account(realm, subject),
            None => Self::Guest(realm, record.id),
        }
    }

    /// 64 bits of a hash. Two accounts with the same ones wait for each other now and then, that is all.
    pub(crate) fn key(self, table: &str) -> i64 {
        let (kind, realm, name) = match &self {
            #[cfg(feature = "postgres")]
            Self::Schema => ("schema", "", &[][..]),
            Self::Realm(realm) => ("realm", *realm, &[][..]),
            Self::Account(realm, subject) => ("account", *realm, subject.as_bytes()),
            Self::Guest(realm, id) => ("guest", *realm, &id.as_bytes()[..]),
        };
        let [crate_name, table, kind, realm] = ["session-store-sqlx", table, kind, realm].map(str::as_bytes);
        key::number(&[crate_name, table, kind, realm, name])
    }
}
