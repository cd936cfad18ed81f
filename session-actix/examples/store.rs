//! Sessions in a store: a list of devices, logging the others out, and data that no parallel request loses.
//!
//! ```text
//! export JWT_SECRET=$(openssl rand -base64 32)
//! cargo run -p session-actix --example store
//!
//! curl -c jar -d 'username=alice&password=wonderland' http://127.0.0.1:3000/login
//! curl -b jar -X POST http://127.0.0.1:3000/visits
//! curl -b jar http://127.0.0.1:3000/devices
//! curl -b jar -X POST http://127.0.0.1:3000/logout-elsewhere
//! curl -b jar http://127.0.0.1:3000/session
//! curl -b jar -c jar -X DELETE http://127.0.0.1:3000/session
//! ```

use std::borrow::Cow;

use actix_web::web::{Form, Json, Redirect, get, post};
use actix_web::{App, Either, HttpResponse, HttpServer};
use serde::{Deserialize, Serialize};
use session_actix::core::{Device, store::MemoryStore};
use session_actix::{KeyRing, Rejection, Session, SessionManager, SessionMiddleware, SessionPayload, routes};

#[derive(Clone, Serialize, Deserialize)]
struct User {
    user_id: String,
    username: String,
    visits: u64,
}

impl SessionPayload for User {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.user_id).into())
    }
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();
    let sessions = SessionManager::<User>::builder()
        .keys(KeyRing::from_env()?)
        .store(MemoryStore::new())
        .development()
        .build()?;
    let app = move || {
        App::new()
            .route("/login", post().to(login))
            .route("/visits", post().to(visit))
            .route("/devices", get().to(devices))
            .route("/logout-elsewhere", post().to(logout_elsewhere))
            // Status, refresh, logout and the list of devices, for a browser front end.
            .service(routes("/session", &sessions))
            .wrap(SessionMiddleware::new(sessions.clone()))
    };
    Ok(HttpServer::new(app).bind("127.0.0.1:3000")?.run().await?)
}

async fn login(
    session: Session<User>,
    form: Form<Credentials>,
) -> Result<Either<Redirect, HttpResponse>, Rejection> {
    let Some(user) = check_password(&form) else {
        return Ok(Either::Right(HttpResponse::Unauthorized().body("Wrong name or password.\n")));
    };
    session.create(user).await?;
    Ok(Either::Left(Redirect::to("/session").see_other()))
}

/// When two requests change the payload at once, the closure runs again: every visit counts.
async fn visit(session: Session<User>) -> Result<Json<User>, Rejection> {
    let user = session.update(|user| user.visits += 1).await?;
    Ok(Json(User::clone(&user)))
}

/// Every login of this account, newest first.
async fn devices(session: Session<User>) -> Result<Json<Vec<Device>>, Rejection> {
    Ok(Json(session.list().await?))
}

/// Ends every other login of this account, at once.
async fn logout_elsewhere(session: Session<User>) -> Result<String, Rejection> {
    Ok(format!("Other sessions ended: {}.\n", session.revoke_others().await?))
}

/// A stand-in: your application looks the account up and verifies a password hash (Argon2) here.
fn check_password(form: &Credentials) -> Option<User> {
    let known = form.username == "alice" && form.password == "wonderland";
    known.then(|| User { user_id: "1".into(), username: "alice".into(), visits: 0 })
}
