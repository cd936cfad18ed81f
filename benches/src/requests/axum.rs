//! axum: `Router::call`, without a server.

use std::hint::black_box;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use pin_project_lite::pin_project;
use session_axum::{Authenticated, Rejection, Session, SessionLayer, head};
use session_core::SessionManager;
use tower::layer::layer_fn;
use tower::{Service, ServiceExt};
use tower_sessions::{MemoryStore, SessionManagerLayer};

use super::{
    BARE, JWT_READ, LIMIT_READ, LIMIT_UNUSED, LIMIT_WRITE, READ, TOWER_READ, TOWER_UNUSED, TOWER_WRITE,
    TRACKED, UNUSED, WRITE, cookies_of,
};
use crate::limit::Opened;
use crate::measure::{Meter, Subject, wait};
use crate::token::{Jwt, PlainClaims};
use crate::workload::{COOKIE, LIMIT, User, among_others, cookie, headers, stateless, tracked};

#[must_use]
pub fn subjects() -> Vec<Subject> {
    let (sessions, in_memory) = (stateless(), tracked());
    let shown = cookie(&sessions);
    let limit = || app().layer(layer_fn(LimitService));
    let (tower, tower_shown) = tower_sessions();
    vec![
        subject(BARE, app(), "/bare", &shown),
        subject(LIMIT_UNUSED, limit(), "/bare", &shown),
        subject(UNUSED, ours(&sessions), "/bare", &shown),
        subject(LIMIT_READ, limit(), "/limit", &shown),
        subject(READ, ours(&sessions), "/read", &shown),
        subject(TRACKED, ours(&in_memory), "/read", &cookie(&in_memory)),
        subject(LIMIT_WRITE, limit(), "/limit-write", &shown),
        subject(WRITE, ours(&sessions), "/write", &shown),
        subject(JWT_READ, app(), "/jwt", &shown),
        subject(TOWER_UNUSED, tower.clone(), "/bare", &tower_shown),
        subject(TOWER_READ, tower.clone(), "/tower", &tower_shown),
        subject(TOWER_WRITE, tower, "/tower-write", &tower_shown),
    ]
}

/// An application to be served, and who asks it for what.
pub struct Served {
    pub name: &'static str,
    pub app: Router,
    pub path: &'static str,
    /// Header lines.
    pub headers: Vec<(&'static str, String)>,
}

/// Those that read, for the wire.
#[must_use]
pub fn served() -> Vec<Served> {
    let (sessions, in_memory) = (stateless(), tracked());
    let shown = cookie(&sessions);
    let (tower, tower_shown) = tower_sessions();
    let served = |name, app, path, cookie: &str| {
        let headers = headers(cookie).map(|(name, value)| (name, value.to_owned())).to_vec();
        Served { name, app, path, headers }
    };
    vec![
        served(BARE, app(), "/bare", &shown),
        served(LIMIT_READ, app().layer(layer_fn(LimitService)), "/limit", &shown),
        served(READ, ours(&sessions), "/read", &shown),
        served(TRACKED, ours(&in_memory), "/read", &cookie(&in_memory)),
        served(JWT_READ, app(), "/jwt", &shown),
        served(TOWER_READ, tower, "/tower", &tower_shown),
    ]
}

/// The same routes everywhere.
fn app() -> Router {
    Router::new()
        .route("/bare", get(async || "ok"))
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/limit", get(limit_read))
        .route("/limit-write", get(limit_write))
        .route("/jwt", get(jwt_read))
        .route("/tower-login", get(tower_login))
        .route("/tower", get(tower_read))
        .route("/tower-write", get(tower_write))
}

fn ours(sessions: &SessionManager<User>) -> Router {
    app().layer(SessionLayer::new(sessions.clone()))
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
    let builder =
        headers(cookie).into_iter().fold(Request::get(path), |to, (name, value)| to.header(name, value));
    builder.body(Body::empty()).expect("a request")
}

fn subject(name: &'static str, app: Router, path: &'static str, cookie: &str) -> Subject {
    let cookie = cookie.to_owned();
    // As `axum::serve` does: else each request would put the layers around its route again.
    let mut app = app.with_state(());
    // More than once: a peer sends nothing for a change to the same value.
    for _ in 0..3 {
        let response = wait(app.clone().oneshot(request(path, &cookie))).expect("an answer");
        assert_eq!(response.status(), StatusCode::OK, "{name}");
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), cookies_of(name), "{name}");
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

/// What the limit's layer and extractor share: whether somebody asked, and the cookie to set.
type Slot = Arc<Mutex<(bool, Option<String>)>>;

#[derive(Clone)]
struct LimitService<S>(S);

impl<S: Service<Request, Response = Response>> Service<Request> for LimitService<S> {
    type Response = Response;
    type Error = S::Error;
    type Future = LimitFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let slot = Slot::default();
        request.extensions_mut().insert(Arc::clone(&slot));
        LimitFuture { inner: self.0.call(request), slot }
    }
}

