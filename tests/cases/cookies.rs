//! The cookie, as it is set and as it is found. The jar of every [`Browser`](crate::harness::Browser) is the judge of
//! what browsers would keep.

use session_core::{CookieSettings, SameSite};

use crate::harness::{Framework, Mode, World, on_each_framework};
use crate::wire::Request;

on_each_framework! {
    the_default_is_a_host_cookie
    every_cookie_of_the_app_is_kept_by_a_strict_jar(stateless tracked)
    development_is_for_plain_http
    settings_hold_for_setting_and_clearing
    max_age_is_what_is_left_of_the_absolute_lifetime(stateless tracked)
    a_use_near_the_end_refreshes(stateless tracked)
    the_bad_one_of_two_is_passed_over(stateless tracked)
    neighbours_do_not_matter
    several_cookie_lines_are_one
    the_token_is_in_set_cookie_only(stateless tracked)
    a_plain_get_sets_no_cookie(stateless tracked)
    a_bearer_decides_alone
    a_bearer_is_nothing_unless_it_is_switched_on
}

async fn the_default_is_a_host_cookie<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let response = server.send(Request::post("/login").body("name=alice")).await.expect(200);
    let line = response.header("set-cookie").unwrap();
    let expected = format!(
        "__Host-session={}; Max-Age=86400; Path=/; HttpOnly; Secure; SameSite=Lax",
        response.cookie_value()
    );
    assert_eq!(line, expected);
}

async fn every_cookie_of_the_app_is_kept_by_a_strict_jar<F: Framework>(mode: Mode) {
    let (world, server) = World::in_mode::<F>(mode).await;
    let mut browser = server.logged_in("alice").await;
    assert_eq!(browser.who().await, "alice");
    browser.post("/visits").await.expect(200);
    browser.post("/reauthenticate").await.expect(200);
    world.advance(3600);
    browser.post("/session/refresh").await.expect(200);
    assert_eq!(browser.who().await, "alice");
    world.advance(24 * 3600 - 60);
    browser.get("/me").await.expect(200);
    world.advance(3600);
    assert_eq!(browser.who().await, "alice");
    browser.post("/logout").await.expect(200);
    assert!(browser.jar.is_empty());
}

async fn development_is_for_plain_http<F: Framework>() {
    let world = World::new();
    let server = world.serve::<F>(world.tracked().development()).await;
    let mut browser = server.logged_in("alice").await;
    assert!(browser.jar.get("session").is_some());
    assert_eq!(browser.who().await, "alice");
}

async fn settings_hold_for_setting_and_clearing<F: Framework>() {
    let world = World::new();
    let cookie = CookieSettings::default()
        .name("__Secure-s")
        .path("/")
        .same_site(SameSite::None)
        .partitioned(true)
        .browser_session(true);
    let server = world.serve::<F>(world.tracked().cookie(cookie)).await;
    let mut browser = server.browser();
    let set = browser.log_in("alice").await;
    let attributes = "; Path=/; HttpOnly; Secure; SameSite=None; Partitioned";
    assert_eq!(
        set.header("set-cookie"),
        Some(format!("__Secure-s={}{attributes}", set.cookie_value()).as_str())
    );
    let clear = browser.post("/logout").await.expect(200);
    assert_eq!(clear.header("set-cookie"), Some(format!("__Secure-s=; Max-Age=0{attributes}").as_str()));
    assert!(browser.jar.is_empty());
}

async fn max_age_is_what_is_left_of_the_absolute_lifetime<F: Framework>(mode: Mode) {
    let (world, server) = World::in_mode::<F>(mode).await;
    let mut browser = server.logged_in("alice").await;
    for _ in 0..29 {
        // Its first use, and the refresh when the grace after that is over.
        world.advance(24 * 3600 - 31);
        assert_eq!(browser.who().await, "alice");
        world.advance(30);
        browser.post("/session/refresh").await.expect(200);
    }
    assert_eq!(browser.who().await, "alice");
    world.advance(3600);
    let response = browser.post("/session/refresh").await.expect(200);
    let left = 24 * 3600 + 29 - 3600;
    assert_eq!(response.json()["remainingTime"], left);
    assert_eq!(response.json()["absoluteRemaining"], left);
    assert!(response.header("set-cookie").unwrap().contains(&format!("; Max-Age={left}; ")), "{response}");
    world.advance(left);
    browser.get("/me").await.expect(401);
}

