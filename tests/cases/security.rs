//! What an attacker tries over HTTP. The table in SECURITY.md names what other modules show already.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use session_core::testing::logged_in_cookie;
use session_core::{CookieSettings, KeyRing, SessionEvent, SessionManager};

use crate::harness::{Fault, Framework, Mode, SECRET, Server, User, World, on_each_framework};
use crate::wire::{Connection, Request, Response};

on_each_framework! {
    a_bad_cookie_yields_nothing_on_any_route(stateless tracked)
    a_token_of_another_manager_or_mode_yields_nothing(stateless tracked)
    a_token_is_nowhere_but_in_set_cookie(stateless tracked)
    a_connection_carries_no_session_over(stateless tracked)
    a_thousand_cookies_of_our_name_are_bounded_work
    a_long_cookie_line_hides_nothing(stateless tracked)
    a_user_agent_is_cleaned_when_it_is_stored
    an_address_that_a_stranger_claims_is_ignored
    the_way_back_stays_on_this_origin
    a_stale_twin_is_no_replay_and_logs_nobody_out
    neither_an_outage_nor_another_origin_is_an_anonymous_visitor
    two_realms_of_one_store_and_secret_are_apart
    a_header_that_a_visitor_sends_is_not_in_the_answer
}

/// Every route that uses a session, and its method.
const ROUTES: [(&str, &str); 24] = [
    ("GET", "/me"),
    ("GET", "/page"),
    ("GET", "/maybe"),
    ("GET", "/fresh"),
    ("GET", "/vip"),
    ("GET", "/cached"),
    ("GET", "/stream"),
    ("GET", "/error"),
    ("GET", "/ws"),
    ("GET", "/nested/inner/me"),
    ("POST", "/visits"),
    ("POST", "/update-big"),
    ("POST", "/reauthenticate"),
    ("POST", "/logout"),
    ("GET", "/session"),
    ("GET", "/nested/session"),
    ("GET", "/session/list"),
    ("POST", "/session"),
    ("POST", "/session/refresh"),
    ("POST", "/session/revoke-others"),
    ("DELETE", "/session/list"),
    ("DELETE", "/session/list/x"),
    ("DELETE", "/session"),
    ("DELETE", "/nested/session"),
];

/// No route serves `alice` to this cookie, and none hands out a token for it.
pub(super) async fn expect_nothing(server: &Server, cookie: &str) {
    for (method, path) in ROUTES {
        let request = Request::new(method, path).cookie(cookie);
        let response = server.send(request).await;
        let text = String::from_utf8_lossy(&response.body);
        assert!(!text.contains("alice"), "{method} {path} with {cookie}:\n{response}");
        let open = matches!(path, "/maybe" | "/error" | "/session" | "/nested/session" | "/logout");
        assert!(open || matches!(response.status, 401 | 501), "{method} {path} with {cookie}:\n{response}");
        for line in response.set_cookies() {
            assert!(line.starts_with("__Host-session=; Max-Age=0;"), "{method} {path} with {cookie}: {line}");
        }
    }
}

async fn a_bad_cookie_yields_nothing_on_any_route<F: Framework>(mode: Mode) {
    let (world, server) = World::in_mode::<F>(mode).await;
    let cookie = server.logged_in("alice").await.cookie();
    let token = cookie.split_once('=').unwrap().1;
    let [header, claims, signature] = *token.split('.').collect::<Vec<_>>() else { panic!("{token}") };
    let none = "eyJhbGciOiJub25lIn0";
    let flipped = |text: &str| {
        let first = if text.starts_with('A') { "B" } else { "A" };
        format!("{first}{}", &text[1..])
    };
    let bad = [
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{header}.{claims}."),
        format!("{header}.{claims}"),
        format!("{header}.{claims}.{signature}="),
        format!("{header}.{claims}.{signature}.{signature}.{signature}"),
        format!("{header}.{}.{signature}", flipped(claims)),
        format!("{header}.{claims}.{}", flipped(signature)),
        format!("{}.{claims}.{signature}", flipped(header)),
        format!("\"{token}\""),
        String::new(),
    ];
    for token in bad {
        expect_nothing(&server, &format!("__Host-session={token}")).await;
    }
    // Another name is another cookie, in whatever case and with whatever prefix.
    for name in ["session", "__host-session", "__Secure-session", "__Host-session2", "a__Host-session"] {
        expect_nothing(&server, &format!("{name}={token}")).await;
    }
    server.send(Request::get("/me").cookie(&cookie)).await.expect(200);
    world.advance(24 * 3600);
    expect_nothing(&server, &cookie).await;
}

