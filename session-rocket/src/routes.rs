//! The session routes, mounted in one line.

use rocket::http::Method;
use rocket::route::{Handler, Outcome, Route};
use rocket::{Data, Request};
use session_core::adapter::routes;
use session_core::{SessionManager, SessionPayload};

use crate::per_request::{Attached, cached, close, incoming, respond};

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
        let mounted = request.route().map_or(0, |route| route.uri.base.path().segments().len());
        let (method, path) = (request.method().as_str(), request.uri().path().as_str());
        let answer = match incoming(request, Some(&self.0)) {
            Ok(incoming) => routes::answer(&incoming, method, routes::below(path, mounted)).await,
            Err(error) => return Outcome::Success(respond(request, error.to_response())),
        };
        let mut response = respond(request, answer);
        if request.rocket().state::<Attached<U>>().is_none() {
            let slot = cached(request).slots.get::<U>();
            slot.iter().for_each(|slot| close(slot, &mut response));
        }
        Outcome::Success(response)
    }
}
