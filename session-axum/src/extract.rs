//! What handlers put in their signatures, and what they answer when it is not to be had.

use std::error::Error;
use std::fmt;
use std::ops::Deref;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use session_core::{Guard, SessionError, SessionPayload, Slots, no_layer};

use crate::translate::{Head, respond};

/// Extracts any [`Guard`]: opens the session, once per request, and checks. Dereferences to the guard.
///
/// [`Session`](crate::Session), [`Authenticated`](crate::Authenticated),
/// [`MaybeAuthenticated`](crate::MaybeAuthenticated) and [`Fresh`](crate::Fresh) are aliases of it; a guard of your
/// own is `Extract(admin): Extract<AdminOnly>`.
#[derive(Clone, Debug)]
pub struct Extract<G: Guard>(pub G);

impl<G: Guard, S: Send + Sync> FromRequestParts<S> for Extract<G> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Rejection> {
        let slots = parts.extensions.get::<Slots>().ok_or_else(no_layer::<G::Payload>)?;
        let session = slots.receive::<G::Payload>(&Head(parts))?;
        Ok(Self(session.extract().await?))
    }
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

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
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
