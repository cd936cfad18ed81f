//! What comes before and around a login: half-logged-in users, levels, guests, cookies that go with the browser, and
//! somebody who looks as another one.

use serde_json::json;

use crate::harness::{Browser, Framework, Mode, World, on_each_framework};
use crate::wire::{Request, Response};

on_each_framework! {
    a_login_waits_for_its_second_factor(stateless tracked hybrid)
    a_level_is_asked_for_and_raised(stateless tracked hybrid)
    a_native_client_is_told_which_level_is_missing(stateless tracked)
    a_navigation_of_a_login_that_waits_goes_to_the_login_page
    a_visitor_gets_a_session_by_asking_for_it(stateless tracked hybrid)
    an_unremembered_login_goes_with_the_browser(stateless tracked hybrid)
    somebody_looks_as_another_one_and_comes_back(tracked hybrid)
    a_logout_while_looking_as_another_one_clears_both_cookies(tracked hybrid)
    without_a_store_nobody_looks_as_another_one
}

async fn act(browser: &mut Browser, what: &str) -> Response {
    browser.send(Request::post("/act").body(what)).await
}

async fn a_login_waits_for_its_second_factor<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    server.get("/pending").await.expect_error(401, "SESSION_NOT_FOUND");
    let mut browser = server.browser();
    act(&mut browser, "first factor").await.expect(200);
    for path in ["/me", "/fresh", "/level2", "/vip", "/myself", "/visitor", "/ws"] {
        browser.get(path).await.expect_error(401, "LOGIN_INCOMPLETE");
    }
    assert_eq!(browser.who().await, "nobody");
    assert_eq!(browser.get("/pending").await.expect(200).text(), "alice");
    let status = browser.get("/session").await.expect(200).json();
    assert_eq!(
        (&status["isValid"], &status["level"], &status["user"]),
        (&json!(false), &json!(0), &json!(null))
    );
    assert_eq!(status["reason"], json!("LOGIN_INCOMPLETE"));
    act(&mut browser, "second factor").await.expect(200);
    assert_eq!(browser.who().await, "alice");
    browser.get("/pending").await.expect_error(403, "FORBIDDEN");
    let status = browser.get("/session").await.expect(200).json();
    assert_eq!((&status["level"], &status["methods"]), (&json!(1), &json!(["pwd", "otp"])));
}

async fn a_level_is_asked_for_and_raised<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    server.get("/level2").await.expect_error(401, "SESSION_NOT_FOUND");
    let mut browser = server.logged_in("alice").await;
    let old = browser.cookie();
    browser.get("/level2").await.expect_error(403, "STEP_UP_REQUIRED");
    act(&mut browser, "step up").await.expect(200);
    assert_eq!(browser.get("/level2").await.expect(200).text(), "alice");
    server.send(Request::get("/me").cookie(old)).await.expect_error(401, "SESSION_NOT_FOUND");
}

