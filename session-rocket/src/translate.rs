//! Rocket's requests and responses in plain data, and back.

use std::cell::OnceCell;
use std::fmt;
use std::io::Cursor;
use std::net::IpAddr;

use rocket::http::Status;
use rocket::{Request, Response};
use session_core::{HeaderChange, Headers, PlainResponse, RequestHead, Session, SessionPayload};

use crate::fairing::{self, PerRequest};

/// The head of a Rocket request, as core reads it.
pub struct Head<'a, 'r> {
    request: &'a Request<'r>,
    target: OnceCell<String>,
    authority: OnceCell<String>,
}

impl<'a, 'r> Head<'a, 'r> {
    /// The head of `request`.
    #[must_use]
    pub fn of(request: &'a Request<'r>) -> Self {
        Self { request, target: OnceCell::new(), authority: OnceCell::new() }
    }
}

impl Headers for Head<'_, '_> {
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.request.headers().get(name).map(str::as_bytes)
    }
}

impl RequestHead for Head<'_, '_> {
    fn method(&self) -> &str {
        self.request.method().as_str()
    }

    fn target(&self) -> &str {
        self.target.get_or_init(|| self.request.uri().to_string())
    }

    fn authority(&self) -> Option<&str> {
        // With a Host line, and always on HTTP/1, Rocket's host is that line.
        let host = self.request.host().filter(|_| !self.request.headers().contains("host"))?;
        Some(self.authority.get_or_init(|| host.to_string()))
    }

    fn peer(&self) -> Option<IpAddr> {
        self.request.remote().map(|address| address.ip())
    }
}

impl fmt::Debug for Head<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head").field("method", &self.method()).finish_non_exhaustive()
    }
}

struct ResponseHead<'a, 'r>(&'a Response<'r>);

impl Headers for ResponseHead<'_, '_> {
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.0.headers().get(name).map(str::as_bytes)
    }
}

/// Ends the session's part in the request: what it has to say goes into the response's headers.
pub(crate) fn close<U: SessionPayload>(session: &Session<U>, response: &mut Response<'_>) {
    for change in session.close(&ResponseHead(response)) {
        match change {
            HeaderChange::Set(name, value) => drop(response.set_raw_header(name, value)),
            HeaderChange::Append(name, value) => response.adjoin_raw_header(name, value),
        }
    }
}

pub(crate) const NOSNIFF: &str = "x-content-type-options";

/// An answer of core as a Rocket response.
#[must_use]
pub fn respond(request: &Request<'_>, answer: PlainResponse) -> Response<'static> {
    let mut response = Response::build();
    response.status(Status::new(answer.status)).sized_body(answer.body.len(), Cursor::new(answer.body));
    let shielded = fairing::is_attached(request.rocket());
    for (name, value) in answer.headers {
        if name == NOSNIFF && shielded {
            // Rocket's Shield sends it too, and warns when it is there already: the fairing comes after it.
            PerRequest::of(request).nosniff = true;
        } else {
            response.raw_header_adjoin(name, value);
        }
    }
    response.finalize()
}
