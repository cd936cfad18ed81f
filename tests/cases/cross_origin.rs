//! Requests that a page of another origin made a browser send.

use session_core::CrossOrigin;

use crate::harness::{Framework, Mode, World, on_each_framework};
use crate::wire::Request;

on_each_framework! {
    the_decision_table
    it_holds_wherever_a_session_is_used(stateless tracked)
    it_holds_for_ending_others
    it_is_checked_before_the_store
    the_optional_guard_is_an_error
    safe_methods_pass
    a_websocket_handshake_from_elsewhere_is_refused
    a_route_that_ignores_the_session_does_not_ask
    a_trusted_origin_passes
    the_host_is_that_of_the_request
    an_origin_is_compared_by_what_it_means
}

const OTHER: &str = "https://evil.example";

async fn the_decision_table<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let own = format!("http://{}", server.address);
    let other_port = format!("http://127.0.0.1:{}", server.address.port() ^ 1);
    let table: &[(&[(&str, &str)], bool)] = &[
        (&[], true),
        (&[("Sec-Fetch-Site", "same-origin")], true),
        (&[("Sec-Fetch-Site", "none")], true),
        (&[("Sec-Fetch-Site", "same-site")], false),
        (&[("Sec-Fetch-Site", "cross-site")], false),
        (&[("Sec-Fetch-Site", "unheard-of")], false),
        (&[("Sec-Fetch-Site", "same-origin"), ("Origin", OTHER)], true),
        (&[("Sec-Fetch-Site", "cross-site"), ("Origin", &own)], false),
        (&[("Origin", &own)], true),
        (&[("Origin", &other_port)], false),
        (&[("Origin", OTHER)], false),
        (&[("Origin", "null")], false),
        (&[("Origin", &own), ("Origin", OTHER)], false),
        (&[("Sec-Fetch-Site", "none"), ("Sec-Fetch-Site", "cross-site")], false),
        (&[("Origin", OTHER), ("X-Forwarded-Host", "evil.example")], false),
        (&[("Origin", OTHER), ("Forwarded", "host=evil.example")], false),
    ];
    for (headers, passes) in table {
        let with = |request: Request| {
            headers.iter().fold(request, |request, (name, value)| request.header(name, value))
        };
        let response = server.send(with(Request::post("/login").body("name=alice"))).await;
        if *passes {
            response.expect(200);
        } else {
            response.expect_error(403, "CROSS_ORIGIN").expect_no_cookie();
        }
    }
}

async fn it_holds_wherever_a_session_is_used<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    let mut browser = server.logged_in("alice").await;
    let requests = [
        Request::post("/login").body("name=eve"),
        Request::post("/logout"),
        Request::post("/visits"),
        Request::post("/reauthenticate"),
        Request::post("/session"),
        Request::post("/session/refresh"),
        Request::delete("/session"),
    ];
    for request in requests {
        let cross = request.clone().header("Sec-Fetch-Site", "cross-site");
        browser.send(cross.clone()).await.expect_error(403, "CROSS_ORIGIN").expect_no_cookie();
        // With or without a cookie.
        server.send(cross).await.expect_error(403, "CROSS_ORIGIN").expect_no_cookie();
    }
    assert_eq!(
        browser.get("/me").await.expect(200).text(),
        r#"{"userId":"u-alice","name":"alice","visits":0}"#
    );
}

/// With a store: without one these answer 501 whoever asks.
async fn it_holds_for_ending_others<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let mut other = server.logged_in("alice").await;
    let mut browser = server.logged_in("alice").await;
    let devices = browser.get("/session/list").await.json();
    let ids = devices.as_array().unwrap().iter().map(|device| device["id"].as_str().unwrap().to_owned());
    let revocations = ids.map(|id| Request::delete(&format!("/session/list/{id}")));
    let all = [Request::post("/session/revoke-others"), Request::delete("/session/list")];
    for request in revocations.chain(all) {
        let cross = request.header("Sec-Fetch-Site", "cross-site");
        browser.send(cross.clone()).await.expect_error(403, "CROSS_ORIGIN");
        server.send(cross).await.expect_error(403, "CROSS_ORIGIN");
    }
    assert_eq!((browser.who().await.as_str(), other.who().await.as_str()), ("alice", "alice"));
}

async fn it_is_checked_before_the_store<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    let calls = world.store.calls().len();
    for path in ["/login", "/logout", "/visits", "/session/refresh", "/session/revoke-others"] {
        browser.send(Request::post(path).header("Origin", OTHER)).await.expect_error(403, "CROSS_ORIGIN");
    }
    assert_eq!(world.store.calls().len(), calls);
}

