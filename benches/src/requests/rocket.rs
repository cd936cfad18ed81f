//! Rocket: its local client, without a server.

use std::hint::black_box;
use std::io::Cursor;

use rocket::config::LogLevel;
use rocket::http::{Header, Status};
use rocket::local::asynchronous::{Client, LocalRequest};
use rocket::request::{FromRequest, Outcome};
use rocket::response::{self, Responder};
use rocket::{Build, Config, Request, Response, Rocket, get, routes};
use session_core::SessionManager;
use session_rocket::{Authenticated, Head, Rejection, Session, SessionFairing};

use super::{BARE, LIMIT_READ, LIMIT_WRITE, READ, TRACKED, UNUSED, WRITE, cookies_of};
use crate::limit::Opened;
use crate::measure::{Meter, Subject, wait};
use crate::workload::{LIMIT, User, cookie, headers, stateless, tracked};

#[must_use]
pub fn subjects() -> Vec<Subject> {
    let (sessions, in_memory) = (stateless(), tracked());
    let shown = cookie(&sessions);
    vec![
        subject(BARE, app(), "/bare", &shown),
        subject(UNUSED, ours(&sessions), "/bare", &shown),
        subject(LIMIT_READ, app(), "/limit", &shown),
        subject(READ, ours(&sessions), "/read", &shown),
        subject(TRACKED, ours(&in_memory), "/read", &cookie(&in_memory)),
        subject(LIMIT_WRITE, app(), "/limit-write", &shown),
        subject(WRITE, ours(&sessions), "/write", &shown),
    ]
}

fn app() -> Rocket<Build> {
    let config = Config { log_level: LogLevel::Off, cli_colors: false, ..Config::default() };
    rocket::custom(config).mount("/", routes![bare, limit_read, limit_write])
}

/// Rocket refuses to launch with guards whose fairing is missing.
fn ours(sessions: &SessionManager<User>) -> Rocket<Build> {
    app().mount("/", routes![read, write]).attach(SessionFairing::new(sessions.clone()))
}

#[get("/bare")]
fn bare() -> &'static str {
    "ok"
}

#[get("/read")]
fn read(user: Authenticated<User>) -> &'static str {
    black_box(&user.username);
    "ok"
}

#[get("/write")]
async fn write(session: Session<User>) -> Result<&'static str, Rejection> {
    session.update(User::change).await?;
    Ok("ok")
}

fn request<'c>(client: &'c Client, path: &'static str, cookie: &str) -> LocalRequest<'c> {
    let lines = headers(cookie).map(|(name, value)| Header::new(name, value));
    lines.into_iter().fold(client.get(path), LocalRequest::header)
}

fn subject(name: &'static str, app: Rocket<Build>, path: &'static str, cookie: &str) -> Subject {
    let cookie = cookie.to_owned();
    let client = wait(Client::untracked(app)).expect("an application");
    // More than once: a peer sends nothing for a change to the same value.
    for _ in 0..3 {
        let response = wait(request(&client, path, &cookie).dispatch());
        assert_eq!(response.status(), Status::Ok, "{name}");
        assert_eq!(response.headers().get("set-cookie").count(), cookies_of(name), "{name}");
    }
    Subject::new(name, move |n| {
        let requests: Vec<LocalRequest<'_>> = (0..n).map(|_| request(&client, path, &cookie)).collect();
        wait(async {
            let meter = Meter::start();
            for request in requests {
                let response = request.dispatch().await;
                assert_eq!(response.status(), Status::Ok);
            }
            meter.stop()
        })
    })
}

/// The limit needs no fairing: what the response says is up to the handler.
struct Handle(Opened);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Handle {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match LIMIT.open(&Head(request)) {
            Some(opened) => Outcome::Success(Self(opened)),
            None => Outcome::Error((Status::Unauthorized, ())),
        }
    }
}

/// "ok", with the header lines of a read, or of a write with this cookie.
struct Marked(Option<String>);

impl<'r> Responder<'r, 'static> for Marked {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::build();
        match self.0 {
            Some(line) => response.raw_header("set-cookie", line).raw_header("cache-control", "no-store"),
            None => response.raw_header("vary", "cookie").raw_header("cache-control", "private"),
        };
        response.raw_header("content-type", "text/plain; charset=utf-8").sized_body(2, Cursor::new("ok"));
        Ok(response.finalize())
    }
}

#[get("/limit")]
fn limit_read(handle: Handle) -> Marked {
    black_box(&handle.0.user.username);
    Marked(None)
}

#[get("/limit-write")]
fn limit_write(mut handle: Handle) -> Option<Marked> {
    handle.0.user.change();
    LIMIT.set_cookie(&handle.0).map(|line| Marked(Some(line)))
}
