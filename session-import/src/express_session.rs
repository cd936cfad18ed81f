//! express-session: a signed session id; the record is in the application's store.

use base64_simd::STANDARD_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use session_core::Timestamp;

use crate::cookies::Cookies;
use crate::error::ImportError;
use crate::parts::mac::{HmacSha256, verify};
use crate::parts::times::rfc3339;
use crate::session::{ForeignCookie, ForeignSession, Opened, Reference};
use crate::settings::{Cookie, Secrets, cookie_settings, secret_settings};

/// In bytes.
const MAX_RECORD: usize = 1024 * 1024;
const MAX_ID: usize = 512;

/// `express-session` (1.x) with any store; records as `connect-redis` writes them.
///
/// The cookie is a signed id, which is the same as long as the session lives. Who it is stands in the store, so there are
/// two steps, with your look-up between them:
///
/// ```
/// use serde::Deserialize;
/// use session_import::{Cookies, ExpressSession, ImportError, Timestamp};
///
/// #[derive(Deserialize)]
/// #[serde(rename_all = "camelCase")]
/// struct Record { user_id: String }
///
/// # fn from_redis(key: &str) -> Option<Vec<u8>> { None }
/// # fn example(reader: &ExpressSession, header: &[u8], now: Timestamp) -> Result<(), ImportError> {
/// if let Some(reference) = reader.reference(&Cookies::from_header(header))? {
///     let key = format!("sess:{}", reference.id); // connect-redis's default prefix
///     if let Some(json) = from_redis(&key) {
///         let session = reader.record::<Record>(reference, &json, now)?;
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ExpressSession {
    cookie: Cookie,
    secrets: Secrets,
}

impl ExpressSession {
    /// With the first of the application's `secret`s; the others are [old secrets](Self::old_secret). The cookie is
    /// `connect.sid`.
    #[must_use]
    pub fn new(secret: impl AsRef<[u8]>) -> Self {
        Self { cookie: Cookie::new("connect.sid"), secrets: Secrets::new(secret) }
    }

    /// The session that these cookies name; `None` if there is none, be the cookie damaged, of somebody else or too long.
    ///
    /// # Errors
    ///
    /// [`ImportError::Ambiguous`] if several cookies of the name are genuine and name different sessions,
    /// [`ImportError::EmptySecret`].
    pub fn reference(&self, cookies: &Cookies<'_>) -> Result<Option<Reference>, ImportError> {
        let secrets = self.secrets.all()?;
        let values = cookies.decoded(&self.cookie.name)?;
        let mut ids: Vec<&str> = values.iter().filter_map(|value| id(value, secrets.clone())).collect();
        ids.sort_unstable();
        ids.dedup();
        match ids[..] {
            [] => Ok(None),
            [id] => Ok(Some(self.cookie.reference(id.to_owned(), self.cookies(cookies)))),
            _ => Err(ImportError::Ambiguous),
        }
    }

    /// The record that was found under the reference's id: JSON with `cookie`, whose `expires` is the session's end, and
    /// your own fields. `None` if it has ended, is longer than 1 MiB, or has no `cookie`.
    ///
    /// A session that ends with the browser has no `expires`: then only the store says when it ends.
    ///
    /// # Errors
    ///
    /// [`ImportError::Payload`] if the record is no `T`.
    pub fn record<T: DeserializeOwned>(
        &self,
        reference: Reference,
        json: &[u8],
        now: Timestamp,
    ) -> Result<Option<ForeignSession<T>>, ImportError> {
        let Some(record) = record(json) else { return Ok(None) };
        let mut opened = Opened::new(json.to_vec());
        opened.id = Some(reference.id.clone());
        if let Some(expires) = record.cookie.expires {
            let Some(ends_at) = rfc3339(&expires) else { return Ok(None) };
            opened.ends_at = Some(ends_at);
        }
        opened.at(now).map(|opened| opened.into_session(reference)).transpose()
    }

    /// The cookies of this system that the request has, to clear at a logout.
    #[must_use]
    pub fn cookies(&self, cookies: &Cookies<'_>) -> Vec<ForeignCookie> {
        self.cookie.found(cookies, &[])
    }
}

#[derive(Deserialize)]
struct Record {
    cookie: RecordCookie,
}

#[derive(Deserialize)]
struct RecordCookie {
    #[serde(default)]
    expires: Option<String>,
}

fn record(json: &[u8]) -> Option<Record> {
    let is_object = json.trim_ascii_start().starts_with(b"{");
    if json.len() > MAX_RECORD || !is_object { None } else { serde_json::from_slice(json).ok() }
}

/// Of `s:ID.MAC`, if one of the secrets has signed it.
fn id<'a, 's>(value: &'a str, mut secrets: impl Iterator<Item = &'s [u8]>) -> Option<&'a str> {
    let (id, tag) = value.strip_prefix("s:")?.rsplit_once('.')?;
    let tag = STANDARD_NO_PAD.decode_to_vec(tag).ok()?;
    let is_signed = (1..=MAX_ID).contains(&id.len())
        && secrets.any(|secret| verify::<HmacSha256>(secret, &[id.as_bytes()], &tag));
    is_signed.then_some(id)
}

cookie_settings!(ExpressSession);
secret_settings!(ExpressSession);