async fn a_use_near_the_end_refreshes<F: Framework>(mode: Mode) {
    let (world, server) = World::in_mode::<F>(mode).await;
    let mut browser = server.logged_in("alice").await;
    world.advance(24 * 3600 - 1800);
    browser.get("/me").await.expect(200).expect_no_cookie();
    world.advance(1);
    let response = browser.get("/me").await.expect(200);
    assert!(response.header("set-cookie").unwrap().contains("; Max-Age=86400; "), "{response}");
    assert_eq!(browser.who().await, "alice");
}

async fn the_bad_one_of_two_is_passed_over<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    let good = server.logged_in("alice").await.cookie();
    let bad = "__Host-session=bad";
    for line in [format!("{bad}; {good}"), format!("{good}; {bad}"), format!("{bad}; {bad}; {good}; a=b")] {
        let response = server.send(Request::get("/me").cookie(line)).await;
        response.expect(200).expect_no_cookie();
    }
}

async fn neighbours_do_not_matter<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let good = server.logged_in("alice").await.cookie();
    let neighbours = [
        "a=b",
        "a=\"x; y\"",
        "=",
        ";;",
        "novalue",
        "__Host-session2=x",
        "x__Host-session=x",
        "a={\"b\":1}",
        "ä=ö",
    ];
    for neighbour in neighbours {
        for line in [format!("{neighbour}; {good}"), format!("{good};{neighbour}")] {
            server.send(Request::get("/me").cookie(&line)).await.expect(200);
        }
    }
}

async fn several_cookie_lines_are_one<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let good = server.logged_in("alice").await.cookie();
    let request = Request::get("/me").cookie("a=b").cookie(good).cookie("c=d");
    server.send(request).await.expect(200);
}

async fn the_token_is_in_set_cookie_only<F: Framework>(mode: Mode) {
    let (world, server) = World::in_mode::<F>(mode).await;
    let mut browser = server.browser();
    let mut responses = vec![browser.log_in("alice").await];
    world.advance(60);
    for request in
        [Request::post("/session/refresh"), Request::post("/reauthenticate"), Request::post("/visits")]
    {
        responses.push(browser.send(request).await.expect(200));
    }
    for response in &responses {
        for token in response.set_cookies().iter().filter_map(|line| line.split(['=', ';']).nth(1)) {
            let elsewhere =
                response.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("set-cookie"));
            let elsewhere = elsewhere.map(|(_, value)| String::from_utf8_lossy(value));
            assert!(
                !elsewhere.chain([response.text().into()]).any(|text| text.contains(token)),
                "{response}"
            );
        }
    }
}

async fn a_plain_get_sets_no_cookie<F: Framework>(mode: Mode) {
    let (world, server) = World::in_mode::<F>(mode).await;
    for path in ["/open", "/maybe", "/me", "/session", "/nothing"] {
        server.get(path).await.expect_no_cookie();
    }
    assert_eq!(world.store.inner().len(), 0);
}

async fn a_bearer_decides_alone<F: Framework>() {
    let world = World::new();
    let server = world.serve::<F>(world.tracked().bearer(true)).await;
    let alice = server.logged_in("alice").await.jar.get("__Host-session").unwrap().to_owned();
    let bob = server.logged_in("bob").await.cookie();
    let me = server.send(Request::get("/me").bearer(&alice).cookie(&bob)).await.expect(200);
    assert_eq!(me.json()["name"], "alice");
    server.send(Request::get("/me").bearer("bad").cookie(&bob)).await.expect_error(401, "JWT_INVALID");
    // Not ambient: no page of another origin makes a browser send it.
    let visit = Request::post("/visits").bearer(&alice).header("Sec-Fetch-Site", "cross-site");
    server.send(visit).await.expect(200).expect_no_cookie();
    world.advance(24 * 3600 - 60);
    server.send(Request::get("/me").bearer(&alice)).await.expect(200).expect_no_cookie();
}

async fn a_bearer_is_nothing_unless_it_is_switched_on<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let token = server.logged_in("alice").await.jar.get("__Host-session").unwrap().to_owned();
    server.send(Request::get("/me").bearer(&token)).await.expect_error(401, "SESSION_NOT_FOUND");
}
