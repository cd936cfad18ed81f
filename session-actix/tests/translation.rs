//! What this crate adds to core: actix-web's requests, responses and errors.

#![allow(clippy::unwrap_used)]

use std::borrow::Cow;
use std::fmt;

use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::test::{TestRequest, call_service, init_service, try_call_service};
use actix_web::{App, Error, HttpRequest, HttpResponse, ResponseError, web};
use serde::{Deserialize, Serialize};
use session_actix::core::adapter::{Headers, RequestHead};
use session_actix::core::store::MemoryStore;
use session_actix::{
    Authenticated, CookieSettings, Head, KeyRing, MaybeAuthenticated, Rejection, Session, SessionManager,
    SessionMiddleware, SessionPayload, routes,
};

#[derive(Clone, Serialize, Deserialize)]
struct User {
    name: String,
}

impl SessionPayload for User {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.name).into())
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Admin {
    name: String,
}

impl SessionPayload for Admin {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.name).into())
    }
}

fn manager<U: SessionPayload>(cookie: &str) -> SessionManager<U> {
    SessionManager::builder()
        .keys(KeyRing::from_secret("a secret of at least thirty-two bytes").unwrap())
        .store(MemoryStore::new())
        .cookie(CookieSettings::development().name(cookie))
        .build()
        .unwrap()
}

async fn login(session: Session<User>) -> Result<&'static str, Rejection> {
    session.create(User { name: "alice".into() }).await?;
    Ok("in")
}

/// An error of the application's own.
#[derive(Debug)]
struct Teapot;

impl fmt::Display for Teapot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("teapot")
    }
}

impl ResponseError for Teapot {
    fn status_code(&self) -> StatusCode {
        StatusCode::IM_A_TEAPOT
    }
}

fn lines<B>(response: &HttpResponse<B>, name: header::HeaderName) -> Vec<String> {
    response.headers().get_all(name).map(|value| value.to_str().unwrap().to_owned()).collect()
}

fn cookie_pair<B>(response: &ServiceResponse<B>) -> String {
    let set = response.headers().get(header::SET_COOKIE).unwrap().to_str().unwrap();
    set.split(';').next().unwrap().to_owned()
}

async fn body<B: MessageBody>(response: ServiceResponse<B>) -> String {
    String::from_utf8(to_bytes(response.into_body()).await.ok().unwrap().to_vec()).unwrap()
}

#[test]
fn a_request_is_seen_as_it_was_sent() {
    let request = TestRequest::default()
        .uri("http://example.test:8080/caf%C3%A9%2F/?q=%41")
        .insert_header((header::COOKIE, b"neighbour=\xe9".as_slice()))
        .append_header((header::COOKIE, "session=x"))
        .peer_addr("192.0.2.7:4711".parse().unwrap())
        .insert_header(("x-forwarded-for", "198.51.100.1"))
        .to_http_request();
    let head = Head(&request);

    assert_eq!(head.method(), "GET");
    assert_eq!(head.target(), "/caf%C3%A9%2F/?q=%41");
    assert_eq!(head.authority(), Some("example.test:8080"));
    assert_eq!(head.peer(), Some("192.0.2.7".parse().unwrap()));
    assert_eq!(head.header("cookie").collect::<Vec<_>>(), [b"neighbour=\xe9".as_slice(), b"session=x"]);
}

#[test]
fn debug_of_a_head_shows_no_cookie() {
    let request = TestRequest::default().insert_header((header::COOKIE, "session=credential"));
    let shown = format!("{:?}", Head(&request.to_http_request()));
    assert!(!shown.contains("credential"), "{shown}");
}

#[test]
fn a_target_without_a_path_and_an_unknown_peer_are_fine() {
    let request = TestRequest::default().uri("*").to_http_request();
    assert_eq!(Head(&request).target(), "*");
    assert_eq!(Head(&request).authority(), None);
    assert_eq!(Head(&request).peer(), None);

    let request = TestRequest::default().uri("example.test:443").to_http_request();
    assert_eq!(Head(&request).target(), "");
}

