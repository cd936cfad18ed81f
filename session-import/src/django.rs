//! Django: signed cookies, or a key and a record of the store.

use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use session_core::Timestamp;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::cookies::Cookies;
use crate::error::ImportError;
use crate::parts::inflate::inflate;
use crate::parts::mac::{HmacSha256, verify};
use crate::reader::reader;
use crate::session::{ForeignCookie, ForeignSession, Opened, Reference};
use crate::settings::{Cookie, Secrets, cookie_settings, secret_settings};

/// In bytes.
const MAX_RECORD: usize = 1024 * 1024;
const SIGNED_COOKIES: &str = "django.contrib.sessions.backends.signed_cookies";
const RECORD: &str = "django.contrib.sessions.SessionStore";
const AUTH_HASH: &str = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash";

/// Django (4.x and 5.x), with `JSONSerializer`, its default.
///
/// | `SESSION_ENGINE` | the cookie | read it with |
/// |---|---|---|
/// | `db` (the default), `cached_db`, `file` | a random key, unsigned | [`reference`](Self::reference), your look-up, [`record`](Self::record) |
/// | `signed_cookies` | the whole session, signed, not encrypted | [`read`](Self::read) |
/// | `cache` | a random key; the record is a Python pickle, which nothing here reads | |
///
/// The account is `_auth_user_id`. Django logs out whoever changes their password by `_auth_user_hash`: compare it by
/// [`knows_password`](Self::knows_password), or a cookie from before the change still logs in.
///
/// ```
/// use serde::Deserialize;
/// use session_import::{Cookies, Django, ImportError, Timestamp};
///
/// #[derive(Deserialize)]
/// struct Record {
///     #[serde(rename = "_auth_user_id")]
///     user_id: String,
///     #[serde(rename = "_auth_user_hash")]
///     hash: String,
/// }
///
/// # fn row(key: &str) -> Option<(String, Timestamp)> { None }
/// # fn password(user_id: &str) -> String { String::new() }
/// # fn example(reader: &Django, header: &[u8], now: Timestamp) -> Result<(), ImportError> {
/// if let Some(reference) = reader.reference(&Cookies::from_header(header))? {
///     // SELECT session_data, expire_date FROM django_session WHERE session_key = $1
///     if let Some((data, expires)) = row(&reference.id)
///         && let Some(session) = reader.record::<Record>(reference, &data, expires, now)?
///         && reader.knows_password(&session.payload.hash, &password(&session.payload.user_id))?
///     {
///         println!("account {}", session.payload.user_id);
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Django {
    cookie: Cookie,
    secrets: Secrets,
    cookie_age: Duration,
}

impl Django {
    /// With `SECRET_KEY`; `SECRET_KEY_FALLBACKS` are [old secrets](Self::old_secret). The cookie is `sessionid`.
    #[must_use]
    pub fn new(secret: impl AsRef<[u8]>) -> Self {
        let cookie_age = Duration::from_secs(14 * 24 * 3600);
        Self { cookie: Cookie::new("sessionid"), secrets: Secrets::new(secret), cookie_age }
    }

    /// `SESSION_COOKIE_AGE`, whole seconds of it: how long after it was signed a signed cookie is good. Default: two
    /// weeks, as Django's.
    #[must_use]
    pub fn cookie_age(mut self, age: Duration) -> Self {
        self.cookie_age = age;
        self
    }

    /// The key in these cookies; `None` if there is none that Django would have made (8 to 40 lower-case letters and
    /// digits). Nothing signs it: a browser can send any key, and only the store knows which ones are real.
    ///
    /// # Errors
    ///
    /// [`ImportError::Ambiguous`] if there are several different keys.
    pub fn reference(&self, cookies: &Cookies<'_>) -> Result<Option<Reference>, ImportError> {
        let keys = cookies.values(&self.cookie.name)?.into_iter().filter(|value| is_key(value));
        match keys.collect::<Vec<_>>()[..] {
            [] => Ok(None),
            [key] => Ok(Some(self.cookie.reference(key.to_owned(), self.cookies(cookies)))),
            _ => Err(ImportError::Ambiguous),
        }
    }

    /// The record that was found under the reference's key: `session_data` and `expire_date` of the table
    /// `django_session`. `None` if it is not signed with one of the secrets, has expired, or is longer than 1 MiB.
    ///
    /// # Errors
    ///
    /// [`ImportError::Payload`] if the record is no `T`, [`ImportError::EmptySecret`].
    pub fn record<T: DeserializeOwned>(
        &self,
        reference: Reference,
        session_data: &str,
        expire_date: Timestamp,
        now: Timestamp,
    ) -> Result<Option<ForeignSession<T>>, ImportError> {
        let signed = if session_data.len() > MAX_RECORD { None } else { self.unsign(session_data, RECORD)? };
        let Some(mut opened) = signed else { return Ok(None) };
        opened.id = Some(reference.id.clone());
        opened.ends_at = Some(expire_date);
        opened.at(now).map(|opened| opened.into_session(reference)).transpose()
    }

