//! What is kept in a request, and what Rocket's state says of the managers.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rocket::{Phase, Request, Rocket};
use session_core::adapter::{Incoming, Slots};
use session_core::{SessionError, SessionManager, SessionPayload};

use crate::head::Head;

/// In Rocket's managed state: the manager of a fairing, by its payload.
pub(crate) struct Attached<U: SessionPayload>(pub(crate) SessionManager<U>);

/// In Rocket's managed state beside them, to find two with one cookie.
pub(crate) type Managers = Mutex<Slots>;

pub(crate) const NOSNIFF: &str = "x-content-type-options";

pub(crate) fn is_attached<U: SessionPayload>(rocket: &Rocket<impl Phase>) -> bool {
    rocket.state::<Attached<U>>().is_some()
}

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
