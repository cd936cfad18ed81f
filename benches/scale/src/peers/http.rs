//! The same two routes on each store, over HTTP on loopback: one logs a new user in, one reads who it is.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use actix_session::SessionMiddleware as PeerMiddleware;
use actix_session::storage::RedisSessionStore;
use actix_web::cookie::Key;
use actix_web::error::ErrorUnauthorized;
use actix_web::{App, Error, HttpServer, web};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use session_axum::SessionLayer;
use session_benches::workload::{SECRET, User};
use session_core::store::SessionStore;
use session_core::{KeyRing, SessionManager};
use session_store_redis::RedisStore;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tower_sessions::SessionManagerLayer;

use super::load::{ROUND, ROUNDS, Rates, WARM_UP};
use super::user;

/// A service in a thread of its own, and the cookie of somebody who is logged in there.
#[derive(Clone)]
pub struct Service {
    pub name: &'static str,
    port: u16,
    cookie: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Route {
    Read,
    Login,
}

impl Service {
    /// The router and its store are made in the thread that serves them.
    pub fn axum<F>(name: &'static str, make: impl FnOnce() -> F + Send + 'static) -> Self
    where
        F: Future<Output = Router>,
    {
        let (told, port) = mpsc::channel();
        thread::spawn(move || {
            one_thread().block_on(async move {
                let app = make().await;
                let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
                told.send(listener.local_addr().expect("a port").port()).expect("somebody waits");
                axum::serve(listener.tap_io(|io| drop(io.set_nodelay(true))), app).await
            })
        });
        Self::logged_in(name, port.recv().expect("a server"))
    }

    pub fn actix_bare(name: &'static str) -> Self {
        let bare = || {
            App::new()
                .route("/read", web::get().to(async || "ok"))
                .route("/login", web::get().to(async || "ok"))
        };
        Self::actix(name, move || async move {
            let server = HttpServer::new(bare).workers(1).bind(("127.0.0.1", 0)).expect("a port");
            (server.addrs()[0].port(), server.run())
        })
    }

    pub fn actix_ours(name: &'static str, url: String) -> Self {
        Self::actix(name, move || async move {
            let sessions = manager(RedisStore::connect(&url).await.expect("a store"));
            let app = move || {
                let app = App::new().wrap(session_actix::SessionMiddleware::new(sessions.clone()));
                app.route("/read", web::get().to(actix_read)).route("/login", web::get().to(actix_login))
            };
            let server = HttpServer::new(app).workers(1).bind(("127.0.0.1", 0)).expect("a port");
            (server.addrs()[0].port(), server.run())
        })
    }

    pub fn actix_peer(name: &'static str, url: String) -> Self {
        Self::actix(name, move || async move {
            let store = RedisSessionStore::new(url).await.expect("a store");
            let app = move || {
                let app = App::new().wrap(PeerMiddleware::new(store.clone(), Key::from(&[7; 64])));
                app.route("/read", web::get().to(peer_read)).route("/login", web::get().to(peer_login))
            };
            let server = HttpServer::new(app).workers(1).bind(("127.0.0.1", 0)).expect("a port");
            (server.addrs()[0].port(), server.run())
        })
    }

    fn actix<F>(name: &'static str, make: impl FnOnce() -> F + Send + 'static) -> Self
    where
        F: Future<Output = (u16, actix_web::dev::Server)>,
    {
        let (told, port) = mpsc::channel();
        thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let (port, server) = make().await;
                told.send(port).expect("somebody waits");
                server.await
            })
        });
        Self::logged_in(name, port.recv().expect("a server"))
    }

    fn logged_in(name: &'static str, port: u16) -> Self {
        let answer = apart(async move {
            let mut connection = Connection::to(port).await;
            connection.exchange(&request("/login", "")).await;
            String::from_utf8_lossy(&connection.buffer).into_owned()
        });
        let line = answer.lines().find(|line| line.to_ascii_lowercase().starts_with("set-cookie: "));
        let pair = line.and_then(|line| line["set-cookie: ".len()..].split(';').next());
        Self { name, port, cookie: pair.unwrap_or_default().to_owned() }
    }

    fn request(&self, route: Route) -> String {
        match route {
            Route::Read => request("/read", &self.cookie),
            Route::Login => request("/login", ""),
        }
    }

    /// So many requests, one after another.
    pub fn repeat(&self, route: Route, times: u64) {
        let (port, request) = (self.port, self.request(route));
        apart(async move {
            let mut connection = Connection::to(port).await;
            for _ in 0..times {
                connection.exchange(&request).await;
            }
        });
    }
}