async fn a_token_of_another_manager_or_mode_yields_nothing<F: Framework>(mode: Mode) {
    let alice = User::named("alice");
    let mint = async |sessions: SessionManager<User>| {
        let cookie = logged_in_cookie(&sessions, alice.clone()).await.unwrap();
        cookie.split_once('=').unwrap().1.to_owned()
    };
    let (world, server) = World::in_mode::<F>(mode).await;
    let other_secret = KeyRing::from_secret("another secret, thirty-two bytes or more").unwrap();
    let strangers = [
        world.stateless().keys(other_secret).build(),
        world.stateless().realm("another realm").build(),
        world.stateless().cookie(CookieSettings::default().name("__Host-other")).build(),
        // The other mode.
        world.users(if mode == Mode::Stateless { Mode::Tracked } else { Mode::Stateless }).build(),
    ];
    for sessions in strangers {
        let token = mint(sessions.unwrap()).await;
        expect_nothing(&server, &format!("__Host-session={token}")).await;
    }
}

async fn a_token_is_nowhere_but_in_set_cookie<F: Framework>(mode: Mode) {
    let world = World::new();
    let events: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&events);
    let observer = move |event: &SessionEvent| seen.lock().unwrap().push(format!("{event:?}"));
    let server = world.serve::<F>(world.users(mode).observer(observer)).await;
    let mut browser = server.browser();
    let mut answers = vec![browser.log_in("alice").await];
    let mut tokens = BTreeSet::new();
    let mut secrets = BTreeSet::from([SECRET.to_owned()]);
    for round in 0..3 {
        world.advance(if round == 1 { 24 * 3600 - 60 } else { 60 });
        for (method, path) in ROUTES {
            let ends = path == "/logout" || method == "DELETE";
            if !ends || round == 2 {
                answers.push(browser.send(Request::new(method, path)).await);
            }
            tokens.extend(browser.jar.get("__Host-session").map(str::to_owned));
        }
    }
    for (method, path) in ROUTES {
        let token = tokens.first().unwrap();
        let request = Request::new(method, path).cookie(format!("__Host-session={token}x"));
        answers.push(server.send(request).await);
    }
    assert!(tokens.len() > 2, "{tokens:?}");
    secrets.extend(tokens.iter().flat_map(|token| token.split('.').skip(1)).map(str::to_owned));
    let events = events.lock().unwrap().join("\n");
    for secret in &secrets {
        assert!(!events.contains(secret), "{secret} in\n{events}");
        for answer in &answers {
            assert!(!outside_set_cookie(answer).contains(secret), "{secret} in\n{answer}");
        }
    }
}

fn outside_set_cookie(response: &Response) -> String {
    let headers = response.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("set-cookie"));
    let values = headers.map(|(_, value)| value.as_slice()).chain([response.body.as_slice()]);
    values.map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n")
}

/// Frameworks use the parts of a request again for the next one of a connection.
async fn a_connection_carries_no_session_over<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    let [alice, bob] = [server.logged_in("alice").await.cookie(), server.logged_in("bob").await.cookie()];
    let mut connection = Connection::open(server.address).await.unwrap();
    for _ in 0..3 {
        for (cookie, name) in [(Some(&alice), "alice"), (None, "nobody"), (Some(&bob), "bob")] {
            let request = Request::get("/maybe");
            let request = cookie.map_or(request.clone(), |cookie| request.cookie(cookie));
            let response = connection.exchange(&request).await.expect("a response").expect(200);
            assert_eq!(response.text(), name);
            connection.exchange(&Request::get("/open")).await.expect("a response").expect_no_cookie();
        }
        let login = Request::post("/login").body("name=carol");
        connection.exchange(&login).await.expect("a response").expect(200);
        let response = connection.exchange(&Request::get("/maybe")).await.expect("a response");
        assert_eq!(response.expect_no_cookie().text(), "nobody");
    }
}

