//! What a handler can ask for.

use crate::harness::{Fault, Framework, Mode, World, on_each_framework};
use crate::wire::Request;

on_each_framework! {
    authenticated_is_the_user(stateless tracked)
    the_optional_guard_is_empty_only_for_a_401
    a_guest_passes_no_guard_that_asks_for_a_user(stateless tracked hybrid)
    a_guest_s_navigation_goes_to_the_login_page
    fresh_is_good_until_its_limit(stateless tracked)
    a_navigation_goes_to_the_login_page
    the_way_back_is_checked
    anything_but_a_navigation_is_401
    without_a_login_page_a_navigation_is_401
    a_login_page_is_for_401_only
    nested_routers_work
    an_update_is_stored(stateless tracked)
    a_login_makes_a_new_session(stateless tracked)
    reauthentication_makes_a_new_session(stateless tracked)
    a_request_costs_one_round_trip
}

async fn authenticated_is_the_user<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    let mut browser = server.logged_in("alice").await;
    let response = browser.get("/me").await.expect(200);
    assert_eq!(response.text(), r#"{"userId":"u-alice","name":"alice","visits":0}"#);
}

async fn the_optional_guard_is_empty_only_for_a_401<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let expired = server.logged_in("alice").await.cookie();
    world.advance(24 * 3600);
    for cookie in ["other=x", "__Host-session=x", &expired] {
        let response = server.send(Request::get("/maybe").cookie(cookie)).await.expect(200);
        assert_eq!(response.text(), "nobody");
    }
    let mut browser = server.logged_in("alice").await;
    assert_eq!(browser.who().await, "alice");
    world.store.inject(Fault::Fail);
    browser.get("/maybe").await.expect_error(503, "STORE_UNAVAILABLE");
}

async fn a_guest_passes_no_guard_that_asks_for_a_user<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    let mut guest = server.logged_in("guest").await;
    for _ in 0..2 {
        for path in ["/me", "/fresh", "/vip", "/cached", "/stream", "/ws"] {
            guest.get(path).await.expect_error(401, "SESSION_NOT_FOUND").expect_no_cookie();
        }
        assert_eq!(guest.who().await, "nobody");
    }
    // It has a session all the same.
    assert_eq!(guest.post("/visits").await.expect(200).text(), "1");
    let status = guest.get("/session").await.expect(200).json();
    assert_eq!((&status["isValid"], &status["user"]["name"]), (&true.into(), &"guest".into()));
    guest.delete("/session").await.expect(204);
    guest.post("/visits").await.expect(401);
}

async fn a_guest_s_navigation_goes_to_the_login_page<F: Framework>() {
    let world = World::new();
    let server = world.serve::<F>(world.tracked().login_page("/login")).await;
    let mut guest = server.logged_in("guest").await;
    for path in ["/page", "/fresh", "/vip"] {
        let response = guest.send(Request::get(path).navigation()).await.expect(303);
        assert_eq!(response.header("location"), Some(format!("/login?next={path}").as_str()));
    }
}

async fn fresh_is_good_until_its_limit<F: Framework>(mode: Mode) {
    let (world, server) = World::in_mode::<F>(mode).await;
    server.get("/fresh").await.expect_error(401, "SESSION_NOT_FOUND");
    let mut browser = server.logged_in("alice").await;
    world.advance(299);
    assert_eq!(browser.get("/fresh").await.expect(200).text(), "fresh alice");
    world.advance(1);
    browser.get("/fresh").await.expect_error(403, "REAUTHENTICATION_REQUIRED");
    browser.post("/reauthenticate").await.expect(200);
    browser.get("/fresh").await.expect(200);
}

