//! better-auth: a signed session token, and beside it a copy of the session, the cookie cache.

use std::borrow::Cow;

use base64_simd::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::value::RawValue;
use session_core::Timestamp;

use crate::cookies::Cookies;
use crate::error::ImportError;
use crate::parts::jwe::{Jwe, claims, derive};
use crate::parts::mac::{HmacSha256, verify};
use crate::parts::times::{milliseconds, rfc3339};
use crate::reader::reader;
use crate::session::{ForeignCookie, Opened, Reference};
use crate::settings::{Cookie, Secrets, cookie_settings, secret_settings};

/// In bytes. They are 32 letters and digits.
const MAX_TOKEN: usize = 512;
/// In bytes, of a JWT's header.
const MAX_HEADER: usize = 1024;

/// better-auth (1.x).
///
/// The cookie `session_token` is a signed reference to the table of sessions, the same as long as the session lives: that
/// token is the `id`. With `session.cookieCache` there is also `session_data`, a copy of session and user for some
/// minutes, in one of three forms (`compact`, `jwt`, `jwe`), which this tells apart by itself. It is read only beside the
/// `session_token` that it is of.
///
/// A copy that is fresh saves the look-up. Where there is none, the token leads to the row:
///
/// ```
/// use serde::Deserialize;
/// use session_import::{BetterAuth, Cookies, ImportError, Timestamp};
///
/// #[derive(Deserialize)]
/// struct Cached { user: User }
/// #[derive(Deserialize)]
/// struct User { id: String, email: String }
///
/// # fn by_token(token: &str) {}
/// # fn example(reader: &BetterAuth, header: &[u8], now: Timestamp) -> Result<(), ImportError> {
/// let cookies = Cookies::from_header(header);
/// if let Some(session) = reader.read::<Cached>(&cookies, now)? {
///     println!("account {}", session.payload.user.id);
/// } else if let Some(reference) = reader.reference(&cookies)? {
///     by_token(&reference.id); // SELECT .. FROM session WHERE token = $1
/// }
/// # Ok(()) }
/// ```
///
/// A copy that is signed with the key pairs of the `jwt` plugin (`cookieCacheSigner`) is not read.
///
/// The payload is an object of `session`, `user`, `updatedAt` and `version`. Until it expires, a copy does not know of a
/// logout elsewhere.
#[derive(Clone, Debug)]
pub struct BetterAuth {
    cookie: Cookie,
    prefix: String,
    secrets: Secrets,
}

impl BetterAuth {
    /// With `BETTER_AUTH_SECRET`. The cookies are `__Secure-better-auth.session_token` and `.session_data`, as over https;
    /// over plain http they have no `__Secure-`, see [`cookie_prefix`](Self::cookie_prefix).
    #[must_use]
    pub fn new(secret: impl AsRef<[u8]>) -> Self {
        let (cookie, prefix) = (Cookie::chunked(""), String::new());
        Self { cookie, prefix, secrets: Secrets::new(secret) }.cookie_prefix("__Secure-better-auth")
    }

    /// What stands before the dot in each name, `__Secure-` included. Sets [`cookie_name`](Self::cookie_name), too.
    /// Default: `__Secure-better-auth`.
    #[must_use]
    pub fn cookie_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self.cookie.name = format!("{}.session_token", self.prefix);
        self
    }

    /// The session whose token these cookies show; `None` if there is none, be the cookie damaged, of somebody else or
    /// too long. Whether it still lives, the table of sessions says.
    ///
    /// # Errors
    ///
    /// [`ImportError::Ambiguous`] if several cookies of the name are genuine and of different sessions,
    /// [`ImportError::EmptySecret`].
    pub fn reference(&self, cookies: &Cookies<'_>) -> Result<Option<Reference>, ImportError> {
        match &self.tokens(cookies)?[..] {
            [] => Ok(None),
            [token] => Ok(Some(self.cookie.reference(token.clone(), self.cookies(cookies)))),
            _ => Err(ImportError::Ambiguous),
        }
    }

    /// The cookies of this system that the request has, to clear at a logout.
    #[must_use]
    pub fn cookies(&self, cookies: &Cookies<'_>) -> Vec<ForeignCookie> {
        let others = ["session_data", "dont_remember", "account_data"].map(|name| self.named(name));
        self.cookie.found(cookies, &others)
    }

    fn named(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    /// The different tokens that are signed.
    fn tokens(&self, cookies: &Cookies<'_>) -> Result<Vec<String>, ImportError> {
        let secrets = self.secrets.all()?;
        let values = cookies.decoded(&self.cookie.name)?;
        let mut tokens: Vec<String> =
            values.iter().filter_map(|value| token(value, secrets.clone())).map(str::to_owned).collect();
        tokens.sort_unstable();
        tokens.dedup();
        Ok(tokens)
    }

    fn open(&self, cookies: &Cookies<'_>, now: Timestamp) -> Result<Vec<Opened>, ImportError> {
        let secrets = self.secrets.all()?;
        let tokens = self.tokens(cookies)?;
        if tokens.is_empty() {
            return Ok(Vec::new());
        }
        let open = |value: &str| {
            let json = secrets.clone().find_map(|secret| copy(value, secret, now))?;
            let opened = opened(json)?.at(now)?;
            opened.id.as_ref().is_some_and(|id| tokens.contains(id)).then_some(opened)
        };
        let copies = cookies.chunked(&self.named("session_data"))?;
        Ok(copies.iter().filter_map(|value| open(value)).collect())
    }
}

