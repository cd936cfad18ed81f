//! Between actix-web's types and core's plain data.

use std::borrow::Cow;
use std::net::IpAddr;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use session_core::adapter::{HeaderChange, Headers, PlainResponse, RequestHead, ResponseChanges};

/// A request as core sees it, for [`SessionManager::check_origin`](crate::SessionManager::check_origin) and the
/// like.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a>(pub &'a HttpRequest);

impl Headers for Head<'_> {
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        // A look by name would make one of it first, which allocates.
        let named = self.0.headers().iter().filter(move |(key, _)| key.as_str() == name);
        named.map(|(_, value)| value.as_bytes())
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
    let mut response = HttpResponse::build(status);
    for (name, value) in &plain.headers {
        response.insert_header((*name, &**value));
    }
    response.body(plain.body)
}

/// Puts on a response what became of the session.
pub(crate) fn apply(changes: ResponseChanges, headers: &mut HeaderMap) {
    for change in changes {
        let replaces = matches!(change, HeaderChange::Set(..));
        let (HeaderChange::Set(name, text) | HeaderChange::Append(name, text)) = change;
        // Takes the text over without a copy. Core's lines are well formed, so neither part fails.
        let value = HeaderValue::from_maybe_shared(match text {
            Cow::Borrowed(text) => Bytes::from_static(text.as_bytes()),
            Cow::Owned(text) => Bytes::from(text),
        });
        let (Some(name), Ok(value)) = (name_of(name), value) else { continue };
        if replaces {
            headers.insert(name, value);
        } else {
            headers.append(name, value);
        }
    }
}

/// One made beforehand, where there is: any other is parsed.
fn name_of(name: &'static str) -> Option<HeaderName> {
    Some(match name {
        "set-cookie" => header::SET_COOKIE,
        "cache-control" => header::CACHE_CONTROL,
        "vary" => header::VARY,
        other => HeaderName::from_bytes(other.as_bytes()).ok()?,
    })
}

/// The header lines of a response.
pub(crate) struct Lines<'a>(pub(crate) &'a HeaderMap);

impl Headers for Lines<'_> {
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        let values = name_of(name).map(|name| self.0.get_all(name));
        values.into_iter().flatten().map(HeaderValue::as_bytes)
    }
}