/// Requests a second of each service, in turn, by rounds. The first rounds are not counted.
#[must_use]
pub fn rates(services: &[Service], route: Route, connections: usize) -> Rates {
    let mut rates = Rates::new(services.len());
    for round in 0..WARM_UP + ROUNDS {
        for (at, service) in services.iter().enumerate() {
            let (port, request) = (service.port, service.request(route));
            let rate = apart(one_round(port, request, connections));
            if round >= WARM_UP {
                rates.push(at, rate);
            }
        }
    }
    rates
}

async fn one_round(port: u16, request: String, connections: usize) -> f64 {
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Connection::to(port).await);
    }
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for mut connection in open {
        let request = request.clone();
        clients.spawn(async move {
            let mut done = 0_u64;
            while began.elapsed() < ROUND {
                connection.exchange(&request).await;
                done += 1;
            }
            done
        });
    }
    let done: u64 = clients.join_all().await.into_iter().sum();
    done as f64 / began.elapsed().as_secs_f64()
}

/// A client's connection: the least that can tell where an answer ends.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn to(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the server");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, buffer: Vec::with_capacity(4096) }
    }

    async fn exchange(&mut self, request: &str) {
        self.buffer.clear();
        self.stream.write_all(request.as_bytes()).await.expect("the server");
        loop {
            let count = self.stream.read_buf(&mut self.buffer).await.expect("the server");
            assert!(count > 0, "the server hung up");
            // Every answer here is "ok".
            if self.buffer.ends_with(b"\r\n\r\nok") {
                assert!(self.buffer.starts_with(b"HTTP/1.1 200"));
                return;
            }
            let text = String::from_utf8_lossy(&self.buffer);
            assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        }
    }
}

fn request(path: &str, cookie: &str) -> String {
    let cookie = if cookie.is_empty() { String::new() } else { format!("cookie: theme=dark; {cookie}\r\n") };
    format!(
        "GET {path} HTTP/1.1\r\nhost: example.com\r\nuser-agent: {}\r\naccept: application/json\r\n{cookie}\r\n",
        crate::sample::USER_AGENT
    )
}

/// In a thread of its own.
fn apart<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    thread::spawn(move || one_thread().block_on(work)).join().expect("a client")
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Each login is another user's.
fn next_user() -> User {
    static NEXT: AtomicU64 = AtomicU64::new(1 << 24);
    user(NEXT.fetch_add(1, Ordering::Relaxed))
}

fn manager(store: impl SessionStore) -> SessionManager<User> {
    let keys = KeyRing::from_secret(SECRET).expect("long enough");
    SessionManager::builder().keys(keys).store(store).build().expect("the defaults")
}

pub fn axum_bare() -> Router {
    Router::new().route("/read", get(async || "ok")).route("/login", get(async || "ok"))
}

pub fn axum_ours(store: impl SessionStore) -> Router {
    let app = Router::new().route("/read", get(axum_read)).route("/login", get(axum_login));
    app.layer(SessionLayer::new(manager(store)))
}

async fn axum_read(user: session_axum::Authenticated<User>) -> &'static str {
    black_box(&user.username);
    "ok"
}

async fn axum_login(session: session_axum::Session<User>) -> Result<&'static str, session_axum::Rejection> {
    session.create(next_user()).await?;
    Ok("ok")
}

pub fn axum_tower(store: impl tower_sessions::SessionStore + Clone) -> Router {
    let app = Router::new().route("/read", get(tower_read)).route("/login", get(tower_login));
    app.layer(SessionManagerLayer::new(store))
}

async fn tower_read(session: tower_sessions::Session) -> Result<&'static str, StatusCode> {
    let user: Option<User> = session.get("user").await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    black_box(&user.ok_or(StatusCode::UNAUTHORIZED)?.username);
    Ok("ok")
}

async fn tower_login(session: tower_sessions::Session) -> Result<&'static str, StatusCode> {
    session.insert("user", next_user()).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok("ok")
}

async fn actix_read(user: session_actix::Authenticated<User>) -> &'static str {
    black_box(&user.username);
    "ok"
}

async fn actix_login(
    session: session_actix::Session<User>,
) -> Result<&'static str, session_actix::Rejection> {
    session.create(next_user()).await?;
    Ok("ok")
}

async fn peer_read(session: actix_session::Session) -> Result<&'static str, Error> {
    let user: Option<User> = session.get("user")?;
    black_box(&user.ok_or_else(|| ErrorUnauthorized("nobody"))?.username);
    Ok("ok")
}

async fn peer_login(session: actix_session::Session) -> Result<&'static str, Error> {
    session.insert("user", next_user())?;
    Ok("ok")
}
