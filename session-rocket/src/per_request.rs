//! What is kept in a request, what Rocket's state says of the managers, and the answer to a request.

use std::io::Cursor;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rocket::http::{HeaderMap, Status};
use rocket::{Request, Response};
use session_core::adapter::{HeaderChange, Headers, Incoming, PlainResponse, Slot, Slots};
use session_core::{SessionError, SessionManager, SessionPayload};

use crate::head::Head;

/// In Rocket's managed state: the manager of a fairing, by its payload.
pub(crate) struct Attached<U: SessionPayload>(pub(crate) SessionManager<U>);

/// In Rocket's managed state beside them, to find two with one cookie.
pub(crate) type Managers = Mutex<Slots>;

pub(crate) const NOSNIFF: &str = "x-content-type-options";

/// The session of this request, made when somebody first asks: of `manager`, or of the one with this payload.
pub(crate) fn incoming<U: SessionPayload>(
    request: &Request<'_>,
    manager: Option<&SessionManager<U>>,
) -> Result<Incoming<U>, SessionError> {
    let slots = &mut cached(request).slots;
    let attached = request.rocket().state::<Attached<U>>().map(|attached| &attached.0);
    for manager in attached.into_iter().chain(manager) {
        slots.enter(manager)?;
    }
    slots.receive(&Head(request))
}

/// What is kept in a request.
#[derive(Default)]
pub(crate) struct PerRequest {
    pub(crate) slots: Slots,
    /// Why a guard refused.
    pub(crate) refusal: Option<SessionError>,
    /// The response lacks `X-Content-Type-Options` so far.
    pub(crate) nosniff: bool,
}

pub(crate) fn cached<'a>(request: &'a Request<'_>) -> MutexGuard<'a, PerRequest> {
    lock(request.local_cache(Mutex::default))
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

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
