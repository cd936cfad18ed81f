//! Remembered or not, with a code or without, and what the next page says.

use std::time::Duration;

use session_core::{Clock as _, Timestamp};
use session_demo::forms::FORMS;
use totp_rs::Totp;

use super::person::{Person, code, said};
use super::{Demo, Store};
use crate::harness::World;
use crate::wire::Request;

const BOB: &str = "username=bob&password=builder";

#[tokio::test]
async fn a_cookie_has_no_max_age_when_nobody_asked_to_be_remembered() {
    let world = World::new();
    let demo = Demo::of(&world).await;
    for framework in 0..3 {
        for (more, is_remembered) in
            [("", true), ("&remember=off&remember=on", true), ("&remember=off", false)]
        {
            let mut bob = Person::at(&demo, framework, &world);
            let login = bob.submit("/login", &format!("{BOB}{more}")).await.expect(303);
            let line = login.set_cookies().into_iter().find(|line| line.starts_with("session-demo="));
            assert_eq!(line.unwrap().contains("Max-Age="), is_remembered, "{more}");
        }
        let json = r#"{"username":"bob","password":"builder","remember":false}"#;
        let login = Request::post("/login").header("Content-Type", "application/json").body(json);
        let answer = demo.send(framework, login).await.expect(200);
        assert!(!answer.header("set-cookie").unwrap().contains("Max-Age="), "{answer}");
    }
}

#[tokio::test]
async fn what_a_form_did_is_said_once() {
    let world = World::new();
    let demo = Demo::of(&world).await;
    for framework in 0..3 {
        let mut bob = Person::at(&demo, framework, &world);
        assert_eq!(bob.told("/login", BOB).await, "You are logged in.");
        assert_eq!(said(&bob.page().await), None);
        assert_eq!(bob.told("/logout", "").await, "You are logged out, on all three frameworks.");
        assert_eq!(said(&bob.page().await), None);
        assert_eq!(bob.cookie("session-demo-flash"), None);
    }
}

/// At a demo of its own: accounts belong to all three.
async fn with_codes(framework: u16) -> (Demo, World, Totp) {
    let world = World::new();
    let demo = Demo::of(&world).await;
    let mut bob = Person::logged_in(&demo, framework, &world, "bob", "builder").await;
    let totp = bob.switches_codes_on(world.clock.now()).await;
    world.advance(60);
    (demo, world, totp)
}

fn wrong(totp: &Totp, now: Timestamp) -> String {
    // One of two is not among the three that would be right now.
    let right =
        [-30, 0, 30].map(|later| code(totp, Timestamp::from_unix_seconds(now.unix_seconds() + later)));
    (0..9).map(|digit| digit.to_string().repeat(6)).find(|code| !right.contains(code)).unwrap()
}

