//! The session routes for a browser front end: one function from a plain request to a plain answer.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::error::SessionError;
use crate::payload::SessionPayload;
use crate::response::PlainResponse;
use crate::session::{Incoming, Session};
use crate::status::{Refreshed, StatusBody};

/// Answers one request below the prefix where an adapter has mounted the session routes.
///
/// `path` is what follows the prefix, as sent: empty, or from a slash on, without the query. The caller
/// [closes](crate::adapter::Slot::close) the slot with the answer.
///
/// | request | answer |
/// |---|---|
/// | `GET` | 200, the status and the user; never writes |
/// | `POST` | 200, the same, and it counts as a use: refreshes when due, writes last-seen |
/// | `DELETE` | 204, logged out; without a store and with a full list of ended sessions, only this browser: an event says so |
/// | `POST /refresh` | 200, the new status, `"extended":true` or `false`, and `"refreshableIn":27`: seconds, or `null` |
/// | `GET /list` | 200, the account's sessions |
/// | `DELETE /list` | 200 `{"revoked":3}`: all of the account's sessions, this one included, and the clearing cookie |
/// | `DELETE /list/{id}` | 204, or 404 |
/// | `POST /revoke-others` | 200 `{"revoked":2}` |
///
/// Anything else is 404 or 405, without opening the session. HEAD is answered as GET: servers leave the body out when
/// they write the response (RFC 9110 section 9.3.2).
pub async fn answer<U: SessionPayload>(incoming: &Incoming<U>, method: &str, path: &str) -> PlainResponse {
    let session = &incoming.session();
    let answer = match route(method, path) {
        Ok(Route::Status) => status(incoming).await,
        Ok(Route::Use) => incoming.open_in_store().await.map(|()| status_response(session, None)),
        Ok(Route::Logout) => session.destroy().await.map(|_| PlainResponse::no_content()),
        Ok(Route::Refresh) => refresh(session).await,
        Ok(Route::List) => list(session).await,
        Ok(Route::RevokeAll) => revoke_all(session).await,
        Ok(Route::Revoke(id)) => revoke(session, &id).await,
        Ok(Route::RevokeOthers) => revoke_others(session).await,
        Err(refusal) => Ok(refusal.answer(session)),
    };
    answer.unwrap_or_else(|error| error.to_response())
}

/// What of a path follows its first `depth` segments, as sent: for routers that do not say what they have left over.
///
/// ```
/// use session_core::adapter::routes::below;
///
/// assert_eq!(below("/session", 1), "");
/// assert_eq!(below("/acme/session/list/a%2Fb", 2), "/list/a%2Fb");
/// ```
#[must_use]
pub fn below(path: &str, depth: usize) -> &str {
    path.match_indices('/').nth(depth).map_or("", |(at, _)| path.get(at..).unwrap_or_default())
}

enum Route {
    Status,
    Use,
    Logout,
    Refresh,
    List,
    RevokeAll,
    Revoke(String),
    RevokeOthers,
}

enum NoRoute {
    Unknown,
    Method(&'static str),
}

fn route(method: &str, path: &str) -> Result<Route, NoRoute> {
    let path: Cow<'_, str> = percent_decode_str(path).decode_utf8().map_err(|_| NoRoute::Unknown)?;
    let path = path.strip_suffix('/').unwrap_or(&path);
    match (path, method) {
        ("", "GET" | "HEAD") => Ok(Route::Status),
        ("", "POST") => Ok(Route::Use),
        ("", "DELETE") => Ok(Route::Logout),
        ("", _) => Err(NoRoute::Method("GET, HEAD, POST, DELETE")),
        ("/refresh", "POST") => Ok(Route::Refresh),
        ("/refresh" | "/revoke-others", _) if method != "POST" => Err(NoRoute::Method("POST")),
        ("/revoke-others", _) => Ok(Route::RevokeOthers),
        ("/list", "GET" | "HEAD") => Ok(Route::List),
        ("/list", "DELETE") => Ok(Route::RevokeAll),
        ("/list", _) => Err(NoRoute::Method("GET, HEAD, DELETE")),
        _ => match (path.strip_prefix("/list/").filter(|id| !id.is_empty() && !id.contains('/')), method) {
            (Some(id), "DELETE") => Ok(Route::Revoke(id.to_owned())),
            (Some(_), _) => Err(NoRoute::Method("DELETE")),
            (None, _) => Err(NoRoute::Unknown),
        },
    }
}

impl NoRoute {
    fn answer<U: SessionPayload>(self, session: &Session<U>) -> PlainResponse {
        let at = session.0.now();
        match self {
            Self::Unknown => PlainResponse::error(404, "NOT_FOUND", "There is nothing here.", at),
            Self::Method(allow) => {
                PlainResponse::error(405, "METHOD_NOT_ALLOWED", "This path does not take this method.", at)
                    .header("allow", allow)
            }
        }
    }
}

async fn status<U: SessionPayload>(incoming: &Incoming<U>) -> Result<PlainResponse, SessionError> {
    match incoming.peek().await {
        Err(error) if !error.kind().is_unauthenticated() => Err(error),
        _ => Ok(status_response(&incoming.session(), None)),
    }
}

async fn refresh<U: SessionPayload>(session: &Session<U>) -> Result<PlainResponse, SessionError> {
    let token = session.refresh().await?;
    let refreshed = Refreshed { extended: token.is_some(), refreshable_in: session.refreshable_in() };
    let response = status_response(session, Some(refreshed));
    Ok(match token.filter(|_| session.0.is_bearer()) {
        Some(token) => response.header("session-token", token.expose().to_owned()),
        None => response,
    })
}

fn status_response<U: SessionPayload>(session: &Session<U>, refresh: Option<Refreshed>) -> PlainResponse {
    let status = session.status();
    let user = session.user().filter(|_| status.is_valid);
    let user = user.as_deref().map(U::public);
    PlainResponse::json(200, &StatusBody { status: &status, user: user.as_ref(), refresh })
}

async fn list<U: SessionPayload>(session: &Session<U>) -> Result<PlainResponse, SessionError> {
    Ok(PlainResponse::json(200, &session.list().await?))
}

async fn revoke<U: SessionPayload>(session: &Session<U>, id: &str) -> Result<PlainResponse, SessionError> {
    may_revoke(session).await?;
    Ok(match session.revoke(id).await? {
        true => PlainResponse::no_content(),
        false => NoRoute::Unknown.answer(session),
    })
}

async fn revoke_others<U: SessionPayload>(session: &Session<U>) -> Result<PlainResponse, SessionError> {
    may_revoke(session).await?;
    Ok(revoked(session.revoke_others().await?))
}

async fn revoke_all<U: SessionPayload>(session: &Session<U>) -> Result<PlainResponse, SessionError> {
    may_revoke(session).await?;
    Ok(revoked(session.revoke_all().await?))
}

fn revoked(revoked: u64) -> PlainResponse {
    #[derive(serde::Serialize)]
    struct Body {
        revoked: u64,
    }
    PlainResponse::json(200, &Body { revoked })
}

/// Ending other sessions can be made to ask for a recent login (ASVS 7.5.2). A guest has no login, and no session but
/// its own, which it may end.
async fn may_revoke<U: SessionPayload>(session: &Session<U>) -> Result<(), SessionError> {
    session.0.require_store()?;
    session.recheck().await?;
    match session.0.engine.fresh_for_revocation {
        Some(limit) if session.has_account() => session.require_fresh(limit).await,
        _ => Ok(()),
    }
}
