//! The middleware: a slot on the way in, the header changes on the way out.

use std::cell::OnceCell;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::{Error, HttpMessage};
use session_core::{Session, SessionManager, SessionPayload, Slots};

use crate::Rejection;
use crate::head::Lines;
use crate::response::apply;

/// Gives every request a session of `manager`, for extractors to open, and puts what became of it on the response.
///
/// Wrap it around an app, a scope or a resource. It looks at nothing by itself: a request whose handler asks for no
/// session costs one small allocation. Passing it twice is passing it once.
#[derive(Clone, Debug)]
pub struct SessionMiddleware<U: SessionPayload> {
    manager: SessionManager<U>,
}

impl<U: SessionPayload> SessionMiddleware<U> {
    /// The middleware of this manager.
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
    type Future = ResponseFuture<S::Future, U>;

    actix_web::dev::forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let entered = request.extensions_mut().get_or_insert_with(Slots::default).enter(&self.manager);
        match entered {
            Ok(session) => {
                ResponseFuture { inner: Some(self.service.call(request)), session, rejection: None }
            }
            Err(error) => ResponseFuture { inner: None, session: None, rejection: Some(Rejection(error)) },
        }
    }
}

pin_project_lite::pin_project! {
    /// The response of a [`SessionService`].
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, U: SessionPayload> {
        #[pin]
        inner: Option<F>,
        session: Option<Session<U>>,
        rejection: Option<Rejection>,
    }
}

impl<F, B, U> Future for ResponseFuture<F, U>
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
            Some(session) => close(session, answer),
            None => answer,
        })
    }
}

fn close<B, U: SessionPayload>(
    session: Session<U>,
    answer: Result<ServiceResponse<B>, Error>,
) -> Result<ServiceResponse<B>, Error> {
    match answer {
        Ok(mut response) => {
            let changes = session.close(&Lines(response.headers()));
            apply(changes, response.headers_mut());
            Ok(response)
        }
        Err(mut error) => {
            // It has no headers before actix-web turns it into a response, which may be more than once.
            let changes = OnceCell::new();
            error.add_response_mapper(move |mut response| {
                let changes = changes.get_or_init(|| session.close(&Lines(response.headers())));
                apply(changes.clone(), response.headers_mut());
                response
            });
            Err(error)
        }
    }
}
