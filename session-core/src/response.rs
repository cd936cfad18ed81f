//! Answers in plain data, for adapters to translate and custom servers to write out.

use std::borrow::Cow;

use serde::Serialize;

use crate::{ErrorKind, Timestamp};

/// A header to change on a response that is on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderChange {
    /// Replace every value of this header.
    Set(&'static str, Cow<'static, str>),
    /// Add a line with this header, leaving others.
    Append(&'static str, Cow<'static, str>),
}

/// A complete answer: status, headers and body. Header names are lower case, values are ASCII.
///
/// `Debug` shows neither headers nor body.
#[derive(Clone, PartialEq, Eq)]
pub struct PlainResponse {
    /// The HTTP status.
    pub status: u16,
    /// Header lines, in order; no name twice.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body: JSON, or empty.
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

    pub(crate) fn error(kind: ErrorKind, at: Timestamp) -> Self {
        let (status, code, message) = kind.answer();
        let mut response = Self::error_body(status, code, message, at);
        if kind == ErrorKind::StoreUnavailable {
            response = response.header("retry-after", "1");
        }
        response
    }

    pub(crate) fn error_body(status: u16, code: &str, message: &str, at: Timestamp) -> Self {
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
