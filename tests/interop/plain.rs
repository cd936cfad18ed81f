//! The plain form: each side takes the other's cookies.

use serde_json::{Value, json};
use session_core::testing::TestRequest;
use session_core::{Clock as _, ErrorKind, TokenForm};

use super::{
    COOKIE, DAY, Jose, members, open, plain_members, present, refusal, request, secret_keys, time, token_of,
    zoe, zoe_in_json,
};
use crate::harness::{Axum, Server, World};
use crate::wire::Request;

/// A server of this library beside the Next.js application.
async fn serve(world: &World) -> Server {
    world.serve::<Axum>(world.stateless().token_form(TokenForm::Plain)).await
}

/// A user of the harness's app who logs in there.
fn alice() -> Value {
    json!({ "userId": "u-alice", "name": "alice", "visits": 3 })
}

fn cookie(token: &str) -> String {
    format!("{COOKIE}={token}")
}

#[tokio::test]
async fn a_login_there_is_a_session_here() {
    let Some(jose) = Jose::find() else { return };
    let world = present();
    let token = jose.create(&zoe_in_json());
    let issued = time(&jose.read(&token).accepted().claims, "iat");
    world.clock.set(issued);
    world.advance(10);

    let outcome = plain_members(&world).get_session(&request(&token)).await.unwrap().expect("a session");
    assert_eq!(*outcome.user().unwrap(), zoe());
    assert_eq!(outcome.changes.set_cookie(), None);
    let status = outcome.status();
    assert!(status.is_valid && !status.refresh_due);
    assert_eq!(status.remaining_time.as_secs(), 86_390);
    assert_eq!(status.authenticated_at, Some(issued));

    let typed = members(&world, secret_keys()).build().unwrap();
    assert_eq!(refusal(&typed, &token).await, Some(ErrorKind::TokenInvalid), "only where it is asked for");
}

#[tokio::test]
async fn a_login_here_is_a_session_there() {
    let Some(jose) = Jose::find() else { return };
    let world = present();
    let token = token_of(&plain_members(&world), zoe()).await;
    let reading = jose.read(&token).accepted();
    assert_eq!(reading.header, json!({ "alg": "HS256" }));

    let now = world.clock.now().unix_seconds();
    let mut expected = zoe_in_json();
    expected["sid"] = reading.claims["sid"].clone();
    expected["iat"] = json!(now);
    expected["exp"] = json!(now + DAY);
    expected["auth_time"] = json!(now);
    expected["aud"] = json!(COOKIE);
    assert_eq!(reading.claims, expected);
    assert_eq!(reading.claims["sid"].as_str().map(str::len), Some(24));
    assert_eq!(jose.read_with(&token, json!({ "audience": COOKIE })).accepted().claims, expected);
}

#[tokio::test]
async fn a_server_knows_who_logged_in_there_and_refreshes_the_session() {
    let Some(jose) = Jose::find() else { return };
    let world = present();
    let server = serve(&world).await;
    let token = jose.create(&alice());
    let issued = time(&jose.read(&token).accepted().claims, "iat");
    world.clock.set(issued);
    let ask = |request: Request| server.send(request.cookie(cookie(&token)));

    assert_eq!(ask(Request::get("/me")).await.expect(200).expect_no_cookie().json(), alice());
    world.advance(3600);
    let status = ask(Request::get("/session")).await.expect(200).expect_no_cookie().json();
    assert_eq!((&status["isValid"], &status["remainingTime"]), (&json!(true), &json!(23 * 3600)));
    assert_eq!(status["user"], alice());

    // Asked for, and then by itself in the last 30 minutes.
    for (request, passed) in [(Request::post("/session/refresh"), 3600), (Request::get("/me"), DAY - 1000)] {
        world.clock.set(issued);
        world.advance(passed.unsigned_abs());
        let response = ask(request).await.expect(200);
        let claims = jose.read(response.cookie_value()).accepted().claims;
        assert_eq!((&claims["userId"], &claims["visits"]), (&json!("u-alice"), &json!(3)));
        assert_eq!(time(&claims, "auth_time"), issued, "the absolute lifetime goes on");
        assert_eq!(claims["exp"], json!(issued.unix_seconds() + passed + DAY));
    }
}

#[tokio::test]
async fn a_server_s_cookies_are_read_there() {
    let Some(jose) = Jose::find() else { return };
    let world = present();
    let server = serve(&world).await;
    let mut browser = server.logged_in("alice").await;
    let changed = browser.post("/visits").await.expect(200);
    let claims = jose.read(changed.cookie_value()).accepted().claims;
    assert_eq!(
        (&claims["userId"], &claims["name"], &claims["visits"]),
        (&json!("u-alice"), &json!("alice"), &json!(1))
    );
}

