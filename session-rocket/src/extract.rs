//! What a handler asks for, and what it gets instead.

use rocket::http::Status;
use rocket::request::Outcome;
use rocket::response::{self, Responder};
use rocket::{Ignite, Request, Rocket};
use session_core::adapter::no_layer;
use session_core::{Guard, SessionError};

use crate::per_request::{Attached, cached, incoming, respond};

/// Makes a request guard of a [`Guard`] of your own, to be used by its name: `admin: AdminOnly`. It stands in the crate that
/// defines the guard; for one of a library write `type Admin = Extract<library::AdminOnly>`. Generics come first, in
/// brackets: `extractor!([const ROLE: u8] Role<ROLE>)`. Rocket refuses to launch when the
/// [`SessionFairing`](crate::SessionFairing) of the guard's payload is missing.
///
/// ```
/// # use std::borrow::Cow;
/// # use serde::{Deserialize, Serialize};
/// # use session_rocket::SessionPayload;
/// # #[derive(Clone, Serialize, Deserialize)] struct User { user_id: String, role: String }
/// # impl SessionPayload for User { fn subject(&self) -> Option<Cow<'_, str>> { Some((&self.user_id).into()) } }
/// use session_rocket::{Authenticated, Guard, SessionError, core};
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
/// session_rocket::extractor!(AdminOnly);
///
/// #[rocket::get("/admin")]
/// fn admin(admin: AdminOnly) -> String {
///     format!("Hello {}", admin.0.user_id)
/// }
/// ```
#[macro_export]
macro_rules! extractor {
    ([$($generics:tt)*] $guard:ty) => {
        #[::rocket::async_trait]
        impl<'r, $($generics)*> ::rocket::request::FromRequest<'r> for $guard {
            type Error = $crate::Rejection;

            async fn from_request(request: &'r ::rocket::Request<'_>) -> $crate::Extracted<Self> {
                $crate::extract(request).await
            }
        }

        impl<$($generics)*> ::rocket::Sentinel for $guard {
            fn abort(rocket: &::rocket::Rocket<::rocket::Ignite>) -> bool {
                $crate::is_missing::<Self>(rocket)
            }
        }
    };
    ($guard:ty) => {
        $crate::extractor!([] $guard);
    };
}

session_core::adapter::types!(extractor);

/// What a request guard answers.
pub type Extracted<G> = Outcome<G, Rejection>;

/// Opens the session, once per request, and checks a guard: what every request guard here does. A refusal is kept for the
/// [catchers](Rejection::of).
pub async fn extract<G: Guard>(request: &Request<'_>) -> Extracted<G> {
    let guard = async { incoming::<G::Payload>(request, None)?.extract().await };
    let refuse = |error: SessionError| {
        cached(request).refusal = Some(error.clone());
        Outcome::Error((Status::new(error.status()), Rejection(error)))
    };
    guard.await.map_or_else(refuse, Outcome::Success)
}

/// Whether the fairing for a guard is missing; then the log says so, and Rocket does not launch.
#[doc(hidden)]
#[must_use]
pub fn is_missing<G: Guard>(rocket: &Rocket<Ignite>) -> bool {
    let attached = rocket.state::<Attached<G::Payload>>();
    attached.ok_or_else(|| log::error!("{}", no_layer::<G::Payload>())).is_err()
}

session_core::adapter::rejection!();

impl Rejection {
    /// The refusal that a request guard left behind, for an error catcher of your own.
    ///
    /// ```
    /// use rocket::{Request, catch, http::Status, response::Redirect};
    /// use session_rocket::Rejection;
    ///
    /// #[catch(401)]
    /// fn unauthorized(request: &Request<'_>) -> Result<Rejection, Redirect> {
    ///     Rejection::of(request).ok_or_else(|| Redirect::to("/"))
    /// }
    /// ```
    pub fn of(request: &Request<'_>) -> Option<Self> {
        cached(request).refusal.clone().map(Self)
    }
}

impl<'r> Responder<'r, 'static> for Rejection {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        Ok(respond(request, self.0.to_response()))
    }
}
