//! The session routes, mounted.

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::any;
use session_core::adapter::routes;
use session_core::{SessionManager, SessionPayload};

use crate::Rejection;
use crate::extract::receive;
use crate::layer::SessionLayer;
use crate::translate::respond;

/// The session routes of `manager` for a browser front end, below `prefix` (such as `/session`):
///
/// | request | answer |
/// |---|---|
/// | `GET /session` | how the session stands, and the user; never writes |
/// | `POST /session` | the same, as a use of the session |
/// | `DELETE /session` | logs out |
/// | `POST /session/refresh` | refreshes |
/// | `GET /session/list` | with a store: the account's sessions |
/// | `DELETE /session/list` | with a store: ends them all |
/// | `DELETE /session/list/{id}` | with a store: ends one of them |
/// | `POST /session/revoke-others` | with a store: ends all but this one |
///
/// Without a store the last four answer 501.
///
/// Add them with [`Router::merge`], also in a nested router; `nest` would lose the path without a trailing slash.
/// They work inside and outside of a [`SessionLayer`].
///
/// ```
/// # use session_axum::{SessionManager, SessionPayload};
/// # fn app<User: SessionPayload>(sessions: SessionManager<User>) -> axum::Router {
/// axum::Router::new().merge(session_axum::routes("/session", &sessions))
/// # }
/// ```
pub fn routes<U: SessionPayload, S>(prefix: &str, manager: &SessionManager<U>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let depth = prefix.matches('/').count();
    let endpoint = any(move |request| answer::<U>(request, depth)).layer(SessionLayer::new(manager.clone()));
    Router::new()
        .route(prefix, endpoint.clone())
        .route(&format!("{prefix}/"), endpoint.clone())
        .route(&format!("{prefix}/{{*session_route}}"), endpoint)
}

async fn answer<U: SessionPayload>(request: Request, depth: usize) -> Result<Response, Rejection> {
    let (parts, _body) = request.into_parts();
    let incoming = receive::<U>(&parts)?;
    let path = routes::below(parts.uri.path(), depth);
    Ok(respond(routes::answer(&incoming, parts.method.as_str(), path).await))
}