/// Of `TOKEN.MAC`, if one of the secrets has signed it.
fn token<'a, 's>(value: &'a str, mut secrets: impl Iterator<Item = &'s [u8]>) -> Option<&'a str> {
    let (token, tag) = value.rsplit_once('.')?;
    let tag = STANDARD.decode_to_vec(tag).ok()?;
    let is_signed = (1..=MAX_TOKEN).contains(&token.len())
        && secrets.any(|secret| verify::<HmacSha256>(secret, &[token.as_bytes()], &tag));
    is_signed.then_some(token)
}

/// The copy, in whatever form, if it is genuine and still fresh.
fn copy(value: &str, secret: &[u8], now: Timestamp) -> Option<Vec<u8>> {
    let json = match value.bytes().filter(|&byte| byte == b'.').count() {
        0 => return compact(value, secret, now),
        2 => signed(value, secret)?,
        4 => encrypted(value, secret)?,
        _ => return None,
    };
    claims(json, now).map(|copy| copy.json)
}

fn encrypted(value: &str, secret: &[u8]) -> Option<Vec<u8>> {
    let jwe = Jwe::parse(value)?;
    let info = b"BetterAuth.js Generated Encryption Key";
    // A256GCM, which takes keys of another length, is never written.
    jwe.open(&derive(secret, b"better-auth-session", info, 64)?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow, rename = "typ", default)]
    _typ: Option<Cow<'a, str>>,
}

/// A JWT by HS256 (RFC 7515).
fn signed(value: &str, secret: &[u8]) -> Option<Vec<u8>> {
    let (signed, tag) = value.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    let decode = |text: &str| URL_SAFE_NO_PAD.decode_to_vec(text).ok();
    if header.len() > MAX_HEADER || !verify::<HmacSha256>(secret, &[signed.as_bytes()], &decode(tag)?) {
        return None;
    }
    let header = decode(header)?;
    let header: Header<'_> = serde_json::from_slice(&header).ok()?;
    if header.alg == "HS256" { decode(payload) } else { None }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Compact<'a> {
    #[serde(borrow)]
    session: &'a RawValue,
    expires_at: i64,
    #[serde(borrow)]
    signature: Cow<'a, str>,
}

/// Signed is the inner object with `expiresAt` as its last field, as JavaScript writes it. The inner object was written by
/// JavaScript, too, so its bytes are taken as they are.
fn compact(value: &str, secret: &[u8], now: Timestamp) -> Option<Vec<u8>> {
    let outer = URL_SAFE_NO_PAD.decode_to_vec(value).ok()?;
    let outer: Compact<'_> = serde_json::from_slice(&outer).ok()?;
    let inner = outer.session.get().strip_suffix('}')?;
    let last = format!(",\"expiresAt\":{}}}", outer.expires_at);
    let tag = URL_SAFE_NO_PAD.decode_to_vec(outer.signature.as_bytes()).ok()?;
    let is_genuine = verify::<HmacSha256>(secret, &[inner.as_bytes(), last.as_bytes()], &tag);
    (is_genuine && milliseconds(outer.expires_at) > now).then(|| outer.session.get().into())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Copy {
    session: CopiedSession,
    updated_at: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CopiedSession {
    token: String,
    created_at: String,
    expires_at: String,
}

fn opened(json: Vec<u8>) -> Option<Opened> {
    let copy: Copy = serde_json::from_slice(&json).ok()?;
    let mut opened = Opened::new(json);
    opened.id = Some(copy.session.token);
    opened.authenticated_at = Some(rfc3339(&copy.session.created_at)?);
    opened.issued_at = Some(milliseconds(copy.updated_at as i64));
    opened.ends_at = Some(rfc3339(&copy.session.expires_at)?);
    Some(opened)
}

/// What comes before and behind the signatures.
#[cfg(any(fuzzing, test))]
pub(crate) fn fuzz(bytes: &[u8], secret: &[u8], now: Timestamp) {
    drop(copy(&String::from_utf8_lossy(bytes), secret, now));
    drop(opened(bytes.to_vec()));
}

cookie_settings!(BetterAuth);
secret_settings!(BetterAuth);
reader!(BetterAuth, account: "/session/userId");
