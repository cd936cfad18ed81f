//! The differences between frameworks that are allowed: exactly these.

use crate::harness::{Actix, Axum, Framework, Rocket, World};
use crate::wire::Request;

/// Whether a session is found beside a cookie in Latin-1 in the same line, and in a line of its own.
async fn beside_latin_1<F: Framework>() -> (bool, bool) {
    let (_world, server) = World::with_store::<F>().await;
    let good = server.logged_in("alice").await.cookie();
    let one_line = [b"a=\xe4; ", good.as_bytes()].concat();
    let one_line = server.send(Request::get("/maybe").cookie(one_line)).await.expect(200);
    let two_lines = Request::get("/maybe").cookie(b"a=\xe4").cookie(&good);
    let two_lines = server.send(two_lines).await.expect(200);
    (one_line.text() == "alice", two_lines.text() == "alice")
}

#[tokio::test]
async fn a_line_that_is_not_utf_8_is_invisible_on_rocket_only() {
    assert_eq!(beside_latin_1::<Axum>().await, (true, true));
    assert_eq!(beside_latin_1::<Actix>().await, (true, true));
    assert_eq!(beside_latin_1::<Rocket>().await, (false, true));
}

/// The status of a request with so many header lines, `Host` included.
async fn with_lines<F: Framework>(lines: usize) -> u16 {
    let (_world, server) = World::with_store::<F>().await;
    let request = (1..lines).fold(Request::get("/open"), |request, n| request.header(&format!("x-{n}"), "y"));
    server.send(request).await.status
}

#[tokio::test]
async fn many_header_lines_are_431() {
    assert_eq!((with_lines::<Actix>(96).await, with_lines::<Actix>(97).await), (200, 431));
    assert_eq!((with_lines::<Axum>(100).await, with_lines::<Axum>(101).await), (200, 431));
    assert_eq!((with_lines::<Rocket>(100).await, with_lines::<Rocket>(101).await), (200, 431));
}

/// The status of a request with a header line of so many kilobytes.
async fn with_long_line<F: Framework>(kilobytes: usize) -> u16 {
    let (_world, server) = World::with_store::<F>().await;
    server.send(Request::get("/open").header("x", "y".repeat(kilobytes * 1024))).await.status
}

#[tokio::test]
async fn a_long_head_is_431_on_actix_first() {
    assert_eq!((with_long_line::<Actix>(100).await, with_long_line::<Actix>(160).await), (200, 431));
    assert_eq!(with_long_line::<Axum>(160).await, 200);
    assert_eq!(with_long_line::<Rocket>(160).await, 200);
}

async fn with_method_field<F: Framework>() -> u16 {
    let (_world, server) = World::with_store::<F>().await;
    let form = Request::post("/session").header("Content-Type", "application/x-www-form-urlencoded");
    server.send(form.body("_method=delete")).await.status
}

#[tokio::test]
async fn a_form_field_overrides_the_method_on_rocket_only() {
    assert_eq!(with_method_field::<Axum>().await, 401);
    assert_eq!(with_method_field::<Actix>().await, 401);
    assert_eq!(with_method_field::<Rocket>().await, 204);
}

async fn with_unknown_method<F: Framework>() -> u16 {
    let (_world, server) = World::with_store::<F>().await;
    server.send(Request::new("FROBNICATE", "/session")).await.expect_no_cookie().status
}

#[tokio::test]
async fn an_unknown_method_is_400_on_rocket_only() {
    assert_eq!(with_unknown_method::<Axum>().await, 405);
    assert_eq!(with_unknown_method::<Actix>().await, 405);
    assert_eq!(with_unknown_method::<Rocket>().await, 400);
}
