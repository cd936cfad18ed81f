//! Between axum's types and core's plain data.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, OriginalUri};
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use session_core::{
    Session, SessionPayload,
    adapter::{HeaderChange, Headers, PlainResponse, RequestHead},
};

/// A request as core sees it, for handlers that use the [manager](crate::SessionManager) without a session.
///
/// ```
/// # use session_axum::{Head, Rejection, SessionManager, SessionPayload};
/// # use axum::http::request::Parts;
/// async fn vote<User: SessionPayload>(sessions: SessionManager<User>, parts: Parts) -> Result<(), Rejection> {
///     Ok(sessions.check_origin(&Head(&parts))?)
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Head<'a>(pub &'a Parts);

impl Head<'_> {
    /// What the client asked for, before nested routers took their prefix away.
    fn uri(&self) -> &Uri {
        self.0.extensions.get::<OriginalUri>().map_or(&self.0.uri, |original| &original.0)
    }
}

/// No header lines: the cookie is a credential.
impl fmt::Debug for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head").field("method", &self.method()).finish_non_exhaustive()
    }
}

impl Headers for Head<'_> {
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.0.headers.get_all(name).iter().map(HeaderValue::as_bytes)
    }
}

impl RequestHead for Head<'_> {
    fn method(&self) -> &str {
        self.0.method.as_str()
    }

    fn target(&self) -> &str {
        self.uri().path_and_query().map_or("", |target| target.as_str())
    }

    fn authority(&self) -> Option<&str> {
        self.uri().authority().map(|authority| authority.as_str())
    }

    fn peer(&self) -> Option<IpAddr> {
        self.0.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
    }
}

/// Core's answer as axum's response.
#[must_use]
pub fn respond(plain: PlainResponse) -> Response {
    let mut response = Response::new(Body::from(plain.body));
    *response.status_mut() = StatusCode::from_u16(plain.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, text) in plain.headers {
        apply(HeaderChange::Set(name, text), response.headers_mut());
    }
    response
}

/// Closes the session and tells the browser what became of it.
pub(crate) fn close<U: SessionPayload>(session: &Session<U>, headers: &mut HeaderMap) {
    for change in session.close(&Lines(headers)) {
        apply(change, headers);
    }
}

/// Takes the text over without a copy. Core's values are ASCII, so none is left out.
fn apply(change: HeaderChange, headers: &mut HeaderMap) {
    if let HeaderChange::Set(name, _) = change {
        headers.remove(name);
    }
    let (HeaderChange::Set(name, text) | HeaderChange::Append(name, text)) = change;
    let text = match text {
        Cow::Borrowed(text) => Bytes::from_static(text.as_bytes()),
        Cow::Owned(text) => Bytes::from(text),
    };
    if let Ok(value) = HeaderValue::from_maybe_shared(text) {
        headers.append(name, value);
    }
}

struct Lines<'a>(&'a HeaderMap);

impl Headers for Lines<'_> {
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.0.get_all(name).iter().map(HeaderValue::as_bytes)
    }
}
