//! What caches are told.

use crate::harness::{Framework, Mode, World, on_each_framework};
use crate::wire::Request;

on_each_framework! {
    a_response_that_sets_a_cookie_is_not_stored(stateless tracked)
    a_response_for_somebody_is_not_stored(stateless tracked)
    a_response_for_nobody_is_private(stateless tracked)
    what_the_handler_says_stands
    no_store_takes_the_place_of_what_the_handler_says
    a_route_that_ignores_the_session_is_left_alone
    errors_are_not_stored
}

async fn a_response_that_sets_a_cookie_is_not_stored<F: Framework>(mode: Mode) {
    let (world, server) = World::in_mode::<F>(mode).await;
    let mut browser = server.browser();
    let mut responses = vec![browser.log_in("alice").await];
    world.advance(60);
    responses.push(browser.post("/reauthenticate").await);
    world.advance(60);
    responses.push(browser.post("/session/refresh").await);
    assert_eq!(browser.who().await, "alice");
    world.advance(24 * 3600 - 60);
    responses.push(browser.get("/me").await);
    responses.push(browser.post("/logout").await);
    for response in responses {
        assert_eq!(response.set_cookies().len(), 1, "{response}");
        assert_eq!(response.header("cache-control"), Some("no-store"), "{response}");
    }
}

/// Back must not show it after a logout: `browser::back` looks.
async fn a_response_for_somebody_is_not_stored<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    let (mut browser, mut guest) = (server.logged_in("alice").await, server.logged_in("guest").await);
    let responses = [
        browser.get("/me").await,
        browser.get("/maybe").await,
        browser.get("/stream").await,
        browser.get("/error").await,
        browser.post("/visits").await,
        guest.get("/session").await,
    ];
    for response in responses.iter().filter(|response| response.set_cookies().is_empty()) {
        assert_eq!(response.header("vary"), Some("Cookie"), "{response}");
        assert_eq!(response.header("cache-control"), Some("no-store"), "{response}");
    }
    let world = World::new();
    let server = world.serve::<F>(world.tracked().bearer(true)).await;
    let token = server.send(Request::post("/login").body("name=alice")).await.cookie_value().to_owned();
    for request in [Request::get("/me"), Request::post("/logout")] {
        let response = server.send(request.bearer(&token)).await.expect(200).expect_no_cookie();
        assert_eq!(response.header("cache-control"), Some("no-store"), "{response}");
    }
}

async fn a_response_for_nobody_is_private<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    for response in [server.get("/maybe").await, server.get("/error").await] {
        assert_eq!(response.header("vary"), Some("Cookie"), "{response}");
        assert_eq!(response.header("cache-control"), Some("private"), "{response}");
    }
}

async fn what_the_handler_says_stands<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let response = server.logged_in("alice").await.get("/cached").await.expect(200);
    assert_eq!(response.header("cache-control"), Some("private, max-age=60"));
    assert_eq!(response.header("vary"), Some("Cookie"));
}

async fn no_store_takes_the_place_of_what_the_handler_says<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    world.advance(24 * 3600 - 60);
    let response = browser.get("/cached").await.expect(200);
    assert_eq!((response.set_cookies().len(), response.header("cache-control")), (1, Some("no-store")));
}

async fn a_route_that_ignores_the_session_is_left_alone<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    let calls = world.store.calls().len();
    let requests = [Request::get("/open"), Request::get("/open").cookie("__Host-session=x")];
    for request in requests {
        let response = browser.send(request).await.expect(200).expect_no_cookie();
        assert_eq!(
            (response.header("vary"), response.header("cache-control"), response.text()),
            (None, None, "ok")
        );
    }
    assert_eq!(world.store.calls().len(), calls);
}

async fn errors_are_not_stored<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let mut bob = server.logged_in("bob").await;
    world.advance(300);
    let cross = Request::post("/visits").header("Sec-Fetch-Site", "cross-site");
    let responses =
        [server.get("/me").await, bob.get("/vip").await, bob.get("/fresh").await, bob.send(cross).await];
    for response in responses {
        assert_eq!(response.header("cache-control"), Some("no-store"), "{response}");
    }
}
