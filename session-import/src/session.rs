//! What a reader hands back.

use std::fmt;

use serde::de::DeserializeOwned;
use session_core::{CookieSettings, Foreign, Timestamp};

use crate::error::ImportError;

/// A session that another system began: who it is, and what its cookie proves.
///
/// Say nothing more of it than is here: where a time is `None`, the other system does not tell. Times of the future are
/// brought down to now. `Debug` shows neither payload nor id.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForeignSession<T> {
    /// What the other system kept, in your own type (or `serde_json::Value`).
    pub payload: T,
    /// What names the session there as long as it lives. `None` where the system has no such thing: a `jti`, a time or the
    /// ciphertext is another one after each visit, and never stands here.
    ///
    /// It may log in whoever knows it: keep it out of logs.
    pub id: Option<String>,
    /// When the user logged in there, if the system tells.
    pub authenticated_at: Option<Timestamp>,
    /// When the cookie or record was made: the user had logged in by then. Many systems make a new one at each visit, so
    /// this does not show a recent login.
    pub issued_at: Option<Timestamp>,
    /// When the session ends there, if the system tells.
    pub ends_at: Option<Timestamp>,
    /// The name of the cookie that it came in.
    pub cookie: String,
    /// Whose doing that cookie can be.
    pub prefix: CookiePrefix,
    /// The cookies of this session that the request had, to clear once it is adopted.
    pub cookies: Vec<ForeignCookie>,
}

impl<T> ForeignSession<T> {
    /// What this session proves, for [`adopt_from`](session_core::SessionManagerBuilder::adopt_from): its id, if it has one,
    /// its times, and nothing that is not here. Its cookies are cleared once it is adopted; where the other system sets
    /// them with a domain, or still needs them, make a [`Foreign`] of your own. Add
    /// [`allow_any_name`](Foreign::allow_any_name) where the cookie's [`prefix`](Self::prefix) is none and its danger is none
    /// here.
    #[must_use]
    pub fn foreign(&self) -> Foreign {
        let foreign = Foreign::new(&*self.cookie)
            .authenticated_at(self.authenticated_at)
            .issued_at(self.issued_at)
            .ends_at(self.ends_at);
        let foreign = self.id.iter().fold(foreign, Foreign::id);
        self.cookies.iter().fold(foreign, |foreign, cookie| foreign.clear(cookie.settings()))
    }
}

impl<T> fmt::Debug for ForeignSession<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignSession")
            .field("cookie", &self.cookie)
            .field("has_id", &self.id.is_some())
            .field("authenticated_at", &self.authenticated_at)
            .field("issued_at", &self.issued_at)
            .field("ends_at", &self.ends_at)
            .finish_non_exhaustive()
    }
}

/// The name of a session whose record is in the other system's store. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reference {
    /// The session's id there, to look it up with. It logs in whoever knows it: keep it out of logs.
    pub id: String,
    /// The name of the cookie that it came in.
    pub cookie: String,
    /// Whose doing that cookie can be.
    pub prefix: CookiePrefix,
    /// The cookies of this session that the request had, to clear once it is adopted.
    pub cookies: Vec<ForeignCookie>,
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reference").field("cookie", &self.cookie).finish_non_exhaustive()
    }
}

/// Who can have set a cookie, by the beginning of its name (RFC 6265bis, section "Cookie Name Prefixes").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookiePrefix {
    /// `__Host-`: this host alone, over TLS.
    Host,
    /// `__Secure-`: this host or a sibling subdomain, over TLS.
    Secure,
    /// None: any sibling subdomain, and whoever can answer plain http in the site's name. They can plant a session of
    /// their own, and your user then works in their account (login CSRF).
    None,
}

impl CookiePrefix {
    /// The prefix of that name. Upper or lower case does not matter, as in browsers.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let begins =
            |prefix: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        if begins("__Host-") {
            Self::Host
        } else if begins("__Secure-") {
            Self::Secure
        } else {
            Self::None
        }
    }
}

/// A cookie to clear: with this name and path, `Max-Age=0`, and `Secure` where it says so.
///
/// A browser clears only what has the same name, path **and domain**. Requests do not tell a cookie's domain: where the
/// other system sets one (Django's `SESSION_COOKIE_DOMAIN`, better-auth's `crossSubDomainCookies`), add it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForeignCookie {
    /// Chunks have names of their own.
    pub name: String,
    /// `/`, unless the reader was told another.
    pub path: String,
    /// Whether a browser refuses the clearing without `Secure`: that is so if the name has a prefix.
    pub secure: bool,
}

impl ForeignCookie {
    fn settings(&self) -> CookieSettings {
        CookieSettings::default().name(&self.name).path(&self.path).secure(self.secure)
    }
}

/// A genuine session, before its payload is read.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) json: Vec<u8>,
    pub(crate) id: Option<String>,
    pub(crate) authenticated_at: Option<Timestamp>,
    pub(crate) issued_at: Option<Timestamp>,
    pub(crate) ends_at: Option<Timestamp>,
}

impl Opened {
    pub(crate) fn new(json: Vec<u8>) -> Self {
        Self { json, id: None, authenticated_at: None, issued_at: None, ends_at: None }
    }

    /// `None` if it has ended. No time of its making is later than now.
    pub(crate) fn at(mut self, now: Timestamp) -> Option<Self> {
        self.authenticated_at = self.authenticated_at.map(|at| at.min(now));
        self.issued_at = self.issued_at.map(|at| at.min(now));
        self.ends_at.is_none_or(|ends| ends > now).then_some(self)
    }

    pub(crate) fn into_session<T: DeserializeOwned>(
        self,
        from: Reference,
    ) -> Result<ForeignSession<T>, ImportError> {
        Ok(ForeignSession {
            payload: payload(&self.json)?,
            id: self.id,
            authenticated_at: self.authenticated_at,
            issued_at: self.issued_at,
            ends_at: self.ends_at,
            cookie: from.cookie,
            prefix: from.prefix,
            cookies: from.cookies,
        })
    }
}

/// The error says where, and not what was there.
fn payload<T: DeserializeOwned>(json: &[u8]) -> Result<T, ImportError> {
    let mut source = serde_json::Deserializer::from_slice(json);
    let failed = |path: String| ImportError::Payload { path };
    let payload = serde_path_to_error::deserialize(&mut source);
    let payload = payload.map_err(|error| failed(error.path().to_string()))?;
    source.end().map_err(|_| failed(".".to_owned()))?;
    Ok(payload)
}