#[tokio::test]
async fn a_login_with_a_second_factor_waits_for_the_code() {
    for framework in 0..3 {
        let (demo, world, totp) = with_codes(framework).await;
        let mut bob = Person::at(&demo, framework, &world);
        assert_eq!(bob.told("/login", BOB).await, "The password is right. Now the code.");
        assert!(bob.page().await.contains(r#"id="code-form""#));
        bob.send(Request::get("/api/me")).await.expect_error(401, "LOGIN_INCOMPLETE");
        let waiting = bob.cookie("session-demo").unwrap().to_owned();

        let body = format!("code={}", code(&totp, world.clock.now()));
        assert_eq!(bob.told("/login/code", &body).await, "You are logged in.");
        assert!(bob.page().await.contains(r#"id="who">bob<"#));
        assert_ne!(bob.cookie("session-demo"), Some(&*waiting));
        let status = bob.send(Request::get("/session")).await.expect(200).json();
        assert_eq!((&status["level"], status["methods"].to_string()), (&1.into(), r#"["pwd","otp"]"#.into()));
    }
}

#[tokio::test]
async fn after_the_code_a_login_goes_where_it_was_going() {
    for framework in 0..3 {
        let (demo, world, totp) = with_codes(framework).await;
        let mut bob = Person::at(&demo, framework, &world);
        let login = bob.submit("/login", &format!("{BOB}&next=%2Fapi%2Fme")).await.expect(303);
        assert_eq!(login.header("location"), Some("/?next=%2Fapi%2Fme"));
        let asked = bob.send(Request::get("/?next=%2Fapi%2Fme").navigation()).await.expect(200);
        assert!(asked.text().contains(r#"name="next" value="/api/me""#), "{asked}");
        let refused = format!("code={}&next=%2Fapi%2Fme", wrong(&totp, world.clock.now()));
        let again = bob.submit("/login/code", &refused).await.expect(303);
        assert_eq!(again.header("location"), Some("/?next=%2Fapi%2Fme"));
        let body = format!("code={}&next=%2Fapi%2Fme", code(&totp, world.clock.now()));
        let done = bob.submit("/login/code", &body).await.expect(303);
        assert_eq!(done.header("location"), Some("/api/me"));
    }
}

#[tokio::test]
async fn a_code_that_is_wrong_or_was_used_is_refused() {
    for framework in 0..3 {
        let (demo, world, totp) = with_codes(framework).await;
        let right = format!("code={}", code(&totp, world.clock.now()));
        let mut bob = Person::logged_in(&demo, framework, &world, "bob", "builder").await;
        let body = format!("code={}", wrong(&totp, world.clock.now()));
        assert!(bob.told("/login/code", &body).await.contains("not right"));
        assert_eq!(bob.me().await, None);
        assert_eq!(bob.told("/login/code", &right).await, "You are logged in.");

        let mut thief = Person::logged_in(&demo, framework, &world, "bob", "builder").await;
        assert!(thief.told("/login/code", &right).await.contains("was used before"));
        assert_eq!(thief.me().await, None);
    }
}

#[tokio::test]
async fn after_five_wrong_codes_the_login_ends_and_the_account_takes_none_for_five_minutes() {
    for framework in 0..3 {
        let (demo, world, totp) = with_codes(framework).await;
        let body = format!("code={}", wrong(&totp, world.clock.now()));
        let mut thief = Person::logged_in(&demo, framework, &world, "bob", "builder").await;
        for _ in 0..4 {
            assert!(thief.told("/login/code", &body).await.contains("not right"));
        }
        assert_eq!(
            thief.told("/login/code", &body).await,
            "Too many wrong codes. Log in again in five minutes."
        );
        assert!(thief.page().await.contains(r#"id="login-form""#));
        let right = format!("code={}", code(&totp, world.clock.now()));
        assert_eq!(thief.submit("/login/code", &right).await.expect(303).header("location"), Some("/"));
        assert_eq!(thief.me().await, None);

        let mut again = Person::logged_in(&demo, framework, &world, "bob", "builder").await;
        assert!(again.told("/login/code", &right).await.starts_with("Too many wrong codes."));
        world.clock.advance(Duration::from_secs(5 * 60));
        let right = format!("code={}", code(&totp, world.clock.now()));
        let mut bob = Person::logged_in(&demo, framework, &world, "bob", "builder").await;
        assert_eq!(bob.told("/login/code", &right).await, "You are logged in.");
    }
}

#[tokio::test]
async fn a_program_logs_in_with_a_code_in_two_requests() {
    for framework in 0..3 {
        let (demo, world, totp) = with_codes(framework).await;
        let mut program = Person::at(&demo, framework, &world);
        let json = |path: &str, body: String| {
            Request::post(path).header("Content-Type", "application/json").body(body)
        };
        let login = json("/login", r#"{"username":"bob","password":"builder"}"#.into());
        program.send(login).await.expect_error(401, "LOGIN_INCOMPLETE");
        let refused = format!(r#"{{"code":"{}"}}"#, wrong(&totp, world.clock.now()));
        program.send(json("/login/code", refused)).await.expect_error(401, "INVALID_CODE");
        let right = format!(r#"{{"code":"{}"}}"#, code(&totp, world.clock.now()));
        program.send(json("/login/code", right)).await.expect(204);
        assert_eq!(program.me().await.unwrap().0, "bob");
        assert_eq!(program.cookie("session-demo-flash"), None);
    }
}

#[tokio::test]
async fn codes_are_switched_off_with_a_code() {
    for framework in 0..3 {
        let (demo, world, totp) = with_codes(framework).await;
        let mut bob = Person::logged_in(&demo, framework, &world, "bob", "builder").await;
        let body = format!("code={}", code(&totp, world.clock.now()));
        bob.submit("/login/code", &body).await.expect(303);
        assert!(bob.told("/second-factor/off", "").await.contains("not right"));
        world.advance(30);
        let body = format!("code={}", code(&totp, world.clock.now()));
        assert_eq!(bob.told("/second-factor/off", &body).await, "From now on your password is enough.");
        let mut bob = Person::at(&demo, framework, &world);
        assert_eq!(bob.told("/login", BOB).await, "You are logged in.");
    }
}

#[tokio::test]
async fn a_form_is_read_as_a_login_is() {
    let demo = Demo::in_memory().await;
    for framework in 0..3 {
        for path in FORMS {
            let form = |kind: &str| Request::post(path).header("Content-Type", kind);
            let refused = [
                (form("text/plain").body("code=1"), 415, "UNSUPPORTED_MEDIA_TYPE"),
                (form("application/json").body("x".repeat(9000)), 413, "CONTENT_TOO_LARGE"),
                (form("application/json").body("{"), 400, "BAD_REQUEST"),
                (form("application/x-www-form-urlencoded").body("a=%FF"), 400, "BAD_REQUEST"),
                (Request::get(path), 405, "METHOD_NOT_ALLOWED"),
            ];
            for (request, status, code) in refused {
                demo.send(framework, request).await.expect_error(status, code).expect_no_cookie();
            }
            let foreign = form("application/json").header("Sec-Fetch-Site", "cross-site").body("{}");
            demo.send(framework, foreign).await.expect_error(403, "CROSS_ORIGIN");
        }
    }
}

#[tokio::test]
async fn without_a_store_what_needs_one_is_not_offered_and_refused() {
    let world = World::new();
    let demo = Demo::start(&Store::Stateless, "".as_ref()).await;
    for framework in 0..3 {
        let mut alice = Person::at(&demo, framework, &world);
        assert_eq!(alice.told("/login", "username=alice&password=wonderland").await, "You are logged in.");
        let page = alice.page().await;
        assert!(page.contains(r#"id="stateless""#) && page.contains("--store embedded"));
        for id in ["second-factor", "accounts"] {
            assert!(!page.contains(&format!(r#"id="{id}""#)), "{id}");
        }
        for (path, body) in [
            ("/second-factor/new", ""),
            ("/not-me", "id=x"),
            ("/admin/look", "username=bob"),
            ("/admin/role", "username=bob&role=admin"),
        ] {
            let refused = alice.submit(path, body).await.expect(501);
            assert!(refused.text().contains("Not without a store"), "{path}");
        }
    }
}