#[tokio::test]
async fn a_session_renewed_there_is_the_same_one_here() {
    let Some(jose) = Jose::find() else { return };
    let world = present();
    let sessions = plain_members(&world);
    let ours = token_of(&sessions, zoe()).await;
    let logged_in = time(&jose.read(&ours).accepted().claims, "auth_time");
    // jose says when by the real clock, which may be some seconds ahead by now.
    let theirs = jose.renew(&ours);

    let session = open(&sessions, &theirs).await.unwrap();
    assert_eq!(*session.user().unwrap(), zoe());
    assert_eq!(session.status().authenticated_at, Some(logged_in), "no renewal passes the absolute lifetime");

    let logout = TestRequest::new("POST", "/logout").cookie(&cookie(&ours));
    let _ = sessions.destroy_session(&logout).await.unwrap();
    assert_eq!(refusal(&sessions, &theirs).await, Some(ErrorKind::NotFound), "both were the one session");
}

#[tokio::test]
async fn a_logout_clears_the_cookie_and_a_copy_of_it_is_good_only_there() {
    let Some(jose) = Jose::find() else { return };
    let world = present();
    let server = serve(&world).await;
    let token = jose.create(&alice());
    let response = server.send(Request::delete("/session").cookie(cookie(&token))).await.expect(204);
    assert_eq!(response.cookie_value(), "");
    server.send(Request::get("/me").cookie(cookie(&token))).await.expect_error(401, "SESSION_NOT_FOUND");
    // The other side has no store to ask, and neither has another process of ours.
    jose.read(&token).accepted();
    let next = jose.create(&json!({ "userId": "u-alice", "name": "alice", "visits": 4 }));
    server.send(Request::get("/me").cookie(cookie(&next))).await.expect(200);
}

/// A module that keeps the ids of what was logged out there, which are 16 random bytes in base64url.
#[tokio::test]
async fn a_list_of_ended_ids_there_knows_what_was_refreshed_here() {
    let Some(jose) = Jose::find() else { return };
    let world = present();
    let sessions = plain_members(&world);
    let sid = "3q2-796tvu_erb7v3q2-7w";
    let now = world.clock.now().unix_seconds();
    let mut claims = zoe_in_json();
    for (name, value) in
        [("sid", json!(sid)), ("auth_time", json!(now)), ("iat", json!(now)), ("exp", json!(now + DAY))]
    {
        claims[name] = value;
    }
    let first = jose.sign(json!({ "alg": "HS256" }), &claims);

    let mut token = first.clone();
    for passed in [60, 120] {
        world.advance(60);
        let refresh = TestRequest::new("POST", "/session/refresh").cookie(&cookie(&token));
        let outcome = sessions.refresh_session(&refresh).await.unwrap();
        token = token_in(outcome.changes.set_cookie());
        let read = jose.read(&token).accepted().claims;
        assert_eq!((&read["sid"], &read["exp"]), (&json!(sid), &json!(now + passed + DAY)));
    }
    // And a logout here ends every copy of it.
    let logout = TestRequest::new("POST", "/logout").cookie(&cookie(&token));
    drop(sessions.destroy_session(&logout).await.unwrap());
    for copy in [&first, &token] {
        assert_eq!(refusal(&sessions, copy).await, Some(ErrorKind::NotFound));
    }
}

fn token_in(set_cookie: Option<&str>) -> String {
    let pair = set_cookie.expect("a cookie").split(';').next().unwrap();
    pair.strip_prefix(&format!("{COOKIE}=")).unwrap().to_owned()
}

/// As others name the account, in `sub`, with dates that have a fraction, and with a claim of their own.
#[tokio::test]
async fn what_only_they_know_comes_back_to_them() {
    let Some(jose) = Jose::find() else { return };
    let world = present();
    let now = world.clock.now().unix_seconds();
    let mut claims = zoe_in_json();
    claims.as_object_mut().unwrap().remove("userId");
    claims["sub"] = json!("42");
    claims["tenant"] = json!({ "name": "acme", "seats": [1, 2.5] });
    claims["iat"] = json!(now as f64 + 0.25);
    claims["exp"] = json!((now + DAY) as f64 + 0.75);
    let theirs = jose.sign(json!({ "alg": "HS256" }), &claims);

    let by_sub = members(&world, secret_keys()).token_form(TokenForm::Plain).sub_field("userId");
    let sessions = by_sub.build().unwrap();
    let session = open(&sessions, &theirs).await.unwrap();
    assert_eq!(*session.user().unwrap(), zoe());
    assert_eq!(session.status().remaining_time.as_secs(), DAY.unsigned_abs());

    world.advance(60);
    let refresh = TestRequest::new("POST", "/session/refresh").cookie(&cookie(&theirs));
    let outcome = sessions.refresh_session(&refresh).await.unwrap();
    let ours = token_in(outcome.changes.set_cookie());
    let read = jose.read_with(&ours, json!({ "subject": "42", "audience": COOKIE })).accepted().claims;
    assert_eq!((&read["sub"], &read["userId"]), (&json!("42"), &json!("42")));
    assert_eq!(read["tenant"], claims["tenant"]);
    assert_eq!((time(&read, "auth_time"), time(&read, "exp")), (at(now), at(now + 60 + DAY)));
}

fn at(seconds: i64) -> session_core::Timestamp {
    session_core::Timestamp::from_unix_seconds(seconds)
}
