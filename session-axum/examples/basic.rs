//! Log in, see who you are, log out. The cookie holds everything; there is no store.
//!
//! ```text
//! export JWT_SECRET=$(openssl rand -base64 32)
//! cargo run -p session-axum --example basic
//!
//! curl -c jar -d 'username=alice&password=wonderland' http://127.0.0.1:3000/login
//! curl -b jar http://127.0.0.1:3000/me
//! curl -b jar -c jar -X POST http://127.0.0.1:3000/logout
//! ```

use std::borrow::Cow;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use serde::{Deserialize, Serialize};
use session_axum::{
    Authenticated, KeyRing, Rejection, Session, SessionLayer, SessionManager, SessionPayload,
};
use tokio::net::TcpListener;

#[derive(Clone, Serialize, Deserialize)]
struct User {
    user_id: String,
    username: String,
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

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();
    // `development` is for plain http; leave it out behind https.
    let sessions = SessionManager::<User>::builder().keys(KeyRing::from_env()?).development().build()?;
    let app = Router::new()
        .route("/login", post(login))
        .route("/me", get(me))
        .route("/logout", post(logout))
        .layer(SessionLayer::new(sessions));
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    Ok(axum::serve(listener, app).await?)
}

async fn login(session: Session<User>, Form(form): Form<Credentials>) -> Result<Response, Rejection> {
    let Some(user) = check_password(&form) else {
        return Ok((StatusCode::UNAUTHORIZED, "Wrong name or password.\n").into_response());
    };
    session.create(user).await?;
    Ok(Redirect::to("/me").into_response())
}

async fn me(user: Authenticated<User>) -> Json<User> {
    Json(user.into_inner())
}

async fn logout(session: Session<User>) -> Result<Redirect, Rejection> {
    session.destroy().await?;
    Ok(Redirect::to("/"))
}

/// A stand-in: your application looks the account up and verifies a password hash (Argon2) here.
fn check_password(form: &Credentials) -> Option<User> {
    let known = form.username == "alice" && form.password == "wonderland";
    known.then(|| User { user_id: "1".into(), username: "alice".into() })
}