async fn a_navigation_goes_to_the_login_page<F: Framework>() {
    let world = World::new();
    let server = world.serve::<F>(world.tracked().login_page("/login")).await;
    let old_browser =
        Request::get("/page").header("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
    for request in [Request::get("/page").navigation(), old_browser] {
        let response = server.send(request).await.expect(303).expect_no_cookie();
        assert_eq!(response.header("location"), Some("/login?next=/page"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert!(response.body.is_empty());
    }
    let response = server.send(Request::get("/nested/inner/me?tab=2&q=%20x").navigation()).await.expect(303);
    assert_eq!(response.header("location"), Some("/login?next=/nested/inner/me%3Ftab%3D2%26q%3D%2520x"));
}

async fn the_way_back_is_checked<F: Framework>() {
    let world = World::new();
    let server = world.serve::<F>(world.tracked().login_page("/login")).await;
    let long = format!("/page?{}", "a".repeat(2048));
    let response = server.send(Request::get(&long).navigation()).await.expect(303);
    assert_eq!(response.header("location"), Some("/login"));
}

async fn anything_but_a_navigation_is_401<F: Framework>() {
    let world = World::new();
    let server = world.serve::<F>(world.tracked().login_page("/login")).await;
    let html = "text/html";
    let requests = [
        Request::get("/page"),
        Request::get("/page").header("Accept", "application/json"),
        Request::get("/page").header("Accept", html).header("Sec-Fetch-Mode", "cors"),
        Request::post("/visits").header("Accept", html),
        Request::post("/visits").header("Sec-Fetch-Mode", "navigate"),
    ];
    for request in requests {
        server.send(request).await.expect_error(401, "SESSION_NOT_FOUND");
    }
}

async fn without_a_login_page_a_navigation_is_401<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    server.send(Request::get("/page").navigation()).await.expect_error(401, "SESSION_NOT_FOUND");
}

async fn a_login_page_is_for_401_only<F: Framework>() {
    let world = World::new();
    let server = world.serve::<F>(world.tracked().login_page("/login")).await;
    let mut browser = server.logged_in("bob").await;
    browser.send(Request::get("/page").navigation()).await.expect(200);
    browser.send(Request::get("/vip").navigation()).await.expect_error(403, "FORBIDDEN");
    world.advance(300);
    browser.send(Request::get("/fresh").navigation()).await.expect_error(403, "REAUTHENTICATION_REQUIRED");
    world.store.inject(Fault::Fail);
    browser.send(Request::get("/page").navigation()).await.expect_error(503, "STORE_UNAVAILABLE");
}

async fn nested_routers_work<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    server.get("/nested/inner/me").await.expect_error(401, "SESSION_NOT_FOUND");
    let mut browser = server.logged_in("alice").await;
    assert_eq!(browser.get("/nested/inner/me").await.expect(200).json()["name"], "alice");
}

async fn an_update_is_stored<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    let mut browser = server.logged_in("alice").await;
    for visits in ["1", "2", "3"] {
        assert_eq!(browser.post("/visits").await.expect(200).text(), visits);
    }
    assert_eq!(browser.get("/me").await.json()["visits"], 3);
}

async fn a_login_makes_a_new_session<F: Framework>(mode: Mode) {
    let (world, server) = World::in_mode::<F>(mode).await;
    let mut browser = server.logged_in("alice").await;
    browser.post("/visits").await.expect(200);
    let old = browser.cookie();
    world.advance(1);
    browser.log_in("bob").await;
    assert_eq!(browser.get("/me").await.text(), r#"{"userId":"u-bob","name":"bob","visits":0}"#);
    server.send(Request::get("/me").cookie(old)).await.expect_error(401, "SESSION_NOT_FOUND");
}

async fn reauthentication_makes_a_new_session<F: Framework>(mode: Mode) {
    let (world, server) = World::in_mode::<F>(mode).await;
    let mut browser = server.logged_in("alice").await;
    browser.post("/visits").await.expect(200);
    let old = browser.cookie();
    world.advance(3600);
    browser.post("/reauthenticate").await.expect(200);
    let status = browser.get("/session").await.json();
    assert_eq!((&status["remainingTime"], &status["absoluteRemaining"]), (&86400.into(), &2_592_000.into()));
    assert_eq!(status["user"]["visits"], 1);
    server.send(Request::get("/me").cookie(old)).await.expect_error(401, "SESSION_NOT_FOUND");
}

async fn a_request_costs_one_round_trip<F: Framework>() {
    let world = World::new();
    let server = world.serve_both::<F>().await;
    let mut browser = server.logged_in("alice").await;
    // The first use of a token is written down.
    browser.get("/me").await.expect(200);
    for path in ["/me", "/maybe", "/fresh", "/stream", "/session", "/both"] {
        let before = world.store.calls().len();
        browser.get(path).await.expect(200);
        assert_eq!(world.store.calls().len() - before, 1, "{path}");
    }
}
