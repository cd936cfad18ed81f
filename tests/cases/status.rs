//! `GET /session`, `POST /session/refresh`, `DELETE /session`.

use serde_json::json;

use crate::harness::{Fault, Framework, Server, World, on_each_framework};
use crate::wire::{Request, Response};

on_each_framework! {
    status_of_a_session
    status_without_a_session
    status_of_an_expired_session
    status_of_a_session_that_cannot_be_used
    status_never_writes_and_never_sets_a_cookie
    status_with_the_store_down_is_503
    refresh_answers_the_new_status_with_a_cookie
    refresh_without_a_session_is_401
    refresh_with_nothing_to_gain_sets_no_cookie
    refresh_repeats_a_successor_that_nobody_used
    refresh_of_a_bearer_sends_the_token_in_a_header
    refresh_works_without_a_store
    logout_clears_the_cookie_and_the_old_one_is_dead
    logout_without_a_session_clears_the_cookie
    logout_without_a_store_is_final_here
    logout_does_not_claim_success_while_the_store_is_down
}

const CLEARING: &str = "__Host-session=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax";

#[track_caller]
fn nobody(response: &Response, reason: &str) {
    let expected = format!(
        r#"{{"isValid":false,"isExpired":true,"remainingTime":0,"expiresAt":null,"authenticatedAt":null,"refreshDue":false,"idleRemaining":null,"absoluteRemaining":null,"reason":"{reason}","user":null}}"#
    );
    assert_eq!((response.status, response.text()), (200, expected.as_str()));
    assert!(response.set_cookies().is_empty(), "{response}");
}

async fn status_of_a_session<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    world.advance(1);
    let response = browser.get("/session").await.expect(200);
    assert_eq!(
        response.text(),
        r#"{"isValid":true,"isExpired":false,"remainingTime":86399,"expiresAt":"2026-01-02T00:00:00Z","authenticatedAt":"2026-01-01T00:00:00Z","refreshDue":false,"idleRemaining":null,"absoluteRemaining":2591999,"reason":null,"user":{"userId":"u-alice","name":"alice","visits":0}}"#
    );
}

async fn status_without_a_session<F: Framework>() {
    for (_world, server) in [World::with_store::<F>().await, World::without_store::<F>().await] {
        nobody(&server.get("/session").await, "SESSION_NOT_FOUND");
        let garbage = Request::get("/session").cookie("__Host-session=garbage");
        nobody(&server.send(garbage).await, "JWT_INVALID");
        let mut browser = server.logged_in("alice").await;
        let old = browser.cookie();
        browser.delete("/session").await.expect(204);
        nobody(&server.send(Request::get("/session").cookie(old)).await, "SESSION_NOT_FOUND");
    }
}

async fn status_of_an_expired_session<F: Framework>() {
    for (world, server) in [World::with_store::<F>().await, World::without_store::<F>().await] {
        let cookie = server.logged_in("alice").await.cookie();
        world.advance(24 * 3600);
        nobody(&server.send(Request::get("/session").cookie(cookie)).await, "SESSION_EXPIRED");
    }
}

async fn status_of_a_session_that_cannot_be_used<F: Framework>() {
    for (world, server) in [World::with_store::<F>().await, World::without_store::<F>().await] {
        let cookie = world.cookie_of_another_shape(&server).await;
        nobody(&server.send(Request::get("/session").cookie(cookie)).await, "SESSION_INVALID");
    }
}

async fn status_never_writes_and_never_sets_a_cookie<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    world.advance(24 * 3600 - 60);
    let before = writes(&world);
    for _ in 0..3 {
        let response = browser.get("/session").await.expect(200).expect_no_cookie();
        assert_eq!(response.json()["refreshDue"], json!(true));
        assert_eq!(response.json()["remainingTime"], json!(60));
    }
    assert_eq!(writes(&world), before);
}

fn writes(world: &World) -> usize {
    ["create", "replace", "delete", "delete_account"].iter().map(|method| world.store.calls(method)).sum()
}

async fn status_with_the_store_down_is_503<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    world.store.set(Fault::Fail);
    let response = browser.get("/session").await.expect_error(503, "STORE_UNAVAILABLE").expect_no_cookie();
    assert_eq!(response.header("retry-after"), Some("1"));
    world.store.recover();
    assert_eq!(browser.get("/session").await.json()["isValid"], json!(true));
}

