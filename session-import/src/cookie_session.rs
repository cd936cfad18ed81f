//! cookie-session: a payload in one cookie, its signature by Keygrip in another.

use base64_simd::{STANDARD, URL_SAFE_NO_PAD};
use session_core::Timestamp;

use crate::cookies::Cookies;
use crate::error::ImportError;
use crate::parts::mac::{HmacSha1, verify};
use crate::reader::reader;
use crate::session::{ForeignCookie, Opened};
use crate::settings::{Cookie, Secrets, cookie_settings, secret_settings};

/// Express's `cookie-session` (2.x, Keygrip): a payload that is signed and not encrypted.
///
/// The cookie proves that the application once made it, and nothing of when: there is no id, no time and no end, so cap
/// what you adopt. A cookie from before a logout is as good as a new one.
///
/// ```
/// use session_import::{CookieSession, Cookies, Timestamp};
/// use serde_json::Value;
///
/// # fn example(header: &[u8], now: Timestamp) -> Result<(), Box<dyn std::error::Error>> {
/// let reader = CookieSession::new(std::env::var("COOKIE_KEY")?);
/// let session = reader.read::<Value>(&Cookies::from_header(header), now)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct CookieSession {
    cookie: Cookie,
    secrets: Secrets,
}

impl CookieSession {
    /// With the first of the application's `keys`, or its `secret`; the other keys are
    /// [old secrets](Self::old_secret). The cookies are `session` and `session.sig`.
    #[must_use]
    pub fn new(key: impl AsRef<[u8]>) -> Self {
        Self { cookie: Cookie::new("session"), secrets: Secrets::new(key) }
    }

    /// The cookies of this system that the request has, to clear at a logout.
    #[must_use]
    pub fn cookies(&self, cookies: &Cookies<'_>) -> Vec<ForeignCookie> {
        self.cookie.found(cookies, &[self.signature()])
    }

    fn signature(&self) -> String {
        format!("{}.sig", self.cookie.name)
    }

    fn open(&self, cookies: &Cookies<'_>, now: Timestamp) -> Result<Vec<Opened>, ImportError> {
        let secrets = self.secrets.all()?;
        let signatures = cookies.values(&self.signature())?.into_iter();
        let tags: Vec<_> = signatures.filter_map(|text| URL_SAFE_NO_PAD.decode_to_vec(text).ok()).collect();
        let is_signed = |value: &str| {
            let parts = [self.cookie.name.as_bytes(), b"=", value.as_bytes()];
            secrets.clone().any(|key| tags.iter().any(|tag| verify::<HmacSha1>(key, &parts, tag)))
        };
        let signed = cookies.values(&self.cookie.name)?.into_iter().filter(|value| is_signed(value));
        let json = signed.filter_map(|value| STANDARD.decode_to_vec(value).ok());
        Ok(json.filter_map(|json| Opened::new(json).at(now)).collect())
    }
}

cookie_settings!(CookieSession);
secret_settings!(CookieSession);
reader!(CookieSession, account: "");
