//! What handlers put in their signatures, and what they answer when it is not to be had.

use std::future::Future;
use std::pin::Pin;

use actix_web::http::StatusCode;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError};
use session_core::adapter::{Incoming, Slots, no_layer};
use session_core::{Guard, SessionError, SessionPayload};

use crate::translate::{Head, respond};

/// Makes an extractor of a [`Guard`] of your own, to be used by its name: `admin: AdminOnly`. It stands in the crate that
/// defines the guard; for one of a library write `type Admin = Extract<library::AdminOnly>`. Generics come first, in
/// brackets: `extractor!([const ROLE: u8] Role<ROLE>)`.
///
/// ```
/// # use std::borrow::Cow;
/// # use serde::{Deserialize, Serialize};
/// # use session_actix::SessionPayload;
/// # #[derive(Clone, Serialize, Deserialize)] struct User { user_id: String, role: String }
/// # impl SessionPayload for User { fn subject(&self) -> Option<Cow<'_, str>> { Some((&self.user_id).into()) } }
/// use session_actix::{Authenticated, Guard, SessionError, core};
///
/// struct AdminOnly(Authenticated<User>);
///
/// impl Guard for AdminOnly {
///     type Payload = User;
///
///     async fn check(session: core::Session<User>) -> Result<Self, SessionError> {
///         let user = Authenticated::check(session.clone()).await?;
///         if user.role == "admin" { Ok(Self(user)) } else { Err(session.forbidden("not an admin")) }
///     }
/// }
///
/// session_actix::extractor!(AdminOnly);
///
/// async fn admin(admin: AdminOnly) -> String {
///     format!("Hello {}", admin.0.user_id)
/// }
/// # actix_web::App::new().route("/admin", actix_web::web::get().to(admin));
/// ```
#[macro_export]
macro_rules! extractor {
    ([$($generics:tt)*] $guard:ty) => {
        impl<$($generics)*> ::actix_web::FromRequest for $guard {
            type Error = $crate::Rejection;
            type Future = $crate::Extracting<Self>;

            fn from_request(
                request: &::actix_web::HttpRequest,
                _payload: &mut ::actix_web::dev::Payload,
            ) -> Self::Future {
                $crate::extract(request)
            }
        }
    };
    ($guard:ty) => {
        $crate::extractor!([] $guard);
    };
}

session_core::adapter::types!(extractor);

/// The future of [`extract`].
pub type Extracting<G> = Pin<Box<dyn Future<Output = Result<G, Rejection>>>>;

/// Opens the session, once per request, and checks a guard: what every extractor here does.
pub fn extract<G: Guard>(request: &HttpRequest) -> Extracting<G> {
    let incoming = receive::<G::Payload>(request);
    Box::pin(async move { Ok(incoming?.extract().await?) })
}

/// The session of the request, with what it needs to know of it.
pub(crate) fn receive<U: SessionPayload>(request: &HttpRequest) -> Result<Incoming<U>, SessionError> {
    let extensions = request.extensions();
    extensions.get::<Slots>().ok_or_else(no_layer::<U>)?.receive(&Head(request))
}

session_core::adapter::rejection!();

impl ResponseError for Rejection {
    fn status_code(&self) -> StatusCode {
        self.error_response().status()
    }

    fn error_response(&self) -> HttpResponse {
        respond(self.0.to_response())
    }
}