async fn refresh_answers_the_new_status_with_a_cookie<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    let old = browser.cookie();
    world.advance(3600);
    let response = browser.post("/session/refresh").await.expect(200);
    assert_eq!(response.json()["remainingTime"], json!(24 * 3600));
    assert_eq!(response.json()["absoluteRemaining"], json!(30 * 24 * 3600 - 3600));
    assert_eq!(response.json()["user"]["name"], json!("alice"));
    assert!(response.header("set-cookie").unwrap().contains("; Max-Age=86400; "));
    assert_ne!(browser.cookie(), old);
    assert!(!response.text().contains(response.cookie_value()));
    assert_eq!(browser.who().await, "alice");
}

async fn refresh_without_a_session_is_401<F: Framework>() {
    for (_world, server) in [World::with_store::<F>().await, World::without_store::<F>().await] {
        let response = server.send(Request::post("/session/refresh")).await;
        response.expect_error(401, "SESSION_NOT_FOUND").expect_no_cookie();
    }
}

async fn refresh_with_nothing_to_gain_sets_no_cookie<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    browser.post("/session/refresh").await.expect(200).expect_no_cookie();
    world.advance(60);
    browser.post("/session/refresh").await.expect(200);
    // The successor's first use, and too soon for another one.
    let response = browser.post("/session/refresh").await.expect(200).expect_no_cookie();
    assert_eq!(response.json()["isValid"], json!(true));
}

async fn refresh_repeats_a_successor_that_nobody_used<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let cookie = server.logged_in("alice").await.cookie();
    world.advance(3600);
    let ask = || server.send(Request::post("/session/refresh").cookie(&cookie));
    let (first, second) = (ask().await.expect(200), ask().await.expect(200));
    assert_eq!(first.cookie_value(), second.cookie_value());
}

async fn refresh_of_a_bearer_sends_the_token_in_a_header<F: Framework>() {
    let world = World::new();
    let server = world.serve::<F>(world.tracked().bearer(true)).await;
    let token = log_in_natively(&server).await;
    world.advance(60);
    let response =
        server.send(Request::post("/session/refresh").bearer(&token)).await.expect(200).expect_no_cookie();
    let newer = response.header("session-token").expect("a Session-Token").to_owned();
    assert_ne!(newer, token);
    let me = server.send(Request::get("/me").bearer(&newer)).await.expect(200);
    assert_eq!(me.json()["name"], json!("alice"));
}

/// The token, as a native client gets it: this app sends it as a cookie only.
async fn log_in_natively(server: &Server) -> String {
    server.send(Request::post("/login").body("name=alice")).await.expect(200).cookie_value().to_owned()
}

async fn refresh_works_without_a_store<F: Framework>() {
    let (world, server) = World::without_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    world.advance(3600);
    let response = browser.post("/session/refresh").await.expect(200);
    assert_eq!(response.json()["remainingTime"], json!(24 * 3600));
    assert!(response.header("set-cookie").is_some());
}

async fn logout_clears_the_cookie_and_the_old_one_is_dead<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    let old = browser.cookie();
    let response = browser.delete("/session").await.expect(204);
    assert_eq!(response.set_cookies(), [CLEARING]);
    assert_eq!((response.header("cache-control"), response.body.len()), (Some("no-store"), 0));
    assert!(browser.jar.is_empty());
    server.send(Request::get("/me").cookie(old)).await.expect_error(401, "SESSION_NOT_FOUND");
}

async fn logout_without_a_session_clears_the_cookie<F: Framework>() {
    for (_world, server) in [World::with_store::<F>().await, World::without_store::<F>().await] {
        let response = server.send(Request::delete("/session")).await.expect(204);
        assert_eq!(response.set_cookies(), [CLEARING]);
        let garbage = Request::delete("/session").cookie("__Host-session=garbage");
        assert_eq!(server.send(garbage).await.expect(204).set_cookies(), [CLEARING]);
    }
}

async fn logout_without_a_store_is_final_here<F: Framework>() {
    let (_world, server) = World::without_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    let old = browser.cookie();
    browser.delete("/session").await.expect(204);
    server.send(Request::get("/me").cookie(old)).await.expect_error(401, "SESSION_NOT_FOUND");
}

async fn logout_does_not_claim_success_while_the_store_is_down<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    world.store.set(Fault::Fail);
    browser.delete("/session").await.expect_error(503, "STORE_UNAVAILABLE").expect_no_cookie();
    browser.post("/logout").await.expect_error(503, "STORE_UNAVAILABLE").expect_no_cookie();
    world.store.recover();
    assert_eq!(browser.who().await, "alice");
}
