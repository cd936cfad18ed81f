use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use session_axum::{Authenticated, SessionLayer};
use tower::ServiceExt as _;

use super::{READ_ON_AXUM, UNUSED_ON_AXUM, User, counted, headers, runtime, sessions};

/// Of a request to `path`, below the layer or not.
fn of(path: &str, with_layer: bool) -> i64 {
    let (runtime, sessions) = (runtime(), sessions());
    let headers = runtime.block_on(headers(&sessions));
    let app = Router::new().route("/bare", get(async || "ok")).route(
        "/read",
        get(async |user: Authenticated<User>| if user.role == "admin" { "ok" } else { "no" }),
    );
    let app = if with_layer { app.layer(SessionLayer::new(sessions)) } else { app };
    // As `axum::serve` does: else each request would put the layers around its route again.
    let app: Router = app.with_state(());
    counted(&runtime, || {
        let request = headers.iter().fold(Request::get(path), |to, (name, value)| to.header(*name, value));
        let (request, app) = (request.body(Body::empty()).unwrap(), app.clone());
        async move { assert_eq!(app.oneshot(request).await.unwrap().status(), 200) }
    })
}

#[test]
fn a_request_that_uses_no_session() {
    assert_eq!(of("/bare", true) - of("/bare", false), UNUSED_ON_AXUM);
}

#[test]
fn a_request_that_reads_the_user() {
    assert_eq!(of("/read", true) - of("/bare", false), READ_ON_AXUM);
}