async fn a_thousand_cookies_of_our_name_are_bounded_work<F: Framework>() {
    let world = World::new();
    let rejected = Arc::new(Mutex::new(0));
    let count = Arc::clone(&rejected);
    let observer = move |event: &SessionEvent| {
        *count.lock().unwrap() += usize::from(event.kind.as_str() == "rejected");
    };
    let server = world.serve::<F>(world.tracked().observer(observer)).await;
    let good = server.logged_in("alice").await.cookie();
    let many = vec!["__Host-session=x"; 1000].join("; ");
    let calls = world.store.calls().len();
    let response = server.send(Request::get("/me").cookie(&many)).await;
    response.expect_error(401, "JWT_INVALID").expect_no_cookie();
    assert_eq!((*rejected.lock().unwrap(), world.store.calls().len() - calls), (16, 0));
    server.send(Request::get("/me").cookie(format!("{good}; {many}"))).await.expect(200);
    assert_eq!(*rejected.lock().unwrap(), 16 + 15);
    // Sixteen good ones, of sessions that are gone: two are looked up.
    let mut gone = Vec::new();
    for _ in 0..16 {
        gone.push(server.logged_in("bob").await.cookie());
    }
    world.tracked().build().unwrap().revoke_account("u-bob").await.unwrap();
    let calls = world.store.calls().len();
    let response = server.send(Request::get("/me").cookie(gone.join("; "))).await;
    response.expect_error(401, "SESSION_NOT_FOUND");
    assert_eq!(world.store.calls().len() - calls, 2);
}

async fn a_long_cookie_line_hides_nothing<F: Framework>(mode: Mode) {
    let (_world, server) = World::in_mode::<F>(mode).await;
    let good = server.logged_in("alice").await.cookie();
    let long = "x".repeat(60_000);
    let neighbours = vec!["a=b"; 10_000].join("; ");
    for line in [
        format!("a={long}; {good}"),
        format!("{good}; a={long}"),
        format!("__Host-session={long}; {good}"),
        format!("{neighbours}; {good}"),
        format!("{}{good}", ";".repeat(60_000)),
        format!("{}{good}", " ".repeat(60_000)),
    ] {
        let response = server.send(Request::get("/maybe").cookie(&line)).await.expect(200);
        assert_eq!(response.text(), "alice", "{} bytes", line.len());
    }
}

async fn a_user_agent_is_cleaned_when_it_is_stored<F: Framework>() {
    let long = "x".repeat(60_000);
    let table = [
        ("Fire\u{202e}fox\u{2066}", "Firefox"),
        ("Fire\u{2028}f\u{2029}o\u{85}x", "Firefox"),
        ("Fire\tfox", "Firefox"),
        ("<script>\"&", "<script>\"&"),
        (&long, &long[..256]),
    ];
    for (sent, stored) in table {
        let (_world, server) = World::with_store::<F>().await;
        let mut browser = server.browser();
        let login = Request::post("/login").header("User-Agent", sent).body("name=alice");
        browser.send(login).await.expect(200);
        let devices = browser.get("/session/list").await.expect(200).json();
        assert_eq!(devices[0]["userAgent"], stored);
    }
}

async fn an_address_that_a_stranger_claims_is_ignored<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let mut browser = server.browser();
    let claims = [
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-For", "203.0.113.9, 127.0.0.1"),
        ("X-Real-IP", "203.0.113.9"),
        ("Forwarded", "for=203.0.113.9"),
        ("X-Client-IP", "203.0.113.9"),
        ("True-Client-IP", "203.0.113.9"),
        ("CF-Connecting-IP", "203.0.113.9"),
    ];
    let login = Request::post("/login").body("name=alice");
    let login = claims.iter().fold(login, |request, (name, value)| request.header(name, value));
    browser.send(login).await.expect(200);
    let devices = browser.get("/session/list").await.expect(200).json();
    assert_eq!(devices[0]["ipAddress"], "127.0.0.1");
}

