//! What handlers put in their signatures, and what they answer when it is not to be had.

use axum::response::{IntoResponse, Response};
use http::request::Parts;
use session_core::adapter::{Incoming, Slots, no_layer};
use session_core::{Guard, SessionError, SessionPayload};

use crate::translate::{head, respond};

/// Makes an extractor of a [`Guard`] of your own, to be used by its name: `admin: AdminOnly`. It stands in the crate that
/// defines the guard; for one of a library write `type Admin = Extract<library::AdminOnly>`. Generics come first, in
/// brackets: `extractor!([const ROLE: u8] Role<ROLE>)`.
///
/// ```
/// # use std::borrow::Cow;
/// # use serde::{Deserialize, Serialize};
/// # use session_axum::SessionPayload;
/// # #[derive(Clone, Serialize, Deserialize)] struct User { user_id: String, role: String }
/// # impl SessionPayload for User { fn subject(&self) -> Option<Cow<'_, str>> { Some((&self.user_id).into()) } }
/// use session_axum::{Authenticated, Guard, SessionError, core};
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
/// session_axum::extractor!(AdminOnly);
///
/// async fn admin(admin: AdminOnly) -> String {
///     format!("Hello {}", admin.0.user_id)
/// }
/// # axum::Router::<()>::new().route("/admin", axum::routing::get(admin));
/// ```
#[macro_export]
macro_rules! extractor {
    ([$($generics:tt)*] $guard:ty) => {
        impl<RouterState: Send + Sync, $($generics)*> ::axum::extract::FromRequestParts<RouterState> for $guard {
            type Rejection = $crate::Rejection;

            async fn from_request_parts(
                parts: &mut ::axum::http::request::Parts,
                _state: &RouterState,
            ) -> Result<Self, $crate::Rejection> {
                $crate::extract(parts).await
            }
        }
    };
    ($guard:ty) => {
        $crate::extractor!([] $guard);
    };
}

session_core::adapter::types!(extractor);

/// Opens the session, once per request, and checks a guard: what every extractor here does.
///
/// # Errors
/// The guard's answer.
pub async fn extract<G: Guard>(parts: &Parts) -> Result<G, Rejection> {
    Ok(receive(parts)?.extract().await?)
}

/// The session of the request, with what it needs to know of it.
pub(crate) fn receive<U: SessionPayload>(parts: &Parts) -> Result<Incoming<U>, SessionError> {
    parts.extensions.get::<Slots>().ok_or_else(no_layer::<U>)?.receive(&head(parts))
}

session_core::adapter::rejection!();

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        respond(self.0.to_response())
    }
}
