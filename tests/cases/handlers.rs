//! Responses of all kinds carry the session's headers: streams, an application's errors; a panic carries none.

use crate::harness::app::{CHUNKS, Teapot};
use crate::harness::{Framework, Mode, Server, World, on_each_framework};
use crate::wire::{Broken, Request, Response};

on_each_framework! {
    a_stream_carries_the_refreshed_cookie(stateless tracked)
    an_application_error_carries_the_refreshed_cookie(stateless tracked)
    an_application_error_keeps_the_login(stateless tracked)
    a_panic_sends_no_cookie(stateless tracked)
    a_login_before_a_panic_stands_in_the_store
}

async fn a_stream_carries_the_refreshed_cookie<F: Framework>(mode: Mode) {
    let (world, server) = World::in_mode::<F>(mode).await;
    server.get("/stream").await.expect_error(401, "SESSION_NOT_FOUND");
    let mut browser = server.logged_in("alice").await;
    world.advance(24 * 3600 - 60);
    let response = browser.get("/stream").await.expect(200);
    assert_eq!((response.text(), response.set_cookies().len()), (CHUNKS.concat().as_str(), 1));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    world.advance(3600);
    assert_eq!(browser.who().await, "alice");
}

async fn an_application_error_carries_the_refreshed_cookie<F: Framework>(mode: Mode) {
    let (world, server) = World::in_mode::<F>(mode).await;
    let mut browser = server.logged_in("alice").await;
    let response = browser.get("/error").await.expect(Teapot::STATUS).expect_no_cookie();
    assert_eq!((response.text(), response.header("vary")), (Teapot::BODY, Some("Cookie")));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    world.advance(24 * 3600 - 60);
    let response = browser.get("/error").await.expect(Teapot::STATUS);
    assert_eq!((response.text(), response.set_cookies().len()), (Teapot::BODY, 1));
    assert_eq!(response.header("cache-control"), Some("no-store"));
}

async fn an_application_error_keeps_the_login<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    let mut browser = server.browser();
    let response = browser.send(Request::post("/login-then-error").body("name=alice")).await;
    assert_eq!(response.expect(Teapot::STATUS).set_cookies().len(), 1);
    assert_eq!(browser.who().await, "alice");
}

async fn a_panic_sends_no_cookie<F: Framework>(mode: Mode) {
    let (world, server) = World::in_mode::<F>(mode).await;
    let cookie = server.logged_in("alice").await.cookie();
    world.advance(24 * 3600 - 60);
    expect_panic::<F>(&server, Request::get("/panic").cookie(&cookie)).await;
    expect_panic::<F>(&server, Request::get("/panic")).await;
    // The server goes on, and so does the session.
    server.send(Request::get("/me").cookie(&cookie)).await.expect(200);
}

async fn a_login_before_a_panic_stands_in_the_store<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    expect_panic::<F>(&server, Request::post("/login-then-panic").body("name=alice")).await;
    assert_eq!(world.store.inner().len(), 1);
}

async fn expect_panic<F: Framework>(server: &Server, request: Request) {
    let answer: Result<Response, Broken> = server.try_send(&request).await;
    match answer {
        Ok(response) if !F::PANIC_CLOSES => drop(response.expect(500).expect_no_cookie()),
        Err(Broken::Closed) if F::PANIC_CLOSES => {}
        other => panic!("{other:?} after a panic on {}", F::NAME),
    }
}
