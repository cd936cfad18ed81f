//! The middleware: a slot on the way in, the header changes on the way out.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::{Error, HttpMessage, HttpResponse};
use session_core::adapter::{Slot, Slots};
use session_core::{SessionError, SessionManager, SessionPayload};

use crate::Rejection;
use crate::translate::{Lines, apply};

/// Gives every request below it a session of its manager.
///
/// It looks at nothing until a handler asks. Add one for each kind of user; they need different cookie names.
///
/// The answer that an inner service's `Err` turns into gets the session's headers, too.
#[derive(Clone, Debug)]
pub struct SessionMiddleware<U: SessionPayload> {
    manager: SessionManager<U>,
}

impl<U: SessionPayload> SessionMiddleware<U> {
    /// A middleware for the sessions of `manager`.
    #[must_use]
    pub fn new(manager: SessionManager<U>) -> Self {
        Self { manager }
    }
}

impl<S, B, U> Transform<S, ServiceRequest> for SessionMiddleware<U>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    U: SessionPayload,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Transform = SessionService<S, U>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(SessionService { service, manager: self.manager.clone() }))
    }
}

/// A service with a [`SessionMiddleware`] around it.
#[derive(Debug)]
pub struct SessionService<S, U: SessionPayload> {
    service: S,
    manager: SessionManager<U>,
}

impl<S, B, U> Service<ServiceRequest> for SessionService<S, U>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    U: SessionPayload,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Future = SessionFuture<S::Future, U>;

    actix_web::dev::forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let slot = request.extensions_mut().get_or_insert_with(Slots::default).enter(&self.manager);
        SessionFuture { inner: slot.is_ok().then(|| self.service.call(request)), slot }
    }
}

pin_project_lite::pin_project! {
    /// The response of a [`SessionService`].
    #[must_use = "futures do nothing unless polled"]
    pub struct SessionFuture<F, U: SessionPayload> {
        #[pin]
        inner: Option<F>,
        slot: Result<Option<Slot<U>>, SessionError>,
    }
}

impl<F, B, U> Future for SessionFuture<F, U>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
    U: SessionPayload,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (slot, inner) = match (this.slot, this.inner.as_pin_mut()) {
            (Err(error), _) => return Poll::Ready(Err(Rejection(error.clone()).into())),
            (Ok(_), None) => return Poll::Pending,
            (Ok(slot), Some(inner)) => (slot, inner),
        };
        let mut answer = ready!(inner.poll(cx));
        match (slot.take(), &mut answer) {
            (Some(slot), Ok(response)) => {
                apply(slot.close(&Lines(response.headers())), response.headers_mut())
            }
            (Some(slot), Err(error)) => error.add_response_mapper(closing(slot)),
            (None, _) => {}
        }
        Poll::Ready(answer)
    }
}

/// An error's headers are not known before actix-web makes a response of it, which can happen more than once.
fn closing<U: SessionPayload>(slot: Slot<U>) -> impl Fn(HttpResponse) -> HttpResponse {
    move |mut response| {
        apply(slot.close(&Lines(response.headers())), response.headers_mut());
        response
    }
}
