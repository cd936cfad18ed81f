//! NextAuth 4: a JWE whose key is derived from the secret alone.

use session_core::Timestamp;

use crate::cookies::Cookies;
use crate::error::ImportError;
use crate::parts::jwe::{Encryption, Jwe, claims, derive};
use crate::reader::reader;
use crate::session::{ForeignCookie, Opened};
use crate::settings::{Cookie, Secrets, cookie_settings, secret_settings};

/// NextAuth 4 (`next-auth@4`) with `session: { strategy: "jwt" }`, its default without an adapter.
///
/// The cookie is encrypted and authenticated. It is made anew at each visit, so it has no stable id, and its `iat` is that
/// of the last visit. It holds `name`, `email`, `picture`, `sub`, and what your `jwt` callback added.
///
/// ```
/// use session_import::{Cookies, NextAuth, Timestamp};
/// use serde_json::Value;
///
/// # fn example(header: &[u8], now: Timestamp) -> Result<(), Box<dyn std::error::Error>> {
/// let reader = NextAuth::new(std::env::var("NEXTAUTH_SECRET")?);
/// let session = reader.read::<Value>(&Cookies::from_header(header), now)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct NextAuth {
    cookie: Cookie,
    secrets: Secrets,
}

impl NextAuth {
    /// With `NEXTAUTH_SECRET`. The cookie is `__Secure-next-auth.session-token`, as over https; over plain http it is
    /// `next-auth.session-token`.
    #[must_use]
    pub fn new(secret: impl AsRef<[u8]>) -> Self {
        let cookie = Cookie::chunked("__Secure-next-auth.session-token");
        Self { cookie, secrets: Secrets::new(secret) }
    }

    /// The cookies of this system that the request has, to clear at a logout.
    #[must_use]
    pub fn cookies(&self, cookies: &Cookies<'_>) -> Vec<ForeignCookie> {
        self.cookie.found(cookies, &[])
    }

    fn open(&self, cookies: &Cookies<'_>, now: Timestamp) -> Result<Vec<Opened>, ImportError> {
        let secrets = self.secrets.all()?;
        let open = |token: &str| {
            let jwe = Jwe::parse(token).filter(|jwe| jwe.encryption == Encryption::A256Gcm)?;
            let info = b"NextAuth.js Generated Encryption Key";
            let json = secrets.clone().find_map(|secret| jwe.open(&derive(secret, b"", info, 32)?))?;
            claims(json, now)
        };
        Ok(cookies.chunked(&self.cookie.name)?.iter().filter_map(|token| open(token)).collect())
    }
}

cookie_settings!(NextAuth);
secret_settings!(NextAuth);
reader!(NextAuth, account: "/sub");
