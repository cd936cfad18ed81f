//! The middleware: a slot on the way in, the header changes on the way out.

use std::cell::OnceCell;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::{Error, HttpMessage};
use session_core::{Session, SessionManager, SessionPayload, Slots};

use crate::Rejection;
use crate::translate::{apply, close};

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
        let entered = request.extensions_mut().get_or_insert_with(Slots::default).enter(&self.manager);
        match entered {
            Ok(session) => {
                SessionFuture { inner: Some(self.service.call(request)), session, rejection: None }
            }
            Err(error) => SessionFuture { inner: None, session: None, rejection: Some(Rejection(error)) },
        }
    }
}

pin_project_lite::pin_project! {
    /// The response of a [`SessionService`].
    #[must_use = "futures do nothing unless polled"]
    pub struct SessionFuture<F, U: SessionPayload> {
        #[pin]
        inner: Option<F>,
        session: Option<Session<U>>,
        rejection: Option<Rejection>,
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
        if let Some(rejection) = this.rejection.take() {
            return Poll::Ready(Err(rejection.into()));
        }
        let Some(inner) = this.inner.as_pin_mut() else { return Poll::Pending };
        let answer = ready!(inner.poll(cx));
        Poll::Ready(match this.session.take() {
            Some(session) => leave(session, answer),
            None => answer,
        })
    }
}

fn leave<B, U: SessionPayload>(
    session: Session<U>,
    answer: Result<ServiceResponse<B>, Error>,
) -> Result<ServiceResponse<B>, Error> {
    match answer {
        Ok(mut response) => {
            apply(close(&session, response.headers()), response.headers_mut());
            Ok(response)
        }
        Err(mut error) => {
            // Its headers are not known before actix-web makes a response of it, which can happen more than once.
            let changes = OnceCell::new();
            error.add_response_mapper(move |mut response| {
                let changes = changes.get_or_init(|| close(&session, response.headers()));
                apply(changes.clone(), response.headers_mut());
                response
            });
            Err(error)
        }
    }
}
