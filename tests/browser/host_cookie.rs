//! The default cookie in a real browser.

use super::Chromium;
use crate::harness::{Actix, Axum, Framework, Rocket, World};

/// `__Host-` and Secure over plain http, because the host is localhost.
async fn stores_and_sends_the_default_cookie<F: Framework>() {
    let Some(browser) = Chromium::start().await else { return };
    let (_world, server) = World::with_store::<F>().await;
    browser.go(&format!("http://localhost:{}/open", server.address.port())).await;
    let ask = |request: &str| format!("(await (await fetch({request})).text())");
    let script = format!(
        "const done = arguments[arguments.length - 1];
         (async () => done([{}, {}, document.cookie, {}, {}]))();",
        ask("'/login', {method: 'POST', body: 'name=alice'}"),
        ask("'/maybe'"),
        ask("'/logout', {method: 'POST'}"),
        ask("'/maybe'"),
    );
    let seen = browser.page.execute_async(&script, Vec::new()).await.unwrap();
    // HttpOnly: the page's own scripts do not see it.
    assert_eq!(seen, serde_json::json!(["hello alice", "alice", "", "bye", "nobody"]), "on {}", F::NAME);
    browser.stop().await;
}

#[tokio::test]
async fn axum_s_cookie_is_stored_and_sent_back() {
    stores_and_sends_the_default_cookie::<Axum>().await;
}

#[tokio::test]
async fn actix_s_cookie_is_stored_and_sent_back() {
    stores_and_sends_the_default_cookie::<Actix>().await;
}

#[tokio::test]
async fn rocket_s_cookie_is_stored_and_sent_back() {
    stores_and_sends_the_default_cookie::<Rocket>().await;
}
