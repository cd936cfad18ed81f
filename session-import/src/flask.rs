//! Flask: a payload signed by itsdangerous, with the time of the signature.

use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;
use hmac::Mac;
use session_core::Timestamp;
use zeroize::Zeroizing;

use crate::cookies::Cookies;
use crate::error::ImportError;
use crate::parts::inflate::inflate;
use crate::parts::mac::{HmacSha1, mac, verify};
use crate::reader::reader;
use crate::session::{ForeignCookie, Opened};
use crate::settings::{Cookie, Secrets, cookie_settings, secret_settings};

/// Flask (2.x and 3.x, itsdangerous): a payload that is signed and not encrypted, with your own fields; Flask-Login's
/// account is `_user_id`.
///
/// There is no stable id. The signature has a time, that of the last change; the session ends
/// [a lifetime](Self::lifetime) after it. Values that are not of JSON stay as Flask tags them: a tuple is
/// `{" t": [..]}`, a datetime `{" d": "Thu, 01 Jan 2026 00:00:00 GMT"}`, bytes `{" b": "base64"}`.
///
/// ```
/// use serde::Deserialize;
/// use session_import::{Cookies, Flask, Timestamp};
///
/// #[derive(Deserialize)]
/// struct Data { #[serde(rename = "_user_id")] user_id: String }
///
/// # fn example(header: &[u8], now: Timestamp) -> Result<(), Box<dyn std::error::Error>> {
/// let reader = Flask::new(std::env::var("SECRET_KEY")?);
/// let session = reader.read::<Data>(&Cookies::from_header(header), now)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Flask {
    cookie: Cookie,
    secrets: Secrets,
    lifetime: Duration,
}

impl Flask {
    /// With `SECRET_KEY`; `SECRET_KEY_FALLBACKS` are [old secrets](Self::old_secret). The cookie is `session`.
    #[must_use]
    pub fn new(secret: impl AsRef<[u8]>) -> Self {
        let lifetime = Duration::from_secs(31 * 24 * 3600);
        Self { cookie: Cookie::new("session"), secrets: Secrets::new(secret), lifetime }
    }

    /// `PERMANENT_SESSION_LIFETIME`, whole seconds of it. Default: 31 days, as Flask's.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// The cookies of this system that the request has, to clear at a logout.
    #[must_use]
    pub fn cookies(&self, cookies: &Cookies<'_>) -> Vec<ForeignCookie> {
        self.cookie.found(cookies, &[])
    }

    fn open(&self, cookies: &Cookies<'_>, now: Timestamp) -> Result<Vec<Opened>, ImportError> {
        let secrets = self.secrets.all()?;
        let open = |value: &str| {
            let (signed, tag) = value.rsplit_once('.')?;
            let (payload, time) = signed.rsplit_once('.')?;
            let tag = URL_SAFE_NO_PAD.decode_to_vec(tag).ok()?;
            let is_signed = secrets.clone().any(|secret| is_signed(secret, signed, &tag));
            let issued_at = is_signed.then(|| timestamp(time)).flatten()?;
            self.opened(payload, issued_at).and_then(|opened| opened.at(now))
        };
        Ok(cookies.values(&self.cookie.name)?.into_iter().filter_map(open).collect())
    }

    fn opened(&self, payload: &str, issued_at: Timestamp) -> Option<Opened> {
        let json = match payload.strip_prefix('.') {
            Some(compressed) => inflate(&URL_SAFE_NO_PAD.decode_to_vec(compressed).ok()?)?,
            None => URL_SAFE_NO_PAD.decode_to_vec(payload).ok()?,
        };
        let mut opened = Opened::new(json);
        opened.issued_at = Some(issued_at);
        opened.ends_at = Some(issued_at.plus(self.lifetime));
        Some(opened)
    }
}

fn is_signed(secret: &[u8], signed: &str, tag: &[u8]) -> bool {
    let Some(key) = mac::<HmacSha1>(secret, &[b"cookie-session"]) else { return false };
    let key = Zeroizing::new(<[u8; 20]>::from(key.finalize().into_bytes()));
    verify::<HmacSha1>(&*key, &[signed.as_bytes()], tag)
}

/// Seconds since the epoch: their bytes, the highest first, as base64url.
fn timestamp(text: &str) -> Option<Timestamp> {
    let bytes = URL_SAFE_NO_PAD.decode_to_vec(text).ok().filter(|bytes| bytes.len() <= 8)?;
    let seconds = bytes.iter().fold(0_u64, |seconds, &byte| (seconds << 8) | u64::from(byte));
    i64::try_from(seconds).ok().map(Timestamp::from_unix_seconds)
}

cookie_settings!(Flask);
secret_settings!(Flask);
reader!(Flask, account: "/_user_id");
