//! From the cookies that are genuine to the one session.

use serde_json::Value;

use crate::error::ImportError;
use crate::session::Opened;

/// What is another one after each visit, so that it tells no accounts apart.
const VOLATILE: [&str; 5] = ["iat", "exp", "nbf", "jti", "updatedAt"];

/// The newest, if all are of one account. `account` is where the system keeps it, as a JSON pointer (RFC 6901); where
/// that leads nowhere, all that they hold must be equal.
pub(crate) fn one(mut opened: Vec<Opened>, account: &str) -> Result<Option<Opened>, ImportError> {
    let Some(last) = opened.pop() else { return Ok(None) };
    if opened.iter().any(|other| !are_of_one_account(other, &last, account)) {
        return Err(ImportError::Ambiguous);
    }
    let newest = |one: Opened, other: Opened| if other.issued_at > one.issued_at { other } else { one };
    Ok(Some(opened.into_iter().fold(last, newest)))
}

fn are_of_one_account(one: &Opened, other: &Opened, account: &str) -> bool {
    let parsed = |opened: &Opened| serde_json::from_slice::<Value>(&opened.json).ok();
    let (Some(mut one), Some(mut other)) = (parsed(one), parsed(other)) else { return false };
    if let (Some(one), Some(other)) = (one.pointer(account), other.pointer(account))
        && !account.is_empty()
    {
        return one == other && !one.is_null();
    }
    for payload in [&mut one, &mut other] {
        if let Value::Object(fields) = payload {
            VOLATILE.iter().for_each(|name| drop(fields.remove(*name)));
        }
    }
    one == other
}

/// The methods that every reader of whole sessions has. It brings `open`, which answers all that is genuine and has not
/// ended.
macro_rules! reader {
    ($reader:ident, account: $account:expr) => {
        impl $reader {
            /// The session that these cookies hold; `None` if there is none, be the cookie damaged, of somebody else,
            /// too long, or expired at `now`.
            ///
            /// # Errors
            ///
            /// [`Ambiguous`](crate::ImportError::Ambiguous) if several cookies of the name are genuine and of
            /// different accounts, [`Payload`](crate::ImportError::Payload) if the payload is no `T`,
            /// [`EmptySecret`](crate::ImportError::EmptySecret).
            pub fn read<T: serde::de::DeserializeOwned>(
                &self,
                cookies: &crate::Cookies<'_>,
                now: crate::Timestamp,
            ) -> Result<Option<crate::ForeignSession<T>>, crate::ImportError> {
                let opened = crate::reader::one(self.open(cookies, now)?, $account)?;
                let from = || self.cookie.reference(String::new(), self.cookies(cookies));
                opened.map(|opened| opened.into_session(from())).transpose()
            }

            /// Every session that these cookies hold, for those who compare accounts themselves. Usually one; more
            /// than one if there are several cookies of the name.
            ///
            /// # Errors
            ///
            /// As [`read`](Self::read), but for different accounts.
            pub fn read_all<T: serde::de::DeserializeOwned>(
                &self,
                cookies: &crate::Cookies<'_>,
                now: crate::Timestamp,
            ) -> Result<Vec<crate::ForeignSession<T>>, crate::ImportError> {
                let from = || self.cookie.reference(String::new(), self.cookies(cookies));
                self.open(cookies, now)?.into_iter().map(|opened| opened.into_session(from())).collect()
            }
        }
    };
}

pub(crate) use reader;
