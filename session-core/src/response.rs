//! Answers in plain data, for adapters to translate and custom servers to write out.

use std::borrow::Cow;

use serde::Serialize;

use crate::few::Few;
use crate::time::Timestamp;

/// A header to change on a response that is on its way out. Names are lower case, values are ASCII.
///
/// `Debug` shows the name only: the value of a `Set-Cookie` is a credential.
#[derive(Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "an adapter must do all of them")]
pub enum HeaderChange {
    /// Replace every value of this header.
    Set(&'static str, Cow<'static, str>),
    /// Add a line with this header, leaving others.
    Append(&'static str, Cow<'static, str>),
}

impl HeaderChange {
    /// The header's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Set(name, _) | Self::Append(name, _) => name,
        }
    }
}

impl std::fmt::Debug for HeaderChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The header changes of one response: apply each before it is sent. `Debug` shows no values.
#[must_use = "without these headers the browser does not learn of the login, the refresh or the logout"]
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ResponseChanges {
    changes: Few<HeaderChange, 2>,
}

impl ResponseChanges {
    /// Nothing to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The changes, in order.
    pub fn iter(&self) -> impl Iterator<Item = &HeaderChange> {
        self.changes.iter()
    }

    /// The value of the first `Set-Cookie` line, if there is one: the session's, where that is set or cleared.
    #[must_use]
    pub fn set_cookie(&self) -> Option<&str> {
        self.set_cookies().next()
    }

    /// The values of all `Set-Cookie` lines: the session's, and those of [flows](crate::Flows) and
    /// [flashes](crate::Flash).
    pub fn set_cookies(&self) -> impl Iterator<Item = &str> {
        self.changes.iter().filter_map(|change| match change {
            HeaderChange::Append("set-cookie", value) => Some(&**value),
            _ => None,
        })
    }

    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<Cow<'static, str>>) {
        self.changes.push(HeaderChange::Set(name, value.into()));
    }

    pub(crate) fn append(&mut self, name: &'static str, value: impl Into<Cow<'static, str>>) {
        self.changes.push(HeaderChange::Append(name, value.into()));
    }
}

impl IntoIterator for ResponseChanges {
    type Item = HeaderChange;
    type IntoIter = IntoChanges;

    fn into_iter(self) -> IntoChanges {
        IntoChanges(self.changes.into_iter())
    }
}

/// The changes of [`ResponseChanges`], in order.
pub struct IntoChanges(smallvec::IntoIter<[HeaderChange; 2]>);

impl Iterator for IntoChanges {
    type Item = HeaderChange;

    fn next(&mut self) -> Option<HeaderChange> {
        self.0.next()
    }
}

impl std::fmt::Debug for IntoChanges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IntoChanges")
    }
}

impl std::fmt::Debug for ResponseChanges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.changes.iter().map(HeaderChange::name)).finish()
    }
}

/// A session token, for native clients that keep it themselves. A credential: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken(String);

impl SessionToken {
    pub(crate) fn new(token: String) -> Self {
        Self(token)
    }

    /// The token, for the one place that hands it to the client.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionToken([redacted])")
    }
}

/// A complete answer: status, headers and body. Header names are lower case, values are ASCII.
///
/// `Debug` shows neither headers nor body.
#[derive(Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a response has no more parts")]
pub struct PlainResponse {
    /// The HTTP status.
    pub status: u16,
    /// Header lines, in order; no name twice.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body: JSON or HTML, as `content-type` says, or empty.
    pub body: Vec<u8>,
}

/// Every answer of ours is for one browser at one time.
pub(crate) const NO_STORE: (&str, Cow<'static, str>) = ("cache-control", Cow::Borrowed("no-store"));

impl PlainResponse {
    pub(crate) fn json(status: u16, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).unwrap_or_else(|_| b"null".to_vec());
        let headers = vec![
            NO_STORE,
            ("content-type", Cow::Borrowed("application/json")),
            ("x-content-type-options", Cow::Borrowed("nosniff")),
        ];
        Self { status, headers, body }
    }

    pub(crate) fn no_content() -> Self {
        Self { status: 204, headers: vec![NO_STORE], body: Vec::new() }
    }

    pub(crate) fn see_other(location: &str) -> Self {
        let headers = vec![NO_STORE, ("location", Cow::Owned(location.to_owned()))];
        Self { status: 303, headers, body: Vec::new() }
    }

    pub(crate) fn error(status: u16, code: &str, message: &str, at: Timestamp) -> Self {
        #[derive(Serialize)]
        struct Body<'a> {
            code: &'a str,
            message: &'a str,
            timestamp: Timestamp,
        }
        Self::json(status, &Body { code, message, timestamp: at })
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl std::fmt::Debug for PlainResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlainResponse").field("status", &self.status).finish_non_exhaustive()
    }
}
