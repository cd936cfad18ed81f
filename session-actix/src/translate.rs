//! Between actix-web's types and core's plain data.

use std::borrow::Cow;
use std::net::IpAddr;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use session_core::{
    HeaderChange, Headers, PlainResponse, RequestHead, ResponseChanges, Session, SessionPayload,
};

/// A request as core sees it, for [`SessionManager::check_origin`](crate::SessionManager::check_origin) and the
/// like.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a>(pub &'a HttpRequest);

impl Headers for Head<'_> {
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        values(self.0.headers(), name)
    }
}

impl RequestHead for Head<'_> {
    fn method(&self) -> &str {
        self.0.method().as_str()
    }

    fn target(&self) -> &str {
        self.0.uri().path_and_query().map_or("", |target| target.as_str())
    }

    fn authority(&self) -> Option<&str> {
        self.0.uri().authority().map(|authority| authority.as_str())
    }

    fn peer(&self) -> Option<IpAddr> {
        self.0.peer_addr().map(|peer| peer.ip())
    }
}

/// Core's answer as actix-web's response.
#[must_use]
pub fn respond(plain: PlainResponse) -> HttpResponse {
    let status = StatusCode::from_u16(plain.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::with_body(status, BoxBody::new(plain.body));
    for (name, value) in plain.headers {
        if let Some((name, value)) = line(name, value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Closes the session: what the response must say of it.
pub(crate) fn close<U: SessionPayload>(session: &Session<U>, headers: &HeaderMap) -> ResponseChanges {
    session.close(&Lines(headers))
}

pub(crate) fn apply(changes: ResponseChanges, headers: &mut HeaderMap) {
    for change in changes {
        match change {
            HeaderChange::Set(name, value) => {
                if let Some((name, value)) = line(name, value) {
                    headers.insert(name, value);
                }
            }
            HeaderChange::Append(name, value) => {
                if let Some((name, value)) = line(name, value) {
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
    headers.get_all(name).map(HeaderValue::as_bytes)
}

/// Takes the text over without a copy. Core's lines are well formed, so it does not fail.
fn line(name: &'static str, text: Cow<'static, str>) -> Option<(HeaderName, HeaderValue)> {
    let value = HeaderValue::from_maybe_shared(match text {
        Cow::Borrowed(text) => Bytes::from_static(text.as_bytes()),
        Cow::Owned(text) => Bytes::from(text),
    });
    Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value.ok()?))
}
