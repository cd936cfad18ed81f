//! What handlers put in their signatures, and what they answer when it is not to be had.

use std::ops::Deref;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use session_core::{
    Guard, IntoInner, Session, SessionError, SessionPayload,
    adapter::{Slots, no_layer},
};

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
        Ok(Self(receive::<G::Payload>(parts)?.extract().await?))
    }
}

/// The session of the request, with what it needs to know of it.
pub(crate) fn receive<U: SessionPayload>(parts: &Parts) -> Result<Session<U>, SessionError> {
    parts.extensions.get::<Slots>().ok_or_else(no_layer::<U>)?.receive(&Head(parts))
}

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

/// A [`SessionError`] as a response: what extractors answer, and what a handler returns so that `?` works on the
/// operations of a session.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct Rejection(#[from] pub SessionError);

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        respond(self.0.to_response())
    }
}
