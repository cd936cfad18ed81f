//! Behind a proxy, and with a login page elsewhere: what browsers are sent to is what they can reach, and nothing else.

use session_core::{ReturnTo, TrustedProxies};

use crate::harness::{Framework, Server, World, on_each_framework};
use crate::wire::{Request, Response};

on_each_framework! {
    a_prefix_is_put_before_the_login_page_and_the_way_back
    a_trusted_proxy_can_tell_the_prefix
    a_prefix_that_a_stranger_tells_is_ignored
    a_prefix_that_would_lead_elsewhere_is_ignored
    a_login_page_elsewhere_gets_the_whole_way_back
    the_way_back_never_names_another_host
}

fn page(target: &str) -> Request {
    Request::get(target).navigation()
}

async fn location(server: &Server, request: Request) -> String {
    let response: Response = server.send(request).await.expect(303).expect_no_cookie();
    response.header("location").expect("a Location").to_owned()
}

async fn a_prefix_is_put_before_the_login_page_and_the_way_back<F: Framework>() {
    let world = World::new();
    let server = world.serve::<F>(world.tracked().login_page("/login").public_prefix("/rust/")).await;
    assert_eq!(location(&server, page("/page?tab=1")).await, "/rust/login?next=/rust/page%3Ftab%3D1");
    let nested = location(&server, page("/nested/inner/me")).await;
    assert_eq!(nested, "/rust/login?next=/rust/nested/inner/me");
    // Not told by a header unless that was asked for.
    let told = page("/page").header("X-Forwarded-Prefix", "/other");
    assert_eq!(location(&server, told).await, "/rust/login?next=/rust/page");
}

async fn behind_a_proxy<F: Framework>(trusted: &str) -> Server {
    let world = World::new();
    let proxies = TrustedProxies::new([trusted]).unwrap().prefix_header("x-forwarded-prefix").unwrap();
    let users = world.tracked().login_page("/login").public_prefix("/rust").trusted_proxies(proxies);
    world.serve::<F>(users).await
}

async fn a_trusted_proxy_can_tell_the_prefix<F: Framework>() {
    let server = behind_a_proxy::<F>("127.0.0.1").await;
    let told = |prefix: &str| page("/page").header("X-Forwarded-Prefix", prefix);
    assert_eq!(location(&server, told("/other/")).await, "/other/login?next=/other/page");
    assert_eq!(location(&server, told("/")).await, "/login?next=/page");
    assert_eq!(location(&server, page("/page")).await, "/rust/login?next=/rust/page");
}

async fn a_prefix_that_a_stranger_tells_is_ignored<F: Framework>() {
    let server = behind_a_proxy::<F>("192.0.2.1").await;
    let told = page("/page").header("X-Forwarded-Prefix", "/other");
    assert_eq!(location(&server, told).await, "/rust/login?next=/rust/page");
}

async fn a_prefix_that_would_lead_elsewhere_is_ignored<F: Framework>() {
    let server = behind_a_proxy::<F>("127.0.0.1").await;
    for prefix in [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "/..",
        "/a?b",
        "/a, /b",
        "/%2f",
        "/\u{e4}",
    ] {
        let told = page("/page").header("X-Forwarded-Prefix", prefix);
        assert_eq!(location(&server, told).await, "/rust/login?next=/rust/page", "{prefix}");
    }
    let twice = page("/page").header("X-Forwarded-Prefix", "/a").header("X-Forwarded-Prefix", "/b");
    assert_eq!(location(&server, twice).await, "/rust/login?next=/rust/page");
}

async fn login_elsewhere<F: Framework>() -> Server {
    let world = World::new();
    let users = world.tracked().login_page("https://login.example/in").public_origin("https://app.example");
    world.serve::<F>(users.public_prefix("/rust")).await
}

async fn a_login_page_elsewhere_gets_the_whole_way_back<F: Framework>() {
    let server = login_elsewhere::<F>().await;
    let sent_to = location(&server, page("/page?tab=1")).await;
    assert_eq!(sent_to, "https://login.example/in?next=https%3A//app.example/rust/page%3Ftab%3D1");
    // What the login page does with it.
    let next = "https://app.example/rust/page?tab=1";
    let return_to = ReturnTo::new(["https://app.example"]).unwrap();
    assert_eq!(return_to.checked(next), Some(next));
}

/// Whatever the request names: Host and its relatives are the client's or a proxy's words.
async fn the_way_back_never_names_another_host<F: Framework>() {
    let server = login_elsewhere::<F>().await;
    for name in ["Host", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Forwarded-Prefix"] {
        let request = page("/page").header(name, "evil.example");
        let sent_to = location(&server, request).await;
        assert_eq!(sent_to, "https://login.example/in?next=https%3A//app.example/rust/page", "{name}");
    }
}
