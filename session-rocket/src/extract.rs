//! What a handler asks for, and what it gets instead.

use std::ops::Deref;

use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};
use rocket::response::{self, Responder};
use rocket::{Ignite, Request, Rocket, Sentinel};
use session_core::{Guard, SessionError, SessionPayload, no_layer};

use crate::fairing::{Attached, cached, session};
use crate::translate::respond;

/// A request guard for any [`Guard`]: those of this library, and your own.
///
/// Rocket refuses to launch when the [`SessionFairing`](crate::SessionFairing) of its payload is missing.
#[derive(Debug)]
pub struct Extract<G>(pub G);

/// The session, whoever is or is not logged in: create, update, refresh, destroy.
pub type Session<U> = Extract<session_core::Session<U>>;

/// Somebody is logged in: 401 otherwise, or a redirect to the login page. Dereferences to the user.
pub type Authenticated<U> = Extract<session_core::Authenticated<U>>;

/// Whoever is logged in, if anybody.
pub type MaybeAuthenticated<U> = Extract<session_core::MaybeAuthenticated<U>>;

/// Somebody logged in less than `SECONDS` ago: 403 otherwise. Dereferences to the user.
pub type Fresh<U, const SECONDS: u64> = Extract<session_core::Fresh<U, SECONDS>>;

impl<G> Deref for Extract<G> {
    type Target = G;

    fn deref(&self) -> &G {
        &self.0
    }
}

impl<U: SessionPayload> Authenticated<U> {
    /// The user, owned.
    #[must_use]
    pub fn into_inner(self) -> U {
        self.0.into_inner()
    }
}

impl<U: SessionPayload> MaybeAuthenticated<U> {
    /// The user, owned, if somebody is logged in.
    #[must_use]
    pub fn into_inner(self) -> Option<U> {
        self.0.into_inner()
    }
}

impl<U: SessionPayload, const SECONDS: u64> Fresh<U, SECONDS> {
    /// The user, owned.
    #[must_use]
    pub fn into_inner(self) -> U {
        self.0.into_inner()
    }
}

#[rocket::async_trait]
impl<'r, G: Guard> FromRequest<'r> for Extract<G> {
    type Error = Rejection;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Rejection> {
        let guard = async { session::<G::Payload>(request, None)?.extract().await };
        match guard.await {
            Ok(guard) => Outcome::Success(Self(guard)),
            Err(error) => {
                *cached(request) = Some(error.clone());
                Outcome::Error((Status::new(error.to_response().status), Rejection(error)))
            }
        }
    }
}

impl<G: Guard> Sentinel for Extract<G> {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        let attached = rocket.state::<Attached<G::Payload>>();
        attached.ok_or_else(|| log::error!("{}", no_layer::<G::Payload>())).is_err()
    }
}

/// Core's error as an answer: handlers return `Result<T, Rejection>` and use `?` on the session's operations.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct Rejection(#[from] pub SessionError);

impl Rejection {
    /// The refusal that a request guard left behind, for an error catcher of your own.
    ///
    /// ```
    /// use rocket::{Request, catch, http::Status, response::Redirect};
    /// use session_rocket::Rejection;
    ///
    /// #[catch(401)]
    /// fn unauthorized(request: &Request<'_>) -> Result<Rejection, Redirect> {
    ///     Rejection::of(request).ok_or_else(|| Redirect::to("/"))
    /// }
    /// ```
    #[must_use]
    pub fn of(request: &Request<'_>) -> Option<Self> {
        cached::<Option<SessionError>>(request).clone().map(Self)
    }
}

impl<'r> Responder<'r, 'static> for Rejection {
    fn respond_to(self, _request: &'r Request<'_>) -> response::Result<'static> {
        Ok(respond(self.0.to_response()))
    }
}
