//! The differences between frameworks that are allowed: exactly these.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use session_core::{EventKind, SessionEvent, TrustedProxies};

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

/// A neighbour's cookie in Latin-1, in the line of ours.
fn beside_a_neighbour(request: Request, cookie: &str) -> Request {
    request.cookie([b"a=\xe4; ", cookie.as_bytes()].concat())
}

/// Whether the session lives on after a logout, and after a login, in whose Cookie line a neighbour wrote Latin-1, and
/// how often an event told of a logout without a session. Both say that all went well.
async fn lives_on<F: Framework>() -> (bool, bool, usize) {
    let (world, told) = (World::new(), Arc::new(AtomicUsize::new(0)));
    let trail = Arc::clone(&told);
    let observer = move |event: &SessionEvent| {
        let is_one = event.kind == EventKind::LogoutWithoutSession;
        trail.fetch_add(usize::from(is_one), Ordering::SeqCst);
    };
    let server = world.serve::<F>(world.tracked().observer(observer)).await;
    let lives = async |cookie: &str| {
        server.send(Request::get("/maybe").cookie(cookie)).await.expect(200).text() == "alice"
    };
    let (first, second) =
        (server.logged_in("alice").await.cookie(), server.logged_in("alice").await.cookie());
    server.send(beside_a_neighbour(Request::delete("/session"), &first)).await.expect(204);
    let login = Request::post("/login").body("name=bob");
    server.send(beside_a_neighbour(login, &second)).await.expect(200);
    (lives(&first).await, lives(&second).await, told.load(Ordering::SeqCst))
}

#[tokio::test]
async fn beside_a_line_in_latin_1_a_logout_or_login_ends_nothing_on_rocket_only() {
    assert_eq!(lives_on::<Axum>().await, (false, false, 0));
    assert_eq!(lives_on::<Actix>().await, (false, false, 0));
    assert_eq!(lives_on::<Rocket>().await, (true, true, 1));
}

/// Who somebody with a broken bearer token and a good cookie is. It should decide alone.
async fn with_a_broken_bearer<F: Framework>() -> String {
    let world = World::new();
    let server = world.serve::<F>(world.tracked().bearer(true)).await;
    let cookie = server.logged_in("alice").await.cookie();
    let request = Request::get("/maybe").cookie(cookie).header("Authorization", b"Bearer \xe4");
    server.send(request).await.expect(200).text().to_owned()
}

#[tokio::test]
async fn a_bearer_that_is_not_utf_8_leaves_it_to_the_cookie_on_rocket_only() {
    assert_eq!(with_a_broken_bearer::<Axum>().await, "nobody");
    assert_eq!(with_a_broken_bearer::<Actix>().await, "nobody");
    assert_eq!(with_a_broken_bearer::<Rocket>().await, "alice");
}

/// Address and browser in the list of devices, of a client that wrote Latin-1 into `X-Forwarded-For`, to which the proxy
/// has added the address, and into `User-Agent`.
async fn device_in_latin_1<F: Framework>() -> (Option<String>, Option<String>) {
    let world = World::new();
    let proxies = TrustedProxies::new(["127.0.0.1"]).unwrap();
    let server = world.serve::<F>(world.tracked().trusted_proxies(proxies)).await;
    let login = Request::post("/login").body("name=alice");
    let login = login.header("X-Forwarded-For", b"\xe4, 203.0.113.9").header("User-Agent", b"B\xfccher 1.0");
    let cookie = server.send(login).await.expect(200).cookie_value().to_owned();
    let list = Request::get("/session/list").cookie(format!("__Host-session={cookie}"));
    let device = server.send(list).await.expect(200).json()[0].clone();
    let text = |name: &str| device[name].as_str().map(str::to_owned);
    (text("ipAddress"), text("userAgent"))
}

#[tokio::test]
async fn an_address_beside_latin_1_is_lost_on_rocket_only() {
    let told = || (Some("203.0.113.9".to_owned()), Some("Bcher 1.0".to_owned()));
    assert_eq!(device_in_latin_1::<Axum>().await, told());
    assert_eq!(device_in_latin_1::<Actix>().await, told());
    assert_eq!(device_in_latin_1::<Rocket>().await, (Some("127.0.0.1".to_owned()), None));
}

/// The status of a login whose Origin is no text at all. No browser sends that.
async fn with_an_origin_in_latin_1<F: Framework>() -> u16 {
    let (_world, server) = World::with_store::<F>().await;
    let login = Request::post("/login").body("name=alice");
    server.send(login.header("Origin", b"https://\xe4")).await.status
}

#[tokio::test]
async fn an_origin_that_is_not_utf_8_is_none_on_rocket_only() {
    assert_eq!(with_an_origin_in_latin_1::<Axum>().await, 403);
    assert_eq!(with_an_origin_in_latin_1::<Actix>().await, 403);
    assert_eq!(with_an_origin_in_latin_1::<Rocket>().await, 200);
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
