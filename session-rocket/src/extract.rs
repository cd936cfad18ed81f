//! What a handler asks for, and what it gets instead.

use std::ops::Deref;

use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};
use rocket::response::{self, Responder};
use rocket::{Ignite, Request, Rocket, Sentinel};
use session_core::{Guard, IntoInner, SessionError, adapter::no_layer};

use crate::fairing::{SessionFairing, cached, session};
use crate::translate::respond;

/// Extracts any [`Guard`]: opens the session, once per request, and checks. Dereferences to the guard.
///
/// [`Session`](crate::Session), [`Authenticated`](crate::Authenticated),
/// [`MaybeAuthenticated`](crate::MaybeAuthenticated) and [`Fresh`](crate::Fresh) are aliases of it; a guard of your
/// own is `admin: Extract<AdminOnly>`. Rocket refuses to launch when the [`SessionFairing`](crate::SessionFairing)
/// of its payload is missing.
#[derive(Clone, Debug)]
pub struct Extract<G: Guard>(pub G);

impl<G: Guard> Deref for Extract<G> {
    type Target = G;

    fn deref(&self) -> &G {
        &self.0
    }
}

impl<G: Guard + IntoInner> Extract<G> {
    /// What the guard holds: the user, owned.
    #[must_use]
    pub fn into_inner(self) -> G::Inner {
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
                cached(request).refusal = Some(error.clone());
                Outcome::Error((Status::new(error.status()), Rejection(error)))
            }
        }
    }
}

impl<G: Guard> Sentinel for Extract<G> {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        let attached = rocket.state::<SessionFairing<G::Payload>>();
        attached.ok_or_else(|| log::error!("{}", no_layer::<G::Payload>())).is_err()
    }
}

/// A [`SessionError`] as a response: what extractors answer, and what a handler returns so that `?` works on the
/// operations of a session.
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
    pub fn of(request: &Request<'_>) -> Option<Self> {
        cached(request).refusal.clone().map(Self)
    }
}

impl<'r> Responder<'r, 'static> for Rejection {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        Ok(respond(request, self.0.to_response()))
    }
}
