//! What the adapter translates. What sessions do is tested for all adapters together, elsewhere.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

use std::borrow::Cow;

use rocket::fs::{FileServer, Options};
use rocket::http::{Header, Status};
use rocket::local::asynchronous::{Client, LocalRequest, LocalResponse};
use rocket::response::stream::TextStream;
use rocket::{Build, Request, Rocket, catch, catchers, get, post, routes};
use serde::{Deserialize, Serialize};
use session_rocket::core::store::MemoryStore;
use session_rocket::core::testing::{Fault, FaultyStore};
use session_rocket::{
    Authenticated, CookieSettings, Extract, Fresh, Guard, KeyRing, MaybeAuthenticated, Rejection, Session,
    SessionError, SessionFairing, SessionManager, SessionPayload,
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

#[derive(Clone, Serialize, Deserialize)]
struct Admin {
    admin_id: String,
}

impl SessionPayload for Admin {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.admin_id).into())
    }
}

/// Refuses everybody.
struct Nobody;

impl Guard for Nobody {
    type Payload = User;

    async fn check(session: session_rocket::core::Session<User>) -> Result<Self, SessionError> {
        Err(session.forbidden("nobody may"))
    }
}

#[get("/login?<user>")]
async fn login(session: Session<User>, user: &str) -> Result<&'static str, Rejection> {
    session.create(User { user_id: user.into() }).await?;
    Ok("in")
}

#[post("/logout")]
async fn logout(session: Session<User>) -> Result<(), Rejection> {
    Ok(session.destroy().await.map(drop)?)
}

#[get("/me")]
fn me(user: Authenticated<User>) -> String {
    user.into_inner().user_id
}

#[get("/maybe")]
fn maybe(user: MaybeAuthenticated<User>) -> String {
    user.into_inner().map_or_else(|| "nobody".into(), |user| user.user_id)
}

#[get("/fresh")]
fn fresh(user: Fresh<User, 0>) -> String {
    user.into_inner().user_id
}

#[get("/nobody")]
fn nobody(_user: Extract<Nobody>) {}

#[get("/login-and-fail")]
async fn login_and_fail(session: Session<User>) -> Result<(), Status> {
    let _ = session.create(User { user_id: "alice".into() }).await;
    Err(Status::ImATeapot)
}

#[get("/login-and-panic")]
async fn login_and_panic(session: Session<User>) {
    let _ = session.create(User { user_id: "alice".into() }).await;
    panic!("a handler panics");
}

#[get("/login-and-stream")]
async fn login_and_stream(session: Session<User>) -> TextStream![&'static str] {
    let _ = session.create(User { user_id: "alice".into() }).await;
    TextStream! {
        yield "streamed ";
        yield match session.create(User { user_id: "bob".into() }).await {
            Err(error) if error.code() == "INTERNAL_ERROR" => "in time",
            _ => "too late",
        };
    }
}

#[get("/plain")]
fn plain() {}

#[get("/unauthorized")]
fn unauthorized() -> Status {
    Status::Unauthorized
}

#[get("/admin")]
async fn admin(user: Authenticated<User>, session: Session<Admin>) -> Result<String, Rejection> {
    session.create(Admin { admin_id: user.user_id.clone() }).await?;
    Ok(session.user().map(|admin| admin.admin_id.clone()).unwrap_or_default())
}

fn keys() -> KeyRing {
    KeyRing::from_secret("a secret of at least thirty-two bytes").unwrap()
}

fn users() -> SessionManager<User> {
    SessionManager::builder().keys(keys()).development().store(MemoryStore::new()).build().unwrap()
}

fn admins(cookie: &str) -> SessionManager<Admin> {
    SessionManager::builder().keys(keys()).cookie(CookieSettings::development().name(cookie)).build().unwrap()
}

fn app() -> Rocket<Build> {
    let quiet = rocket::Config::figment().merge(("log_level", "off"));
    rocket::custom(quiet).mount(
        "/",
        routes![
            login,
            logout,
            me,
            maybe,
            fresh,
            nobody,
            login_and_fail,
            login_and_panic,
            login_and_stream,
            plain,
            unauthorized
        ],
    )
}

async fn client(app: Rocket<Build>) -> Client {
    Client::untracked(app).await.unwrap()
}

async fn users_app() -> Client {
    let users = users();
    client(app().mount("/session", session_rocket::routes(&users)).attach(SessionFairing::new(users))).await
}

async fn refuses_to_launch(app: Rocket<Build>) -> bool {
    // Rocket's error panics when nobody looks at it.
    app.ignite().await.is_err_and(|error| !error.kind().to_string().is_empty())
}

fn header<'a>(response: &'a LocalResponse<'_>, name: &str) -> Vec<&'a str> {
    response.headers().get(name).collect()
}

