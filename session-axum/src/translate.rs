//! Between axum's types and core's plain data.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, OriginalUri};
use axum::response::Response;
use http::request::Parts;
use session_core::adapter::{HttpHead, PlainResponse};

/// A request as core sees it, for handlers that use the [manager](crate::SessionManager) without a session: as sent,
/// before nested routers took their prefix away.
///
/// ```
/// # use session_axum::{Rejection, SessionManager, SessionPayload, head};
/// # use axum::http::request::Parts;
/// async fn vote<User: SessionPayload>(sessions: SessionManager<User>, parts: Parts) -> Result<(), Rejection> {
///     Ok(sessions.check_origin(&head(&parts))?)
/// }
/// ```
#[must_use]
pub fn head(parts: &Parts) -> HttpHead<'_> {
    HttpHead {
        method: &parts.method,
        uri: parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0),
        headers: &parts.headers,
        peer: parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip()),
    }
}

/// Core's answer as axum's response.
#[must_use]
pub fn respond(plain: PlainResponse) -> Response {
    Response::from(plain).map(Body::from)
}