    /// Whether `_auth_user_hash` of a session is that of the account's present `password`, the column of that name
    /// (`pbkdf2_sha256$..`): if not, the password was changed since. The comparison takes the same time wherever they differ.
    ///
    /// # Errors
    ///
    /// [`ImportError::EmptySecret`].
    pub fn knows_password(&self, auth_hash: &str, password: &str) -> Result<bool, ImportError> {
        let mut secrets = self.secrets.all()?;
        let Some(tag) = from_hex(auth_hash) else { return Ok(false) };
        Ok(secrets.any(|secret| is_signed(secret, AUTH_HASH, password, &tag)))
    }

    /// The cookies of this system that the request has, to clear at a logout.
    #[must_use]
    pub fn cookies(&self, cookies: &Cookies<'_>) -> Vec<ForeignCookie> {
        self.cookie.found(cookies, &[])
    }

    fn open(&self, cookies: &Cookies<'_>, now: Timestamp) -> Result<Vec<Opened>, ImportError> {
        let mut found = Vec::new();
        for value in cookies.values(&self.cookie.name)? {
            let signed = self.unsign(value, SIGNED_COOKIES)?;
            found.extend(signed.and_then(|opened| self.aged(opened).at(now)));
        }
        Ok(found)
    }

    /// With the end that `SESSION_COOKIE_AGE` sets, or the session itself by `set_expiry(seconds)`, if that is earlier.
    fn aged(&self, mut opened: Opened) -> Opened {
        #[derive(Deserialize)]
        struct Expiry {
            #[serde(rename = "_session_expiry")]
            seconds: u64,
        }
        let own = serde_json::from_slice::<Expiry>(&opened.json).ok().map(|own| own.seconds);
        let own = own.filter(|&seconds| seconds > 0).map(Duration::from_secs);
        let age = own.unwrap_or(self.cookie_age).min(self.cookie_age);
        opened.ends_at = opened.issued_at.map(|at| at.plus(age));
        opened
    }

    /// `django.core.signing.loads`, without a greatest age: `PAYLOAD:TIME:MAC`.
    fn unsign(&self, text: &str, salt: &str) -> Result<Option<Opened>, ImportError> {
        let mut secrets = self.secrets.all()?;
        let salt = format!("{salt}signer");
        let parsed = || {
            let (signed, tag) = text.rsplit_once(':')?;
            let (payload, time) = signed.rsplit_once(':')?;
            Some((signed, payload, time, URL_SAFE_NO_PAD.decode_to_vec(tag).ok()?))
        };
        let Some((signed, payload, time, tag)) = parsed() else { return Ok(None) };
        let is_signed = secrets.any(|secret| is_signed(secret, &salt, signed, &tag));
        Ok(is_signed.then(|| opened(payload, time)).flatten())
    }
}

/// `django.utils.crypto.salted_hmac` by SHA-256.
fn is_signed(secret: &[u8], salt: &str, signed: &str, tag: &[u8]) -> bool {
    let key: [u8; 32] = Sha256::new().chain_update(salt).chain_update(secret).finalize().into();
    verify::<HmacSha256>(&*Zeroizing::new(key), &[signed.as_bytes()], tag)
}

fn opened(payload: &str, time: &str) -> Option<Opened> {
    let json = match payload.strip_prefix('.') {
        Some(compressed) => inflate(&URL_SAFE_NO_PAD.decode_to_vec(compressed).ok()?)?,
        None => URL_SAFE_NO_PAD.decode_to_vec(payload).ok()?,
    };
    let mut opened = Opened::new(json);
    opened.issued_at = Some(base62(time)?);
    Some(opened)
}

/// Seconds since the epoch, in digits, upper-case and lower-case letters.
fn base62(text: &str) -> Option<Timestamp> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'Z' => Some(byte - b'A' + 10),
        b'a'..=b'z' => Some(byte - b'a' + 36),
        _ => None,
    };
    let seconds = text
        .bytes()
        .try_fold(0_i64, |seconds, byte| seconds.checked_mul(62)?.checked_add(i64::from(digit(byte)?)));
    seconds.filter(|_| !text.is_empty()).map(Timestamp::from_unix_seconds)
}

fn is_key(value: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (8..=40).contains(&value.len()) && value.bytes().all(fits)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |&byte: &u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some((digit(high)? << 4) | digit(low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

/// What comes behind the signature.
#[cfg(any(fuzzing, test))]
pub(crate) fn fuzz(text: &str) {
    drop(opened(text, text).or_else(|| opened(text, "1xWLvE")).map(|opened| Django::new("x").aged(opened)));
    drop(from_hex(text));
}

cookie_settings!(Django);
secret_settings!(Django);
reader!(Django, account: "/_auth_user_id");
