//! `WWW-Authenticate` (RFC 6750 section 3, RFC 9470): what a refusal tells a native client.

use std::time::Duration;

use crate::harness::{Framework, Server, World, on_each_framework};
use crate::wire::{Request, Response};

on_each_framework! {
    a_bearer_learns_what_is_wrong_with_it
    a_bearer_that_is_not_enough_learns_what_would_be
    every_operation_and_every_route_says_so
    a_bearer_is_never_sent_to_the_login_page
    without_credentials_a_401_names_the_scheme_alone
    a_cookie_gets_no_challenge
    where_bearer_is_off_nobody_gets_one
}

const INVALID: Option<&str> = Some("Bearer error=\"invalid_token\"");

async fn server_with_bearer<F: Framework>(world: &World) -> Server {
    let users =
        world.tracked().bearer(true).login_page("/login").fresh_for_revocation(Duration::from_secs(60));
    world.serve::<F>(users).await
}

async fn token_of(server: &Server, name: &str) -> String {
    let login = server.send(Request::post("/login").body(format!("name={name}"))).await.expect(200);
    login.cookie_value().to_owned()
}

fn challenge(response: &Response) -> Option<&str> {
    response.header("www-authenticate")
}

async fn a_bearer_learns_what_is_wrong_with_it<F: Framework>() {
    let world = World::new();
    let server = server_with_bearer::<F>(&world).await;
    let (expired, ended) = (token_of(&server, "alice").await, token_of(&server, "alice").await);
    server.send(Request::delete("/session").bearer(&ended)).await.expect(204);
    let refused = |token: &str| server.send(Request::get("/me").bearer(token));
    let unknown = refused(&ended).await.expect_error(401, "SESSION_NOT_FOUND");
    assert_eq!(challenge(&unknown), INVALID);
    world.advance(24 * 3600);
    let over = refused(&expired).await.expect_error(401, "SESSION_EXPIRED");
    assert_eq!(challenge(&over), INVALID);
    // RFC 6750 section 3.1 counts a malformed token to invalid_token, and pairs invalid_request with 400.
    for malformed in ["a.b.c", "a b", "", "\u{e4}"] {
        let response = refused(malformed).await.expect_error(401, "JWT_INVALID");
        assert_eq!(challenge(&response), INVALID, "{malformed:?}");
    }
}

async fn a_bearer_that_is_not_enough_learns_what_would_be<F: Framework>() {
    let world = World::new();
    let server = server_with_bearer::<F>(&world).await;
    let bob = token_of(&server, "bob").await;
    let response = server.send(Request::get("/vip").bearer(&bob)).await.expect_error(403, "FORBIDDEN");
    assert_eq!(challenge(&response), Some("Bearer error=\"insufficient_scope\""));
    world.advance(300);
    for (request, limit) in [(Request::get("/fresh"), 300), (Request::post("/session/revoke-others"), 60)] {
        let response = server.send(request.bearer(&bob)).await.expect_error(403, "REAUTHENTICATION_REQUIRED");
        let expected = format!("Bearer error=\"insufficient_user_authentication\", max_age=\"{limit}\"");
        assert_eq!(challenge(&response), Some(expected.as_str()));
    }
}

/// Guards, what handlers return, session routes.
async fn every_operation_and_every_route_says_so<F: Framework>() {
    let server = server_with_bearer::<F>(&World::new()).await;
    let requests = [
        Request::get("/me"),
        Request::get("/fresh"),
        Request::get("/vip"),
        Request::post("/visits"),
        Request::post("/reauthenticate"),
        Request::post("/session"),
        Request::post("/session/refresh"),
        Request::get("/session/list"),
        Request::delete("/session/list"),
        Request::delete("/session/list/AAAAAAAAAAAAAAAAAAAAAA"),
        Request::post("/session/revoke-others"),
    ];
    for request in requests {
        let response = server.send(request.bearer("a.b.c")).await.expect_error(401, "JWT_INVALID");
        assert_eq!(challenge(&response), INVALID, "{response}");
    }
    for request in [Request::get("/maybe"), Request::get("/session")] {
        assert_eq!(challenge(&server.send(request.bearer("a.b.c")).await.expect(200)), None);
    }
}

async fn a_bearer_is_never_sent_to_the_login_page<F: Framework>() {
    let server = server_with_bearer::<F>(&World::new()).await;
    let request = Request::get("/page").header("Accept", "text/html").bearer("a.b.c");
    assert_eq!(challenge(&server.send(request).await.expect_error(401, "JWT_INVALID")), INVALID);
}

async fn without_credentials_a_401_names_the_scheme_alone<F: Framework>() {
    let server = server_with_bearer::<F>(&World::new()).await;
    let requests = [
        Request::get("/me"),
        Request::post("/visits"),
        Request::post("/session"),
        Request::get("/session/list"),
        Request::delete("/session/list"),
        Request::get("/me").cookie("other=x"),
        Request::get("/me").header("Authorization", "Basic YTpi"),
    ];
    for request in requests {
        let response = server.send(request).await.expect_error(401, "SESSION_NOT_FOUND");
        assert_eq!(challenge(&response), Some("Bearer"), "{response}");
    }
    let cross = Request::post("/visits").header("Sec-Fetch-Site", "cross-site");
    assert_eq!(challenge(&server.send(cross).await.expect_error(403, "CROSS_ORIGIN")), None);
    assert_eq!(challenge(&server.send(Request::get("/page").navigation()).await.expect(303)), None);
}

async fn a_cookie_gets_no_challenge<F: Framework>() {
    let world = World::new();
    let server = server_with_bearer::<F>(&world).await;
    let bad = server.send(Request::get("/me").cookie("__Host-session=a.b.c")).await;
    assert_eq!(challenge(&bad.expect_error(401, "JWT_INVALID")), None);
    let mut bob = server.logged_in("bob").await;
    assert_eq!(challenge(&bob.get("/vip").await.expect_error(403, "FORBIDDEN")), None);
    world.advance(300);
    assert_eq!(challenge(&bob.get("/fresh").await.expect_error(403, "REAUTHENTICATION_REQUIRED")), None);
}

async fn where_bearer_is_off_nobody_gets_one<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    for request in [Request::get("/me"), Request::get("/me").bearer("a.b.c")] {
        assert_eq!(challenge(&server.send(request).await.expect_error(401, "SESSION_NOT_FOUND")), None);
    }
}
