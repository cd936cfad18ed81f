//! What the session routes answer to anything else.

use crate::harness::{Framework, World, on_each_framework};
use crate::wire::Request;

on_each_framework! {
    an_unknown_path_is_404
    another_method_is_405_and_says_which
    neither_opens_the_session
    head_is_get_without_the_body
    one_trailing_slash_is_none
    the_path_is_decoded_once
    request_bodies_are_ignored
    answers_are_json_that_nobody_sniffs_or_stores
    they_work_below_a_nested_prefix
}

async fn an_unknown_path_is_404<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    for path in ["/session/nothing", "/session/list/a/b", "/session/refresh/now", "/session/LIST"] {
        for request in [Request::get(path), Request::post(path), Request::delete(path)] {
            let response = server.send(request).await.expect_error(404, "NOT_FOUND");
            assert_eq!(response.header("content-type"), Some("application/json"));
        }
    }
}

/// Method, path, and what Allow says.
const WRONG: [(&str, &str, &str); 14] = [
    ("PUT", "/session", "GET, HEAD, POST, DELETE"),
    ("PATCH", "/session", "GET, HEAD, POST, DELETE"),
    ("OPTIONS", "/session", "GET, HEAD, POST, DELETE"),
    ("GET", "/session/refresh", "POST"),
    ("HEAD", "/session/refresh", "POST"),
    ("OPTIONS", "/session/refresh", "POST"),
    ("DELETE", "/session/revoke-others", "POST"),
    ("GET", "/session/revoke-others", "POST"),
    ("POST", "/session/list", "GET, HEAD, DELETE"),
    ("PUT", "/session/list", "GET, HEAD, DELETE"),
    ("OPTIONS", "/session/list", "GET, HEAD, DELETE"),
    ("GET", "/session/list/x", "DELETE"),
    ("HEAD", "/session/list/x", "DELETE"),
    ("POST", "/session/list/x", "DELETE"),
];

async fn another_method_is_405_and_says_which<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    for (method, path, allow) in WRONG {
        let response = server.send(Request::new(method, path)).await.expect(405);
        assert_eq!(response.header("allow"), Some(allow), "{method} {path}");
        assert_eq!(response.header("content-type"), Some("application/json"), "{method} {path}");
        if method != "HEAD" {
            response.expect_error(405, "METHOD_NOT_ALLOWED");
        }
    }
}

async fn neither_opens_the_session<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let cookie = server.logged_in("alice").await.cookie();
    let before = world.store.calls().len();
    for request in [
        Request::get("/session/nothing"),
        Request::get("/session/refresh"),
        Request::new("OPTIONS", "/session"),
    ] {
        let response = server.send(request.cookie(&cookie)).await.expect_no_cookie();
        assert_eq!(response.header("vary"), None);
    }
    assert_eq!(world.store.calls().len(), before);
}

async fn head_is_get_without_the_body<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    for path in ["/session", "/session/list"] {
        let response = browser.send(Request::head(path)).await.expect(200).expect_no_cookie();
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert!(response.body.is_empty());
    }
    // The connection is still in step.
    let mut connection = crate::wire::Connection::open(server.address).await.unwrap();
    for request in [Request::head("/session"), Request::get("/session")] {
        assert_eq!(connection.exchange(&request).await.unwrap().status, 200);
    }
}

async fn one_trailing_slash_is_none<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    for path in ["/session", "/session/list"] {
        let (without, with) = (browser.get(path).await, browser.get(&format!("{path}/")).await.expect(200));
        assert_eq!(without.body, with.body);
    }
    browser.post("/session/").await.expect(200);
    browser.post("/session/refresh/").await.expect(200);
    browser.post("/session/revoke-others/").await.expect(200);
    browser.delete("/session/list/").await.expect(200);
    browser.delete("/session/").await.expect(204);
}

async fn the_path_is_decoded_once<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    browser.get("/session/l%69st").await.expect(200);
    browser.get("/session/l%2569st").await.expect_error(404, "NOT_FOUND");
    browser.get("/session/%ff").await.expect_error(404, "NOT_FOUND");
    let devices = browser.get("/session/list").await.json();
    let id = devices[0]["id"].as_str().unwrap();
    let encoded: String = id.bytes().map(|byte| format!("%{byte:02x}")).collect();
    browser.delete(&format!("/session/list/{encoded}")).await.expect(204);
    assert!(browser.jar.is_empty());
}

async fn request_bodies_are_ignored<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    let json = Request::post("/session/refresh").header("Content-Type", "application/json").body("{not json");
    browser.send(json).await.expect(200);
    browser.send(Request::delete("/session").body("x=y")).await.expect(204);
    let connection = Request::get("/session").body("a body where none belongs");
    browser.send(connection).await.expect(200);
}

async fn answers_are_json_that_nobody_sniffs_or_stores<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    let answers = [
        browser.get("/session").await,
        browser.get("/session/list").await,
        browser.post("/session/refresh").await,
        browser.post("/session/revoke-others").await,
        browser.get("/session/nothing").await,
        browser.post("/session").await,
        server.get("/me").await,
        server.send(Request::post("/session/refresh")).await,
        server.send(Request::get("/me").cookie("__Host-session=x")).await,
    ];
    for response in answers {
        assert_eq!(response.header("content-type"), Some("application/json"), "{response}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{response}");
        assert_eq!(response.header("cache-control"), Some("no-store"), "{response}");
    }
}

async fn they_work_below_a_nested_prefix<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    for path in ["/nested/session", "/nested/session/", "/nested/session/list"] {
        assert_eq!(browser.get(path).await.expect(200).body, browser.get(&path[7..]).await.body, "{path}");
    }
    browser.get("/nested/session/nothing").await.expect_error(404, "NOT_FOUND");
    browser.delete("/nested/session").await.expect(204);
    assert!(browser.jar.is_empty());
}
