//! `GET` and `POST /session`, `POST /session/refresh`, `DELETE /session`.

use std::time::Duration;

use serde_json::{Value, json};
use session_core::Lifetimes;

use crate::harness::{Browser, Fault, Framework, Mode, Server, World, on_each_framework};
use crate::wire::{Request, Response};

on_each_framework! {
    status_of_a_session
    status_without_a_session(stateless tracked)
    status_of_an_expired_session(stateless tracked)
    status_of_a_session_that_cannot_be_used(stateless tracked)
    status_never_writes_and_never_sets_a_cookie
    status_with_the_store_down_is_503
    a_use_answers_the_status_and_refreshes_when_due(stateless tracked)
    a_use_counts_as_last_seen(tracked hybrid)
    a_use_by_a_bearer_refreshes_nothing
    a_use_without_a_session_is_401(stateless tracked)
    a_use_with_the_store_down_is_503
    refresh_answers_the_new_status_with_a_cookie
    refresh_says_when_the_next_one_can_extend
    refresh_says_that_none_passes_the_absolute_lifetime(stateless tracked)
    refresh_near_the_end_extends_in_place
    a_front_end_that_only_refreshes_at_the_end_stays_logged_in(stateless tracked hybrid)
    refresh_without_a_session_is_401(stateless tracked)
    refresh_with_nothing_to_gain_sets_no_cookie
    refresh_repeats_a_successor_that_nobody_used
    refresh_of_a_bearer_sends_the_token_in_a_header
    refresh_works_without_a_store
    logout_clears_the_cookie_and_the_old_one_is_dead
    logout_without_a_session_clears_the_cookie(stateless tracked)
    logout_without_a_store_is_final_here
    logout_does_not_claim_success_while_the_store_is_down
}

const CLEARING: &str = "__Host-session=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax";

#[track_caller]
fn nobody(response: &Response, reason: &str) {
    let expected = format!(
        r#"{{"isValid":false,"isExpired":true,"remainingTime":0,"expiresAt":null,"authenticatedAt":null,"refreshDue":false,"idleRemaining":null,"absoluteRemaining":null,"reason":"{reason}","isGuest":false,"level":null,"methods":[],"actor":null,"user":null}}"#
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
        r#"{"isValid":true,"isExpired":false,"remainingTime":86399,"expiresAt":"2026-01-02T00:00:00Z","authenticatedAt":"2026-01-01T00:00:00Z","refreshDue":false,"idleRemaining":null,"absoluteRemaining":2591999,"reason":null,"isGuest":false,"level":1,"methods":[],"actor":null,"user":{"userId":"u-alice","name":"alice","visits":0}}"#
    );
}

async fn status_without_a_session<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    nobody(&server.get("/session").await, "SESSION_NOT_FOUND");
    let garbage = Request::get("/session").cookie("__Host-session=garbage");
    nobody(&server.send(garbage).await, "JWT_INVALID");
    let mut browser = server.logged_in("alice").await;
    let old = browser.cookie();
    browser.delete("/session").await.expect(204);
    nobody(&server.send(Request::get("/session").cookie(old)).await, "SESSION_NOT_FOUND");
}

async fn status_of_an_expired_session<F: Framework>(mode: Mode) {
    let (world, server) = World::in_mode::<F>(mode).await;
    let cookie = server.logged_in("alice").await.cookie();
    world.advance(24 * 3600);
    nobody(&server.send(Request::get("/session").cookie(cookie)).await, "SESSION_EXPIRED");
}

async fn status_of_a_session_that_cannot_be_used<F: Framework>(mode: Mode) {
    let (world, server) = World::in_mode::<F>(mode).await;
    let cookie = world.cookie_of_another_shape(&server).await;
    nobody(&server.send(Request::get("/session").cookie(cookie)).await, "SESSION_INVALID");
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
    world.store.calls().iter().filter(|call| call.is_write()).count()
}

async fn status_with_the_store_down_is_503<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    world.store.inject(Fault::Fail);
    let response = browser.get("/session").await.expect_error(503, "STORE_UNAVAILABLE").expect_no_cookie();
    assert_eq!(response.header("retry-after"), Some("1"));
    world.store.recover();
    assert_eq!(browser.get("/session").await.json()["isValid"], json!(true));
}

async fn a_use_answers_the_status_and_refreshes_when_due<F: Framework>(mode: Mode) {
    let (world, server) = World::in_mode::<F>(mode).await;
    let mut browser = server.logged_in("alice").await;
    let (asked, used) = (browser.get("/session").await, browser.post("/session").await.expect_no_cookie());
    assert_eq!((used.status, used.text()), (200, asked.text()));
    world.advance(24 * 3600 - 60);
    let old = browser.cookie();
    let response = browser.post("/session").await.expect(200);
    assert_eq!(response.json()["remainingTime"], json!(24 * 3600));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_ne!(browser.cookie(), old);
}

