//! What a handler asks for, and what it gets instead.

use std::error::Error;
use std::fmt;
use std::ops::Deref;

use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};
use rocket::response::{self, Responder};
use rocket::{Ignite, Request, Rocket, Sentinel};
use session_core::{Guard, IntoInner as _, SessionError, SessionPayload};

use crate::fairing::{self, PerRequest};
use crate::{Head, respond};

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
        match extract(request).await {
            Ok(guard) => Outcome::Success(Self(guard)),
            Err(error) => {
                let status = Status::new(error.to_response().status);
                PerRequest::of(request).refused = Some(error.clone());
                Outcome::Error((status, Rejection(error)))
            }
        }
    }
}

async fn extract<G: Guard>(request: &Request<'_>) -> Result<G, SessionError> {
    let session = fairing::session::<G::Payload>(request)?;
    session.receive(&Head::of(request));
    session.extract().await
}

impl<G: Guard> Sentinel for Extract<G> {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        let missing = fairing::attached::<G::Payload, _>(rocket).is_none();
        if missing {
            log::error!("{}", session_core::no_layer::<G::Payload>());
        }
        missing
    }
}

/// Core's error as an answer: handlers return `Result<T, Rejection>` and use `?` on the session's operations.
#[derive(Clone, Debug)]
pub struct Rejection(pub SessionError);

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
        PerRequest::of(request).refused.clone().map(Self)
    }
}

impl From<SessionError> for Rejection {
    fn from(error: SessionError) -> Self {
        Self(error)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Rejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl<'r> Responder<'r, 'static> for Rejection {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        Ok(respond(request, self.0.to_response()))
    }
}
