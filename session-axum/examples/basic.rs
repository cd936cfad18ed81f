//! Log in, see who you are, log out. The session lives in a signed cookie: no database, nothing to set up.
//!
//! ```sh
//! JWT_SECRET=$(openssl rand -base64 48) cargo run -p session-axum --example basic
//! curl -c jar -d 'username=alice&password=wonderland' http://127.0.0.1:3000/login
//! curl -b jar http://127.0.0.1:3000/me
//! curl -b jar -c jar -X POST http://127.0.0.1:3000/logout
//! ```

use std::error::Error;

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
#[serde(rename_all = "camelCase")]
struct User {
    user_id: String,
    username: String,
}

impl SessionPayload for User {
    fn subject(&self) -> Option<&str> {
        Some(&self.user_id)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // `development` is for plain http on your machine: leave it out in production.
    let sessions = SessionManager::<User>::builder().keys(KeyRing::from_env()?).development().build()?;
    let app = Router::new()
        .route("/login", post(login))
        .route("/me", get(me))
        .route("/logout", post(logout))
        .layer(SessionLayer::new(sessions));
    axum::serve(TcpListener::bind("127.0.0.1:3000").await?, app).await?;
    Ok(())
}

async fn login(session: Session<User>, Form(form): Form<Credentials>) -> Result<Response, Rejection> {
    let Some(user) = check_password(&form) else { return Ok(StatusCode::UNAUTHORIZED.into_response()) };
    session.create(user).await?;
    Ok(Redirect::to("/me").into_response())
}

async fn me(user: Authenticated<User>) -> Json<User> {
    Json(user.into_inner())
}

async fn logout(session: Session<User>) -> Result<StatusCode, Rejection> {
    session.destroy().await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

/// Stands in for your table of users and a password hash such as Argon2.
fn check_password(form: &Credentials) -> Option<User> {
    match (form.username.as_str(), form.password.as_str()) {
        ("alice", "wonderland") => Some(User { user_id: "1".into(), username: "alice".into() }),
        _ => None,
    }
}
