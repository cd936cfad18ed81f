//! What a browser does with our cookies on http://localhost, where every developer meets them first.

use fantoccini::Locator;

use super::in_browser;
use crate::{
    harness::{Server, responder::respond},
    wire::Jar,
};

const COOKIE: &str = "__Host-session=abc; Path=/; Max-Age=86400; Secure; HttpOnly; SameSite=Lax";

#[tokio::test]
async fn a_host_cookie_is_stored_and_sent_back_on_plain_localhost() {
    let server = echo_cookies(COOKIE.into());
    in_browser("host-cookie", show_cookies_after(&server, "__Host-session=abc")).await;
}

#[tokio::test]
async fn the_largest_cookie_that_our_jar_stores_is_stored_by_the_browser() {
    let fits = COOKIE.replace("abc", &"x".repeat(4096 - "__Host-session".len()));
    assert_eq!(Jar::new("localhost").store("/", fits.as_bytes()), Ok(()));
    let pair = fits.split(';').next().unwrap_or_default().to_owned();
    let server = echo_cookies(fits);
    in_browser("largest-cookie", show_cookies_after(&server, &pair)).await;
}

#[tokio::test]
async fn what_our_jar_refuses_is_refused_by_the_browser() {
    let refused = [
        "__Host-session=abc; Path=/",
        "__Host-session=abc; Path=/; Secure; Domain=localhost",
        "__Host-session=abc; Secure",
        "session=abc; SameSite=None",
        "session=abc; Partitioned",
        &format!("session={}", "x".repeat(4096 - "session".len() + 1)),
    ];
    for line in refused {
        // Asked for /dir/set, so that a missing Path is no `/`.
        assert!(Jar::new("localhost").store("/dir/set", line.as_bytes()).is_err(), "{line}");
    }
    let server = echo_cookies(refused.join("\r\nSet-Cookie: "));
    in_browser("refused-cookies", show_cookies_after(&server, "")).await;
}

/// A scenario: after a visit to /dir/set, a visit to /dir/show shows these cookies.
fn show_cookies_after(
    server: &Server,
    cookies: &str,
) -> impl FnOnce(fantoccini::Client) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> + use<> {
    let site = format!("http://localhost:{}", server.address().port());
    let expected = format!("Cookie: {cookies}").trim_end().to_owned();
    |client| {
        Box::pin(async move {
            client.goto(&format!("{site}/dir/set")).await.expect("a page");
            client.goto(&format!("{site}/dir/show")).await.expect("a page");
            let body = client.find(Locator::Css("body")).await.expect("a body");
            assert_eq!(body.text().await.expect("its text"), expected);
        })
    }
}

/// `/dir/set` sets the cookies, every other page shows the `Cookie` line that it was asked with.
fn echo_cookies(set: String) -> Server {
    respond(move |request| {
        let sent = request.lines().find_map(|line| line.strip_prefix("Cookie: ")).unwrap_or_default();
        let set = match request.starts_with("GET /dir/set ") {
            true => format!("Set-Cookie: {set}\r\n"),
            false => String::new(),
        };
        let body = format!("<!doctype html><title>cookies</title>Cookie: {sent}");
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{set}Content-Length: {}", body.len());
        format!("{head}\r\n\r\n{body}").into()
    })
}