#[actix_web::test]
async fn a_rejection_is_cores_answer() {
    let app = App::new()
        .route("/", web::get().to(async |_: Authenticated<User>| "in"))
        .wrap(SessionMiddleware::new(manager::<User>("session")));
    let response = call_service(&init_service(app).await, TestRequest::default().to_request()).await;

    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(lines(response.response(), header::CONTENT_TYPE), ["application/json"]);
    assert_eq!(lines(response.response(), header::CACHE_CONTROL), ["no-store"]);
    assert_eq!(
        response.response().error().unwrap().as_response_error().status_code(),
        StatusCode::UNAUTHORIZED
    );
    assert!(body(response).await.starts_with(r#"{"code":"SESSION_NOT_FOUND","#));
}

#[actix_web::test]
async fn the_cookie_is_added_to_others_and_the_cache_rule_replaces_others() {
    let handler = async |session: Session<User>| -> Result<HttpResponse, Rejection> {
        session.create(User { name: "alice".into() }).await?;
        let mut response = HttpResponse::Ok();
        response.append_header((header::SET_COOKIE, "theme=dark")).append_header((header::SET_COOKIE, "a=b"));
        response.insert_header((header::CACHE_CONTROL, "public"));
        Ok(response.finish())
    };
    let app = App::new()
        .route("/", web::post().to(handler))
        .wrap(SessionMiddleware::new(manager::<User>("session")));
    let response = call_service(&init_service(app).await, TestRequest::post().to_request()).await;

    let cookies = lines(response.response(), header::SET_COOKIE);
    assert_eq!(cookies[..2], ["theme=dark", "a=b"]);
    assert!(cookies[2].starts_with("session="));
    assert_eq!(lines(response.response(), header::CACHE_CONTROL), ["no-store"]);
}

#[actix_web::test]
async fn an_error_of_an_inner_middleware_carries_the_cookie_and_stays_what_it_was() {
    let app = App::new()
        .route("/", web::post().to(login))
        .wrap_fn(|request, service| {
            let answer = service.call(request);
            async move {
                answer.await?;
                Err::<ServiceResponse<BoxBody>, Error>(Teapot.into())
            }
        })
        .wrap(SessionMiddleware::new(manager::<User>("session")));
    let app = init_service(app).await;
    let error = try_call_service(&app, TestRequest::post().to_request()).await.err().unwrap();

    assert!(error.as_error::<Teapot>().is_some());
    let first = error.error_response();
    assert_eq!(first.status(), StatusCode::IM_A_TEAPOT);
    let cookies = lines(&first, header::SET_COOKIE);
    assert_eq!(cookies.len(), 1);
    assert_eq!(lines(&error.error_response(), header::SET_COOKIE), cookies);
}

#[actix_web::test]
async fn two_kinds_of_user_and_concurrent_extractors() {
    let login = async |users: Session<User>, admins: Session<Admin>| -> Result<&'static str, Rejection> {
        users.create(User { name: "alice".into() }).await?;
        admins.create(Admin { name: "root".into() }).await?;
        Ok("in")
    };
    let names = async |a: Authenticated<User>, b: MaybeAuthenticated<User>, c: Authenticated<Admin>| {
        format!("{} {} {}", a.name, b.user().unwrap().name, c.into_inner().name)
    };
    let app = App::new()
        .route("/", web::post().to(login))
        .route("/", web::get().to(names))
        .wrap(SessionMiddleware::new(manager::<User>("session")))
        .wrap(SessionMiddleware::new(manager::<Admin>("admin")));
    let app = init_service(app).await;

    let response = call_service(&app, TestRequest::post().to_request()).await;
    let cookies = lines(response.response(), header::SET_COOKIE).join("; ");
    let response =
        call_service(&app, TestRequest::get().insert_header(("cookie", cookies)).to_request()).await;
    assert_eq!(body(response).await, "alice alice root");
}

#[actix_web::test]
async fn two_managers_with_one_cookie_name_and_a_missing_middleware_are_refused() {
    let app = App::new()
        .route("/", web::get().to(async || "in"))
        .wrap(SessionMiddleware::new(manager::<User>("session")))
        .wrap(SessionMiddleware::new(manager::<Admin>("session")));
    let app = init_service(app).await;
    let error = try_call_service(&app, TestRequest::get().to_request()).await.err().unwrap();
    assert!(error.to_string().contains("cookie name"), "{error}");
    assert_eq!(error.error_response().status(), StatusCode::INTERNAL_SERVER_ERROR);

    let app = init_service(App::new().route("/", web::get().to(async |_: Session<User>| "in"))).await;
    let response = call_service(&app, TestRequest::get().to_request()).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(response.response().error().unwrap().to_string().contains("User"));
}

#[actix_web::test]
async fn routes_work_at_any_depth_with_and_without_the_middleware() {
    let users = manager::<User>("session");
    let target = async |request: HttpRequest, _: Session<User>| Head(&request).target().to_owned();
    let inside = web::scope("/inside/{tenant}")
        .route("/target", web::get().to(target))
        .route("/login", web::post().to(login))
        .service(routes("/session", &users))
        .wrap(SessionMiddleware::new(users.clone()));
    let app = App::new().service(routes("/session/", &users)).service(inside);
    let app = init_service(app).await;
    let response = call_service(&app, TestRequest::post().uri("/inside/a/login").to_request()).await;
    let cookie = cookie_pair(&response);

    let get = async |uri: &str| {
        let request = TestRequest::get().uri(uri).insert_header(("cookie", cookie.clone())).to_request();
        body(call_service(&app, request).await).await
    };
    assert_eq!(get("/inside/%61%2Fb/target?q").await, "/inside/%61%2Fb/target?q");
    for prefix in ["/session", "/%73ession", "/inside/a/session", "/inside/a%2Fb%20c/session"] {
        for status in ["", "/", "?q=/list"] {
            let answer = get(&format!("{prefix}{status}")).await;
            assert!(answer.starts_with(r#"{"isValid":true,"#), "{prefix}{status} {answer}");
        }
        for list in ["/list", "/list/", "/%6Cist"] {
            let answer = get(&format!("{prefix}{list}")).await;
            assert!(answer.starts_with(r#"[{"id":"#), "{prefix}{list} {answer}");
        }
        for unknown in ["//", "/unknown", "/list/a/b"] {
            let answer = get(&format!("{prefix}{unknown}")).await;
            assert!(answer.starts_with(r#"{"code":"NOT_FOUND""#), "{prefix}{unknown} {answer}");
        }
    }
}
