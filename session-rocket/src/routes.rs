//! The session routes, mounted in one line.

use rocket::http::Method;
use rocket::route::{Handler, Outcome, Route};
use rocket::{Data, Request};
use session_core::{SessionManager, SessionPayload};

use crate::per_request::{cached, incoming, is_attached};
use crate::respond::{close, respond};

/// The [session routes](session_core::adapter::routes::answer) for a browser front end, to mount under a prefix:
/// `.mount("/session", session_rocket::routes(&sessions))`.
///
/// They answer every method on every path from the prefix on, before any other route there, with or without the
/// [`SessionFairing`](crate::SessionFairing) of this manager.
#[must_use]
pub fn routes<U: SessionPayload>(manager: &SessionManager<U>) -> Vec<Route> {
    use Method::{Connect, Delete, Get, Head, Options, Patch, Post, Put, Trace};
    let methods = [Connect, Delete, Get, Head, Options, Patch, Post, Put, Trace];
    let route = |method| Route::ranked(-100, method, "/<path..>", SessionRoutes(manager.clone()));
    methods.into_iter().map(route).collect()
}

#[derive(Clone)]
struct SessionRoutes<U: SessionPayload>(SessionManager<U>);

#[rocket::async_trait]
impl<U: SessionPayload> Handler for SessionRoutes<U> {
    async fn handle<'r>(&self, request: &'r Request<'_>, _body: Data<'r>) -> Outcome<'r> {
        let incoming = match incoming(request, Some(&self.0)) {
            Ok(incoming) => incoming,
            Err(error) => return Outcome::Success(respond(request, error.to_response())),
        };
        let (method, path) = (request.method().as_str(), below_prefix(request));
        let mut response =
            respond(request, session_core::adapter::routes::answer(&incoming, method, path).await);
        if !is_attached::<U>(request.rocket()) {
            let slot = cached(request).slots.get::<U>();
            slot.iter().for_each(|slot| close(slot, &mut response));
        }
        Outcome::Success(response)
    }
}

/// The raw path after as many segments as the mount point has.
fn below_prefix<'a>(request: &'a Request<'_>) -> &'a str {
    let path = request.uri().path().as_str();
    let mounted = request.route().map_or(0, |route| route.uri.base.path().segments().len());
    path.match_indices('/').nth(mounted).map_or("", |(at, _)| &path[at..])
}
