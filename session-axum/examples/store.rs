//! Sessions in a store: a logout works everywhere at once, you see your devices and end the others, and no update of
//! the session's data is lost.
//!
//! ```sh
//! JWT_SECRET=$(openssl rand -base64 48) cargo run -p session-axum --example store
//! curl -c phone -d 'username=alice&password=wonderland' http://127.0.0.1:3000/login
//! curl -c laptop -d 'username=alice&password=wonderland' http://127.0.0.1:3000/login
//! curl -b phone -X POST http://127.0.0.1:3000/visits
//! curl -b phone http://127.0.0.1:3000/devices
//! curl -b phone -X POST http://127.0.0.1:3000/logout-others
//! curl -b laptop http://127.0.0.1:3000/session
//! ```

use std::error::Error;
use std::net::SocketAddr;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use serde::{Deserialize, Serialize};
use session_axum::core::Device;
use session_axum::core::store::MemoryStore;
use session_axum::{KeyRing, Rejection, Session, SessionLayer, SessionManager, SessionPayload};
use tokio::net::TcpListener;

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    user_id: String,
    username: String,
    visits: u64,
}

impl SessionPayload for User {
    fn subject(&self) -> Option<&str> {
        Some(&self.user_id)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sessions = SessionManager::<User>::builder()
        .keys(KeyRing::from_env()?)
        .development()
        // This one forgets everything when the program ends: take SQL or Redis in production.
        .store(MemoryStore::new())
        .build()?;
    let app = Router::new()
        .route("/login", post(login))
        .route("/visits", post(visits))
        .route("/devices", get(devices))
        .route("/logout-others", post(logout_others))
        // Status, refresh, logout and devices for a browser front end: see GET /session.
        .merge(session_axum::routes("/session", &sessions))
        .layer(SessionLayer::new(sessions));
    // Tells the sessions the address of their client.
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(TcpListener::bind("127.0.0.1:3000").await?, app).await?;
    Ok(())
}

async fn login(session: Session<User>, Form(form): Form<Credentials>) -> Result<Response, Rejection> {
    let Some(user) = check_password(&form) else { return Ok(StatusCode::UNAUTHORIZED.into_response()) };
    session.create(user).await?;
    Ok(Redirect::to("/session").into_response())
}

/// The closure runs again if somebody else changed the session meanwhile, so every visit counts.
async fn visits(session: Session<User>) -> Result<Json<u64>, Rejection> {
    let user = session.update(|user| user.visits += 1).await?;
    Ok(Json(user.visits))
}

async fn devices(session: Session<User>) -> Result<Json<Vec<Device>>, Rejection> {
    Ok(Json(session.list().await?))
}

async fn logout_others(session: Session<User>) -> Result<Json<u64>, Rejection> {
    Ok(Json(session.revoke_others().await?))
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

/// Stands in for your table of users and a password hash such as Argon2.
fn check_password(form: &Credentials) -> Option<User> {
    match (form.username.as_str(), form.password.as_str()) {
        ("alice", "wonderland") => Some(User { user_id: "1".into(), username: "alice".into(), visits: 0 }),
        _ => None,
    }
}
