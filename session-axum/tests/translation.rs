//! What the adapter translates. What sessions do is tested for all adapters together, elsewhere.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::borrow::Cow;
use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::{Deserialize, Serialize};
use session_axum::core::adapter::{Headers, PlainResponse, RequestHead};
use session_axum::{
    CookieSettings, KeyRing, MaybeAuthenticated, Rejection, Session, SessionLayer, SessionManager,
    SessionPayload, head, respond, routes,
};
use tower_service::Service;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct User {
    user_id: String,
}

impl SessionPayload for User {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.user_id).into())
    }
}

/// Another kind of user.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Admin {
    admin_id: String,
}

impl SessionPayload for Admin {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.admin_id).into())
    }
}

fn sessions<U: SessionPayload>(cookie: &str) -> SessionManager<U> {
    let keys = KeyRing::from_secret("a secret of at least thirty-two bytes").unwrap();
    let cookie = CookieSettings::development().name(cookie);
    SessionManager::builder().keys(keys).cookie(cookie).build().unwrap()
}

async fn login(session: Session<User>) -> Result<StatusCode, Rejection> {
    session.create(User { user_id: "alice".into() }).await?;
    Ok(StatusCode::IM_A_TEAPOT)
}

async fn send(app: &mut Router, method: &str, uri: &str) -> Response {
    let request = Request::builder().method(method).uri(uri).body(Body::empty()).unwrap();
    app.call(request).await.unwrap()
}

fn set_cookies(headers: &HeaderMap) -> usize {
    headers.get_all("set-cookie").iter().count()
}

#[tokio::test]
async fn the_head_is_what_the_client_sent() {
    async fn handler(parts: Parts) -> String {
        let head = head(&parts);
        let agent: Vec<&[u8]> = head.header("user-agent").collect();
        assert_eq!(parts.uri.path(), "/b%20c");
        assert_eq!(agent, [b"caf\xe9"]);
        format!("{} {} {:?} {:?}", head.method(), head.target(), head.authority(), head.peer())
    }
    let peer = ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 4711)));
    let mut app = Router::new().nest("/a", Router::new().route("/{x}", get(handler))).layer(Extension(peer));
    let request = Request::get("http://example.com/a/b%20c?d=e").header("user-agent", &b"caf\xe9"[..]);
    let response = app.call(request.body(Body::empty()).unwrap()).await.unwrap();
    let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
    assert_eq!(body, "GET /a/b%20c?d=e Some(\"example.com\") Some(192.0.2.1)");
}

#[test]
fn debug_of_a_head_shows_no_cookie() {
    let (parts, ()) = Request::get("/").header("cookie", "session=credential").body(()).unwrap().into_parts();
    let shown = format!("{:?}", head(&parts));
    assert!(shown.contains("GET") && !shown.contains("credential"), "{shown}");
}

#[test]
fn an_answer_keeps_status_and_headers_and_never_panics() {
    let headers = vec![("allow", Cow::Borrowed("GET")), ("location", Cow::Owned("/a\nb".to_owned()))];
    let response = respond(PlainResponse { status: 405, headers, body: b"{}".to_vec() });
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()["allow"], "GET");
    assert!(!response.headers().contains_key("location"));
    assert_eq!(respond(PlainResponse { status: 7, headers: Vec::new(), body: Vec::new() }).status(), 500);
}

#[tokio::test]
async fn a_response_of_any_status_gets_one_cookie_however_often_the_layer_is_passed() {
    let sessions = sessions::<User>("session");
    let layer = SessionLayer::new(sessions.clone());
    let mut app = Router::new()
        .route("/login", post(login))
        .route("/ping", get(|| async {}))
        .layer(layer.clone())
        .layer(layer)
        .merge(routes("/session", &sessions));
    let response = send(&mut app, "POST", "/login").await;
    assert_eq!((response.status(), set_cookies(response.headers())), (StatusCode::IM_A_TEAPOT, 1));
    assert!(!send(&mut app, "GET", "/ping").await.headers().contains_key("vary"));
    let logout = send(&mut app, "DELETE", "/session/").await;
    assert_eq!((logout.status(), set_cookies(logout.headers())), (StatusCode::NO_CONTENT, 1));
}

#[tokio::test]
async fn routes_are_found_with_and_without_a_slash_in_nested_routers() {
    let sessions = sessions::<User>("session");
    let nested = || Router::new().merge(routes("/{tenant}/session", &sessions));
    let mut app = Router::new().nest("/api/{version}", nested()).layer(SessionLayer::new(sessions.clone()));
    for (method, path, status) in [
        ("GET", "/api/1/acme/session", 200),
        ("HEAD", "/api/1/acme/session/", 200),
        ("POST", "/api/1/acme/session/refresh", 401),
        ("GET", "/api/1/acme/session/li%73t/", 501),
        ("BREW", "/api/1/acme/session", 405),
        ("GET", "/api/1/acme/session/a/b", 404),
    ] {
        assert_eq!(send(&mut app, method, path).await.status(), status, "{method} {path}");
    }
}

#[tokio::test]
async fn two_kinds_of_user_need_two_cookie_names_and_a_handler_needs_its_layer() {
    async fn both(_: MaybeAuthenticated<User>, _: MaybeAuthenticated<Admin>) {}
    let app = || Router::new().route("/", get(both)).layer(SessionLayer::new(sessions::<User>("session")));
    let mut good = app().layer(SessionLayer::new(sessions::<Admin>("admin")));
    let mut twins = app().layer(SessionLayer::new(sessions::<Admin>("session")));
    assert_eq!(send(&mut good, "GET", "/").await.status(), 200);
    assert_eq!(send(&mut twins, "GET", "/").await.status(), 500);
    assert_eq!(send(&mut app(), "GET", "/").await.status(), 500);
}
