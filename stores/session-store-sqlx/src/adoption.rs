//! What keeps a session of another system from being adopted: see clause 17 of the store's contract.
//!
//! The realm's bar, the bars of accounts and the marks of what was adopted are rows of one table, found by realm and name:
//!
//! | first byte of the name | then | what it stops |
//! |---|---|---|
//! | 0 | nothing | whoever was proven up to its time |
//! | 1 | a subject | the same, of that account |
//! | 2 | an id | that session, whenever it was proven |

use session_core::SessionId;
use session_core::store::StoreError;

/// Later than whatever can be proven.
#[cfg(any(feature = "sqlite", feature = "mysql"))]
pub(crate) const ANY_TIME: i64 = i64::MAX;

/// Whose way is barred.
#[derive(Clone, Copy)]
pub(crate) enum Barred<'a> {
    Realm,
    Account(&'a str),
    Session(SessionId),
}

impl<'a> Barred<'a> {
    /// What [`SessionStore::bar`](session_core::store::SessionStore::bar) bars. Nobody whose subject is longer has a
    /// session, and a lax server would cut it short without a word.
    pub(crate) fn of(subject: Option<&'a str>) -> Result<Self, StoreError> {
        match subject {
            None => Ok(Self::Realm),
            Some(subject) if subject.len() <= 255 => Ok(Self::Account(subject)),
            Some(_) => Err(StoreError::permanent("a subject has room for 255 bytes; this one has more")),
        }
    }

    /// As the table has it.
    pub(crate) fn name(self) -> Vec<u8> {
        let (kind, name) = match &self {
            Self::Realm => (0, &[][..]),
            Self::Account(subject) => (1, subject.as_bytes()),
            Self::Session(id) => (2, &id.as_bytes()[..]),
        };
        [&[kind], name].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_an_account_and_a_session_never_have_one_name() {
        let id = SessionId::from_bytes([b'a'; SessionId::LEN]);
        let subject = "a".repeat(SessionId::LEN);
        let names = [Barred::Realm, Barred::Account(""), Barred::Account(&subject), Barred::Session(id)];
        let names = names.map(Barred::name);
        assert!(names.iter().enumerate().all(|(at, name)| !names[..at].contains(name)));
    }

    #[test]
    fn a_subject_that_nobody_has_is_refused() {
        assert!(Barred::of(Some(&"a".repeat(255))).is_ok());
        let error = Barred::of(Some(&"a".repeat(256))).err().unwrap();
        assert!(!error.is_retryable(), "{error}");
    }
}
