//! The session routes, mounted in one line.

use rocket::http::Method::{Connect, Delete, Get, Head as HeadMethod, Options, Patch, Post, Put, Trace};
use rocket::route::{self, Route};
use rocket::{Data, Request};
use session_core::{SessionError, SessionManager, SessionPayload};

use crate::fairing::{attached, session, session_of};
use crate::translate::{Head, close, respond};

/// Before any other route: core answers every path below the prefix.
const RANK: isize = -100;

/// The [session routes](session_core::routes::answer) for a browser front end:
/// `.mount("/session", session_rocket::routes(&sessions))`.
///
/// They answer every method on the prefix and every path below it, before any other route. They work without a
/// [`SessionFairing`](crate::SessionFairing), too; with one, it must be that of the same manager.
#[must_use]
pub fn routes<U: SessionPayload>(manager: &SessionManager<U>) -> Vec<Route> {
    [Get, HeadMethod, Post, Put, Delete, Patch, Options, Trace, Connect]
        .into_iter()
        .map(|method| Route::ranked(RANK, method, "/<path..>", SessionRoutes(manager.clone())))
        .collect()
}

#[derive(Clone)]
struct SessionRoutes<U: SessionPayload>(SessionManager<U>);

#[rocket::async_trait]
impl<U: SessionPayload> route::Handler for SessionRoutes<U> {
    async fn handle<'r>(&self, request: &'r Request<'_>, _body: Data<'r>) -> route::Outcome<'r> {
        let fairing = attached::<U, _>(request.rocket()).is_some();
        let session = match self.session(request, fairing) {
            Ok(session) => session,
            Err(error) => return route::Outcome::Success(respond(request, error.to_response())),
        };
        session.receive(&Head::of(request));
        let path = below_prefix(request);
        let answer = session_core::routes::answer(&session, request.method().as_str(), path).await;
        let mut response = respond(request, answer);
        if !fairing {
            close(&session, &mut response);
        }
        route::Outcome::Success(response)
    }
}

impl<U: SessionPayload> SessionRoutes<U> {
    fn session(
        &self,
        request: &Request<'_>,
        fairing: bool,
    ) -> Result<session_core::Session<U>, SessionError> {
        if fairing {
            // Another manager with this cookie is found out here.
            session::<U>(request)?;
        }
        session_of(request, &self.0)
    }
}

/// The raw path after as many segments as the mount point has.
fn below_prefix<'a>(request: &'a Request<'_>) -> &'a str {
    let path = request.uri().path().as_str();
    let mounted = request.route().map_or(0, |route| route.uri.base.path().segments().len());
    path.match_indices('/').nth(mounted).map_or("", |(at, _)| &path[at..])
}
