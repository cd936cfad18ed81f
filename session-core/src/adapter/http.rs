//! Between the types of the crate `http` (1.x) and plain data, for hyper, axum, poem, salvo and whoever shares them.

use std::borrow::Cow;
use std::net::IpAddr;

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};

use crate::request::{Headers, RequestHead};
use crate::response::{HeaderChange, PlainResponse, ResponseChanges};

/// The head of a request.
///
/// ```
/// use http::Request;
/// use session_core::adapter::{HttpHead, RequestHead};
///
/// let request = Request::post("/login?next=%2F").body(()).unwrap();
/// let head = HttpHead {
///     method: request.method(),
///     uri: request.uri(),
///     headers: request.headers(),
///     peer: None,
/// };
/// assert_eq!(head.target(), "/login?next=%2F");
/// ```
#[derive(Clone, Copy)]
#[allow(clippy::exhaustive_structs, reason = "adapters make it, and must not forget a field")]
pub struct HttpHead<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target as sent: where a router cuts a prefix off, the one from before.
    pub uri: &'a Uri,
    /// The header lines.
    pub headers: &'a HeaderMap,
    /// The address of the connection's peer, where it is known.
    pub peer: Option<IpAddr>,
}

impl Headers for HeaderMap {
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        let values = match known(name) {
            Some(name) => self.get_all(name),
            None => self.get_all(name),
        };
        values.iter().map(HeaderValue::as_bytes)
    }
}

/// A name made beforehand: any other is parsed with each look.
fn known(name: &str) -> Option<&'static HeaderName> {
    static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    Some(match name {
        "cookie" => &header::COOKIE,
        "upgrade" => &header::UPGRADE,
        "sec-fetch-site" => &SEC_FETCH_SITE,
        "user-agent" => &header::USER_AGENT,
        "vary" => &header::VARY,
        "cache-control" => &header::CACHE_CONTROL,
        "set-cookie" => &header::SET_COOKIE,
        _ => return None,
    })
}

impl Headers for HttpHead<'_> {
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.header(name)
    }
}

impl RequestHead for HttpHead<'_> {
    fn method(&self) -> &str {
        self.method.as_str()
    }

    fn target(&self) -> &str {
        self.uri.path_and_query().map_or("", |target| target.as_str())
    }

    fn authority(&self) -> Option<&str> {
        self.uri.authority().map(|authority| authority.as_str())
    }

    fn peer(&self) -> Option<IpAddr> {
        self.peer
    }
}

/// No header lines: the cookie is a credential.
impl std::fmt::Debug for HttpHead<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpHead").field("method", &self.method).finish_non_exhaustive()
    }
}

impl ResponseChanges {
    /// Puts the changes on a response.
    pub fn apply(self, headers: &mut HeaderMap) {
        for change in self {
            change.apply(headers);
        }
    }
}

impl HeaderChange {
    /// Takes the text over without a copy. Core's values are ASCII, so none is left out.
    fn apply(self, headers: &mut HeaderMap) {
        let replaces = matches!(self, Self::Set(..));
        let (Self::Set(name, text) | Self::Append(name, text)) = self;
        let name = known(name).cloned().or_else(|| HeaderName::from_bytes(name.as_bytes()).ok());
        let value = HeaderValue::from_maybe_shared(match text {
            Cow::Borrowed(text) => Bytes::from_static(text.as_bytes()),
            Cow::Owned(text) => Bytes::from(text),
        });
        let (Some(name), Ok(value)) = (name, value) else { return };
        if replaces {
            headers.insert(name, value);
        } else {
            headers.append(name, value);
        }
    }
}

impl From<PlainResponse> for Response<Vec<u8>> {
    fn from(plain: PlainResponse) -> Self {
        let mut response = Self::new(plain.body);
        *response.status_mut() =
            StatusCode::from_u16(plain.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, text) in plain.headers {
            HeaderChange::Set(name, text).apply(response.headers_mut());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applications make answers as well.
    #[test]
    fn a_name_in_capitals_is_taken_and_what_is_none_is_left_out() {
        let headers = vec![("Location", "/a".into()), ("no name", "b".into()), ("x-mine", "c\n".into())];
        let response = Response::from(PlainResponse { status: 303, headers, body: Vec::new() });
        let lines: Vec<_> = response.headers().iter().map(|(name, value)| (name.as_str(), value)).collect();
        assert_eq!(lines, [("location", &HeaderValue::from_static("/a"))]);
    }
}
