//! The layer: a slot for the session on the way in, its header changes on the way out.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::response::{IntoResponse, Response};
use http::Request;
use pin_project_lite::pin_project;
use session_core::adapter::{Slot, Slots};
use session_core::{SessionError, SessionManager, SessionPayload};
use tower_layer::Layer;
use tower_service::Service;

use crate::translate::respond;

/// Gives every request below it a session of its manager, for handlers to ask for, and puts what became of it on the
/// response, whatever that is.
///
/// It looks at nothing by itself: a request whose handler asks for no session costs four allocations. Add
/// one layer for each kind of user; they need different cookie names. Passing one twice is passing it once.
///
/// Layers that turn a service error into a response
/// ([`HandleErrorLayer`](axum::error_handling::HandleErrorLayer)) belong below this one, or their response goes out
/// without the cookie; layers that catch panics belong above it, so that a panic sends none.
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

impl<S, U: SessionPayload, B> Service<Request<B>> for SessionService<S, U>
where
    S: Service<Request<B>, Response: IntoResponse>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = SessionFuture<S::Future, U>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let entered = request.extensions_mut().get_or_insert_default::<Slots>().enter(&self.manager);
        match entered {
            Ok(_) => SessionFuture { inner: Some(self.inner.call(request)), entered },
            Err(_) => SessionFuture { inner: None, entered },
        }
    }
}

pin_project! {
    /// The future of a [`SessionService`].
    #[must_use = "futures do nothing unless polled"]
    pub struct SessionFuture<F, U: SessionPayload> {
        // None when the request was refused.
        #[pin]
        inner: Option<F>,
        // No slot when an outer layer of the same manager has it.
        entered: Result<Option<Slot<U>>, SessionError>,
    }
}

impl<F, U: SessionPayload, R: IntoResponse, E> Future for SessionFuture<F, U>
where
    F: Future<Output = Result<R, E>>,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = match this.inner.as_pin_mut() {
            Some(inner) => ready!(inner.poll(cx))?.into_response(),
            None => Response::default(),
        };
        match this.entered {
            Ok(Some(slot)) => slot.close(response.headers()).apply(response.headers_mut()),
            Ok(None) => {}
            Err(error) => response = respond(error.to_response()),
        }
        Poll::Ready(Ok(response))
    }
}
