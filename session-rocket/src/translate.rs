//! Rocket's requests and responses in plain data, and back.

use std::io::Cursor;
use std::net::IpAddr;

use rocket::http::{Cookie, HeaderMap, Status};
use rocket::{Request, Response};
use session_core::{
    Session, SessionPayload,
    adapter::{HeaderChange, Headers, PlainResponse, RequestHead},
};

use crate::fairing::{Managers, cached};

/// A request as core sees it, for [`SessionManager::check_origin`](crate::SessionManager::check_origin) and the
/// like.
#[derive(Clone, Copy)]
pub struct Head<'a, 'r>(pub &'a Request<'r>);

impl Headers for Head<'_, '_> {
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.0.headers().get(name).map(str::as_bytes)
    }
}

impl RequestHead for Head<'_, '_> {
    fn method(&self) -> &str {
        self.0.method().as_str()
    }

    fn target(&self) -> &str {
        struct Target(String);
        &self.0.local_cache(|| Target(self.0.uri().to_string())).0
    }

    fn authority(&self) -> Option<&str> {
        struct Authority(String);
        // Where there is a Host line, as always on HTTP/1, that is Rocket's host.
        let host = self.0.host().filter(|_| !self.0.headers().contains("host"))?;
        Some(&self.0.local_cache(|| Authority(host.to_string())).0)
    }

    fn peer(&self) -> Option<IpAddr> {
        self.0.remote().map(|address| address.ip())
    }

    /// Rocket's test client puts its cookies here alone; a server fills it from the header lines.
    fn jar(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.cookies().iter().map(Cookie::name_value)
    }
}

pub(crate) const NOSNIFF: &str = "x-content-type-options";

/// Core's answer as Rocket's response.
#[must_use]
pub fn respond(request: &Request<'_>, plain: PlainResponse) -> Response<'static> {
    let mut response = Response::new();
    response.set_status(Status::new(plain.status));
    response.set_sized_body(plain.body.len(), Cursor::new(plain.body));
    // Rocket's Shield sends it, too, and warns of a second one. The fairing comes after it.
    let later = request.rocket().state::<Managers>().is_some();
    for (name, value) in plain.headers {
        match name {
            NOSNIFF if later => cached(request).nosniff = true,
            _ => drop(response.set_raw_header(name, value)),
        }
    }
    response
}

/// Closes the session and tells the browser what became of it.
pub(crate) fn close<U: SessionPayload>(session: &Session<U>, response: &mut Response<'_>) {
    for change in session.close(&Lines(response.headers())) {
        match change {
            HeaderChange::Set(name, value) => drop(response.set_raw_header(name, value)),
            HeaderChange::Append(name, value) => response.adjoin_raw_header(name, value),
        }
    }
}

struct Lines<'a, 'h>(&'a HeaderMap<'h>);

impl Headers for Lines<'_, '_> {
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.0.get(name).map(str::as_bytes)
    }
}