async fn a_native_client_is_told_which_level_is_missing<F: Framework>(mode: Mode) {
    let world = World::new();
    let server = world.serve::<F>(world.users(mode).bearer(true)).await;
    let token = server.logged_in("alice").await.cookie().split_once('=').unwrap().1.to_owned();
    let response = server.send(Request::get("/level2").bearer(&token)).await;
    let said = response.header("www-authenticate").unwrap_or_default().to_owned();
    response.expect_error(403, "STEP_UP_REQUIRED");
    assert!(said.contains(r#"error="insufficient_user_authentication""#), "{said}");
    assert!(said.contains(r#"acr_values="2""#), "{said}");
}

async fn a_navigation_of_a_login_that_waits_goes_to_the_login_page<F: Framework>() {
    let world = World::new();
    let server = world.serve::<F>(world.tracked().login_page("/login")).await;
    let mut browser = server.browser();
    act(&mut browser, "first factor").await.expect(200);
    let response = browser.send(Request::get("/page").navigation()).await.expect(303);
    assert_eq!(response.header("location"), Some("/login?next=/page"));
}

async fn a_visitor_gets_a_session_by_asking_for_it<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    let mut browser = server.browser();
    browser.get("/visitor").await.expect_error(401, "SESSION_NOT_FOUND").expect_no_cookie();
    assert_eq!(act(&mut browser, "visit").await.expect(200).set_cookies().len(), 1);
    assert_eq!(act(&mut browser, "visit").await.expect(200).set_cookies().len(), 0);
    assert_eq!(browser.get("/visitor").await.expect(200).text(), "guest");
    browser.get("/me").await.expect_error(401, "SESSION_NOT_FOUND");
    assert_eq!(browser.get("/session").await.json()["isGuest"], json!(true));
    let guest = browser.cookie();
    browser.log_in("alice").await;
    assert_eq!(browser.get("/visitor").await.expect(200).text(), "alice");
    server.send(Request::get("/visitor").cookie(guest)).await.expect_error(401, "SESSION_NOT_FOUND");
}

async fn an_unremembered_login_goes_with_the_browser<F: Framework>(mode: Mode) {
    let (world, server) = World::in_mode::<F>(mode).await;
    let mut browser = server.browser();
    let response = act(&mut browser, "log in for now").await.expect(200);
    assert!(!response.set_cookies()[0].contains("Max-Age"), "{response}");
    let status = browser.get("/session").await.json();
    assert_eq!(status["absoluteRemaining"], json!(12 * 3600));
    world.advance(12 * 3600);
    browser.get("/me").await.expect_error(401, "SESSION_EXPIRED");
}

async fn somebody_looks_as_another_one_and_comes_back<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    let mut browser = server.logged_in("alice").await;
    let own = browser.cookie();
    assert_eq!(browser.get("/myself").await.expect(200).text(), "alice");
    let response = act(&mut browser, "look as bob").await.expect(200);
    assert_eq!(response.set_cookies().len(), 2, "{response}");
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(browser.who().await, "bob");
    assert_eq!(browser.get("/session").await.json()["actor"], json!("u-alice"));
    let list = browser.get("/session/list").await.expect(200).json();
    assert_eq!(list[0]["actor"], json!("u-alice"));
    browser.get("/myself").await.expect_error(403, "FORBIDDEN");
    browser.get("/fresh").await.expect_error(403, "FORBIDDEN");
    browser.get("/level2").await.expect_error(403, "FORBIDDEN");
    browser.delete("/session/list").await.expect_error(403, "FORBIDDEN");
    browser.post("/session/revoke-others").await.expect_error(403, "FORBIDDEN");
    act(&mut browser, "look as bob").await.expect_error(403, "FORBIDDEN");
    let response = act(&mut browser, "back").await.expect(200);
    assert_eq!((response.text(), response.set_cookies().len()), ("restored", 2), "{response}");
    assert_eq!((browser.who().await.as_str(), browser.cookie()), ("alice", own));
    act(&mut browser, "back").await.expect_error(403, "FORBIDDEN");
}

async fn a_logout_while_looking_as_another_one_clears_both_cookies<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    let mut browser = server.logged_in("alice").await;
    let own = browser.cookie();
    act(&mut browser, "look as bob").await.expect(200);
    let response = browser.delete("/session").await.expect(204);
    assert_eq!(response.set_cookies().len(), 2, "{response}");
    assert!(response.set_cookies().iter().all(|cookie| cookie.contains("Max-Age=0")), "{response}");
    server.send(Request::get("/me").cookie(own)).await.expect_error(401, "SESSION_NOT_FOUND");
}

async fn without_a_store_nobody_looks_as_another_one<F: Framework>() {
    let (_world, server) = World::without_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    act(&mut browser, "look as bob").await.expect_error(501, "STORE_REQUIRED").expect_no_cookie();
    act(&mut browser, "back").await.expect_error(501, "STORE_REQUIRED").expect_no_cookie();
}
