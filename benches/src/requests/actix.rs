//! actix-web: the application's service, without a server.

use std::future::{Ready, ready};
use std::hint::black_box;

use actix_http::Request;
use actix_session::SessionMiddleware as PeerMiddleware;
use actix_session::storage::CookieSessionStore;
use actix_web::body::MessageBody;
use actix_web::cookie::Key;
use actix_web::dev::{Payload, Service, ServiceResponse};
use actix_web::error::{ErrorInternalServerError, ErrorUnauthorized};
use actix_web::http::header;
use actix_web::test::{TestRequest, init_service};
use actix_web::web::{ServiceConfig, get};
use actix_web::{App, Error, FromRequest, HttpRequest, HttpResponse};
use session_actix::{Authenticated, Head, Rejection, Session, SessionMiddleware};

use super::{
    ACTIX_READ, ACTIX_UNUSED, ACTIX_WRITE, BARE, LIMIT_READ, LIMIT_WRITE, READ, TRACKED, UNUSED, WRITE,
    cookies_of,
};
use crate::limit::Opened;
use crate::measure::{Meter, Subject, wait};
use crate::workload::{LIMIT, User, among_others, cookie, headers, stateless, tracked};

#[must_use]
pub fn subjects() -> Vec<Subject> {
    let (sessions, in_memory) = (stateless(), tracked());
    let shown = cookie(&sessions);
    let bare = || wait(init_service(App::new().configure(routes)));
    let ours =
        |sessions| wait(init_service(App::new().configure(routes).wrap(SessionMiddleware::new(sessions))));
    let peer = || {
        let middleware = PeerMiddleware::new(CookieSessionStore::default(), Key::from(&[7; 64]));
        wait(init_service(App::new().configure(routes).wrap(middleware)))
    };
    let login = wait(peer().call(request("/peer-login", ""))).expect("an answer");
    let line = login.headers().get("set-cookie").and_then(|line| line.to_str().ok()).unwrap_or_default();
    let peer_shown = among_others(line.split(';').next().unwrap_or_default());
    vec![
        subject(BARE, bare(), "/bare", &shown),
        subject(UNUSED, ours(sessions.clone()), "/bare", &shown),
        subject(LIMIT_READ, bare(), "/limit", &shown),
        subject(READ, ours(sessions.clone()), "/read", &shown),
        subject(TRACKED, ours(in_memory.clone()), "/read", &cookie(&in_memory)),
        subject(LIMIT_WRITE, bare(), "/limit-write", &shown),
        subject(WRITE, ours(sessions), "/write", &shown),
        subject(ACTIX_UNUSED, peer(), "/bare", &peer_shown),
        subject(ACTIX_READ, peer(), "/peer", &peer_shown),
        subject(ACTIX_WRITE, peer(), "/peer-write", &peer_shown),
    ]
}

fn routes(app: &mut ServiceConfig) {
    app.route("/bare", get().to(async || "ok"))
        .route("/read", get().to(read))
        .route("/write", get().to(write))
        .route("/limit", get().to(limit_read))
        .route("/limit-write", get().to(limit_write))
        .route("/peer-login", get().to(peer_login))
        .route("/peer", get().to(peer_read))
        .route("/peer-write", get().to(peer_write));
}

async fn read(user: Authenticated<User>) -> &'static str {
    black_box(&user.username);
    "ok"
}

async fn write(session: Session<User>) -> Result<&'static str, Rejection> {
    session.update(User::change).await?;
    Ok("ok")
}

fn request(path: &str, cookie: &str) -> Request {
    let request = TestRequest::get().uri(path);
    headers(cookie).into_iter().fold(request, |to, header| to.insert_header(header)).to_request()
}

fn subject<S, B>(name: &'static str, app: S, path: &'static str, cookie: &str) -> Subject
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody,
{
    let cookie = cookie.to_owned();
    // More than once: a peer sends nothing for a change to the same value.
    for _ in 0..3 {
        let response = wait(app.call(request(path, &cookie))).expect("an answer");
        assert!(response.status().is_success(), "{name}: {}", response.status());
        assert_eq!(response.headers().get_all("set-cookie").count(), cookies_of(name), "{name}");
    }
    Subject::new(name, move |n| {
        let requests: Vec<Request> = (0..n).map(|_| request(path, &cookie)).collect();
        wait(async {
            let meter = Meter::start();
            for request in requests {
                let response = app.call(request).await.expect("an answer");
                assert!(response.status().is_success());
            }
            meter.stop()
        })
    })
}

/// The limit needs no middleware: what the response says is up to the handler.
struct Handle(Opened);

impl FromRequest for Handle {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(LIMIT.open(&Head(request)).map(Self).ok_or_else(|| ErrorUnauthorized("nobody")))
    }
}

async fn limit_read(handle: Handle) -> HttpResponse {
    black_box(&handle.0.user.username);
    HttpResponse::Ok()
        .insert_header((header::VARY, "cookie"))
        .insert_header((header::CACHE_CONTROL, "private"))
        .body("ok")
}

async fn limit_write(mut handle: Handle) -> Result<HttpResponse, Error> {
    handle.0.user.change();
    let line = LIMIT.set_cookie(&handle.0).ok_or_else(|| ErrorInternalServerError("no cookie"))?;
    Ok(HttpResponse::Ok()
        .insert_header((header::SET_COOKIE, line))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body("ok"))
}

async fn peer_login(session: actix_session::Session) -> Result<&'static str, Error> {
    session.insert("user", User::alice())?;
    Ok("ok")
}

fn peer_user(session: &actix_session::Session) -> Result<User, Error> {
    session.get("user")?.ok_or_else(|| ErrorUnauthorized("nobody"))
}

async fn peer_read(session: actix_session::Session) -> Result<&'static str, Error> {
    black_box(&peer_user(&session)?.username);
    Ok("ok")
}

async fn peer_write(session: actix_session::Session) -> Result<&'static str, Error> {
    let mut user = peer_user(&session)?;
    user.change();
    session.insert("user", user)?;
    Ok("ok")
}
