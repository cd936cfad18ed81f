//! Codes, statuses and bodies of errors.

use session_core::store::SessionLimit;

use crate::harness::{Fault, Framework, Mode, World, on_each_framework};
use crate::wire::Request;

on_each_framework! {
    the_body_has_code_message_and_time
    no_cookie_is_session_not_found(stateless tracked)
    a_revoked_session_is_session_not_found
    an_expired_one_is_session_expired(stateless tracked)
    one_that_cannot_be_used_is_session_invalid(stateless tracked)
    a_malformed_or_badly_signed_one_is_jwt_invalid(stateless tracked)
    an_old_login_is_reauthentication_required
    an_application_s_guard_is_forbidden
    a_payload_too_large_is_500_and_changes_nothing
    a_store_that_is_down_is_503_and_recovers
    a_store_that_hangs_is_503
    a_full_account_is_session_limit
    a_refused_cookie_is_left_alone
    a_replay_is_session_not_found
}

async fn the_body_has_code_message_and_time<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    world.advance(5);
    let response = server.get("/me").await.expect(401);
    assert_eq!(
        response.text(),
        r#"{"code":"SESSION_NOT_FOUND","message":"There is no session. Log in first.","timestamp":"2026-01-01T00:00:05Z"}"#
    );
    assert_eq!(response.header("content-type"), Some("application/json"));
}

async fn no_cookie_is_session_not_found<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    server.get("/me").await.expect_error(401, "SESSION_NOT_FOUND");
    server.send(Request::get("/me").cookie("other=x")).await.expect_error(401, "SESSION_NOT_FOUND");
    server.send(Request::post("/visits")).await.expect_error(401, "SESSION_NOT_FOUND");
    server.send(Request::post("/reauthenticate")).await.expect_error(401, "SESSION_NOT_FOUND");
}

async fn a_revoked_session_is_session_not_found<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let mut revoked = server.logged_in("alice").await;
    server.logged_in("alice").await.post("/session/revoke-others").await.expect(200);
    revoked.get("/me").await.expect_error(401, "SESSION_NOT_FOUND").expect_no_cookie();
}

async fn an_expired_one_is_session_expired<F: Framework>(mode: Mode) {
    let (world, server) = World::in_mode::<F>(mode).await;
    let cookie = server.logged_in("alice").await.cookie();
    world.advance(24 * 3600 - 1);
    server.send(Request::get("/session").cookie(&cookie)).await.expect(200);
    world.advance(1);
    let response = server.send(Request::get("/me").cookie(&cookie)).await;
    response.expect_error(401, "SESSION_EXPIRED").expect_no_cookie();
}

async fn one_that_cannot_be_used_is_session_invalid<F: Framework>(mode: Mode) {
    let (world, server) = World::in_mode::<F>(mode).await;
    let cookie = world.cookie_of_another_shape(&server).await;
    let response = server.send(Request::get("/me").cookie(cookie)).await;
    response.expect_error(401, "SESSION_INVALID").expect_no_cookie();
}

async fn a_malformed_or_badly_signed_one_is_jwt_invalid<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    let good = server.logged_in("alice").await.cookie();
    let (start, _) = good.rsplit_once('.').unwrap();
    let bad_signature = format!("{start}.{}", "A".repeat(43));
    for cookie in ["__Host-session=x", "__Host-session=a.b.c", "__Host-session=", &bad_signature] {
        let response = server.send(Request::get("/me").cookie(cookie)).await;
        response.expect_error(401, "JWT_INVALID").expect_no_cookie();
    }
}

async fn an_old_login_is_reauthentication_required<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    world.advance(300);
    browser.get("/fresh").await.expect_error(403, "REAUTHENTICATION_REQUIRED").expect_no_cookie();
}

async fn an_application_s_guard_is_forbidden<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    assert_eq!(server.logged_in("alice").await.get("/vip").await.expect(200).text(), "welcome alice");
    let response = server.logged_in("bob").await.get("/vip").await.expect_error(403, "FORBIDDEN");
    assert!(!response.text().contains("not alice"), "the detail is for logs: {response}");
}

async fn a_payload_too_large_is_500_and_changes_nothing<F: Framework>() {
    let (_world, server) = World::without_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    browser.post("/update-big").await.expect_error(500, "PAYLOAD_TOO_LARGE").expect_no_cookie();
    assert_eq!(browser.who().await, "alice");
    // With a store the cookie holds a reference.
    let (_world, server) = World::with_store::<F>().await;
    server.logged_in("alice").await.post("/update-big").await.expect(200);
}

async fn a_store_that_is_down_is_503_and_recovers<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    world.store.inject(Fault::Fail);
    let requests = [
        Request::get("/me"),
        Request::get("/maybe"),
        Request::get("/fresh"),
        Request::post("/visits"),
        Request::post("/login").body("name=alice"),
        Request::post("/logout"),
        Request::post("/reauthenticate"),
        Request::get("/session/list"),
        Request::post("/session"),
        Request::post("/session/refresh"),
        Request::post("/session/revoke-others"),
        Request::delete("/session/list"),
        Request::delete("/session"),
    ];
    for request in requests {
        let response = browser.send(request).await.expect_error(503, "STORE_UNAVAILABLE").expect_no_cookie();
        assert_eq!(response.header("retry-after"), Some("1"));
    }
    browser.get("/open").await.expect(200);
    server.get("/maybe").await.expect(200);
    world.store.recover();
    assert_eq!(browser.who().await, "alice");
}

async fn a_store_that_hangs_is_503<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    world.store.inject(Fault::Hang);
    browser.get("/me").await.expect_error(503, "STORE_UNAVAILABLE");
    world.store.recover();
    assert_eq!(browser.who().await, "alice");
}

async fn a_full_account_is_session_limit<F: Framework>() {
    let world = World::new();
    let server = world.serve::<F>(world.tracked().session_limit(SessionLimit::Refuse(1))).await;
    let mut browser = server.logged_in("alice").await;
    let login = Request::post("/login").body("name=alice");
    server.send(login.clone()).await.expect_error(409, "SESSION_LIMIT").expect_no_cookie();
    // The session that the cookie names makes room.
    browser.send(login).await.expect(200);
}

async fn a_refused_cookie_is_left_alone<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let expired = server.logged_in("alice").await.cookie();
    world.advance(24 * 3600);
    for cookie in ["__Host-session=x", &expired] {
        for path in ["/me", "/maybe", "/session", "/fresh"] {
            server.send(Request::get(path).cookie(cookie)).await.expect_no_cookie();
        }
    }
}

async fn a_replay_is_session_not_found<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    let stolen = browser.cookie();
    world.advance(3600);
    browser.post("/session/refresh").await.expect(200);
    assert_eq!(browser.who().await, "alice");
    world.advance(29);
    server.send(Request::get("/me").cookie(&stolen)).await.expect(200).expect_no_cookie();
    world.advance(1);
    let response = server.send(Request::get("/me").cookie(&stolen)).await;
    response.expect_error(401, "SESSION_NOT_FOUND").expect_no_cookie();
    browser.get("/me").await.expect_error(401, "SESSION_NOT_FOUND");
}