fn with_cookie<'c>(request: LocalRequest<'c>, cookie: &str) -> LocalRequest<'c> {
    request.header(Header::new("cookie", cookie.to_owned()))
}

async fn logged_in(client: &Client) -> String {
    let response = client.get("/login?user=alice").dispatch().await;
    let cookie = response.headers().get_one("set-cookie").unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

#[rocket::async_test]
async fn login_me_logout() {
    let client = users_app().await;
    let cookie = logged_in(&client).await;
    let response = with_cookie(client.get("/me"), &cookie).dispatch().await;
    assert_eq!(header(&response, "vary"), ["Cookie"]);
    assert_eq!(header(&response, "cache-control"), ["no-store"]);
    assert_eq!(response.into_string().await.unwrap(), "alice");
    let response = with_cookie(client.post("/logout"), &cookie).dispatch().await;
    assert!(header(&response, "set-cookie")[0].starts_with("session=;"));
    let response = with_cookie(client.get("/me"), &cookie).dispatch().await;
    assert_eq!(response.status(), Status::Unauthorized);
}

#[rocket::async_test]
async fn a_route_that_ignores_the_session_gets_no_header() {
    let client = users_app().await;
    let cookie = logged_in(&client).await;
    let response = with_cookie(client.get("/plain"), &cookie).dispatch().await;
    for name in ["set-cookie", "vary", "cache-control"] {
        assert!(header(&response, name).is_empty(), "{name}");
    }
}

#[rocket::async_test]
async fn a_refused_guard_gets_the_answer_of_core() {
    let client = users_app().await;
    let cookie = logged_in(&client).await;
    let table = [
        ("/me", "", 401, "SESSION_NOT_FOUND"),
        ("/fresh", &cookie, 403, "REAUTHENTICATION_REQUIRED"),
        ("/nobody", &cookie, 403, "FORBIDDEN"),
    ];
    for (path, cookie, status, code) in table {
        let response = with_cookie(client.get(path), cookie).dispatch().await;
        assert_eq!(response.status().code, status, "{path}");
        assert_eq!(header(&response, "content-type"), ["application/json"]);
        assert_eq!(header(&response, "cache-control"), ["no-store"]);
        assert_eq!(header(&response, "x-content-type-options"), ["nosniff"]);
        assert!(response.into_string().await.unwrap().contains(code), "{path}");
    }
    let response = client.get("/maybe").dispatch().await;
    assert_eq!(response.into_string().await.unwrap(), "nobody");
}

#[rocket::async_test]
async fn a_store_that_is_down_is_a_503_for_guards_and_handlers() {
    let store = FaultyStore::new(MemoryStore::new());
    store.inject(Fault::Fail);
    let users = SessionManager::<User>::builder().keys(keys()).development().store(store).build().unwrap();
    let cookie = logged_in(&users_app().await).await;
    let client =
        client(app().mount("/session", session_rocket::routes(&users)).attach(SessionFairing::new(users)))
            .await;
    for path in ["/me", "/maybe", "/login?user=alice", "/session"] {
        let response = with_cookie(client.get(path), &cookie).dispatch().await;
        assert_eq!(response.status(), Status::ServiceUnavailable, "{path}");
        assert_eq!(header(&response, "retry-after"), ["1"]);
        assert!(header(&response, "set-cookie").is_empty());
        assert!(response.into_string().await.unwrap().contains("STORE_UNAVAILABLE"));
    }
    let response = with_cookie(client.get("/plain"), &cookie).dispatch().await;
    assert_eq!(response.status(), Status::Ok);
}

#[rocket::async_test]
async fn a_navigation_is_sent_to_the_login_page() {
    let users =
        SessionManager::<User>::builder().keys(keys()).development().login_page("/in").build().unwrap();
    let client = client(app().attach(SessionFairing::new(users))).await;
    let page = client.get("/me?tab=2").header(Header::new("sec-fetch-mode", "navigate"));
    let response = page.dispatch().await;
    assert_eq!(response.status(), Status::SeeOther);
    assert_eq!(header(&response, "location"), ["/in?next=/me%3Ftab%3D2"]);
    assert!(response.into_string().await.unwrap_or_default().is_empty());
}

#[rocket::async_test]
async fn a_cookie_survives_errors_and_streams_but_no_panic() {
    let client = users_app().await;
    let response = client.get("/login-and-fail").dispatch().await;
    assert_eq!(response.status(), Status::ImATeapot);
    assert_eq!(header(&response, "set-cookie").len(), 1);
    let response = client.get("/login-and-stream").dispatch().await;
    assert_eq!(header(&response, "set-cookie").len(), 1);
    assert_eq!(response.into_string().await.unwrap(), "streamed in time");
    let response = client.get("/login-and-panic").dispatch().await;
    assert_eq!(response.status(), Status::InternalServerError);
    assert!(header(&response, "set-cookie").is_empty());
    assert!(response.into_string().await.unwrap().contains("500: Internal Server Error"));
}

#[rocket::async_test]
async fn an_error_that_no_guard_left_is_rockets_or_the_users() {
    let client = users_app().await;
    let response = client.get("/unauthorized").dispatch().await;
    assert!(response.into_string().await.unwrap().contains("401: Unauthorized"));

    #[catch(default)]
    fn mine(status: Status, _: &Request<'_>) -> String {
        format!("mine {}", status.code)
    }
    let client =
        self::client(app().attach(SessionFairing::new(users())).register("/", catchers![mine])).await;
    let response = client.get("/unauthorized").dispatch().await;
    assert_eq!(response.into_string().await.unwrap(), "mine 401");
    let response = client.get("/me").dispatch().await;
    assert!(response.into_string().await.unwrap().contains("SESSION_NOT_FOUND"));
}

#[rocket::async_test]
async fn a_catcher_of_the_users_stays_in_charge() {
    #[catch(401)]
    fn mine(request: &Request<'_>) -> String {
        Rejection::of(request).map_or_else(|| "none".into(), |refused| refused.0.code().to_owned())
    }
    let client = client(app().attach(SessionFairing::new(users())).register("/", catchers![mine])).await;
    let response = client.get("/me").dispatch().await;
    assert_eq!(response.into_string().await.unwrap(), "SESSION_NOT_FOUND");
    let response = client.get("/unauthorized").dispatch().await;
    assert_eq!(response.into_string().await.unwrap(), "none");
}

#[rocket::async_test]
async fn two_managers_in_one_request() {
    let both = app()
        .mount("/", routes![admin])
        .attach(SessionFairing::new(users()))
        .attach(SessionFairing::new(admins("admin")));
    let client = client(both).await;
    let cookie = logged_in(&client).await;
    let response = with_cookie(client.get("/admin"), &cookie).dispatch().await;
    let cookies = header(&response, "set-cookie");
    assert!(cookies.len() == 1 && cookies[0].starts_with("admin="));
    assert_eq!(response.into_string().await.unwrap(), "alice");
}

#[rocket::async_test]
async fn what_cannot_work_refuses_to_launch() {
    let attach = |first, second: SessionManager<User>| {
        app().attach(SessionFairing::new(first)).attach(SessionFairing::new(second))
    };
    assert!(refuses_to_launch(app()).await, "no fairing");
    assert!(refuses_to_launch(attach(users(), users())).await, "two managers, one payload");
    let same_cookie =
        app().attach(SessionFairing::new(users())).attach(SessionFairing::new(admins("session")));
    assert!(refuses_to_launch(same_cookie).await, "two managers, one cookie");
    let one = users();
    assert!(refuses_to_launch(attach(one.clone(), one)).await, "one manager twice");
}

#[rocket::async_test]
async fn session_routes_with_and_without_the_fairing() {
    let users = users();
    let files = FileServer::new("/", Options::None).rank(-10);
    let alone = rocket::custom(rocket::Config::figment().merge(("log_level", "off")))
        .mount("/", files)
        .mount("/a/session", session_rocket::routes(&users));
    let with = app().mount("/a/session", session_rocket::routes(&users)).attach(SessionFairing::new(users));
    let (alone, with) = (client(alone).await, client(with).await);
    let cookie = logged_in(&with).await;
    for client in [&alone, &with] {
        for path in ["/a/session", "/a/session/", "/%61/session?x=/y"] {
            let response = with_cookie(client.get(path), &cookie).dispatch().await;
            assert_eq!(header(&response, "x-content-type-options"), ["nosniff"]);
            assert_eq!(header(&response, "vary"), ["Cookie"]);
            assert!(response.into_string().await.unwrap().contains("\"isValid\":true"), "{path}");
        }
        let response = client.head("/a/session").dispatch().await;
        assert_eq!(response.status(), Status::Ok);
        assert!(response.into_string().await.unwrap_or_default().is_empty());
        for (request, status) in [
            (client.get("/a/session/list%2Fx"), 405),
            (client.get("/a/session/nothing"), 404),
            (client.post("/a/session/list/"), 405),
            (client.options("/a/session"), 405),
            (client.delete("/a/session"), 204),
        ] {
            assert_eq!(request.dispatch().await.status().code, status);
        }
        let response = client.delete("/a/session").dispatch().await;
        assert!(header(&response, "set-cookie")[0].starts_with("session=;"));
    }
}

#[rocket::async_test]
async fn session_routes_of_another_manager_with_the_same_cookie_say_so() {
    let app = app().mount("/session", session_rocket::routes(&users())).attach(SessionFairing::new(users()));
    let client = client(app).await;
    let response = client.get("/session").dispatch().await;
    assert_eq!(response.status(), Status::InternalServerError);
}
