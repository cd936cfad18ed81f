//! iron-session 8: Fe26.2, a sealed payload.

use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;
use pbkdf2::pbkdf2_hmac;
use session_core::Timestamp;
use sha1::Sha1;
use zeroize::Zeroizing;

use crate::cookies::Cookies;
use crate::error::ImportError;
use crate::parts::cbc;
use crate::parts::mac::{HmacSha256, verify};
use crate::parts::times::milliseconds;
use crate::reader::reader;
use crate::session::{ForeignCookie, Opened};
use crate::settings::{Cookie, Secrets, cookie_settings, secret_settings};

/// In bytes. They are 64 hexadecimal digits.
const MAX_SALT: usize = 128;

/// iron-session 8: a payload that is encrypted and authenticated (Fe26.2), with your own fields.
///
/// There is no stable id, and nothing tells of the login unless your payload does.
///
/// ```
/// use serde::Deserialize;
/// use session_import::{Cookies, IronSession, Timestamp};
///
/// #[derive(Deserialize)]
/// #[serde(rename_all = "camelCase")]
/// struct Data { user_id: String }
///
/// # fn example(header: &[u8], now: Timestamp) -> Result<(), Box<dyn std::error::Error>> {
/// let reader = IronSession::new("app-session", std::env::var("SESSION_PASSWORD")?);
/// let session = reader.read::<Data>(&Cookies::from_header(header), now)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct IronSession {
    cookie: Cookie,
    secrets: Secrets,
    ttl: Option<Duration>,
}

impl IronSession {
    /// The names are the application's own: `cookieName` and `password`. Of several passwords give the others by
    /// [`old_secret`](Self::old_secret); their numbers are not needed.
    #[must_use]
    pub fn new(cookie_name: impl Into<String>, password: impl AsRef<[u8]>) -> Self {
        Self { cookie: Cookie::new(cookie_name), secrets: Secrets::new(password), ttl: None }
    }

    /// The application's `ttl` (iron-session's default is 14 days), whole seconds of it. A cookie tells when it ends, and
    /// by this also when it was made. Default: that stays unknown. Do not give a shorter one than the application's:
    /// cookies would look newer than they are.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// The cookies of this system that the request has, to clear at a logout.
    #[must_use]
    pub fn cookies(&self, cookies: &Cookies<'_>) -> Vec<ForeignCookie> {
        self.cookie.found(cookies, &[])
    }

    fn open(&self, cookies: &Cookies<'_>, now: Timestamp) -> Result<Vec<Opened>, ImportError> {
        let secrets = self.secrets.all()?;
        let open = |text: &str| {
            let seal = Seal::parse(text)?;
            let mut opened = Opened::new(secrets.clone().find_map(|secret| seal.open(secret))?);
            opened.ends_at = seal.ends_at;
            opened.issued_at = seal.ends_at.zip(self.ttl).map(|(ends, ttl)| ends.minus(ttl));
            opened.at(now)
        };
        Ok(cookies.decoded(&self.cookie.name)?.iter().filter_map(|text| open(text)).collect())
    }
}

/// `Fe26.2*password id*salt*iv*content*expiration*salt of the MAC*MAC~2`.
struct Seal<'a> {
    /// Everything before the salt of the MAC.
    authenticated: &'a str,
    salt: &'a str,
    iv: Vec<u8>,
    content: Vec<u8>,
    ends_at: Option<Timestamp>,
    mac_salt: &'a str,
    mac: Vec<u8>,
}

impl<'a> Seal<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let text = text.strip_suffix("~2")?;
        let mut parts = text.split('*');
        let mut next = || parts.next();
        let (version, _password_id, salt, iv) = (next()?, next()?, next()?, next()?);
        let (content, expiration, mac_salt, mac) = (next()?, next()?, next()?, next()?);
        let decode = |text: &str| URL_SAFE_NO_PAD.decode_to_vec(text).ok();
        if version != "Fe26.2" || next().is_some() || salt.len().max(mac_salt.len()) > MAX_SALT {
            return None;
        }
        Some(Self {
            authenticated: text.get(..text.len() - mac_salt.len() - mac.len() - 2)?,
            salt,
            iv: decode(iv)?,
            content: decode(content)?,
            ends_at: ends_at(expiration)?,
            mac_salt,
            mac: decode(mac)?,
        })
    }

    fn open(&self, password: &[u8]) -> Option<Vec<u8>> {
        let key = derive(password, self.mac_salt);
        verify::<HmacSha256>(&*key, &[self.authenticated.as_bytes()], &self.mac)
            .then(|| cbc::decrypt(&*derive(password, self.salt), &self.iv, self.content.clone()))?
    }
}

/// Milliseconds since the epoch, or nothing: no end.
fn ends_at(text: &str) -> Option<Option<Timestamp>> {
    match text {
        "" => Some(None),
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok().map(milliseconds).map(Some),
        _ => None,
    }
}

/// The salt counts as the text that it is. One iteration: the password has to be a random one.
fn derive(password: &[u8], salt: &str) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2_hmac::<Sha1>(password, salt.as_bytes(), 1, &mut *key);
    key
}

cookie_settings!(IronSession);
secret_settings!(IronSession);
reader!(IronSession, account: "");
