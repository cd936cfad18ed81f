//! Between axum's types and core's plain data.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, OriginalUri};
use axum::response::Response;
use http::header::InvalidHeaderValue;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use session_core::{HeaderChange, Headers, PlainResponse, RequestHead, Session, SessionPayload};

/// A request as core sees it, for [`SessionManager::check_origin`](crate::SessionManager::check_origin) and the
/// like.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a>(pub &'a Parts);

impl Head<'_> {
    /// What the client asked for, before nested routers took their prefix away.
    fn uri(&self) -> &Uri {
        self.0.extensions.get::<OriginalUri>().map_or(&self.0.uri, |original| &original.0)
    }
}

impl Headers for Head<'_> {
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        values(&self.0.headers, name)
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
    for (name, value) in plain.headers {
        if let Ok(value) = header_value(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Closes the session and tells the browser what became of it.
pub(crate) fn close<U: SessionPayload>(session: &Session<U>, headers: &mut HeaderMap) {
    for change in session.close(&Lines(headers)) {
        match change {
            HeaderChange::Set(name, text) => {
                if let Ok(value) = header_value(text) {
                    headers.insert(name, value);
                }
            }
            HeaderChange::Append(name, text) => {
                if let Ok(value) = header_value(text) {
                    headers.append(name, value);
                }
            }
        }
    }
}

struct Lines<'a>(&'a HeaderMap);

impl Headers for Lines<'_> {
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        values(self.0, name)
    }
}

fn values<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
    headers.get_all(name).iter().map(HeaderValue::as_bytes)
}

/// Takes the text over without a copy. Core's values are ASCII, so it does not fail.
fn header_value(text: Cow<'static, str>) -> Result<HeaderValue, InvalidHeaderValue> {
    HeaderValue::from_maybe_shared(match text {
        Cow::Borrowed(text) => Bytes::from_static(text.as_bytes()),
        Cow::Owned(text) => Bytes::from(text),
    })
}
