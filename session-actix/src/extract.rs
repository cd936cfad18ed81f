//! What handlers ask for in their signatures.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError};
use session_core::{Guard, SessionError, SessionPayload, Slots, no_layer};

use crate::Head;
use crate::response::response;

/// Extracts a [`Guard`]: one of ours, or one of your own.
#[derive(Clone, Debug)]
pub struct Extract<G>(pub G);

/// The session, whoever is or is not logged in: [`core::Session`](session_core::Session).
pub type Session<U> = Extract<session_core::Session<U>>;

/// A user who is logged in: [`core::Authenticated`](session_core::Authenticated).
pub type Authenticated<U> = Extract<session_core::Authenticated<U>>;

/// Whoever is logged in, if anybody: [`core::MaybeAuthenticated`](session_core::MaybeAuthenticated).
pub type MaybeAuthenticated<U> = Extract<session_core::MaybeAuthenticated<U>>;

/// A user who logged in less than `SECONDS` ago: [`core::Fresh`](session_core::Fresh).
pub type Fresh<U, const SECONDS: u64> = Extract<session_core::Fresh<U, SECONDS>>;

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

impl<G> Deref for Extract<G> {
    type Target = G;

    fn deref(&self) -> &G {
        &self.0
    }
}

impl<G: Guard> FromRequest for Extract<G> {
    type Error = Rejection;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Rejection>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let session = receive::<G::Payload>(request);
        Box::pin(async move { Ok(Self(session?.extract().await?)) })
    }
}

/// The session of the request, with what it needs to know of it.
pub(crate) fn receive<U: SessionPayload>(
    request: &HttpRequest,
) -> Result<session_core::Session<U>, SessionError> {
    match request.extensions().get::<Slots>() {
        Some(slots) => slots.receive(&Head(request)),
        None => Err(no_layer::<U>()),
    }
}

/// A [`SessionError`] as the answer of an extractor or a handler: `session.create(user).await?` works in a handler
/// that returns `Result<_, Rejection>`.
#[derive(Clone, Debug)]
pub struct Rejection(pub SessionError);

impl ResponseError for Rejection {
    fn status_code(&self) -> StatusCode {
        self.error_response().status()
    }

    fn error_response(&self) -> HttpResponse {
        response(self.0.to_response())
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

impl std::error::Error for Rejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
