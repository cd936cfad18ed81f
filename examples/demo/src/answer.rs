//! An answer in plain data, for a framework's file to translate.

use std::borrow::Cow;

use serde::Serialize;
use session_core::{SessionError, Timestamp, adapter::PlainResponse};

/// Status, headers and body, complete. A framework adds its own `Content-Length` and `Date`, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an answer is for the client"]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Header lines: names in lower case, no name twice.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body, possibly empty.
    pub body: Vec<u8>,
}

const NO_STORE: (&str, Cow<'static, str>) = ("cache-control", Cow::Borrowed("no-store"));
const NOSNIFF: (&str, Cow<'static, str>) = ("x-content-type-options", Cow::Borrowed("nosniff"));

/// What a page may load and where its forms may go: this port, and nothing else. The one exception is an icon
/// written into the page itself (`data:`).
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

impl Answer {
    /// JSON for one client at one time.
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).unwrap_or_else(|_| b"null".to_vec());
        Self::new(status, vec![NO_STORE, content_type("application/json"), NOSNIFF], body)
    }

    /// An error in the shape that the session routes have too.
    pub fn error(status: u16, code: &str, message: &str, at: Timestamp) -> Self {
        #[derive(Serialize)]
        struct Body<'a> {
            code: &'a str,
            message: &'a str,
            timestamp: Timestamp,
        }
        Self::json(status, &Body { code, message, timestamp: at })
    }

    /// A page. It is about one user, so nothing keeps it: after a logout the back button must not show it.
    pub fn page(status: u16, html: String) -> Self {
        let headers = vec![
            NO_STORE,
            content_type("text/html; charset=utf-8"),
            ("content-security-policy", Cow::Borrowed(PAGE_POLICY)),
            // Not `no-referrer`: under it a form post says `Origin: null`, which the cross-origin check refuses.
            ("referrer-policy", Cow::Borrowed("same-origin")),
            ("cross-origin-opener-policy", Cow::Borrowed("same-origin")),
            NOSNIFF,
        ];
        Self::new(status, headers, html.into_bytes())
    }

    /// A style sheet or script of this build. The page asks for it with the build's number, so it never changes.
    pub fn asset(kind: &'static str, body: &'static str) -> Self {
        let cache = ("cache-control", Cow::Borrowed("public, max-age=31536000, immutable"));
        Self::new(200, vec![cache, content_type(kind), NOSNIFF], body.into())
    }

    /// Plain text.
    pub fn text(status: u16, body: &'static str) -> Self {
        Self::new(status, vec![NO_STORE, content_type("text/plain; charset=utf-8"), NOSNIFF], body.into())
    }

    /// "Look there", by GET (RFC 9110 section 15.4.4).
    pub fn see_other(location: String) -> Self {
        Self::new(303, vec![NO_STORE, ("location", Cow::Owned(location))], Vec::new())
    }

    /// Done, and nothing to say.
    pub fn no_content() -> Self {
        Self::new(204, vec![NO_STORE], Vec::new())
    }

    /// With one more header.
    pub fn header(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The value of a header.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_ref())
    }

    fn new(status: u16, headers: Vec<(&'static str, Cow<'static, str>)>, body: Vec<u8>) -> Self {
        Self { status, headers, body }
    }
}

const fn content_type(kind: &'static str) -> (&'static str, Cow<'static, str>) {
    ("content-type", Cow::Borrowed(kind))
}

impl From<PlainResponse> for Answer {
    fn from(response: PlainResponse) -> Self {
        Self { status: response.status, headers: response.headers, body: response.body }
    }
}

impl From<SessionError> for Answer {
    fn from(error: SessionError) -> Self {
        error.to_response().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_code_message_and_timestamp() {
        let answer = Answer::error(400, "BAD_REQUEST", "No.", Timestamp::EPOCH);
        let body = String::from_utf8(answer.body).unwrap();
        assert_eq!(body, r#"{"code":"BAD_REQUEST","message":"No.","timestamp":"1970-01-01T00:00:00Z"}"#);
    }

    #[test]
    fn a_page_may_load_from_its_own_port_only() {
        let answer = Answer::page(200, String::new());
        assert_eq!(
            answer.value("content-security-policy").unwrap(),
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
    }
}