async fn the_way_back_stays_on_this_origin<F: Framework>() {
    let world = World::new();
    let server = world.serve::<F>(world.tracked().login_page("/login")).await;
    let table = [
        ("/page?next=//evil.example", "/login?next=/page%3Fnext%3D//evil.example"),
        ("/page?\\\\evil.example", "/login"),
        ("/page?%0d%0aSet-Cookie:%20a=b", "/login?next=/page%3F%250d%250aSet-Cookie%3A%2520a%3Db"),
    ];
    for (target, location) in table {
        let response = server.send(Request::get(target).navigation()).await;
        // A server may refuse what no browser sends; it must not send the browser away.
        if response.status == 400 {
            continue;
        }
        let response = response.expect(303).expect_no_cookie();
        assert_eq!(response.header("location"), Some(location), "{target}");
    }
    // A target in absolute form names another host: the way back is a path all the same.
    let request = Request::get("http://evil.example/page").header("Host", "evil.example").navigation();
    let response = server.send(request).await.expect(303);
    assert_eq!(response.header("location"), Some("/login?next=/page"));
}

async fn a_stale_twin_is_no_replay_and_logs_nobody_out<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    let stale = browser.cookie();
    world.advance(3600);
    browser.post("/session/refresh").await.expect(200);
    assert_eq!(browser.who().await, "alice");
    world.advance(3600);
    let newest = browser.cookie();
    assert_ne!(stale, newest);
    for line in [format!("{stale}; {newest}"), format!("{newest}; {stale}")] {
        for path in ["/me", "/maybe", "/session"] {
            server.send(Request::get(path).cookie(&line)).await.expect(200).expect_no_cookie();
        }
    }
    assert_eq!(browser.who().await, "alice");
}

async fn neither_an_outage_nor_another_origin_is_an_anonymous_visitor<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let cookie = server.logged_in("alice").await.cookie();
    let handshake = Request::get("/maybe").cookie(&cookie).header("Connection", "Upgrade");
    let handshake = handshake.header("Upgrade", "websocket").header("Origin", "https://evil.example");
    server.send(handshake).await.expect_error(403, "CROSS_ORIGIN").expect_no_cookie();
    world.store.inject(Fault::Fail);
    for path in ["/maybe", "/session", "/error"] {
        let response = server.send(Request::get(path).cookie(&cookie)).await;
        response.expect_error(503, "STORE_UNAVAILABLE").expect_no_cookie();
    }
}

async fn two_realms_of_one_store_and_secret_are_apart<F: Framework>() {
    let world = World::new();
    let one = world.serve::<F>(world.tracked().realm("one")).await;
    let two = world.serve::<F>(world.tracked().realm("two")).await;
    let mut browser = one.logged_in("alice").await;
    expect_nothing(&two, &browser.cookie()).await;
    let mut other = two.logged_in("alice").await;
    other.post("/session/revoke-others").await.expect(200);
    assert_eq!(other.get("/session/list").await.json().as_array().map(Vec::len), Some(1));
    let handle = browser.get("/session/list").await.json()[0]["id"].as_str().unwrap().to_owned();
    other.delete(&format!("/session/list/{handle}")).await.expect_error(404, "NOT_FOUND");
    assert_eq!(browser.who().await, "alice");
}

/// Nothing of a request is repeated where it could become markup, a line or a header.
async fn a_header_that_a_visitor_sends_is_not_in_the_answer<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let marker = "marker-7f3a";
    for (method, path) in ROUTES.into_iter().chain([("GET", "/session/marker-7f3a"), ("PUT", "/session")]) {
        let request = Request::new(method, path)
            .cookie(format!("__Host-session={marker}; {marker}={marker}"))
            .header("User-Agent", marker)
            .header("X-Forwarded-For", marker)
            .header("Authorization", format!("Bearer {marker}"))
            .header("Origin", format!("http://{marker}"));
        let response = server.send(request).await;
        assert!(!outside_set_cookie(&response).contains(marker), "{method} {path}:\n{response}");
        assert!(response.set_cookies().iter().all(|line| !line.contains(marker)), "{response}");
    }
}
