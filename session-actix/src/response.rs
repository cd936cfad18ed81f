//! Core's answers and header changes, as actix-web writes them.

use std::borrow::Cow;

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::web::Bytes;
use session_core::{HeaderChange, PlainResponse, ResponseChanges};

pub(crate) fn response(plain: PlainResponse) -> HttpResponse {
    let status = StatusCode::from_u16(plain.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::with_body(status, BoxBody::new(plain.body));
    for (name, value) in plain.headers {
        if let Some((name, value)) = line(name, value) {
            response.headers_mut().append(name, value);
        }
    }
    response
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

/// A header line without copying; core's are all well formed.
fn line(name: &'static str, value: Cow<'static, str>) -> Option<(HeaderName, HeaderValue)> {
    let value = match value {
        Cow::Borrowed(value) => Bytes::from_static(value.as_bytes()),
        Cow::Owned(value) => Bytes::from(value),
    };
    Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_maybe_shared(value).ok()?))
}
