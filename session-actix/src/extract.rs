//! What handlers put in their signatures, and what they answer when it is not to be had.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError};
use session_core::{Guard, SessionError, SessionPayload, Slots, no_layer};

use crate::translate::{Head, respond};

/// Extracts any [`Guard`]: opens the session, once per request, and checks. Dereferences to the guard.
///
/// [`Session`](crate::Session), [`Authenticated`](crate::Authenticated),
/// [`MaybeAuthenticated`](crate::MaybeAuthenticated) and [`Fresh`](crate::Fresh) are aliases of it; a guard of your
/// own is `Extract(admin): Extract<AdminOnly>`.
#[derive(Clone, Debug)]
pub struct Extract<G: Guard>(pub G);

impl<G: Guard> FromRequest for Extract<G> {
    type Error = Rejection;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Rejection>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let session = receive::<G::Payload>(request);
        Box::pin(async move { Ok(Self(session?.extract().await?)) })
    }
}

/// The request's session, which takes from the request what it needs.
pub(crate) fn receive<U: SessionPayload>(
    request: &HttpRequest,
) -> Result<session_core::Session<U>, SessionError> {
    let extensions = request.extensions();
    let slots = extensions.get::<Slots>().ok_or_else(no_layer::<U>)?;
    slots.receive(&Head(request))
}

impl<G: Guard> Deref for Extract<G> {
    type Target = G;

    fn deref(&self) -> &G {
        &self.0
    }
}

impl<U: SessionPayload> Extract<session_core::Authenticated<U>> {
    /// The user, owned.
    #[must_use]
    pub fn into_inner(self) -> U {
        self.0.into_inner()
    }
}

impl<U: SessionPayload> Extract<session_core::MaybeAuthenticated<U>> {
    /// The user, owned, if somebody is logged in.
    #[must_use]
    pub fn into_inner(self) -> Option<U> {
        self.0.into_inner()
    }
}

impl<U: SessionPayload, const SECONDS: u64> Extract<session_core::Fresh<U, SECONDS>> {
    /// The user, owned.
    #[must_use]
    pub fn into_inner(self) -> U {
        self.0.into_inner()
    }
}

/// A [`SessionError`] as a response: what extractors answer, and what a handler returns so that `?` works on the
/// operations of a session.
#[derive(Clone, Debug)]
pub struct Rejection(pub SessionError);

impl From<SessionError> for Rejection {
    fn from(error: SessionError) -> Self {
        Self(error)
    }
}

impl ResponseError for Rejection {
    fn status_code(&self) -> StatusCode {
        self.error_response().status()
    }

    fn error_response(&self) -> HttpResponse {
        respond(self.0.to_response())
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
