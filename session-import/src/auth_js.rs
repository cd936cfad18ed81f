//! Auth.js 5: a JWE whose key is derived from secret and cookie name.

use session_core::Timestamp;

use crate::cookies::Cookies;
use crate::error::ImportError;
use crate::parts::jwe::{Jwe, claims, derive};
use crate::reader::reader;
use crate::session::{ForeignCookie, Opened};
use crate::settings::{Cookie, Secrets, cookie_settings, secret_settings};

/// Auth.js 5 (`@auth/core`, `next-auth@5`) with `session: { strategy: "jwt" }`, its default without an adapter.
///
/// The cookie is encrypted and authenticated. It is made anew at each visit, so it has no stable id, and its `iat` is that
/// of the last visit. It holds `name`, `email`, `picture`, `sub`, and what your `jwt` callback added.
///
/// ```
/// use serde::Deserialize;
/// use session_import::{AuthJs, Cookies, Timestamp};
///
/// #[derive(Deserialize)]
/// struct Token { sub: String, email: Option<String> }
///
/// # fn example(header: &[u8], now: Timestamp) -> Result<(), Box<dyn std::error::Error>> {
/// let reader = AuthJs::new(std::env::var("AUTH_SECRET")?);
/// if let Some(session) = reader.read::<Token>(&Cookies::from_header(header), now)? {
///     println!("account {}, until {:?}", session.payload.sub, session.ends_at);
/// }
/// # Ok(()) }
/// ```
///
/// With `strategy: "database"` the cookie is a key of the table of sessions, and there is nothing here to read.
#[derive(Clone, Debug)]
pub struct AuthJs {
    cookie: Cookie,
    secrets: Secrets,
    salt: Option<String>,
}

impl AuthJs {
    /// With `AUTH_SECRET`. The cookie is `__Secure-authjs.session-token`, as over https; over plain http it is
    /// `authjs.session-token`. Several secrets: [`old_secret`](Self::old_secret).
    #[must_use]
    pub fn new(secret: impl AsRef<[u8]>) -> Self {
        let cookie = Cookie::chunked("__Secure-authjs.session-token");
        Self { cookie, secrets: Secrets::new(secret), salt: None }
    }

    /// The salt of the key, if the application set one (`jwt.encode`). Default: the cookie's name.
    #[must_use]
    pub fn salt(mut self, salt: impl Into<String>) -> Self {
        self.salt = Some(salt.into());
        self
    }

    /// The cookies of this system that the request has, to clear at a logout.
    #[must_use]
    pub fn cookies(&self, cookies: &Cookies<'_>) -> Vec<ForeignCookie> {
        self.cookie.found(cookies, &[])
    }

    fn open(&self, cookies: &Cookies<'_>, now: Timestamp) -> Result<Vec<Opened>, ImportError> {
        let secrets = self.secrets.all()?;
        let salt = self.salt.as_ref().unwrap_or(&self.cookie.name);
        let info = format!("Auth.js Generated Encryption Key ({salt})");
        let open = |token: &str| {
            let jwe = Jwe::parse(token)?;
            let length = jwe.encryption.key_length();
            let json = secrets
                .clone()
                .find_map(|secret| jwe.open(&derive(secret, salt.as_bytes(), info.as_bytes(), length)?))?;
            claims(json, now)
        };
        Ok(cookies.chunked(&self.cookie.name)?.iter().filter_map(|token| open(token)).collect())
    }
}

cookie_settings!(AuthJs);
secret_settings!(AuthJs);
reader!(AuthJs, account: "/sub");
