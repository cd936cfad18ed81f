//! The session routes, mounted.

use actix_web::dev::HttpServiceFactory;
use actix_web::{HttpRequest, HttpResponse, web};
use session_core::{SessionManager, SessionPayload};

use crate::extract::receive;
use crate::translate::respond;
use crate::{Rejection, SessionMiddleware};

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
/// Add them with [`App::service`] or [`Scope::service`]. They work inside and outside of a [`SessionMiddleware`].
///
/// ```
/// # use session_actix::{SessionManager, SessionPayload};
/// # fn app<User: SessionPayload>(sessions: SessionManager<User>) {
/// actix_web::App::new().service(session_actix::routes("/session", &sessions));
/// # }
/// ```
///
/// [`App::service`]: actix_web::App::service
/// [`Scope::service`]: actix_web::Scope::service
pub fn routes<U: SessionPayload>(
    prefix: &str,
    manager: &SessionManager<U>,
) -> impl HttpServiceFactory + use<U> {
    web::scope(prefix.trim_end_matches('/'))
        .default_service(web::to(answer::<U>))
        .wrap(SessionMiddleware::new(manager.clone()))
}

async fn answer<U: SessionPayload>(request: HttpRequest) -> Result<HttpResponse, Rejection> {
    let incoming = receive::<U>(&request)?;
    let below = below(request.uri().path(), request.match_info().unprocessed());
    Ok(respond(session_core::adapter::routes::answer(&incoming, request.method().as_str(), below).await))
}

/// The part of the path as sent that the scopes around have left over. They match a decoded path, in which a slash
/// is a slash of the path as sent: `%2F` stays encoded.
fn below<'a>(sent: &'a str, left_over: &str) -> &'a str {
    match left_over.matches('/').count() {
        0 => "",
        slashes => sent.rmatch_indices('/').nth(slashes - 1).map_or("", |(start, _)| &sent[start..]),
    }
}

#[cfg(test)]
mod tests {
    use super::below;

    #[test]
    fn the_path_below_the_prefix_is_raw() {
        assert_eq!(below("/session", ""), "");
        assert_eq!(below("/session/", "/"), "/");
        assert_eq!(below("/session/list/a%20b", "/list/a b"), "/list/a%20b");
        assert_eq!(below("/session/list/a%2Fb", "/list/a%2Fb"), "/list/a%2Fb");
        assert_eq!(below("/caf%C3%A9/%73ession/list/", "/list/"), "/list/");
        assert_eq!(below("/session/%FF/x", "/\u{fffd}/x"), "/%FF/x");
    }
}
