//! Flows and flashes: the cookies beside the session's come and go with every framework's responses.

use crate::harness::{Framework, Mode, World, on_each_framework};
use crate::wire::Request;

on_each_framework! {
    a_flow_is_taken_once_in_its_browser(stateless tracked)
    a_flash_is_read_once(stateless tracked)
    a_lost_flow_leaks_no_address(stateless tracked)
    in_development_their_cookies_need_no_https
}

async fn a_flow_is_taken_once_in_its_browser<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    let mut browser = server.logged_in("alice").await;
    let response = browser.post("/flow").await.expect(200);
    let state = response.text().to_owned();
    let cookies = response.set_cookies();
    assert_eq!((cookies.len(), response.header("cache-control")), (2, Some("no-store")), "{response}");
    for cookie in cookies {
        let attributes = "; Max-Age=600; Path=/; HttpOnly; Secure; SameSite=Lax";
        assert!(cookie.starts_with("__Host-session-fl") && cookie.ends_with(attributes), "{cookie}");
    }
    let take = || Request::post("/flow/take").body(state.clone());
    server.send(take()).await.expect_error(400, "FLOW_NOT_FOUND");
    let taken = browser.send(take()).await.expect(200);
    assert_eq!((taken.text(), taken.set_cookies().len()), ("the verifier", 1));
    browser.send(take()).await.expect_error(400, "FLOW_NOT_FOUND");
    assert_eq!(browser.who().await, "alice");
}

async fn a_flash_is_read_once<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    let mut browser = server.browser();
    assert_eq!(browser.get("/flash").await.expect_no_cookie().text(), "nothing");
    browser.post("/flow").await.expect(200);
    browser.log_in("alice").await;
    assert_eq!(browser.get("/flash").await.expect(200).text(), "on the way");
    assert_eq!(browser.get("/flash").await.expect_no_cookie().text(), "nothing");
}

async fn a_lost_flow_leaks_no_address<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    let response = server.send(Request::post("/flow/take").body("AAAAAAAAAAAAAAAAAAAAAA")).await;
    assert_eq!(response.header("referrer-policy"), Some("no-referrer"), "{response}");
    assert_eq!(response.header("cache-control"), Some("no-store"), "{response}");
}

async fn in_development_their_cookies_need_no_https<F: Framework>() {
    let world = World::new();
    let server = world.serve::<F>(world.stateless().development()).await;
    let mut browser = server.browser();
    let response = browser.post("/flow").await.expect(200);
    for cookie in response.set_cookies() {
        assert!(cookie.starts_with("session-fl") && !cookie.contains("Secure"), "{cookie}");
    }
    assert_eq!(browser.get("/flash").await.text(), "on the way");
}
