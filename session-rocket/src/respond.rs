//! Core's answers as Rocket's.

use std::io::Cursor;

use rocket::http::{HeaderMap, Status};
use rocket::{Request, Response};
use session_core::SessionPayload;
use session_core::adapter::{HeaderChange, Headers, PlainResponse, Slot};

use crate::per_request::{Managers, NOSNIFF, cached};

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

/// Closes the slot and tells the browser what became of it.
pub(crate) fn close<U: SessionPayload>(slot: &Slot<U>, response: &mut Response<'_>) {
    for change in slot.close(&Lines(response.headers())) {
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