async fn the_optional_guard_is_an_error<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let request = Request::get("/maybe").header("Connection", "Upgrade").header("Upgrade", "websocket");
    server.send(request.header("Origin", OTHER)).await.expect_error(403, "CROSS_ORIGIN");
}

async fn safe_methods_pass<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    let cross = |request: Request| request.header("Sec-Fetch-Site", "cross-site").header("Origin", OTHER);
    browser.send(cross(Request::get("/me"))).await.expect(200);
    browser.send(cross(Request::head("/session"))).await.expect(200);
    browser.send(cross(Request::new("OPTIONS", "/session"))).await.expect(405);
}

async fn a_websocket_handshake_from_elsewhere_is_refused<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    let handshake = || {
        Request::get("/ws")
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    };
    browser.send(handshake().header("Origin", OTHER)).await.expect_error(403, "CROSS_ORIGIN");
    let own = format!("http://{}", server.address);
    let response = browser.send(handshake().header("Origin", own)).await.expect(200);
    assert_eq!(response.text(), "a socket for alice");
}

async fn a_route_that_ignores_the_session_does_not_ask<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let request = Request::get("/open").header("Upgrade", "websocket").header("Origin", OTHER);
    server.send(request).await.expect(200);
}

async fn a_trusted_origin_passes<F: Framework>() {
    let world = World::new();
    let trusting = CrossOrigin::default().trust("https://app.example").unwrap();
    let server = world.serve::<F>(world.tracked().cross_origin(trusting)).await;
    let login = |origin: &str| {
        let request = Request::post("/login").header("Sec-Fetch-Site", "cross-site").header("Origin", origin);
        server.send(request.body("name=alice"))
    };
    login("https://app.example").await.expect(200);
    login("https://App.example:443").await.expect(200);
    login("http://app.example").await.expect_error(403, "CROSS_ORIGIN");
    let world = World::new();
    let server = world.serve::<F>(world.tracked().cross_origin(CrossOrigin::disabled())).await;
    let request = Request::post("/login").header("Sec-Fetch-Site", "cross-site").body("name=alice");
    server.send(request).await.expect(200);
}

async fn the_host_is_that_of_the_request<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let login = |host: &str, origin: &str| {
        let request = Request::post("/login").header("Host", host).header("Origin", origin);
        server.send(request.body("name=alice"))
    };
    login("app.example", "https://app.example").await.expect(200);
    login("app.example:8443", "https://app.example:8443").await.expect(200);
    login("app.example:8443", "https://app.example").await.expect_error(403, "CROSS_ORIGIN");
    login("app.example", "https://app.example.evil").await.expect_error(403, "CROSS_ORIGIN");
}

/// Where `Sec-Fetch-Site` is missing: plain http, older Safari, and every WebSocket handshake.
async fn an_origin_is_compared_by_what_it_means<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    let table = [
        ("app.example", "https://app.example:443", true),
        ("app.example:443", "https://app.example", true),
        ("app.example:80", "http://app.example", true),
        ("app.example", "HTTPS://App.Example", true),
        ("App.Example:8443", "https://app.example:8443", true),
        ("app.example:", "https://app.example", true),
        ("[::1]:3000", "http://[0:0:0:0:0:0:0:1]:3000", true),
        ("[2001:DB8::A]", "https://[2001:db8::a]:443", true),
        ("app.example.", "https://app.example.", true),
        ("app.example.", "https://app.example", false),
        ("app.example", "https://app.example.", false),
        ("app.example:80", "https://app.example", false),
        ("app.example", "https://app.example:8443", false),
        ("127.1", "http://127.0.0.1", false),
        ("127.0.0.1", "http://0x7f.0.0.1", false),
        ("app.example", "https://user@app.example", false),
        ("app.example", "https://app.example/", false),
        ("app.example", "capacitor://app.example", false),
        ("xn--bcher-kva.example", "https://XN--bcher-kva.example", true),
        ("app.example", "https://app.example.evil", false),
    ];
    for (host, origin, passes) in table {
        let from = |request: Request| request.header("Host", host).header("Origin", origin);
        let handshake = Request::get("/ws").header("Connection", "Upgrade").header("Upgrade", "websocket");
        for request in [from(Request::post("/visits")), from(handshake)] {
            let response = browser.send(request).await;
            if passes {
                assert_eq!(response.status, 200, "{origin} at {host}: {response}");
            } else {
                response.expect_error(403, "CROSS_ORIGIN");
            }
        }
    }
}
