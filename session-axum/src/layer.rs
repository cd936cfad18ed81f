//! The layer: a slot for the session on the way in, its header changes on the way out.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::response::{IntoResponse, Response};
use http::Request;
use pin_project_lite::pin_project;
use session_core::{Session, SessionError, SessionManager, SessionPayload, Slots};
use tower_layer::Layer;
use tower_service::Service;

use crate::translate::{close, respond};

/// Gives every request below it a session of its manager.
///
/// It looks at nothing until a handler asks. Add one for each kind of user; they need different cookie names.
///
/// A service error (`Err`, not an error response) has no headers to write to: put a
/// [`HandleErrorLayer`](axum::error_handling::HandleErrorLayer) below this layer, not above it.
#[derive(Clone, Debug)]
pub struct SessionLayer<U: SessionPayload> {
    manager: SessionManager<U>,
}

impl<U: SessionPayload> SessionLayer<U> {
    /// A layer for the sessions of `manager`.
    #[must_use]
    pub fn new(manager: SessionManager<U>) -> Self {
        Self { manager }
    }
}

impl<U: SessionPayload, S> Layer<S> for SessionLayer<U> {
    type Service = SessionService<S, U>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService { inner, manager: self.manager.clone() }
    }
}

/// The service that [`SessionLayer`] makes.
#[derive(Clone, Debug)]
pub struct SessionService<S, U: SessionPayload> {
    inner: S,
    manager: SessionManager<U>,
}

impl<S, U, B> Service<Request<B>> for SessionService<S, U>
where
    S: Service<Request<B>, Response: IntoResponse>,
    U: SessionPayload,
{
    type Response = Response;
    type Error = S::Error;
    type Future = SessionFuture<S::Future, U>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let slots = request.extensions_mut().get_or_insert_default::<Slots>();
        let state = match slots.enter(&self.manager) {
            Ok(session) => State::Inner { session, inner: self.inner.call(request) },
            Err(error) => State::Refused { error },
        };
        SessionFuture { state }
    }
}

pin_project! {
    /// The future of a [`SessionService`].
    pub struct SessionFuture<F, U: SessionPayload> {
        #[pin]
        state: State<F, U>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, U: SessionPayload> {
        // Without a session an outer layer of the same manager closes it.
        Inner { session: Option<Session<U>>, #[pin] inner: F },
        Refused { error: SessionError },
    }
}

impl<F, U, R, E> Future for SessionFuture<F, U>
where
    F: Future<Output = Result<R, E>>,
    U: SessionPayload,
    R: IntoResponse,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Inner { session, inner } => {
                let mut response = ready!(inner.poll(cx))?.into_response();
                if let Some(session) = session.take() {
                    close(&session, response.headers_mut());
                }
                Poll::Ready(Ok(response))
            }
            StateProjection::Refused { error } => Poll::Ready(Ok(respond(error.to_response()))),
        }
    }
}
