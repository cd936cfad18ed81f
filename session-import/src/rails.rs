//! Rails: encrypted cookies, with the cookie's name in the message.

use std::borrow::Cow;
use std::fmt;

use aes_gcm::aead::AeadInPlace;
use aes_gcm::{Aes256Gcm, KeyInit};
use base64_simd::STANDARD;
use pbkdf2::pbkdf2_hmac;
use serde::Deserialize;
use session_core::Timestamp;
use sha1::Sha1;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::cookies::Cookies;
use crate::error::ImportError;
use crate::parts::times::rfc3339;
use crate::reader::reader;
use crate::session::{ForeignCookie, Opened};
use crate::settings::{Cookie, cookie_settings};

/// `config.action_dispatch.authenticated_encrypted_cookie_salt`.
const SALT: &[u8] = b"authenticated encrypted cookie";
const ITERATIONS: u32 = 1000;

/// Rails (5.2 and later) with its cookie store and `cookies_serializer = :json`: encrypted by AES-256-GCM.
///
/// The id is `session_id`, which `reset_session` changes at a login. Nothing tells of the login; the end is that of
/// `expire_after`, if it was set. Devise's account is the first part of `warden.user.user.key`.
///
/// ```
/// use serde::Deserialize;
/// use session_import::{Cookies, Rails, Timestamp};
///
/// #[derive(Deserialize)]
/// struct Data { user_id: u64 }
///
/// # fn example(header: &[u8], now: Timestamp) -> Result<(), Box<dyn std::error::Error>> {
/// let reader = Rails::new("_app_session", std::env::var("SECRET_KEY_BASE")?);
/// let session = reader.read::<Data>(&Cookies::from_header(header), now)?;
/// # Ok(()) }
/// ```
///
/// Both key digests of Rails are tried, SHA-256 (`load_defaults` 7.0 and later) and SHA-1 (before). What was written by
/// Ruby's Marshal, the default before 7.0 of applications that were upgraded, is not read: let Rails write JSON first
/// (`:hybrid`). Making the keys takes 2000 rounds of HMAC for each secret: keep the reader.
#[derive(Clone)]
pub struct Rails {
    cookie: Cookie,
    keys: Vec<Zeroizing<[u8; 32]>>,
    has_empty_secret: bool,
    allows_any_purpose: bool,
}

impl Rails {
    /// The session's cookie is called as `config.session_store :cookie_store, key: ..` says, by default `_APP_session`.
    #[must_use]
    pub fn new(cookie_name: impl Into<String>, secret_key_base: impl AsRef<[u8]>) -> Self {
        let cookie = Cookie::new(cookie_name);
        let reader = Self { cookie, keys: Vec::new(), has_empty_secret: false, allows_any_purpose: false };
        reader.old_secret(secret_key_base)
    }

    /// A `secret_key_base` of before: the other system changed it and still takes cookies of this one (`rotate`). Costs two
    /// decryptions more for each cookie that the others do not open.
    #[must_use]
    pub fn old_secret(mut self, secret_key_base: impl AsRef<[u8]>) -> Self {
        let secret = secret_key_base.as_ref();
        let (mut new, mut old) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
        pbkdf2_hmac::<Sha256>(secret, SALT, ITERATIONS, &mut *new);
        pbkdf2_hmac::<Sha1>(secret, SALT, ITERATIONS, &mut *old);
        self.keys.extend([new, old]);
        self.has_empty_secret |= secret.is_empty();
        self
    }

    /// Takes messages that do not say of which cookie they are, as Rails wrote before 6.0, and later with
    /// `use_cookies_with_metadata = false`. Default: they are refused.
    ///
    /// Danger: any other encrypted cookie of the application then passes for the session's.
    #[must_use]
    pub fn allow_missing_purpose(mut self) -> Self {
        self.allows_any_purpose = true;
        self
    }

    /// The cookies of this system that the request has, to clear at a logout.
    #[must_use]
    pub fn cookies(&self, cookies: &Cookies<'_>) -> Vec<ForeignCookie> {
        self.cookie.found(cookies, &[])
    }

    fn open(&self, cookies: &Cookies<'_>, now: Timestamp) -> Result<Vec<Opened>, ImportError> {
        if self.has_empty_secret {
            return Err(ImportError::EmptySecret);
        }
        let open = |value: &str| {
            let message = Message::parse(value)?;
            let plain = self.keys.iter().find_map(|key| message.open(key))?;
            self.opened(plain)?.at(now)
        };
        Ok(cookies.decoded(&self.cookie.name)?.iter().filter_map(|value| open(value)).collect())
    }

    /// From the decrypted message.
    pub(crate) fn opened(&self, plain: Vec<u8>) -> Option<Opened> {
        let Ok(Envelope { metadata: Some(about) }) = serde_json::from_slice(&plain) else {
            return self.allows_any_purpose.then(|| session(plain));
        };
        if about.purpose.as_deref()?.strip_prefix("cookie.")? != self.cookie.name {
            return None;
        }
        let ends_at = match &about.expires {
            Some(text) => Some(rfc3339(text)?),
            None => None,
        };
        let mut opened = session(STANDARD.decode_to_vec(about.message.as_bytes()).ok()?);
        opened.ends_at = ends_at;
        Some(opened)
    }
}

/// No key.
impl fmt::Debug for Rails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rails").field("cookie", &self.cookie).finish_non_exhaustive()
    }
}

/// `CONTENT--NONCE--TAG`, each in base64.
struct Message {
    content: Vec<u8>,
    nonce: [u8; 12],
    tag: [u8; 16],
}

impl Message {
    fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split("--").map(|part| STANDARD.decode_to_vec(part).ok());
        let mut next = || parts.next().flatten();
        let (content, nonce, tag) = (next()?, next()?, next()?);
        let is_whole = parts.next().is_none();
        is_whole.then_some(Self { content, nonce: nonce.try_into().ok()?, tag: tag.try_into().ok()? })
    }

    fn open(&self, key: &[u8; 32]) -> Option<Vec<u8>> {
        let mut content = self.content.clone();
        let cipher = Aes256Gcm::new(key.into());
        cipher
            .decrypt_in_place_detached(&self.nonce.into(), b"", &mut content, &self.tag.into())
            .is_ok()
            .then_some(content)
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "_rails")]
    metadata: Option<Metadata<'a>>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(borrow, rename = "exp", default)]
    expires: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "pur", default)]
    purpose: Option<Cow<'a, str>>,
}

fn session(json: Vec<u8>) -> Opened {
    #[derive(Deserialize)]
    struct Named {
        session_id: String,
    }
    let id = serde_json::from_slice::<Named>(&json).ok().map(|named| named.session_id);
    Opened { id: id.filter(|id| !id.is_empty()), ..Opened::new(json) }
}

cookie_settings!(Rails);
reader!(Rails, account: "/warden.user.user.key");