async fn a_use_counts_as_last_seen<F: Framework>(mode: Mode) {
    let world = World::new();
    let lifetimes = Lifetimes::default().idle_timeout(Duration::from_secs(900));
    let users = world.tracked().lifetimes(lifetimes);
    let users = if mode == Mode::Hybrid { users.hybrid(Duration::from_secs(90)) } else { users };
    let server = world.serve::<F>(users).await;
    let mut browser = server.logged_in("alice").await;
    browser.get("/me").await.expect(200);
    world.advance(80);
    assert_eq!(browser.get("/session").await.json()["idleRemaining"], json!(820));
    assert_eq!(browser.post("/session").await.expect(200).json()["idleRemaining"], json!(900));
    assert_eq!(browser.get("/session").await.json()["idleRemaining"], json!(900));
}

async fn a_use_by_a_bearer_refreshes_nothing<F: Framework>() {
    let world = World::new();
    let server = world.serve::<F>(world.tracked().bearer(true)).await;
    let token = log_in_natively(&server).await;
    world.advance(24 * 3600 - 60);
    let response = server.send(Request::post("/session").bearer(&token)).await.expect(200).expect_no_cookie();
    assert_eq!(response.header("session-token"), None);
    assert_eq!(response.json()["remainingTime"], json!(60));
}

async fn a_use_without_a_session_is_401<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    server.send(Request::post("/session")).await.expect_error(401, "SESSION_NOT_FOUND").expect_no_cookie();
}

async fn a_use_with_the_store_down_is_503<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    world.store.inject(Fault::Fail);
    browser.post("/session").await.expect_error(503, "STORE_UNAVAILABLE").expect_no_cookie();
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

/// What a refresh says of itself.
async fn refreshed(browser: &mut Browser) -> (Value, Value) {
    let response = browser.post("/session/refresh").await.expect(200);
    let body = response.json();
    assert_eq!(body["extended"], json!(response.header("set-cookie").is_some()), "{response}");
    (body["extended"].clone(), body["refreshableIn"].clone())
}

async fn refresh_says_when_the_next_one_can_extend<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    world.advance(60);
    assert_eq!(refreshed(&mut browser).await, (json!(true), json!(30)));
    // The new token's first use, from which on the time counts.
    world.advance(3);
    assert_eq!(refreshed(&mut browser).await, (json!(false), json!(30)));
    world.advance(10);
    assert_eq!(refreshed(&mut browser).await, (json!(false), json!(20)));
    world.advance(20);
    assert_eq!(refreshed(&mut browser).await, (json!(true), json!(30)));
    let (world, server) = World::without_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    assert_eq!(refreshed(&mut browser).await, (json!(false), Value::Null));
    world.advance(1);
    assert_eq!(refreshed(&mut browser).await, (json!(true), Value::Null));
}

async fn refresh_says_that_none_passes_the_absolute_lifetime<F: Framework>(mode: Mode) {
    let world = World::new();
    let day = Lifetimes::default().absolute_lifetime(Duration::from_secs(24 * 3600));
    let server = world.serve::<F>(world.users(mode).lifetimes(day)).await;
    let mut browser = server.logged_in("alice").await;
    world.advance(24 * 3600 - 20);
    assert_eq!(refreshed(&mut browser).await, (json!(false), json!(20)));
}

async fn refresh_near_the_end_extends_in_place<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    world.advance(60);
    assert_eq!(refreshed(&mut browser).await, (json!(true), json!(30)));
    world.advance(24 * 3600 - 20);
    let old = browser.cookie();
    // The first use of this token, too late to wait for another one.
    assert_eq!(refreshed(&mut browser).await, (json!(true), json!(30)));
    let ask = |cookie: String| server.send(Request::get("/session").cookie(cookie));
    assert_eq!(ask(browser.cookie()).await.json()["remainingTime"], json!(24 * 3600));
    // The old one is still good, and no longer than before.
    assert_eq!(ask(old).await.json()["remainingTime"], json!(20));
}

async fn a_front_end_that_only_refreshes_at_the_end_stays_logged_in<F: Framework>(mode: Mode) {
    let (world, server) = World::in_mode::<F>(mode).await;
    let mut browser = server.logged_in("alice").await;
    for _ in 0..5 {
        world.advance(24 * 3600 - 30);
        assert_eq!(browser.get("/session").await.json()["remainingTime"], json!(30));
        assert_eq!(refreshed(&mut browser).await.0, json!(true));
        assert_eq!(browser.get("/session").await.json()["remainingTime"], json!(24 * 3600));
    }
}

async fn refresh_without_a_session_is_401<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    let response = server.send(Request::post("/session/refresh")).await;
    response.expect_error(401, "SESSION_NOT_FOUND").expect_no_cookie();
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

async fn logout_without_a_session_clears_the_cookie<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    let response = server.send(Request::delete("/session")).await.expect(204);
    assert_eq!(response.set_cookies(), [CLEARING]);
    let garbage = Request::delete("/session").cookie("__Host-session=garbage");
    assert_eq!(server.send(garbage).await.expect(204).set_cookies(), [CLEARING]);
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
    world.store.inject(Fault::Fail);
    browser.delete("/session").await.expect_error(503, "STORE_UNAVAILABLE").expect_no_cookie();
    browser.post("/logout").await.expect_error(503, "STORE_UNAVAILABLE").expect_no_cookie();
    world.store.recover();
    assert_eq!(browser.who().await, "alice");
}
