//! What every reader is told: the cookie's name and path, and secrets.

use std::fmt;

use zeroize::Zeroizing;

use crate::cookies::Cookies;
use crate::error::ImportError;
use crate::session::{CookiePrefix, ForeignCookie, Reference};

/// The cookie that a reader looks for.
#[derive(Clone, Debug)]
pub(crate) struct Cookie {
    pub(crate) name: String,
    pub(crate) path: String,
    /// Whether a long value is cut into `NAME.0`, `NAME.1` and so on.
    is_chunked: bool,
}

impl Cookie {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), path: "/".to_owned(), is_chunked: false }
    }

    pub(crate) fn chunked(name: impl Into<String>) -> Self {
        Self { is_chunked: true, ..Self::new(name) }
    }

    /// What the request has of it, and of its companions, the cookies that belong to it.
    pub(crate) fn found(&self, cookies: &Cookies<'_>, companions: &[String]) -> Vec<ForeignCookie> {
        let names = std::iter::once(&self.name).chain(companions);
        names
            .flat_map(|name| cookies.names_of(name, self.is_chunked))
            .map(|name| self.to_clear(name))
            .collect()
    }

    fn to_clear(&self, name: String) -> ForeignCookie {
        let secure = CookiePrefix::of(&name) != CookiePrefix::None;
        ForeignCookie { name, path: self.path.clone(), secure }
    }

    pub(crate) fn reference(&self, id: String, cookies: Vec<ForeignCookie>) -> Reference {
        Reference { id, cookie: self.name.clone(), prefix: CookiePrefix::of(&self.name), cookies }
    }
}

/// The present secret, and those of before.
#[derive(Clone)]
pub(crate) struct Secrets(Vec<Zeroizing<Vec<u8>>>);

impl Secrets {
    pub(crate) fn new(secret: impl AsRef<[u8]>) -> Self {
        Self(vec![Zeroizing::new(secret.as_ref().to_vec())])
    }

    pub(crate) fn push(&mut self, secret: impl AsRef<[u8]>) {
        self.0.push(Zeroizing::new(secret.as_ref().to_vec()));
    }

    /// An empty one is an error: anybody knows it.
    pub(crate) fn all(&self) -> Result<impl Iterator<Item = &[u8]> + Clone, ImportError> {
        if self.0.iter().any(|secret| secret.is_empty()) {
            return Err(ImportError::EmptySecret);
        }
        Ok(self.0.iter().map(|secret| secret.as_slice()))
    }
}

/// No secret, only their number.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

/// How the cookie is called.
macro_rules! cookie_settings {
    ($reader:ident) => {
        impl $reader {
            /// Another name than the system's default, if the application set one. It must be the exact one: a
            /// cookie of another name is not looked at.
            #[must_use]
            pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
                self.cookie.name = name.into();
                self
            }

            /// The cookie's path, with which it is cleared. Default: `/`.
            #[must_use]
            pub fn path(mut self, path: impl Into<String>) -> Self {
                self.cookie.path = path.into();
                self
            }
        }
    };
}

/// Secrets from which keys are made when a cookie is there.
macro_rules! secret_settings {
    ($reader:ident) => {
        impl $reader {
            /// A secret of before: the other system changed its secret and still takes cookies of this one.
            /// Costs a check more for each cookie that the others do not open.
            #[must_use]
            pub fn old_secret(mut self, secret: impl AsRef<[u8]>) -> Self {
                self.secrets.push(secret);
                self
            }
        }
    };
}

pub(crate) use {cookie_settings, secret_settings};
