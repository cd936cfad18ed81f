//! What handlers put in their signatures, and what they answer when it is not to be had.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError};
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

impl<G: Guard> FromRequest for Extract<G> {
    type Error = Rejection;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Rejection>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let session = receive::<G::Payload>(request);
        Box::pin(async move { Ok(Self(session?.extract().await?)) })
    }
}

/// The request's session, which takes from the request what it needs.
pub(crate) fn receive<U: SessionPayload>(request: &HttpRequest) -> Result<Session<U>, SessionError> {
    let extensions = request.extensions();
    extensions.get::<Slots>().ok_or_else(no_layer::<U>)?.receive(&Head(request))
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

impl ResponseError for Rejection {
    fn status_code(&self) -> StatusCode {
        self.error_response().status()
    }

    fn error_response(&self) -> HttpResponse {
        respond(self.0.to_response())
    }
}
