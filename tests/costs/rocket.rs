use rocket::config::LogLevel;
use rocket::http::{Header, Status};
use rocket::local::asynchronous::Client;
use rocket::{Config, get, routes};
use session_rocket::{Authenticated, SessionFairing};

use super::{READ_ON_ROCKET, UNUSED_ON_ROCKET, User, counted, headers, runtime, sessions};

#[get("/bare")]
fn bare() -> &'static str {
    "ok"
}

#[get("/read")]
fn read(user: Authenticated<User>) -> &'static str {
    if user.role == "admin" { "ok" } else { "no" }
}

/// Of a request to `path`, with the fairing or without.
fn of(path: &'static str, with_fairing: bool) -> i64 {
    let (runtime, sessions) = (runtime(), sessions());
    let headers = runtime.block_on(headers(&sessions));
    let app = rocket::custom(Config { log_level: LogLevel::Off, ..Config::debug_default() });
    let app = app.mount("/", routes![bare]);
    let app =
        if with_fairing { app.mount("/", routes![read]).attach(SessionFairing::new(sessions)) } else { app };
    let client = runtime.block_on(Client::untracked(app)).unwrap();
    counted(&runtime, || {
        let lines = headers.iter().map(|(name, value)| Header::new(*name, value.clone()));
        let request = lines.fold(client.get(path), rocket::local::asynchronous::LocalRequest::header);
        async move { assert_eq!(request.dispatch().await.status(), Status::Ok) }
    })
}

#[test]
fn a_request_that_uses_no_session() {
    assert_eq!(of("/bare", true) - of("/bare", false), UNUSED_ON_ROCKET);
}

#[test]
fn a_request_that_reads_the_user() {
    assert_eq!(of("/read", true) - of("/bare", false), READ_ON_ROCKET);
}
