//! Rocket's own test clients log in: their cookies are in the request's jar and in no header line.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::borrow::Cow;

use rocket::http::{Cookie, CookieJar, Header};
use rocket::local::{asynchronous, blocking};
use rocket::{Build, Rocket, get, post, routes};
use serde::{Deserialize, Serialize};
use session_rocket::{
    Authenticated, KeyRing, MaybeAuthenticated, Rejection, Session, SessionFairing, SessionManager,
    SessionPayload,
};

#[derive(Clone, Serialize, Deserialize)]
struct User {
    user_id: String,
}

impl SessionPayload for User {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.user_id).into())
    }
}

#[post("/login")]
async fn login(session: Session<User>) -> Result<&'static str, Rejection> {
    session.create(User { user_id: "ann".into() }).await?;
    Ok("in")
}

#[post("/logout")]
async fn logout(session: Session<User>) -> Result<(), Rejection> {
    Ok(session.destroy().await.map(drop)?)
}

#[post("/again")]
async fn again(session: Session<User>) -> Result<(), Rejection> {
    Ok(session.reauthenticate().await.map(drop)?)
}

#[get("/me")]
fn me(user: Authenticated<User>) -> String {
    user.into_inner().user_id
}

#[get("/maybe")]
fn maybe(user: MaybeAuthenticated<User>) -> String {
    user.into_inner().map_or_else(|| "nobody".into(), |user| user.user_id)
}

/// Cookies of the application's own, beside ours.
#[post("/neighbours")]
fn neighbours(jar: &CookieJar<'_>) {
    jar.add(("theme", "dark; __Host-session=forged"));
    jar.add(("name", "J\u{fc}rgen 100%"));
    // What a private cookie's value looks like where it is not decrypted.
    jar.add(("private", "k3v9+Ww0/xQd8n1bS2u=="));
}

fn app() -> Rocket<Build> {
    let keys = KeyRing::from_secret("the secret of these tests, thirty-two bytes and more").unwrap();
    let sessions = SessionManager::<User>::builder().keys(keys).build().unwrap();
    rocket::custom(rocket::Config::debug_default())
        .mount("/", routes![login, logout, again, me, maybe, neighbours])
        .mount("/session", session_rocket::routes(&sessions))
        .attach(SessionFairing::new(sessions))
}

#[rocket::async_test]
async fn a_tracked_client_logs_in_and_out() {
    let client = asynchronous::Client::tracked(app()).await.unwrap();
    let status = async |path| client.get(path).dispatch().await.status().code;
    assert_eq!(status("/me").await, 401);
    client.post("/login").dispatch().await;
    assert_eq!(client.get("/me").dispatch().await.into_string().await.as_deref(), Some("ann"));
    client.post("/again").dispatch().await;
    assert_eq!((status("/me").await, status("/session/list").await), (200, 501));
    client.post("/logout").dispatch().await;
    let refused = client.get("/me").dispatch().await;
    assert_eq!(refused.status().code, 401);
    // As to a browser, which has dropped the cookie.
    assert!(refused.into_string().await.unwrap().contains("SESSION_NOT_FOUND"));
}

#[test]
fn a_tracked_blocking_client_logs_in_and_out() {
    let client = blocking::Client::tracked(app()).unwrap();
    assert_eq!(client.post("/login").dispatch().into_string().as_deref(), Some("in"));
    assert_eq!(client.get("/me").dispatch().into_string().as_deref(), Some("ann"));
    client.delete("/session").dispatch();
    assert_eq!(client.get("/maybe").dispatch().into_string().as_deref(), Some("nobody"));
}

#[test]
fn neighbours_in_the_jar_change_nothing() {
    let client = blocking::Client::tracked(app()).unwrap();
    client.post("/neighbours").dispatch();
    assert_eq!(client.get("/maybe").dispatch().into_string().as_deref(), Some("nobody"));
    client.post("/login").dispatch();
    client.post("/neighbours").dispatch();
    assert_eq!(client.cookies().iter().count(), 4);
    assert_eq!(client.get("/me").dispatch().into_string().as_deref(), Some("ann"));
}

fn token(client: &blocking::Client) -> String {
    let response = client.post("/login").dispatch();
    response.cookies().get("__Host-session").unwrap().value().to_owned()
}

#[test]
fn a_cookie_can_be_handed_to_a_request() {
    let client = blocking::Client::untracked(app()).unwrap();
    let token = token(&client);
    let with = |cookie: Cookie<'static>| {
        client.get("/maybe").cookie(("other", "x")).cookie(cookie).dispatch().into_string().unwrap()
    };
    assert_eq!(with(Cookie::new("__Host-session", token.clone())), "ann");
    assert_eq!(with(Cookie::parse(format!("__Host-session={token}; Path=/; Secure")).unwrap()), "ann");
    assert_eq!(with(Cookie::new("__Host-session", format!("{token}x"))), "nobody");
    assert_eq!(with(Cookie::new("session", token)), "nobody");
}

#[test]
fn where_there_is_a_line_it_alone_is_read() {
    let client = blocking::Client::untracked(app()).unwrap();
    let token = token(&client);
    let line = Header::new("Cookie", "other=x");
    let request = client.get("/maybe").cookie(("__Host-session", token.clone())).header(line);
    assert_eq!(request.dispatch().into_string().as_deref(), Some("nobody"));
    let line = Header::new("Cookie", format!("__Host-session={token}"));
    assert_eq!(client.get("/maybe").header(line).dispatch().into_string().as_deref(), Some("ann"));
}