pin_project! {
    struct LimitFuture<F> {
        #[pin]
        inner: F,
        slot: Slot,
    }
}

impl<F: Future<Output = Result<Response, E>>, E> Future for LimitFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(context))?;
        let mut slot = this.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let headers = response.headers_mut();
        if let Some(line) = slot.1.take() {
            headers.append(header::SET_COOKIE, HeaderValue::from_maybe_shared(bytes(line)).expect("ASCII"));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        } else if slot.0 {
            headers.append(header::VARY, HeaderValue::from_static("cookie"));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
        }
        Poll::Ready(Ok(response))
    }
}

fn bytes(line: String) -> axum::body::Bytes {
    line.into()
}

struct Handle {
    opened: Arc<Opened>,
    slot: Slot,
}

impl<S: Send + Sync> FromRequestParts<S> for Handle {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, StatusCode> {
        let slot = parts.extensions.get::<Slot>().ok_or(StatusCode::INTERNAL_SERVER_ERROR)?.clone();
        slot.lock().unwrap_or_else(PoisonError::into_inner).0 = true;
        let opened = LIMIT.open(&head(parts)).ok_or(StatusCode::UNAUTHORIZED)?;
        Ok(Self { opened: Arc::new(opened), slot })
    }
}

async fn limit_read(handle: Handle) -> &'static str {
    black_box(&handle.opened.user.username);
    "ok"
}

async fn limit_write(handle: Handle) -> Result<&'static str, StatusCode> {
    let mut opened = Arc::into_inner(handle.opened).ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
    opened.user.change();
    let line = LIMIT.set_cookie(&opened).ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
    handle.slot.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(line);
    Ok("ok")
}

/// An extractor as applications write it.
struct ByHand(PlainClaims);

static JWT: std::sync::LazyLock<Jwt> = std::sync::LazyLock::new(Jwt::default);

impl<S: Send + Sync> FromRequestParts<S> for ByHand {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, StatusCode> {
        let line = parts.headers.get("cookie").and_then(|line| line.to_str().ok());
        let mut pairs = line.into_iter().flat_map(|line| line.split("; "));
        let token = pairs.find_map(|pair| pair.strip_prefix(COOKIE)?.strip_prefix('='));
        token.and_then(|token| JWT.read(token.as_bytes())).map(Self).ok_or(StatusCode::UNAUTHORIZED)
    }
}

async fn jwt_read(user: ByHand) -> &'static str {
    black_box(&user.0.username);
    "ok"
}

/// The application and the Cookie line of somebody who is logged in.
fn tower_sessions() -> (Router, String) {
    let app = app().layer(SessionManagerLayer::new(MemoryStore::default()));
    let response = wait(app.clone().oneshot(request("/tower-login", ""))).expect("an answer");
    let line = response.headers()["set-cookie"].to_str().expect("text");
    let pair = line.split(';').next().unwrap_or_default();
    (app, among_others(pair))
}

type TowerResult = Result<&'static str, StatusCode>;

async fn tower_login(session: tower_sessions::Session) -> TowerResult {
    session.insert("user", User::alice()).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok("ok")
}

async fn tower_user(session: &tower_sessions::Session) -> Result<User, StatusCode> {
    session.get("user").await.ok().flatten().ok_or(StatusCode::UNAUTHORIZED)
}

async fn tower_read(session: tower_sessions::Session) -> TowerResult {
    black_box(&tower_user(&session).await?.username);
    Ok("ok")
}

async fn tower_write(session: tower_sessions::Session) -> TowerResult {
    let mut user = tower_user(&session).await?;
    // The same value again would count as no change.
    let other = if user.last_login.ends_with('.') { ',' } else { '.' };
    user.change();
    user.last_login.push(other);
    session.insert("user", user).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok("ok")
}
